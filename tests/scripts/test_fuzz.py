"""The short form of the fuzzer, and that it sees what it is there to see."""

import os
import sys
from pathlib import Path

import pytest
from command_runs import scripted

FUZZ = Path(__file__).parent.parent.parent / "scripts" / "fuzz.py"
sys.path.append(str(FUZZ.parent))
from fuzz import Case, Fuzz, Models, contents  # noqa: E402


@pytest.mark.long
def test_six_cases_end_as_they_should(tmp_path):
    """One case of each kind, a sweep among them."""
    done = scripted(tmp_path, "fuzz.py", "--cases", "6", "--jobs", "1", "--seed", "349")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("6 cases: ")
    kinds = ("report", "sample", "evaluate", "train")  # the last resumes, sweeps, and takes an odd value
    assert all(f" {kind} " in done.stdout for kind in kinds)


@pytest.mark.parametrize(
    ("output", "code", "fault"),
    [
        ("fine\n", 0, ""),
        ("gan-lab: seed=-1: expected a whole number of at least 0\n", 1, ""),
        ("Traceback (most recent call last):\nKeyError: 'x'\n", 1, "status 1, KeyError: 'x'"),
        ("gone\n", -11, "status -11, gone"),
        ("gan-lab: \x1b[31mred\n", 1, "prints '\\x1b'"),
        ("gan-lab: \u202ex\n", 1, "prints '\\u202e'"),
        ("no sentence\n", 1, "fails without a sentence: no sentence"),
        ("", None, "hangs for 60 s"),
    ],
)
def test_what_counts_as_a_fault(tmp_path, output, code, fault):
    fuzz = Fuzz(tmp_path, Models(tmp_path, tmp_path, tmp_path, "", []), 0)
    (tmp_path / "output").write_text(output)
    assert fuzz.fault(Case("sample", [], tmp_path), code, contents(tmp_path)) == fault


def test_a_refused_command_may_change_nothing(tmp_path):
    (tmp_path / "case").mkdir()
    fuzz = Fuzz(tmp_path, Models(tmp_path, tmp_path, tmp_path, "", []), 0)
    (tmp_path / "case" / "status.json").write_text("before")
    before = contents(tmp_path / "case")
    (tmp_path / "case" / "status.json").write_text("after")
    (tmp_path / "case" / "output").write_text("gan-lab: no\n")
    case = Case("train", ["resume=x"], tmp_path / "case")
    assert fuzz.fault(case, 1, before) == "was refused and changed status.json: gan-lab: no"
    os.unlink(tmp_path / "case" / "output")
    assert contents(tmp_path / "case") != before
