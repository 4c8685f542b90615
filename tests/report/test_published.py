"""Published figures beside ours: in the text and on the page, and never a setting that differs."""

from pages import page

from gan_lab.report.render import write_report
from gan_lab.report.study import publish

FIGURE = {"metric": "reverse_kl", "value": 0.06, "source": "Lin et al.", "protocol": "26,000 samples | 50 epochs"}


def reported(run, tmp_path, *published):
    for seed in range(3):
        metrics = {"reverse_kl": 0.1 + 0.01 * seed, "modes": 8.0}
        run(tmp_path / f"{seed}", {"seed": seed}, metrics, config={"published": published[seed % len(published)]})
    return page(tmp_path), (tmp_path / "report" / "report.md").read_text()


def test_a_figure_stands_beside_ours_with_both_protocols(run, tmp_path):
    missing = FIGURE | {"metric": "fid", "value": 16.95}
    html, text = reported(run, tmp_path, [FIGURE, missing])
    (row,) = [line for line in text.splitlines() if "Lin et al." in line and "0.06" in line]
    cells = row.replace("\\|", "").split(" | ")
    assert cells[1:3] == ["Reverse KL (nats)", "0.06"]
    assert cells[5].startswith("0.11 ")  # the mean of 0.1, 0.11 and 0.12, with its interval
    assert "2500 samples against" in cells[6]
    assert "| FID | 16.95 |" in text  # not rounded
    assert "| not measured | – |" in text
    assert html.count("26,000 samples | 50 epochs") == 2
    assert "Published beside ours" in html
    assert "different quantities" in html


def test_a_file_of_results_tells_them_too(run, tmp_path):
    """The same rows out of results.csv, on the page of the study and in a report on its file."""
    _, text = reported(run, tmp_path / "runs", [FIGURE])
    (row,) = [line for line in text.splitlines() if "Lin et al." in line]
    study, _ = publish([tmp_path / "runs"], tmp_path / "study")
    assert row in study.read_text()
    write_report([tmp_path / "study" / "results.csv"], out=tmp_path / "report")
    assert row in (tmp_path / "report" / "report.md").read_text()


def test_it_is_no_setting_and_makes_no_groups(run, tmp_path):
    html, text = reported(run, tmp_path, [FIGURE], [])
    assert "Settings that differ" not in html
    assert "3 of 3" in html
    assert "published" not in text.split("## What varied")[1].lower()


def test_damaged_figures_are_left_out_and_said(run, tmp_path):
    html, text = reported(run, tmp_path, [FIGURE, 3, {"metric": ["x"]}])
    assert text.count("Lin et al.") == 1
    assert "ublished figures of the configuration cannot be read" in html


def test_without_figures_there_is_no_table(run, tmp_path):
    html, text = reported(run, tmp_path, [])
    assert "Published beside ours" not in html + text
