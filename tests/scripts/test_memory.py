"""A run's memory is measured at two of its iterations."""

import re

from command_runs import scripted


def test_both_iterations_are_measured(tmp_path):
    done = scripted(tmp_path, "memory.py", "--early", "4", "--late", "8", "--limit", "50", "evaluation.samples=100")
    assert done.returncode == 0, done.stdout + done.stderr
    *_, last = done.stdout.splitlines()
    early, late = re.fullmatch(r"resident memory: (\S+) MiB at iteration 4, (\S+) MiB at 8: .*", last).groups()
    assert float(early) > 100  # PyTorch alone takes more
    assert abs(float(late) / float(early) - 1) < 0.5
