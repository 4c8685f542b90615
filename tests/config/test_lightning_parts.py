"""Which loggers and callbacks a configuration may name, and that no file can send a run's curves anywhere."""

import pytest
from command_runs import ended, refusal
from omegaconf import OmegaConf
from pytorch_lightning.callbacks import ModelCheckpoint

import gan_lab.config.lightning_parts
from gan_lab.cli.command_line import CommandLine
from gan_lab.cli.resuming import resumed
from gan_lab.cli.train import main
from gan_lab.config.hashing import config_hash
from gan_lab.config.lightning_parts import REFUSED_CALLBACKS, harmless, refused_callback
from gan_lab.runs.folder import RunFolder

WANDB = "_target_: pytorch_lightning.loggers.WandbLogger"
MLFLOW = "_target_: pytorch_lightning.loggers.MLFlowLogger"


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """Shows the configuration with an option of ``logger`` from a folder of somebody's: the sentence, or 0."""

    def show(text: str, *words: str) -> int | str:
        (tmp_path / "conf" / "logger").mkdir(parents=True)
        (tmp_path / "conf" / "logger" / "mine.yaml").write_text(f"# @package logger.mine\n{text}\n")
        arguments = ["--config-dir", "conf", "logger=mine", *words, "--cfg", "job"]
        return ended(monkeypatch, tmp_path, main, "gan-lab", *arguments)

    return show


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (f"{WANDB}\noffline: false", "offline=False"),
        (f"{WANDB}\noffline: 1", "offline=1"),
        (f"{WANDB}\noffline: ${{allow_batchnorm_penalty}}", "offline=${allow_batchnorm_penalty}"),
        (f"{WANDB}\nentity: them", "entity=them"),
        (f"{WANDB}\nsettings: {{base_url: https://example.org}}", "settings.base_url=https://example.org"),
        (f"{MLFLOW}\ntracking_uri: http://example.org", "tracking_uri=http://example.org"),
        (f"{MLFLOW}\nartifact_location: /tmp", "artifact_location=/tmp"),
        ("_target_: pytorch_lightning.loggers.CometLogger", "_target_=pytorch_lightning.loggers.CometLogger"),
        ("_target_: ${model.generator._target_}", "_target_=${model.generator._target_}"),
    ],
)
def test_what_could_send_anything_is_typed_or_refused(foreign, text, key):
    assert foreign(text) == (
        f"gan-lab: logger.mine.{key}: it could send a run's curves elsewhere; expected on the command line alone, "
        "where a person has typed it"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{WANDB}\nproject: ours\ntags: [a, b]\noffline: true", []),
        (f"{MLFLOW}\nexperiment_name: ours\ntags: {{a: b}}\ntracking_uri: null", []),
        (f"{WANDB}\noffline: false", ["logger.mine.offline=false"]),
        (f"{MLFLOW}\ntracking_uri: http://example.org", ["logger.mine.tracking_uri='http://example.com'"]),
    ],
)
def test_labels_are_free_and_the_rest_can_be_typed(foreign, text, words):
    assert foreign(text, *words) == 0


def test_no_interpolation_becomes_a_logger(monkeypatch, tmp_path):
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text("# @package _global_\nlogger: {mine: '${dataset}'}\n")
    said = refusal(monkeypatch, tmp_path, main, "gan-lab", "--config-dir", "conf", "experiment=mine")
    assert said == "gan-lab: logger.mine=${dataset}: expected a value without ${"


def test_a_sweep_of_somebodys_types_nothing(monkeypatch, tmp_path):
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    text = "# @package _global_\ndefaults:\n  - override /logger: [wandb]\n"
    text += "hydra: {sweeper: {params: {logger.wandb.offline: 'false'}}}\n"
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text(text)
    said = refusal(monkeypatch, tmp_path, main, "gan-lab", "-m", "--config-dir", "conf", "experiment=mine")
    assert said.startswith("gan-lab: logger.wandb.offline=False: it could send a run's curves elsewhere")


RECORDED = [
    "logger=[wandb,mlflow]", "logger.wandb.project=ours", "logger.wandb.offline=true", "~logger.csv",
    "callbacks=[lr_monitor]", "+logger.x.tags=[a]", "logger.wandb={project:ours}",
]  # fmt: skip
LEFT_OUT = [
    "logger.wandb.offline=false", "+logger.wandb.entity=them", "logger.mlflow.tracking_uri=null_",
    "+logger.x={_target_:pytorch_lightning.loggers.CometLogger}", "+logger.wandb.settings.base_url=there",
    "logger.wandb={offline:false}",
]  # fmt: skip


def test_a_run_folder_lets_no_logger_send_anything(tmp_path, capsys):
    folder = RunFolder(tmp_path)
    folder.update_status(state="failed")
    (tmp_path / ".hydra").mkdir()
    OmegaConf.save(OmegaConf.create([*RECORDED, *LEFT_OUT]), tmp_path / ".hydra" / "overrides.yaml")
    OmegaConf.save(OmegaConf.create({}), tmp_path / ".hydra" / "hydra.yaml")
    typed = ["+logger.wandb.entity=me"]
    line = resumed(CommandLine.parse([f"resume={tmp_path}", *typed]))
    assert [word for word in line.lines() if "logger" in word or "callbacks" in word] == [*RECORDED, *typed]
    assert [one.input_line for one in line.typed][:1] == typed
    told = capsys.readouterr().err.splitlines()
    assert len(told) == len(LEFT_OUT) - 1  # one of them has been typed anew
    assert told[0] == (
        f"gan-lab: warning: resume={tmp_path}: logger.wandb.offline=false: it counts only where it is typed, and is "
        "left out"
    )


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch, tmp_path):
    monkeypatch.setattr(gan_lab.config.lightning_parts, "find_spec", lambda _: None)
    assert refusal(monkeypatch, tmp_path, main, "gan-lab", "logger=[csv,wandb]") == (
        "gan-lab: logger=wandb: the package wandb is not installed; "
        "uv sync brings it, or pip install '.[trackers]' in gan_lab's folder"
    )


def test_what_derives_from_a_refused_callback_is_refused():
    class Mine(ModelCheckpoint):
        pass

    assert refused_callback(Mine.__mro__) == REFUSED_CALLBACKS["ModelCheckpoint"]


def test_every_refused_callback_is_lightnings():
    import pytorch_lightning.callbacks as theirs

    assert set(REFUSED_CALLBACKS) <= set(theirs.__all__)


def test_loggers_and_callbacks_make_no_other_run(composed):
    others = composed("logger=[csv,wandb,mlflow]", "callbacks=[lr_monitor,device_stats]")
    assert config_hash(others) == config_hash(composed())


def test_other_keys_are_not_loggers():
    (override,) = CommandLine.parse(["dataset.path=x"]).overrides
    assert harmless(override)
