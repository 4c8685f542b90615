"""Every benchmark runs, and judges nothing here: times are for `scripts/benchmark.py` on a quiet machine."""

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent.parent / "scripts"))


@pytest.mark.parametrize("what", ["steps", "loader", "evaluation", "growth", "ddp"])
def test_quick(what, tmp_path, monkeypatch, data_root, capsys):
    import benchmark

    benchmark.main([what, "--quick", "--data", str(data_root), "--out", str(tmp_path / "out.json")])
    claims = json.loads((tmp_path / "out.json").read_text())["claims"]
    assert len(claims) >= 1
    assert all(claim["ratio"] > 0 for claim in claims)
    assert claims[0]["claimed"] in capsys.readouterr().out


def _nothing(*_, **__):
    return 1.0


def _half(game, generator, discriminator, data, batch_size, latent_dim, iterations, device):
    from benchmarks.hand_written import plain

    return plain(game, generator, discriminator, data, batch_size, latent_dim, iterations // 2, device)


@pytest.mark.parametrize(
    ("loop", "quick", "measured"),
    [(None, False, True), (_nothing, False, False), (_half, False, False), (_nothing, True, True)],
)
def test_a_side_that_does_not_train_alike_is_no_measure(monkeypatch, loop, quick, measured):
    from benchmarks import hand_written, steps
    from benchmarks.measuring import Scale

    ring = steps.Case("non_saturating", ("dataset=ring8", "evaluation.samples=100"), 100, {("gan_lab", "best"): 9.0})
    monkeypatch.setattr(steps, "CPU", {"ring": ring})
    scale = Scale(repeats=1, quick=quick, device="cpu", threads=1, data="")
    monkeypatch.setattr(hand_written, "best", loop or hand_written.best)
    if measured:
        assert len(steps.steps(scale)) == 1
    else:
        with pytest.raises(RuntimeError, match=r" moves the (generator|discriminator) by .*, the first side by "):
            steps.steps(scale)


def test_what_is_claimed_can_fail():
    from benchmarks.measuring import Claim

    sides = {"ours": 12.0, "theirs": 10.0}
    assert Claim("slow", sides, at_most=1.25).holds is True
    assert Claim("slow", sides, at_most=1.15).holds is False
    assert Claim("fast", sides, at_least=1.15).holds is True
    assert Claim("fast", sides, at_least=1.25).holds is False
    assert Claim("unclaimed", sides).holds is None
