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


def test_what_is_claimed_can_fail():
    from benchmarks.measuring import Claim

    sides = {"ours": 12.0, "theirs": 10.0}
    assert Claim("slow", sides, at_most=1.25).holds is True
    assert Claim("slow", sides, at_most=1.15).holds is False
    assert Claim("fast", sides, at_least=1.15).holds is True
    assert Claim("fast", sides, at_least=1.25).holds is False
    assert Claim("unclaimed", sides).holds is None
