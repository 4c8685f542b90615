"""The mutants are listed, one of them is killed end to end, and a survivor without a reason is a failure."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "mutate_losses.py"
sys.path.append(str(SCRIPT.parent))
import mutate_losses  # noqa: E402


def test_one_mutant_of_the_list_is_killed(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["mutate_losses.py", "--list"])
    mutate_losses.main()
    *lines, count = capsys.readouterr().out.splitlines()
    assert count == f"{len(lines)} mutants"
    (clip,) = (line for line in lines if line.endswith("-> parameter.clamp_(bound, bound)"))
    words = [sys.executable, str(SCRIPT), "--only", clip.split()[0]]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("1 of 1 mutants killed")


def test_every_file_has_mutants_and_tests():
    found = {mutant.file.relative_to(mutate_losses.ROOT / "gan_lab") for mutant in mutate_losses.numbered().values()}
    assert {str(file) for file in found} == set(mutate_losses.TESTS)
    tests = {name for names in mutate_losses.TESTS.values() for name in names}
    assert all(mutate_losses.test_file(name).exists() for name in tests)


def test_a_survivor_needs_a_reason(monkeypatch, capsys):
    first, second, *_ = mutate_losses.numbered().values()
    assert mutate_losses.tell([first, second], [second]) == 1
    assert "NOT EXPLAINED" in capsys.readouterr().out
    monkeypatch.setattr(mutate_losses, "EQUIVALENT", {str(second): "the same"})
    assert mutate_losses.tell([first, second], [second]) == 0
    assert capsys.readouterr().out.endswith("1 of 1 mutants killed that compute something else; 1 compute the same\n")


def test_a_reason_for_a_mutant_that_is_gone_is_refused(monkeypatch):
    monkeypatch.setattr(mutate_losses, "EQUIVALENT", {"objectives.py: some change of an older version": "the same"})
    with pytest.raises(SystemExit, match="some change of an older version"):
        mutate_losses.numbered()


def test_changes_of_a_line(tmp_path):
    file = tmp_path / "loss.py"
    file.write_text("def loss(real, fake):\n    return global_mean(real - fake).mean()\n")
    found = {mutant.change.rpartition("-> ")[2] for mutant in mutate_losses.mutants(file)}
    assert found == {
        f"return {changed}"
        for changed in (
            "global_mean(real - fake).sum()",  # a sum
            "0.5 * global_mean(real - fake).mean()",  # half of it
            "(real - fake).mean().mean()",  # of this process alone
            "global_mean(real + fake).mean()",  # a sign
            "global_mean(real).mean()",  # a term dropped
            "global_mean(fake).mean()",
            "global_mean(0.5 * (real - fake)).mean()",
            "global_mean(fake - fake).mean()",  # real and fake swapped
            "global_mean(real - real).mean()",
        )
    }
