"""A run's memory is measured at two of its iterations."""

import re
import subprocess
import sys
from pathlib import Path

MEMORY = Path(__file__).parent.parent.parent / "scripts" / "memory.py"


def test_both_iterations_are_measured():
    command = [sys.executable, str(MEMORY), "--early", "4", "--late", "8", "--limit", "50", "evaluation.samples=100"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    *_, last = done.stdout.splitlines()
    early, late = re.fullmatch(r"resident memory: (\S+) MiB at iteration 4, (\S+) MiB at 8: .*", last).groups()
    assert float(early) > 100  # PyTorch alone takes more
    assert abs(float(late) / float(early) - 1) < 0.5
