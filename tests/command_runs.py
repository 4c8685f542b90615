"""Command lines inside the test's own process, as importing torch for each would take minutes."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest


def refusal(monkeypatch, folder, command, *words):
    """The one sentence with which a command ends; SystemExit with a text is status 1, the text on stderr."""
    code = ended(monkeypatch, folder, command, *words)
    assert isinstance(code, str)
    assert len(code.splitlines()) == 1
    return code


def ended(monkeypatch: pytest.MonkeyPatch, folder: Path, command: Callable[[], None], *words: str) -> int | str:
    """What a command ends with: 0, an exit status, or a sentence."""
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", list(words))
        patch.setenv("HYDRA_FULL_ERROR", "0")
        try:
            command()
        except SystemExit as stop:
            return stop.code or 0
    return 0
