"""Refused command lines, inside the test's own process."""

import sys

import pytest


def refusal(monkeypatch, folder, command, *words):
    """The one sentence with which a command ends; SystemExit with a text is status 1, the text on stderr.

    In this process, as importing torch for each would take minutes.
    """
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", list(words))
        patch.setenv("HYDRA_FULL_ERROR", "0")
        with pytest.raises(SystemExit) as stop:
            command()
    assert len(stop.value.code.splitlines()) == 1
    return stop.value.code
