"""Command lines without the seconds in which torch is imported."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gan_lab.cli.train import main


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


def command_in(folder: Path, words: list[str]) -> None:
    """``gan-lab`` as the whole of a process, forked by a warm server: in a folder, its stderr in a file there."""
    os.chdir(folder)
    os.dup2(os.open("stderr", os.O_WRONLY | os.O_CREAT), 2)
    sys.argv = words
    main()
