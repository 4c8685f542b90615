"""The page, the tables and the figures of planted sweeps."""

import json
import math
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pages import answers, board, page, rows

from gan_lab.errors import ConfigError
from gan_lab.report.collect import read
from gan_lab.report.figures import _draw, figures
from gan_lab.report.formatting import number
from gan_lab.report.leaderboard import Board
from gan_lab.report.learning_curves import GroupCurve, group_curves
from gan_lab.report.render import write_report
from gan_lab.report.sections import content


def test_seconds_curves_end_with_the_final_values(tmp_path, run):
    """Three seeds of 10, 20 and 60 seconds, each half as long as it is good: the mean ends at 30 s, where all have."""
    for seed, seconds in enumerate((10.0, 20.0, 60.0)):
        metrics = {"modes": 8.0, "reverse_kl": 0.1 * (seed + 1)}
        run(tmp_path / str(seed), {"loss": "lsgan", "seed": seed}, metrics, train_seconds=seconds)
    (curve,) = group_curves(board(tmp_path), "seconds", 1)
    assert curve.x.tolist() == pytest.approx([3.0 * step for step in range(1, 11)], rel=1e-9)
    assert curve.mean[-1] == pytest.approx(0.2, abs=1e-12)


def test_a_reverse_kl_goes_no_further_than_its_modes(tmp_path, run):
    """ln 8 = 2.0794 is what one mode of eight leaves; Student's t of these reaches 3.4."""
    for seed, kl in enumerate((0.2, 1.2, 2.0)):
        run(tmp_path / str(seed), {"loss": "lsgan", "seed": seed}, {"modes": 4.0, "reverse_kl": kl})
    page(tmp_path)
    row = next(row for row in rows(tmp_path) if row["metric"] == "reverse_kl")
    assert float(row["high"]) == pytest.approx(2.0794415, abs=1e-6)


def test_a_reverse_kl_goes_as_far_as_modes_go_that_few_samples_cannot_all_reach(tmp_path, run):
    """1,000 modes, of which 1,000 samples of a perfect sampler reach 1000 (1 − e^−1) = 632: ln 1000 is 6.908."""
    values = {1000: (632.3, 9.77), 30000: (1000.0, 6.907755)}  # Student's t of 5, 6 and 6.5: 5.83 + 4.303 · 0.764 / √3
    for samples, (reached, most) in values.items():
        for seed, kl in enumerate((5.0, 6.0, 6.5)):
            ceiling = {"ceiling": {"modes": reached, "reverse_kl": 0.5}, "floor": {"modes": reached}}
            fingerprint = {"extractor": "channels", "samples": samples}
            metrics = {"modes": 40.0, "reverse_kl": kl}
            run(tmp_path / f"{samples}" / f"{seed}", {"seed": seed}, metrics, result=ceiling, fingerprint=fingerprint)
        found = board(tmp_path / f"{samples}")
        assert found.mean(found.rows[0], "reverse_kl").interval[1] == pytest.approx(min(most, 7.7308), abs=1e-3)
        assert found.bounds("modes")[1] == (reached if samples > 1000 else math.inf)


def test_of_many_groups_pairs_of_the_first_24_are_looked_at(tmp_path, run, monkeypatch):
    """334 groups took minutes when all pairs were, twice."""
    for group in range(28):
        for seed in range(3):
            metrics = {"modes": 8.0, "reverse_kl": 0.01 * group + 0.1 * seed}
            overrides = {"optimizer.generator.lr": f"{1e-5 * (group + 1):g}", "seed": seed}
            run(tmp_path / f"{group}_{seed}", overrides, metrics, points=3)
    pairs = []
    for method in ("difference", "improvement"):
        original = getattr(Board, method)

        def seen(self, one, other, original=original):
            pairs.append({self.ranked.index(one), self.ranked.index(other)})
            return original(self, one, other)

        monkeypatch.setattr(Board, method, seen)
    text = page(tmp_path)
    assert {0, 27} in pairs
    assert not [pair for pair in pairs if min(pair) >= 24]
    (section,) = content(read([tmp_path]), None).sections
    assert len(section.rows) == 28
    assert len(section.matrix) == len(section.ranks) == 24
    assert "The first 24 groups; 4 more are in the ranking." in text


def test_names_of_several_lines_stay_on_one_in_latex(tmp_path, run):
    run(tmp_path / "a", {"loss": "two\nlines", "dataset": "ring\n8"})
    page(tmp_path)
    text = (tmp_path / "report" / "table.tex").read_text()
    assert r"% ring\textbackslash{}n8: mean" in text
    assert r"two\textbackslash{}nlines &" in text


@pytest.mark.parametrize("seeds", [1, 3])
def test_labels_fit_and_seeds_are_counted_in_whole_numbers(tmp_path, run, seeds):
    """One seed once had an axis from 0.945 to 1.055, and "(lower is better)" was cut at the figure's edge."""
    for seed in range(seeds):
        run(tmp_path / str(seed), {"seed": seed}, {"fd_whitened_conv": 1.0 + seed}, points=3)
    drawn = figures(board(tmp_path))
    for name in ("curves_iterations", "best_of_budget"):
        FigureCanvasAgg(drawn[name]).draw()
        label = drawn[name].axes[0].yaxis.label
        assert "Fréchet distance" in label.get_text()
        box, whole = label.get_window_extent(), drawn[name].bbox
        assert 0 <= box.x0 < box.x1 <= whole.width
        assert 0 <= box.y0 < box.y1 <= whole.height
    panel = drawn["best_of_budget"].axes[0]
    low, high = panel.get_xlim()
    assert [tick for tick in panel.get_xticks() if low <= tick <= high] == list(range(1, seeds + 1))


def test_real_data_out_of_sight_are_not_in_the_legend(tmp_path, sweep):
    found = []
    for name, level in (("near", 0.002), ("far", 0.5)):
        sweep(tmp_path / name, {"lsgan": level, "rsgan": level + 0.002}, 2, spread=0.0)
        drawn = figures(board(tmp_path / name))["best_of_budget"]
        found.append("real data" in [text.get_text() for text in drawn.legends[0].get_texts()])
    assert found == [True, False]


@pytest.mark.figures
def test_one_run_alone(tmp_path, run):
    run(tmp_path / "only", {"loss": "lsgan"})
    assert "one group alone" in answers(page(tmp_path / "only"))


def test_intervals_end_where_the_metric_does(tmp_path, sweep):
    """Student's t of 0.4, 0.8, 1.2 reaches to −0.19; the reverse KL does not, and no ninth mode is there."""
    sweep(tmp_path, {"lsgan": 0.8}, 3, spread=0.4)
    page(tmp_path)
    by_metric = {row["metric"]: row for row in rows(tmp_path)}
    assert float(by_metric["reverse_kl"]["low"]) == 0
    assert float(by_metric["reverse_kl"]["high"]) == pytest.approx(0.8 + 4.302653 * 0.4 / 3**0.5, abs=1e-5)
    assert float(by_metric["modes"]["high"]) == 8


def test_a_name_is_no_formula_of_a_spreadsheet(tmp_path, run):
    run(tmp_path / "a", {"loss": "=1+1"})
    page(tmp_path)
    assert {row["group"] for row in rows(tmp_path)} == {"'=1+1"}


def test_seconds_come_from_the_clock_or_else_from_the_budget(tmp_path, run):
    for clock in (True, False):
        folder = tmp_path / str(clock)
        run(folder / "a", {"loss": "lsgan"}, train_seconds=20.0, clock=clock)
        assert group_curves(board(folder), "seconds", 1)[0].x.tolist() == pytest.approx([2.0 * i for i in range(1, 11)])


@pytest.mark.figures
def test_names_with_special_characters_are_escaped_everywhere(tmp_path, run):
    name = "<script>alert(1)</script>&$x_1|y%"
    for seed in range(2):
        run(tmp_path / str(seed), {"loss": name, "seed": seed})
    run(tmp_path / "lost", {"loss": name, "seed": 3}, state="failed", error="<b>boom</b>")
    text = page(tmp_path)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "<b>boom" not in text
    escaped = r"\textless{}script\textgreater{}alert(1)\textless{}/script\textgreater{}\&\$x\_1|y\%"
    assert escaped in (tmp_path / "report" / "table.tex").read_text()
    md = (tmp_path / "report" / "report.md").read_text()
    assert "<script" not in md
    assert r"x\_1\|y%" in md
    assert "### What it cost a run\n\n| group | iterations |" in md


def test_numbers_are_short_however_large():
    values = (1234.5, 3.2e38, -316935824234.5, 64_000_000_000.0, 1e-5, math.inf)
    assert [number(value) for value in values] == ["1,234", "3.2e+38", "−3.17e+11", "64,000,000,000", "1.0e-05", "–"]


def test_a_second_report_replaces_the_first_whole(tmp_path, sweep):
    runs = sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, 2)
    page(tmp_path)
    figures_of = tmp_path / "report" / "figures"
    stale, mine, hidden = (figures_of / name for name in ("axis.png", "holiday.png", ".axis.png"))
    for file in (stale, mine, hidden):
        file.write_bytes(b"a picture")
    outside = tmp_path / "report" / "axis.png"
    outside.write_bytes(b"a picture")
    names = json.loads((tmp_path / "report" / "files.json").read_text())["figures"]
    assert "ranking.svg" in names
    odd = ["../axis.png", ".axis.png", "axis.png", "axis.pngx", 7, None, ["axis.svg"], "axis.svg"]
    (tmp_path / "report" / "files.json").write_text(json.dumps({"figures": names + odd}))
    (runs[0] / "result.json").unlink()
    assert "result.json is missing" in page(tmp_path)
    assert not stale.exists()
    assert mine.exists()
    assert hidden.exists()
    assert outside.exists()


@pytest.mark.figures
def test_the_same_runs_give_the_same_figures(tmp_path, sweep):
    sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, 4)
    first = {}
    for _ in range(2):
        page(tmp_path)
        files = {file.name: file.read_bytes() for file in (tmp_path / "report" / "figures").iterdir()}
        assert files == (first or files)
        first = files
    assert {"ranking.png", "ranking.svg", "curves_iterations.svg", "curves_seconds.svg"} <= first.keys()


def test_an_unknown_metric_has_no_direction(tmp_path, run):
    run(tmp_path / "a", {"loss": "lsgan"}, {"beauty": 1.0})
    assert "none of its metrics has a known direction" in page(tmp_path)
    with pytest.raises(ConfigError, match="whether more of it is better is not known"):
        write_report([tmp_path], metric="beauty")


def test_neither_torch_nor_lightning_is_imported_nor_are_settings_of_the_working_directory(tmp_path, sweep):
    """matplotlib obeys a matplotlibrc, in which there could be programs to run; who opens a pipe waits for ever."""
    sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, 3)
    os.mkfifo(tmp_path / "matplotlibrc")
    program = (
        "import sys; sys.argv = ['gan-lab-report', sys.argv[1]]\n"
        "from gan_lab.cli.report import main; main()\n"
        "found = {'torch', 'pytorch_lightning', 'torchvision', 'scipy.stats'} & set(sys.modules)\n"
        "sys.exit(str(found) if found else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, "."], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_a_curve_of_one_point_is_drawn_as_a_dot():
    panel = Figure().add_subplot()
    once, twice = np.array([5.0]), np.array([5.0, 10.0])
    row = SimpleNamespace(colour=0, label="lsgan")
    _draw(panel, GroupCurve(row, once, once, None, None, [(once, once), (twice, twice)], []), (0.0, 1.0))
    assert [line.get_marker() for line in panel.lines[:2]] == ["o", "None"]
