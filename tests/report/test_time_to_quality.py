"""When runs first have a given quality, and what is said of those that never have."""

import pytest
from pages import board, page

from gan_lab.errors import ConfigError
from gan_lab.report.render import write_report
from gan_lab.report.study import publish
from gan_lab.report.time_to_quality import time_to_quality


@pytest.fixture
def folder(sweep, run, tmp_path):
    """Curves fall from 10 times the final value to it, in ten steps of 100 iterations of 64 samples and one second."""
    sweep(tmp_path / "s", {"lsgan": 0.125, "rsgan": 0.25}, 3, spread=0.0)
    run(tmp_path / "s" / "lost", {"loss": "rsgan", "seed": 7}, {"reverse_kl": 0.25}, state="diverged")
    return tmp_path / "s"


def words(found):
    return {row.group.label: [row.runs, *row.times] for row in found.rows}


def test_the_second_groups_final_mean_is_the_quality(folder):
    """lsgan has 0.125 · 2 after the ninth step; so has the lost run at its last."""
    found = time_to_quality(board(folder), None)
    assert found
    assert (found.quality, found.whose, found.spacing) == (0.25, "the final mean of rsgan", "100")
    assert found.units == ["iterations", "real samples", "training seconds"]
    assert words(found)["lsgan"] == ["3 of 3", "900", "57,600", "9"]
    assert words(found)["rsgan"][:2] == ["4 of 4", "1,000"]


def test_runs_that_never_have_it_are_later_than_all_others(folder, run):
    metrics = {"fd_points": 0.01, "modes": 8.0, "high_quality": 0.9, "reverse_kl": 0.1}
    run(folder / "good", {"loss": "rsgan", "seed": 9}, metrics)
    found = time_to_quality(board(folder), 0.2)
    assert found
    assert found.whose == "as asked for"
    assert words(found)["lsgan"][:2] == ["3 of 3", "1,000"]  # 0.125 · 2 is above 0.2
    assert words(found)["rsgan"][:2] == ["1 of 5", "not reached by most"]
    for seed in (10, 11, 12):
        run(folder / f"good{seed}", {"loss": "rsgan", "seed": seed}, metrics)
    assert words(time_to_quality(board(folder), 0.2))["rsgan"][:2] == ["4 of 8", "not reached by half"]
    assert words(time_to_quality(board(folder), 0.01))["lsgan"][:2] == ["0 of 3", "not reached"]


def test_more_is_better_for_some(run, tmp_path):
    for loss in ("a", "b"):
        for seed in range(2):
            run(tmp_path / f"{loss}{seed}", {"loss": loss, "seed": seed}, {"coverage_conv": 0.5})
    found = time_to_quality(board(tmp_path), 0.9)
    assert found
    assert words(found)["a"][:2] == ["2 of 2", "100"]  # the curve begins at 5, ten times its end


def test_the_page_tells_it_and_a_file_without_curves_cannot(folder, tmp_path):
    text = page(folder, quality=0.2)
    assert "Time to a quality" in text
    assert "0.2 (as asked for)" in text
    file = publish([folder], tmp_path / "study")[0].parent / "results.csv"
    out = tmp_path / "report"
    text = write_report([file], out=out).read_text()
    assert "Time to a quality" not in text
    assert "results.csv holds none" in text
    with pytest.raises(ConfigError, match=r"quality=0\.2: no run has curves"):
        write_report([file], out=out, quality=0.2)


def test_seconds_of_two_machines_are_not_told(sweep, tmp_path):
    for loss, processor in (("lsgan", "A 1"), ("rsgan", "B 2")):
        sweep(tmp_path / loss, {loss: 0.1}, 2, result={"environment": {"device": "cpu", "processor": processor}})
    found = time_to_quality(board(tmp_path), None)
    assert found
    assert found.units == ["iterations", "real samples"]
    assert [len(row.times) for row in found.rows] == [2, 2]
