"""gan-lab-report from outside: what it takes, and the one sentence that each wrong input earns."""

import sys

import pytest

from gan_lab.cli import report as command


@pytest.fixture
def report(monkeypatch, capsys, tmp_path):
    """Runs the command in an empty folder; returns exit status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)

    def run(*words: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["gan-lab-report", *words])
        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
        try:
            command.main()
            status: object = 0
        except SystemExit as end:
            status = end.code
        out, _ = capsys.readouterr()
        return (0, out, "") if status in (0, None) else (1, out, str(status))

    return run


def test_a_folder(report, sweep, tmp_path):
    sweep(tmp_path / "s", {"lsgan": 0.5, "rsgan": 0.2}, 2)
    status, out, _ = report("s")
    assert status == 0
    assert out.strip() == "report  s/report/index.html"
    for name in ("index.html", "report.md", "table.csv", "table.tex", "figures/ranking.png"):
        assert (tmp_path / "s" / "report" / name).stat().st_size > 0


def test_several_folders_with_equals_signs_and_keys(report, sweep, run, tmp_path):
    sweep(tmp_path / "s", {"lsgan": 0.5}, 2)
    run(tmp_path / "loss=rsgan", {"loss": "rsgan"})
    status, _, _ = report("s", "loss=rsgan", "s", "metric=fd_points", "out=there")
    assert status == 0
    text = (tmp_path / "there" / "index.html").read_text()
    assert "3 runs: 3 done" in text
    assert "Ranking by Fréchet distance (points)" in text


def test_help(report):
    status, out, _ = report("--help")
    assert status == 0
    assert "metric" in out
    assert "out" in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "FOLDER: missing; name a run, a sweep, or a folder that holds some"),
        (["nowhere"], "nowhere: there is no such folder"),
        (["file"], "file: not a folder"),
        (["empty"], "empty: no run in it (a run folder has a status.json)"),
        (["study"], "study: no run in it (a run folder has a status.json); name its results.csv"),
        (["s", "metric=fdd_points"], "metric=fdd_points: no run has this metric; did you mean 'fd_points'? Allowed: "),
        (["s", "metrics=fd_points"], "metrics: there is no such key; did you mean 'metric'? Allowed: metric, out"),
        (["s", "out=file"], "out=file: it is a file; name a folder"),
        (["s", "out=full"], "out=full: the folder holds something else than a report; name another folder"),
        (["s", "s2"], "out=...: missing; it says where the report on 2 folders goes"),
        (["s", "--metrik", "fd"], "--metrik: there is no such option; gan-lab-report --help lists what there is"),
        (["s", "out=file/below"], "out=file/below: the report cannot be written: Not a directory"),
        (["s", "out="], "out=: the value is missing; leave the key out for its default"),
    ],
)
def test_wrong_inputs_earn_one_sentence(report, sweep, tmp_path, words, sentence):
    for name in ("s", "s2"):
        sweep(tmp_path / name, {"lsgan": 0.5}, 1)
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "results.csv").write_text("seed\n0\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    status, _, said = report(*words)
    assert status == 1
    assert said.startswith(f"gan-lab: {sentence}")
    assert "\n" not in said
    assert (tmp_path / "full" / "thesis.tex").read_text() == "years of work"
