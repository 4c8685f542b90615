"""What gan-lab says of itself, in 80 columns."""

import re

import pytest
from command_runs import ended, refusal
from configurations import CONF, options

import gan_lab.cli.evaluate
import gan_lab.cli.export
import gan_lab.cli.report
import gan_lab.cli.sample
import gan_lab.cli.translate
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
        (gan_lab.cli.export.main, "gan-lab-export"), (gan_lab.cli.translate.main, "gan-lab-translate"),
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


# ---- gan-lab show ----


def test_show_lists_every_group_and_option_with_what_its_file_says(helped):
    text = helped("show")
    assert max(map(len, text.splitlines())) < 80
    named = {(found[1], option) for found in re.finditer(r"^(\S+)=\n((?:  .*\n)+)", text, re.M)
             for option in re.findall(r"^  (\w+) ", found[2], re.M)}  # fmt: skip
    files = {file.relative_to(CONF).with_suffix("") for file in CONF.rglob("*/*.yaml") if "hydra" not in file.parts}
    assert named == {(str(file.parent), file.name) for file in files}
    assert all(re.search(r"arXiv|\b(19|20)\d\d\b", helped("show", f"loss={name}")) for name in options("loss"))


def test_show_tells_of_a_group_all_that_help_cuts_short(helped):
    says = " ".join(helped("show", "loss").split())
    assert "gan-lab loss=OPTION" in says
    assert "wgan_gp Gulrajani et al. 2017 (arXiv 1704.00028): wgan with a penalty" in says
    assert "five double backward passes an iteration are slow." in says
    assert "five double backward passes" not in " ".join(helped("--help").split())


def test_show_prints_a_file_and_finds_those_of_the_user(helped, tmp_path):
    assert helped("show", "penalty=r1") == (CONF / "penalty" / "r1.yaml").read_text()
    (tmp_path / "mine" / "loss").mkdir(parents=True)
    (tmp_path / "mine" / "loss" / "cubic.yaml").write_text("# @package _global_\n# A cube\x1b[31m of mine.\nloss: {}\n")
    text = helped("show", "loss", "--config-dir", "mine")
    assert "  cubic               A cube\\x1b[31m of mine.\n" in text
    assert "  wgan_gp " in text
    assert "  cubic               A cube" in helped("--help", "--config-dir", "mine")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["los"],
            "show los: there is no such group; did you mean 'loss'? Allowed: algorithm, augmentation, callbacks, ",
        ),
        (["loss=wgan_g"], "show loss=wgan_g: there is no such option; did you mean 'wgan_gp'? Allowed: dragan, "),
        (["wgan_gp"], "show wgan_gp: there is no such group; expected show loss=wgan_gp"),
        (["loss", "model"], "show: model: expected gan-lab show [GROUP[=OPTION]] [--config-dir FOLDER]"),
        (["--los"], "show: --los: expected gan-lab show [GROUP[=OPTION]] [--config-dir FOLDER]"),
        (["loss", "--config-dir", "none"], "--config-dir none: there is no such folder"),
        (["loss", "--config-dir"], "show: "),
        (["../conf"], "show ../conf: there is no such group; "),
        (["loss=../model/mlp"], "show loss=../model/mlp: there is no such option; "),
    ],
)
def test_show_refuses(monkeypatch, tmp_path, words, sentence):
    assert refusal(monkeypatch, tmp_path, main, "gan-lab", "show", *words).startswith(f"gan-lab: {sentence}")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete(helped, monkeypatch, shell):
    assert "gan-lab" in helped("-sc", f"install={shell}")
    line = "gan-lab loss=wgan"
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_POINT", str(len(line)))
    if shell == "bash":
        assert helped("-sc", "query=bash").split() == ["loss=wgan", "loss=wgan_gp", "loss=wgan_lp"]
