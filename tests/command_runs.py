"""Command lines without the seconds in which torch is imported."""

import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from gan_lab.distributed.forkserver import forkserver


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


def forked(folder: Path, *words: str, module: str = "cli.train", **environment: str) -> BaseProcess:
    """Starts a command in a process of its own, without the seconds in which torch is imported.

    A server that has imported it forks the process. Its stdout and stderr go to files of these names in the folder's
    neighbour `printed`, as the folder may have to stay empty. The server forks what the command starts, too.
    """
    process = forkserver().Process(target=_command, args=(folder, module, words, os.environ | environment))
    process.start()
    return process


def scripted(folder: Path, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """What a script of scripts/ ends with, in a process of its own that the server forks."""
    process = forkserver().Process(target=_script, args=(folder, name, words, dict(os.environ)))
    process.start()
    process.join(900)
    said, wrong = (printed(folder, stream).read_text() for stream in ("stdout", "stderr"))
    return subprocess.CompletedProcess(words, process.exitcode, said, wrong)


def printed(folder: Path, name: str) -> Path:
    """Where a forked command's stdout or stderr is written."""
    return folder.with_name(f"{folder.name}.{name}")


def _command(folder: Path, module: str, words: tuple[str, ...], environment: dict[str, str]) -> None:
    _enter(folder, environment)
    sys.argv = ["gan-lab", *words]
    import_module(f"gan_lab.{module}").main()


def _script(folder: Path, name: str, words: tuple[str, ...], environment: dict[str, str]) -> None:
    _enter(folder, environment)
    file = Path(__file__).parent.parent / "scripts" / name
    sys.argv = [str(file), *words]
    sys.path.insert(0, str(file.parent))
    runpy.run_path(str(file), run_name="__main__")


def _enter(folder: Path, environment: dict[str, str]) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(printed(folder, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
