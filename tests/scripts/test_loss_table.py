"""The README's measured table, from planted runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent.parent / "scripts"


def plant(sweep, name, loss, modes, kl, iterations=1000):
    folder = sweep / name
    folder.mkdir(parents=True)
    (folder / "status.json").write_text("{}")
    if modes is not None:
        metrics = {"modes": modes, "high_quality": 0.5, "reverse_kl": kl, "fd_points": 0.25}
        budget = {"iterations": iterations, "train_seconds": 2.0, "real_images": 64000}
        environment = {"torch": "9.9", "threads": 1}
        result = {
            "loss": loss,
            "dataset": "ring8",
            "protocol": "matched",
            "metrics": metrics,
            "floor": metrics,
            "budget": budget,
            "environment": environment,
        }
        (folder / "result.json").write_text(json.dumps(result))


def run(*arguments):
    return subprocess.run([sys.executable, SCRIPTS / "loss_table.py", *arguments], capture_output=True, text=True)


def test_means_errors_order_and_lost_runs(tmp_path):
    plant(tmp_path, "000_loss=worse,seed=0", "worse", 4.0, 0.7)
    plant(tmp_path, "001_loss=worse,seed=1", "worse", None, None)
    plant(tmp_path, "002_loss=better,seed=0", "better", 6.0, 0.1)
    plant(tmp_path, "003_loss=better,seed=1", "better", 8.0, 0.3)
    plant(tmp_path, "004_loss=gone,seed=0", "gone", None, None)
    lines = run("--sweep", tmp_path).stdout.splitlines()
    rows = [line for line in lines if line.startswith("| `")][1:]
    # mean of 6 and 8 is 7, standard error √2/√2 = 1; of 0.1 and 0.3: 0.2 and 0.1
    assert rows[0] == "| `better` | 7.0 ± 1.0 | 50.0 ± 0.0 | 0.200 ± 0.100 | 0.2500 ± 0.0000 | 2 |"
    assert rows[1].startswith("| `worse` | 4.0 ± nan |")
    assert rows[1].endswith("| 1, 1 lost |")
    assert rows[2] == "| `gone` | | | | | 0, 1 lost |"


def test_runs_of_another_budget_are_not_mixed(tmp_path):
    plant(tmp_path, "000_loss=one,seed=0", "one", 4.0, 0.7)
    plant(tmp_path, "001_loss=two,seed=0", "two", 4.0, 0.7, iterations=2000)
    done = run("--sweep", tmp_path)
    assert done.returncode == 1
    assert "its runs differ in iterations, dataset or protocol" in done.stderr


def test_an_empty_folder_is_said(tmp_path):
    done = run("--sweep", tmp_path)
    assert done.returncode == 1
    assert "no finished run in it" in done.stderr


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.py")), ids=lambda script: script.name)
def test_every_script_has_help(script):
    done = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "usage:" in done.stdout
