"""Every script says what it does."""

import runpy
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent.parent / "scripts"


@pytest.mark.parametrize("script", sorted(file.name for file in SCRIPTS.glob("*.py")))
def test_help(script, monkeypatch, capsys):
    monkeypatch.syspath_prepend(SCRIPTS)  # as Python does with the folder of a script
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    with pytest.raises(SystemExit) as ending:
        runpy.run_path(str(SCRIPTS / script), run_name="__main__")
    assert ending.value.code == 0
    assert "usage:" in capsys.readouterr().out
