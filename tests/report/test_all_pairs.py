"""The table of all pairs, the ranks that claims leave open, and the figures over datasets and along numbers."""

import math
import re

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from pages import board, page

from gan_lab.report import statistics
from gan_lab.report.axis_figure import axis_figure, lines
from gan_lab.report.collect import read
from gan_lab.report.figures import figures
from gan_lab.report.figures_across import figures_across
from gan_lab.report.sample_pictures import best_to_worst
from gan_lab.report.sections import content
from gan_lab.report.study import publish


def test_all_pairs_have_difference_interval_and_decision(sweep, tmp_path):
    """Five seeds 0.02 apart: b is 0.3 above a, c 0.01 above b, in every seed."""
    sweep(tmp_path, {"a": 0.2, "b": 0.5, "c": 0.51}, 5)
    (section,) = content(read([tmp_path]), None).sections
    cells = {row.label: {other.label: one for (other, _), one in zip(section.differences, line, strict=True)}
             for row, line in section.differences}  # fmt: skip
    assert (cells["a"]["b"].text, cells["a"]["b"].note, cells["a"]["b"].kind) == ("−0.3", "[−0.3, −0.3]", "better")
    assert (cells["c"]["a"].text, cells["c"]["a"].mark) == ("0.31", "▼ ")
    assert (cells["b"]["c"].text, cells["b"]["c"].mark) == ("−0.01", "")
    assert [row.span for row in section.rows] == ["", "2–3", "2–3"]
    text = page(tmp_path)
    assert "▲ −0.3" in text
    assert "▲ −0.3" in (tmp_path / "report" / "report.md").read_text()


def test_two_groups_stay_a_short_page(sweep, tmp_path):
    sweep(tmp_path, {"a": 0.2, "b": 0.5}, 5)
    (section,) = content(read([tmp_path]), None).sections
    assert section.differences == []
    assert [row.span for row in section.rows] == ["", ""]
    assert "All pairs" not in page(tmp_path)


@pytest.fixture
def two_datasets(run, tmp_path):
    """On ring8 a is before b before c; on grid25 c is before a, and b, as good as a, lost a run."""
    levels = {"ring8": {"a": 0.1, "b": 0.2, "c": 0.4}, "grid25": {"c": 0.3, "a": 0.6, "b": 0.6}}
    for dataset, of in levels.items():
        for loss, level in of.items():
            for seed in range(6):
                metrics = {"modes": 8.0, "reverse_kl": level * (1 + 0.01 * seed)}
                words = {"loss": loss, "dataset": dataset, "seed": seed}
                lost = dataset == "grid25" and loss == "b" and seed == 5
                run(tmp_path / f"{dataset}{loss}{seed}", words, metrics, state="failed" if lost else "done", points=3)
    return tmp_path


def test_ranks_over_datasets_with_what_claims_leave_open(two_datasets, tmp_path):
    """Six seeds without overlap settle each pair but a and b on grid25, whose values are equal but for the lost run."""
    across = content(read([two_datasets]), None).across
    assert across
    assert across.datasets == ["grid25", "ring8"]
    found = {group.label: (group.ranks, group.spans, group.mean_rank, group.mean_span) for group in across.groups}
    assert found["a"] == ([2, 1], [(2, 3), (1, 1)], 1.5, (1.5, 2.0))
    assert found["b"] == ([3, 2], [(2, 3), (2, 2)], 2.5, (2.0, 2.5))
    assert found["c"] == ([1, 3], [(1, 1), (3, 3)], 2.0, (2.0, 2.0))
    drawn = figures_across(across)
    for figure in drawn.values():
        FigureCanvasAgg(figure).draw()
    bars = [line.get_xdata() for line in drawn["ranks"].axes[0].lines if line.get_linewidth() == 4]
    assert [list(bar) for bar in bars] == [[1.5, 2.0], [2.0, 2.0], [2.0, 2.5]]
    assert all(tick.is_integer() for tick in drawn["ranks"].axes[0].get_xticks().tolist())
    text = page(two_datasets)
    assert text.count("<img") >= 6
    study, _ = publish([two_datasets], tmp_path / "study")
    assert "](ranks.svg)" in study.read_text()
    assert "](profiles.svg)" in study.read_text()
    assert (study.parent / "profiles.svg").is_file()
    for file in (study, two_datasets / "report" / "report.md"):
        assert not re.search(r"--- \|\n\n", file.read_text()), file.name  # a blank line would end a table


def test_performance_profiles(two_datasets):
    """By hand: a's runs are 1/1.025 to 1.05/1.025 times the best mean on ring8, and twice as much on grid25."""
    across = content(read([two_datasets]), None).across
    assert across
    a, c, b = across.profiles
    assert [group.label for group in across.groups] == ["a", "c", "b"]

    def share(profile, ratio):
        return float(profile.share[np.searchsorted(profile.x, ratio, side="right") - 1])

    assert share(a, 1.3) == share(c, 1.3) == 0.5
    assert share(a, 2.1) == 1.0
    assert share(c, 3.5) == 0.5
    assert share(c, 4.2) == 1.0
    assert share(b, 4.2) == pytest.approx((1 + 5 / 6) / 2)  # the lost run is never there
    assert (b.low <= b.share).all()
    assert (b.share <= b.high).all()


def test_ticks_of_profiles_are_numbers_as_in_tables(two_datasets):
    figure = figures_across(content(read([two_datasets]), None).across)["profiles"]
    FigureCanvasAgg(figure).draw()
    axis = figure.axes[0].xaxis
    told = [label.get_text() for label in (*axis.get_ticklabels(), *axis.get_ticklabels(minor=True))]
    assert {"1", "2", "3", "4"} <= set(told)
    assert not [text for text in told if "10^" in text]


def test_a_profile_is_a_mean_of_shares():
    found = statistics.performance_profile([[1.0, 2.0, 3.0, math.inf], [2.0, 2.0]], np.array([0.5, 1.0, 2.0, 9.0]))
    assert found.share.tolist() == [0, 1 / 8, 3 / 4, 7 / 8]
    assert (found.low[2], found.high[2]) == (0.5, 1.0)  # 0 to 4 of 4 values are at most 2, with 2.5 % beyond 0 and 4


def test_values_without_a_ratio_have_no_profile(run, tmp_path):
    for dataset in ("one", "two"):
        for loss, kid in (("a", -0.01), ("b", 0.2)):
            run(tmp_path / f"{dataset}{loss}", {"loss": loss, "dataset": dataset}, {"kid_conv": kid}, points=3)
    across = content(read([tmp_path]), None).across
    assert across
    assert across.profiles == []
    assert list(figures_across(across)) == ["ranks"]


def test_weights_of_several_penalties_share_a_figure(run, tmp_path):
    """A line for each penalty; no weight at all is 0, at the end of an axis of decades."""
    for penalty, weights in {"gp": (0.0, 1.0, 10.0), "r1": (0.1, 10.0)}.items():
        for weight in weights:
            words = {"loss": f"gan_{penalty}", f"loss.penalties.{penalty}.weight": weight}
            for seed in range(3):
                metrics = {"modes": 8.0, "reverse_kl": 0.1 + weight / 10 + seed / 100}
                run(tmp_path / f"{penalty}{weight}{seed}", words | {"seed": seed}, metrics, points=3)
    found = board(tmp_path)
    (keys,) = found.axes.numeric()
    assert sorted(keys) == ["loss.penalties.gp.weight", "loss.penalties.r1.weight"]
    drawn = {label: [number for number, _ in points] for label, points in lines(found, keys).items()}
    assert drawn == {"gan_gp": [0.0, 1.0, 10.0], "gan_r1": [0.1, 10.0]}
    figure = axis_figure(found, keys)
    assert figure
    assert figure.axes[0].get_xscale() == "symlog"
    assert figure.axes[0].get_xlabel() == "weight"
    assert figure.axes[0].lines[0].get_ydata().tolist() == pytest.approx([0.11, 0.21, 1.11], abs=1e-12)


@pytest.mark.parametrize(
    ("swept", "ticks"),
    [
        ((1, 2, 4), [1, 2, 4]),
        ((1, 2, 3, 40), [1, 2, 3, 40]),
        ((16, 17, 18, 60), None),
        ((0.5, 0.6, 0.9), [0.5, 0.6, 0.9]),
    ],
)
def test_ticks_are_at_the_swept_numbers(run, tmp_path, swept, ticks):
    """Unless their labels would touch; whole numbers never have one between them."""
    for number in swept:
        run(
            tmp_path / str(number),
            {"loss": "wgan", "model.packing": number},
            {"modes": 8.0, "reverse_kl": 0.5},
            points=3,
        )
    for seed in range(3):  # a loss with one number has no band, but an interval
        run(tmp_path / f"alone{seed}", {"loss": "a", "seed": seed, "model.packing": swept[0]},
            {"modes": 8.0, "reverse_kl": 0.1 + seed / 10}, points=3)  # fmt: skip
    found = board(tmp_path)
    panel = axis_figure(found, found.axes.numeric()[0]).axes[0]
    (upright,) = [one for drawn in panel.collections for one in getattr(drawn, "get_segments", list)()]
    assert upright[:, 0].tolist() == [swept[0], swept[0]]
    assert upright[:, 1].tolist() == pytest.approx([0, 0.2 + 0.4302653 / 3**0.5], abs=1e-5)  # Student's t, cut at 0
    if ticks:
        assert panel.get_xticks().tolist() == ticks
    else:
        assert 3 < len(panel.get_xticks()) < 12
        assert all(tick.is_integer() for tick in panel.get_xticks().tolist())


@pytest.mark.parametrize(("spread", "drawn"), [(0.1, "log"), (0.9, "linear")])
def test_an_axis_of_values_is_logarithmic_if_all_intervals_lie_above_zero(run, tmp_path, spread, drawn):
    for packing, middle in {1: 0.01, 2: 0.1, 4: 1.0}.items():
        for seed in range(3):
            metrics = {"modes": 8.0, "reverse_kl": middle * (1 + spread * (seed - 1))}
            run(tmp_path / f"{packing}{seed}", {"loss": "a", "seed": seed, "model.packing": packing}, metrics, points=3)
    found = board(tmp_path)
    assert axis_figure(found, found.axes.numeric()[0]).axes[0].get_yscale() == drawn


def test_names_that_differ_in_their_ends_stay_apart_in_figures(run, tmp_path):
    """With seven groups each has a panel of its own, with room for 24 letters."""
    for number in range(7):
        run(tmp_path / str(number), {"loss": "wgan", "loss.penalties.lipschitz_penalty.some_weight": number + 0.5},
            points=3)  # fmt: skip
    drawn = figures(board(tmp_path))
    names = [label.get_text().replace("\n", " ") for label in drawn["ranking"].axes[0].get_yticklabels()]
    assert sorted(names) == [f"lipschitz penalty some weight {number}.5" for number in range(7)]
    titles = {panel.get_title(loc="left") for panel in drawn["curves_iterations"].axes if panel.get_visible()}
    assert titles == {f"lipschitz pe…weight {number}.5" for number in range(7)}


def test_an_outlier_does_not_squeeze_the_ranking(run, tmp_path):
    """Ten distances from 2 to 3 and one of 38, not thirty times the least; real data at 0.7 stay in sight."""
    for seed in range(10):
        run(tmp_path / f"a{seed}", {"loss": "a", "seed": seed}, {"fd_conv": 2 + seed / 10}, points=3,
            result={"floor": {"fd_conv": 0.7}})  # fmt: skip
    run(tmp_path / "b", {"loss": "b"}, {"fd_conv": 38.0}, points=3, result={"floor": {"fd_conv": 0.7}})
    panel = figures(board(tmp_path))["ranking"].axes[0]
    FigureCanvasAgg(panel.figure).draw()
    low, high = panel.get_xlim()
    assert panel.get_xscale() == "log"
    assert 0.3 < low < 0.7 < 38 < high < 80
    told = [one.get_text() for one in (*panel.get_xticklabels(), *panel.get_xticklabels(minor=True))]
    assert {"1", "2", "10", "40"} <= set(told)


def test_best_median_and_worst_seed(sweep, tmp_path):
    sweep(tmp_path, {"a": 0.2}, 4, picture=True, points=3)
    sweep(tmp_path / "few", {"b": 0.5}, 2, picture=True, points=3)
    found = [label for label, _ in best_to_worst(board(tmp_path))]
    assert found == ["a: best, seed 0, 0.17", "a: median, seed 1, 0.19", "a: worst, seed 3, 0.23"]
    assert "The best, the median and the worst seed" in page(tmp_path)
