"""YAML from elsewhere: it leads to no other file, logs nowhere else, and sets no command or variable."""

import logging
import shutil

import pytest
from command_runs import ended, refusal
from omegaconf import OmegaConf
from training_runs import SMALL

from gan_lab.cli.command_line import CommandLine
from gan_lab.cli.evaluate import main as evaluate
from gan_lab.cli.resuming import resumed
from gan_lab.cli.sample import main as sample
from gan_lab.cli.train import main
from gan_lab.datasets.published import PublishedSet
from gan_lab.runs.folder import RunFolder


@pytest.fixture
def run(ring_run, tmp_path):
    """A run, and beside it what would append text to a file if it were read."""
    shutil.copytree(ring_run, tmp_path / "run", symlinks=True)
    (tmp_path / "victim").write_text("precious\n")
    evil = "handlers:\n  x: {class: logging.FileHandler, filename: victim}\nroot: {handlers: [x]}\n"
    (tmp_path / "evil.yaml").write_text(f"# @package hydra.job_logging\n{evil}")
    return RunFolder(tmp_path / "run")


@pytest.mark.parametrize(
    "word",
    [
        "experiment=../../evil", "experiment='../../evil'", "experiment=/tmp/evil", "loss=../../evil",
        "penalty=[r1,'../../evil']", "evaluation/extractor=../../evil", "+x=../evil", "experiment=a/../../../evil",
        "experiment=${oc.env:HOME}", "experiment=file://evil", "loss@hydra.job_logging=lsgan", "+loss@hydra=evil",
        "experiment=..", "loss=lsgan,hinge", "loss=glob(*)", "experiment=a/.evil", "experiment=a//evil",
        "+init_from=../evil", "+loss@_global_=lsgan",
    ],
)  # fmt: skip
def test_a_recorded_option_is_a_plain_name(run, monkeypatch, tmp_path, word):
    file = run.path / ".hydra" / "overrides.yaml"
    OmegaConf.save(OmegaConf.create([*OmegaConf.load(file), word]), file)
    said = refusal(monkeypatch, tmp_path, main, "gan-lab", "resume=run", "iterations=8")
    expected = "expected a name as the group lists it, such as wgan_gp"
    assert said == f"gan-lab: resume=run: '{word}' in its overrides.yaml: {expected}"
    assert (tmp_path / "victim").read_text() == "precious\n"


def test_what_gan_lab_records_is_plain(run, monkeypatch, tmp_path):
    file = run.path / ".hydra" / "overrides.yaml"
    words = ["evaluation/extractor=points", "penalty=[]", "+dataset.x.y=a/b", "compile=false", "~dataset.x"]
    OmegaConf.save(OmegaConf.create([*OmegaConf.load(file), *words]), file)
    assert ended(monkeypatch, tmp_path, main, "gan-lab", "resume=run", "iterations=8") == 0


LOGGING = [
    "handlers: {console: {'.': {stream: x}}}",
    "handlers: {file: {'.': {baseFilename: victim}}}",
    "handlers: {x: {class: logging.handlers.SocketHandler, host: localhost, port: 1}}",
    "handlers: {x: {class: logging.handlers.HTTPHandler, host: localhost, url: /}}",
    "handlers: {x: {class: logging.handlers.QueueHandler, queue: {(): os.system}}}",
    "handlers: {console: {class: logging.handlers.SMTPHandler}}",
    "handlers: {file: {mode: w}}",
    "handlers: {file: {filename: victim}}",
    "handlers: {console: {stream: 'ext://os.environ'}}",
    "handlers: {console: {stream: 'cfg://root'}}",
    "formatters: {simple: {format: '%(message)s', class: evil.run}}",
    "formatters: {simple: {format: 'x%(message)s'}}",
    "filters: {x: {(): evil.run}}",
    "incremental: true",
    "root: {level: '${oc.env:HOME}'}",
    "loggers: {a: {handlers: [other]}}",
]


@pytest.mark.parametrize("text", LOGGING)
@pytest.mark.parametrize("part", ["job_logging", "hydra_logging"])
def test_of_logging_only_levels_can_be_changed(monkeypatch, tmp_path, part, text):
    (tmp_path / "theirs" / "experiment").mkdir(parents=True)
    (tmp_path / "victim").write_text("precious\n")
    (tmp_path / "theirs" / "experiment" / "evil.yaml").write_text(f"# @package hydra.{part}\n{text}\n")
    said = refusal(monkeypatch, tmp_path, main, "gan-lab", "--config-dir", "theirs", "experiment=evil")
    assert said.startswith(f"gan-lab: hydra.{part}.")
    assert said.endswith(": expected what gan-lab ships; levels alone can be changed")
    assert (tmp_path / "victim").read_text() == "precious\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["theirs", "victim"]


@pytest.mark.parametrize(
    "words",
    [
        ["hydra.job_logging.root.level=DEBUG"],
        ["+hydra.job_logging.loggers.gan_lab.level=ERROR"],
        ["hydra/job_logging=none"],
        ["hydra/job_logging=disabled", "hydra/hydra_logging=disabled"],
        ["hydra/job_logging=stdout", "hydra/hydra_logging=none"],
    ],
)
def test_levels_and_what_hydra_ships_can_be_chosen(monkeypatch, tmp_path, words):
    monkeypatch.setattr(logging.root, "level", logging.root.level)  # which Hydra sets
    assert ended(monkeypatch, tmp_path, main, "gan-lab", "--cfg", "job", *words) == 0


TYPED = [
    ("job: {env_set: {LD_PRELOAD: evil.so}}", "job.env_set.LD_PRELOAD=evil.so", "hydra.job.env_set.LD_PRELOAD=x"),
    ("job: {env_set: {PYTHONPATH: .}}", "job.env_set.PYTHONPATH=.", "hydra.job.env_set={PYTHONPATH:.}"),
    ("launcher: {setup: [rm x]}", "launcher.setup.0=rm x", "hydra.launcher.setup=[ls]"),
    ("launcher: {additional_parameters: {x: y}}", "launcher.additional_parameters.x=y",
     "hydra.launcher.additional_parameters.x=z"),
    ("launcher: {submitit_folder: /x}", "launcher.submitit_folder=/x", "hydra.launcher.submitit_folder=/x"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told", "typed"), TYPED)
def test_commands_and_variables_are_typed_or_refused(monkeypatch, tmp_path, text, told, typed):
    (tmp_path / "theirs").mkdir()
    defaults = "defaults: [train, override hydra/launcher: submitit_slurm, _self_]"
    (tmp_path / "theirs" / "evil.yaml").write_text(f"{defaults}\nhydra:\n  {text}\n")
    line = ["gan-lab", "--config-dir", "theirs", "--config-name", "evil", "--cfg", "job"]
    said = refusal(monkeypatch, tmp_path, main, *line)
    assert said == f"gan-lab: hydra.{told}: expected on the command line alone, where a person has typed it"
    assert ended(monkeypatch, tmp_path, main, *line, typed) == 0


def test_a_launchers_text_is_one_line(monkeypatch, tmp_path):
    """It becomes part of a script that SLURM runs."""
    (tmp_path / "theirs").mkdir()
    defaults = "defaults: [train, override hydra/launcher: submitit_slurm, _self_]"
    (tmp_path / "theirs" / "evil.yaml").write_text(f'{defaults}\nhydra:\n  launcher: {{partition: "a\\nrm x"}}\n')
    line = ["gan-lab", "--config-dir", "theirs", "--config-name", "evil", "--cfg", "job"]
    said = refusal(monkeypatch, tmp_path, main, *line)
    assert (
        said == r"gan-lab: hydra.launcher.partition=a\nrm x: expected one line of text, as it becomes part of a script"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hydra:\n  searchpath: [pkg://this]\n", "hydra.searchpath=['pkg://this']: expected on the command line alone"),
        (
            'loss:\n  penalties:\n    "a,b\\n": {_target_: gan_lab.losses.R1}\n',
            "loss.penalties.a,b\\n: expected a name of",
        ),
        ("hydra:\n  launcher: {nope: 1}\n", "evil: hydra.launcher.nope: there is no such key"),
        ("hydra: 3\n", "evil: 3: expected a block of keys"),
        ("seed: {a: 1}\n", "evil: seed: expected a whole number"),
        ("- a\n", "--config-name evil: expected a mapping of keys in it"),
        ("a: " + 20_000 * "[" + 20_000 * "]", "a configuration or a record is nested without end; expected at most 40"),
    ],
)
def test_other_ways_out_of_a_configuration(monkeypatch, tmp_path, capsys, text, told):
    (tmp_path / "theirs").mkdir()
    defaults = "defaults: [train, _self_]\n" if text.startswith(("hydra", "loss", "seed")) else ""
    (tmp_path / "theirs" / "evil.yaml").write_text(defaults + text)
    said = refusal(monkeypatch, tmp_path, main, "gan-lab", "--config-dir", "theirs", "--config-name", "evil")
    assert said.startswith(f"gan-lab: {told}")
    assert capsys.readouterr().out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


_SLURM = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"
_OPTUNA = "hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper"


@pytest.mark.parametrize(
    ("group", "text", "told"),
    [
        ("launcher", f"_target_: {_SLURM}\nteardown: [rm x]", "teardown.0=rm x: expected on the command line alone"),
        (
            "launcher",
            f"_target_: {_SLURM}\nsrun_args: [--task-prolog=x]",
            "srun_args.0=--task-prolog=x: expected on the ",
        ),
        ("launcher", f"_target_: {_SLURM}\n_partial_: true", "_partial_=True: expected no _partial_ in Hydra's own"),
        (
            "sweeper",
            f"_target_: {_OPTUNA}\n_args_: [null, x]",
            "_args_.0=None: expected no _args_ in Hydra's own blocks",
        ),
        (
            "sweeper",
            f"_target_: {_OPTUNA}\nstorage: sqlite:///x.db",
            "storage=sqlite:///x.db: expected on the command ",
        ),
    ],
)
def test_an_option_of_hydras_own_groups_from_elsewhere(monkeypatch, tmp_path, group, text, told):
    """Plugins' own options have types, which refuse unknown keys. An option from elsewhere has none."""
    (tmp_path / "theirs" / "hydra" / group).mkdir(parents=True)
    (tmp_path / "theirs" / "hydra" / group / "mine.yaml").write_text(text)
    words = ["--config-dir", "theirs", f"hydra/{group}=mine", "--cfg", "job"]
    said = refusal(monkeypatch, tmp_path, main, "gan-lab", *words)
    assert said.startswith(f"gan-lab: hydra.{group}.{told}")


def test_what_help_shows_of_somebodys_folder_is_harmless(monkeypatch, tmp_path, capsys):
    (tmp_path / "theirs" / "loss").mkdir(parents=True)
    (tmp_path / "theirs" / "loss" / "e\x1b[31mvil.yaml").write_text("a: 1\n")
    template = '"\\e[31mred \\u202e $APP_CONFIG_GROUPS $CONFIG"'
    (tmp_path / "theirs" / "mine.yaml").write_text(
        f"defaults: [train, _self_]\nhydra:\n  help: {{template: {template}}}\n"
    )
    for show in (["--help"], ["--cfg", "all"], ["--info", "config"]):
        line = ["gan-lab", "--config-dir", "theirs", "--config-name", "mine", *show]
        assert ended(monkeypatch, tmp_path, main, *line) == 0
        printed = capsys.readouterr().out
        assert printed
        assert not {"\x1b", "\u202e"}.intersection(printed)


FORMS = ["{train: x}", "5", "[5]", "[null]", "[{}]", "[{a: b, c: d}]", "[[x]]", "[{model: {a: b}}]", "train", ""]


@pytest.mark.parametrize("defaults", FORMS)
@pytest.mark.parametrize("name", ["evil", "experiment/evil"])
def test_defaults_of_a_wrong_form(monkeypatch, tmp_path, name, defaults):
    (tmp_path / "theirs" / "experiment").mkdir(parents=True)
    (tmp_path / "theirs" / f"{name}.yaml").write_text(f"# @package _global_\ndefaults: {defaults}\n")
    named = ["--config-name", "evil"] if name == "evil" else ["experiment=evil"]
    said = refusal(monkeypatch, tmp_path, main, "gan-lab", "--config-dir", "theirs", *named, "--cfg", "job")
    assert said.startswith("gan-lab: --config-name or a file that it names: ")
    assert said.endswith(": expected a mapping of keys, whose defaults are a list, such as [train, _self_]")


SWEEPERS = {
    "basic": ("params", "train"),
    "optuna": ("params", "train, override hydra/sweeper: optuna"),
    "tuned": ("space", "train, override protocol: tuned"),
}


@pytest.mark.parametrize("sweeper", SWEEPERS)
@pytest.mark.parametrize(
    "key",
    ["hydra.output_subdir", "+hydra.searchpath", "hydra.sweep.dir", " hydra.job.chdir", "hydra/launcher", "~hydra"],
)
def test_a_sweep_from_elsewhere_changes_none_of_hydras_keys(monkeypatch, tmp_path, sweeper, key):
    """Each entry becomes an override of every run, which Hydra obeys: it would import modules and write elsewhere."""
    (tmp_path / "theirs").mkdir()
    part, defaults = SWEEPERS[sweeper]
    (tmp_path / "theirs" / "evil.yaml").write_text(
        f"defaults: [{defaults}, _self_]\nhydra: {{sweeper: {{{part}: {{'{key}': 'x', seed: '0'}}}}}}\n"
    )
    words = ["gan-lab", "--config-dir", "theirs", "--config-name", "evil", "-m", "dataset=ring8"]
    said = refusal(monkeypatch, tmp_path, main, *words)
    assert said == (
        f"gan-lab: hydra.sweeper.{part}.{key}=x: a sweep cannot change Hydra's own keys; expected those of gan-lab"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def test_no_option_that_a_sweep_chooses_leads_out_of_its_folder(monkeypatch, tmp_path):
    """The folder is the one that the sweep was opened in, whatever a file of one run says."""
    (tmp_path / "theirs" / "mine").mkdir(parents=True)
    evil = "hydra: {sweep: {dir: victim}, output_subdir: ../../out, run: {dir: victim}}"
    texts = {
        "conf": "defaults: [train, _self_, mine: good]\nhydra: {sweep: {dir: sweep}}",
        "mine/evil": f"# @package _global_\n{evil}",
        "mine/good": "# @package _global_\nseed: 1",
    }
    for name, text in texts.items():
        (tmp_path / "theirs" / f"{name}.yaml").write_text(f"{text}\n")
    words = ["--config-dir", "theirs", "--config-name", "conf", "-m", "mine=good,evil", *SMALL[1:]]
    assert ended(monkeypatch, tmp_path, main, "gan-lab", *words, "dataset=ring8", "iterations=2") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sweep", "theirs"]
    assert len(list((tmp_path / "sweep").glob("*/result.json"))) == 2


def test_data_are_not_read_under_other_keys(run, monkeypatch, tmp_path):
    config = OmegaConf.load(run.path / ".hydra" / "config.yaml")
    config.model.generator.hidden = {
        "_target_": "gan_lab.datasets.mnist",
        "root": str(tmp_path / "x"),
        "download": True,
    }
    OmegaConf.save(config, run.path / ".hydra" / "config.yaml")
    said = refusal(monkeypatch, tmp_path, sample, "gan-lab-sample", "run=run")
    told = "model.generator.hidden._target_=gan_lab.datasets.mnist: expected a dataset under the key dataset alone"
    assert said == f"gan-lab: {told}"


def test_a_run_folder_downloads_nothing(run, monkeypatch, tmp_path):
    """Neither by its configuration, nor by its overrides; a person may type the key."""
    monkeypatch.setattr(PublishedSet, "_download", lambda *_: pytest.fail("it was downloaded"))
    config = OmegaConf.load(run.path / ".hydra" / "config.yaml")
    config.dataset = {"_target_": "gan_lab.datasets.mnist", "root": str(tmp_path / "x"), "download": True}
    OmegaConf.save(config, run.path / ".hydra" / "config.yaml")
    said = refusal(monkeypatch, tmp_path, evaluate, "gan-lab-evaluate", "run")
    assert "or fetch them with dataset.download=true" in said
    file = run.path / ".hydra" / "overrides.yaml"
    OmegaConf.save(OmegaConf.create([*OmegaConf.load(file), "dataset=mnist", "dataset.download=true"]), file)
    monkeypatch.chdir(tmp_path)
    line = resumed(CommandLine.parse(["resume=run"]))
    assert "dataset.download" not in [one.key_or_group for one in line.overrides]
    typed = resumed(CommandLine.parse(["resume=run", "dataset.download=true"]))
    assert "dataset.download" in [one.key_or_group for one in typed.overrides]
