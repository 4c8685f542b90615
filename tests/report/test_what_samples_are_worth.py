"""What the page shows beside metrics: scores of classifiers, curves of overfitting, metrics along truncation."""

import pytest
from pages import page
from PIL import Image

from gan_lab.errors import ConfigError
from gan_lab.report.collect import read
from gan_lab.report.reading import read_run
from gan_lab.report.render import write_report
from gan_lab.report.study import publish
from gan_lab.runs.folder import RunFolder

SCORES = {"real": 0.9, "fake": 0.7, "real_and_fake": 0.95, "tested_on_fake": 0.8}
COUNTS = {"steps": 200, "weights": "generator", "training_samples": 1297, "generated_samples": 1297,
          "held_out_samples": 500}  # fmt: skip
TITLE = "What samples teach a classifier"


def entry(moved=0.0, **other):
    return {"cas": {name: value + moved for name, value in SCORES.items()}, **COUNTS, **other}


def reported(run, folder, *recorded):
    """The page and report.md of a run for each list of entries, seeds 0, 1, …"""
    for seed, entries in enumerate(recorded):
        run(folder / f"{seed}", {"seed": seed}, result={"usefulness": entries})
    return page(folder), (folder / "report" / "report.md").read_text()


def test_scores_are_means_over_runs_with_their_differences_within_runs(run, tmp_path):
    html, text = reported(run, tmp_path, *([entry(moved)] for moved in (-0.01, 0.0, 0.01)))
    (row,) = [line for line in text.split(f"### {TITLE}")[1].splitlines() if "0.7 " in line]
    cells = [cell.strip().replace("\\", "") for cell in row.split("|")[2:-1]]
    # Student's t of three values 0.01 apart: 4.303 · 0.01 / √3 = 0.0248
    assert cells[0] == "0.9 [0.875, 0.925]"
    assert cells[1] == "0.7 [0.675, 0.725]"
    assert [cell.partition(" ")[0] for cell in cells[2:]] == ["0.95", "0.8", "−0.2", "0.05", "3"]
    assert TITLE in html
    assert "in 200 steps from 1,297 training samples" in html
    assert "tested on 500 held-out samples" in html


def test_scores_of_other_settings_are_not_pooled(run, tmp_path):
    others = [entry(0.05, steps=9), entry(0.05, weights="ema"), entry(0.05, held_out_samples=3)]
    _, text = reported(run, tmp_path, [entry(), others[0]], [others[1], entry()], [others[2]])
    (row,) = [line for line in text.split(f"### {TITLE}")[1].splitlines() if "| 0.9 " in line]
    assert row.rstrip(" |").endswith("| 2")


def test_a_published_study_keeps_them(run, tmp_path):
    for seed, moved in enumerate((-0.01, 0.0, 0.01)):
        run(tmp_path / "s" / f"{seed}", {"seed": seed}, result={"usefulness": [entry(moved), entry(weights="ema")]})
    page(tmp_path / "s")
    publish([tmp_path / "s"], tmp_path / "study")
    write_report([tmp_path / "study" / "results.csv"], out=tmp_path / "report")
    ours, theirs = (
        (folder / "report.md").read_text().split(f"### {TITLE}")[1].split("\n![")[0]
        for folder in (tmp_path / "s" / "report", tmp_path / "report")
    )
    assert ours == theirs
    assert ours.split("\n### What it cost")[0].rstrip() in (tmp_path / "study" / "README.md").read_text()
    (first, *_) = read([tmp_path / "study" / "results.csv"]).runs
    assert [dict(one.settings)["weights"] for one in first.outcome.usefulness] == ["generator", "ema"]


def test_scores_in_a_file_that_are_none_are_refused(run, tmp_path):
    run(tmp_path / "s", {"seed": 0}, result={"usefulness": [entry()]})
    file = publish([tmp_path / "s"], tmp_path / "study")[0].parent / "common.csv"
    file.write_text(file.read_text().replace('""fake"": 0.7', '""fake"": 7'))
    with pytest.raises(ConfigError, match=r"common.csv: line \d+: usefulness is .*, which no run has there"):
        read([file.with_name("results.csv")])


@pytest.mark.parametrize(
    "odd", [3, [3], [{"cas": SCORES}], [entry(0.2)], [entry(weights="<b>")], [entry(steps="many")], [{"cas": 3}]]
)
def test_odd_scores_are_left_out(run, tmp_path, odd):
    html, text = reported(run, tmp_path, odd)
    assert TITLE not in html + text


def with_curves(folder, **curves):
    """More points of a run, at iterations 100, 200, …"""
    with (folder / "metrics.csv").open("a") as file:
        for name, values in curves.items():
            file.writelines(f"{100 * at},overfitting/{name},{value}\n" for at, value in enumerate(values, 1))


def test_curves_of_overfitting_are_drawn_where_runs_have_them(run, tmp_path):
    for seed in (0, 1):
        run(tmp_path / f"{seed}", {"seed": seed})
    assert "knows by heart" not in page(tmp_path)
    assert not (tmp_path / "report" / "figures" / "overfitting.svg").exists()
    with_curves(tmp_path / "0", training=[0.1, 1, 2], held_out=[0.1, 0.2, -1], generated=[0, -1, -2], share=[0.5, 0.75])
    with_curves(tmp_path / "1", training=[0.1, 1, 2], held_out=[0.1, 0.2, -1], generated=[0, -1, -2])  # no share
    html = page(tmp_path)
    assert html.count("What the discriminator knows by heart") == 2  # the caption, and the picture's description
    assert (tmp_path / "report" / "figures" / "overfitting.svg").is_file()
    assert "figures/overfitting.svg" in (tmp_path / "report" / "report.md").read_text()


def test_no_curve_of_a_metric_is_still_said(run, tmp_path):
    for seed in range(3):
        folder = run(tmp_path / f"{seed}", {"seed": seed}, points=0)
        with_curves(folder, training=[1.0])
    assert "holds no curve of a metric" in page(tmp_path)


def test_metrics_along_truncation_are_shown_large_enough_to_read(run, tmp_path):
    folder = run(tmp_path / "0", {"seed": 0}, picture=True)
    assert "Along truncation" not in page(tmp_path)
    Image.new("RGB", (1152, 624)).save(folder / "samples" / "truncation.png")
    html = page(tmp_path)
    assert "Along truncation" in html
    part = html.split("Along truncation")[1]
    assert '<div class="figures">' in part[:600]


def test_scores_are_recorded_once_for_each_setting(run, tmp_path):
    folder = RunFolder(run(tmp_path / "0", {"seed": 0}, result={"usefulness": [3]}))  # what is not gan-lab's goes
    for one in (entry(0.01), entry(weights="ema"), entry()):
        folder.add_usefulness(one)
    assert folder.result()["usefulness"] == [entry(weights="ema"), entry()]
    (first, second) = read_run(folder.path, "0").outcome.usefulness
    assert first.values == second.values == SCORES
    assert dict(first.settings) == COUNTS | {"weights": "ema"}
