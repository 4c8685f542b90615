"""The rank correlation with a published order, by hand and by counting."""

import runpy
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

MADE = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "published_order.py"))


def test_the_correlation_by_hand_with_a_tie_too():
    """1 − 6 Σd² / (n³ − n) of three ranks: 1, ½ and −1; with a tie, 3 / √12."""
    ours = np.array([[1.0, 2, 3], [1, 3, 2], [3, 2, 1], [1, 1, 2]])
    expected = [1, 0.5, -1, 3 / 12**0.5]
    assert MADE["rank_correlation"](ours, np.arange(3.0)) == pytest.approx(expected, rel=1e-12)


def test_up_to_0_83_six_losses_can_agree_by_chance():
    orders = np.array(list(permutations(range(6))), dtype=float)
    sizes = abs(MADE["rank_correlation"](orders, np.arange(6.0)))
    assert (sizes > 0.885).mean() <= 0.05 < (sizes > 0.828).mean()


def test_seeds_are_drawn_alike_for_all_losses():
    """The second loss is 10 above the first with every seed, so it is in every draw, and draws differ."""
    one = np.array([1.0, 2.0, 4.0])
    means = MADE["drawn_again"](np.array([one, one + 10]), 500)
    assert means[:, 1] - means[:, 0] == pytest.approx(np.full(500, 10.0))
    assert (means[:, 0].min(), means[:, 0].max()) == (1, 4)
    assert means[:, 0].mean() == pytest.approx(7 / 3, abs=0.2)  # standard error of the draws: 0.03


def written(folder: Path, rows: list[str], group: str = "weight 1") -> Path:
    """A study's files, whose groups are not called like their losses and whose runs have one dataset."""
    file = folder / "results.csv"
    head = "option.loss,seed,state,metric.fd_classifier,group"
    file.write_text("\n".join([head, *(f"{row},{group}" for row in rows)]))
    (folder / "common.csv").write_text("column,value\noption.dataset,mnist\n")
    return file


def test_only_seeds_that_all_losses_finished_count(tmp_path):
    file = written(tmp_path, ["wgan,0,done,3", "wgan,1,done,4", "lsgan,1,done,5", "lsgan,0,failed,9", "hinge,1,done,1"])
    assert MADE["distances"](file, "mnist", ["lsgan", "wgan"]).tolist() == [[5], [4]]


@pytest.mark.parametrize("rows", [["wgan,0,done,3"], ["wgan,0,done,3", "lsgan,1,done,3"]])
def test_what_cannot_be_compared_is_said(tmp_path, rows):
    with pytest.raises(
        SystemExit, match=r"results.csv: no (finished run on mnist of lsgan|seed that all of lsgan, wgan)"
    ):
        MADE["distances"](written(tmp_path, rows), "mnist", ["lsgan", "wgan"])


def test_a_loss_of_two_groups_is_refused(tmp_path):
    file = written(tmp_path, ["wgan,0,done,3"])
    file.write_text(file.read_text() + "\nwgan,0,done,9,weight 2\n")
    with pytest.raises(SystemExit, match=r"wgan is several groups \(weight 1, weight 2\)"):
        MADE["distances"](file, "mnist", ["wgan"])


def test_another_datasets_runs_do_not_count_and_the_command_prints_a_row_a_loss(tmp_path, monkeypatch, capsys):
    losses = sorted(MADE["PUBLISHED"]["mnist"], key=MADE["PUBLISHED"]["mnist"].get)
    rows = [f"{loss},{seed},done,{place + seed}" for place, loss in enumerate(losses) for seed in range(3)]
    file = written(tmp_path, rows)
    with pytest.raises(SystemExit, match="no finished run on fashion_mnist of wgan, wgan_gp"):
        MADE["distances"](file, "fashion_mnist", ["wgan", "wgan_gp"])
    monkeypatch.setattr("sys.argv", ["published_order.py", "mnist", str(file)])
    MADE["main"]()
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines()[1:-1]] == losses
    assert printed.splitlines()[-1] == "rank correlation 1.00 [1.00, 1.00], 3 seeds"
