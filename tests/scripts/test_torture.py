"""The short form of the torture: one SIGKILL. Other signals: tests/callbacks/test_stop_signals.py."""

import pytest
from command_runs import scripted


@pytest.mark.long
def test_a_run_that_is_killed_ends_as_one_that_is_not(tmp_path):
    pixels = "evaluation/extractor=pixels"  # which, unlike the classifier, needs no training
    kept = str(tmp_path / "runs")
    done = scripted(tmp_path, "torture.py", "--kills", "1", "--signals", "0", "--keep", kept, pixels, "iterations=200")
    assert done.returncode == 0, done.stdout + done.stderr
    _, *tallies = done.stdout.splitlines()
    assert [line.partition(" times")[0] for line in tallies if ": 0 times" not in line] == ["SIGKILL: 1"]
    assert tallies[0].endswith(": bit-equal")
