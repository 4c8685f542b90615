"""What gan-lab says of itself, in 80 columns."""

import re

import pytest
from command_runs import ended, refusal

import gan_lab.cli.evaluate
import gan_lab.cli.export
import gan_lab.cli.report
import gan_lab.cli.sample
from gan_lab.cli.train import main


@pytest.fixture
def helped(monkeypatch, tmp_path, capsys):
    def ask(*words):
        monkeypatch.setenv("COLUMNS", "80")
        assert ended(monkeypatch, tmp_path, main, "gan-lab", *words) == 0
        return capsys.readouterr().out

    return ask


def test_help_explains_every_key_and_fits_the_terminal(helped):
    text = helped("--help")
    assert max(map(len, text.splitlines())) < 80
    for line in ("seed: 0                            # of all random numbers of the run",
                 "    norm: layer                    # none, batch (as in the paper, but not with\n"
                 "                                   # gradient penalties), layer or instance",
                 "  every: 500                       # iterations between evaluations;"):  # fmt: skip
        assert line in text
    root = [line for line in text[text.index("Keys (") :].splitlines() if re.match(r"\w+: \S", line)]
    assert len(root) >= 15
    assert all("#" in line or "# " in text.splitlines()[text.splitlines().index(line) + 1] for line in root)


def test_help_is_of_what_is_chosen(helped):
    text = helped("--help", "loss=nsgan_r1", "dataset=ring8")
    assert "weight: 10.0                 # the paper's gamma" in text
    assert "_target_: gan_lab.losses.R1" in text


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (main, "gan-lab"), (gan_lab.cli.sample.main, "gan-lab-sample"),
        (gan_lab.cli.evaluate.main, "gan-lab-evaluate"), (gan_lab.cli.report.main, "gan-lab-report"),
        (gan_lab.cli.export.main, "gan-lab-export"),
    ],
)  # fmt: skip
def test_version(monkeypatch, tmp_path, capsys, command, name):
    assert ended(monkeypatch, tmp_path, command, name, "--version") == 0
    assert re.fullmatch(r"gan-lab \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_options_may_have_dashes(monkeypatch, tmp_path):
    for words in (["--metric", "modes"], ["--metric=modes"], ["metric=modes"]):
        said = refusal(monkeypatch, tmp_path, gan_lab.cli.report.main, "gan-lab-report", "x", *words)
        assert said == "gan-lab: x: there is no such folder"
    said = refusal(monkeypatch, tmp_path, gan_lab.cli.sample.main, "gan-lab-sample", "--run", "x", "--num", "0")
    assert said.startswith("gan-lab: run=x: not a run folder")
    said = refusal(monkeypatch, tmp_path, gan_lab.cli.sample.main, "gan-lab-sample", "run=x", "--num")
    assert said == "gan-lab: num=: the value is missing; leave the key out for its default"


def test_a_configuration_that_is_not_gan_labs_is_named(monkeypatch, tmp_path):
    (tmp_path / "mine.yaml").write_text("seed: 3\n")
    for words in ([], ["-m", "seed=1,2"], ["--cfg", "job"]):
        line = ["gan-lab", "--config-dir", ".", "--config-name", "mine", *words]
        assert refusal(monkeypatch, tmp_path, main, *line) == (
            "gan-lab: --config-name mine: it has no 'model': expected it to begin with defaults: [train, _self_]"
        )
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]
