"""What a configuration may instantiate: nothing of it runs. Run folders from elsewhere: runs/test_foreign_runs."""

import os
import sys
import types

import pytest
import torch
from command_runs import refusal
from omegaconf import OmegaConf
from training_runs import SMALL, train_in

from gan_lab.cli.train import main as gan_lab
from gan_lab.config.leaves import named_targets
from gan_lab.config.targets import check_kind, check_names, check_target, check_targets
from gan_lab.errors import ConfigError

SINK = "touch ran"


class Quiet(torch.nn.Module):
    """A user's own network."""

    def __init__(self, latent_dim, sample_shape):
        super().__init__()
        self.linear = torch.nn.Linear(latent_dim, sample_shape[0])

    def forward(self, latents):
        return self.linear(latents)

    system = staticmethod(os.system)


def quiet(latent_dim, sample_shape):
    return Quiet(latent_dim, sample_shape)


# ---- names, and what they lead to ----


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "subprocess.Popen",
        "functools.partial",
        "hydra.utils.call",
        "hydra.utils.get_method",
        "hydra._internal.utils._locate",
        "torch.load",
        "torch.hub.load",
        "torch.utils.cpp_extension.load_inline",
        "torch.package.PackageImporter",
        "torch.distributed.elastic.multiprocessing.subprocess_handler.SubprocessHandler",
        "torch.nnx.Tanh",
        "gan_lab.storage.files.write_json",
        "gan_lab.runs.folder.shutil.rmtree",
        "gan_lab.sweeps.hydra_callback.Launch",
        "pytorch_lightning.Callback",
        "test_targets.Quiet",
        "Quiet",
        "",
        "torch.nn.Tanh ",
        "gan_lab.losses.Hinge\n",
        3,
        None,
    ],
)
def test_a_name_is_refused_before_anything_is_imported_for_it(name):
    with pytest.raises(ConfigError, match=r"_target_=.*: expected"):
        check_names(named_targets({"a": [{"b": {"_target_": name}}]}, "model"), [])


@pytest.mark.parametrize(
    ("name", "home"),
    [
        ("gan_lab.datasets.mnist.os.system", r"gan_lab\.datasets\.mnist\.os\.system: "),
        ("gan_lab.models.mlp.Sequence", "collections.abc"),
        ("gan_lab.models.mlp.check_widths", "it is a function: expected a class"),
        ("gan_lab.metrics.extractors.Path", "pathlib"),
        ("gan_lab.losses.penalties.torch.load", "it is a function: expected a class"),
        ("gan_lab.losses.penalties.torch.package.PackageImporter", "torch.package"),
        ("torch.nn.modules.module.functools.partial", "functools"),
        ("torch.nn.modules.module.torch.hub.load", "it is a function"),
        ("torch.nn.Module.__init__.__globals__", "it is a dict"),
        ("torch.nn.Module.__subclasses__", "it is a function: expected a class"),
        ("torch.nn.functional.relu", "it is a function: expected a class"),
        ("torch.optim.Adam.step", "it is a function: expected a class"),
        ("torch.nn", "it is a module: expected a class"),
        ("pytorch_lightning.Trainer.fit", "it is a function"),
        ("gan_lab.models.Nothing", r"gan_lab\.models\.Nothing: "),
    ],
)
def test_a_name_that_begins_well_may_not_end_elsewhere(name, home):
    with pytest.raises(ConfigError, match=home):
        check_targets(named_targets({"_target_": name}, "model.generator"), [])


def test_what_the_user_allows_is_allowed_and_nothing_through_it():
    for name in ("test_targets.Quiet", "test_targets.quiet"):
        check_targets(named_targets({"_target_": name}, "model.generator"), ["test_targets"])
    with pytest.raises(ConfigError, match="it is a module: expected a class"):
        check_targets(named_targets({"_target_": "test_targets.os"}, "x"), ["test_targets"])
    for name in ("test_targets.os.system", "test_targets.Quiet.system"):
        with pytest.raises(ConfigError, match=r"allowed_targets=\[test_targets,posix\] lets it in"):
            check_targets(named_targets({"_target_": name}, "x"), ["test_targets"])


def test_everything_shipped_is_allowed(composed):
    for overrides in ([], ["dataset=mnist", "loss=wgan_gp", "penalty=[r1,r2]", "constraint=spectral_norm"]):
        check_targets(named_targets(OmegaConf.to_container(composed(*overrides), resolve=True), ""), [])


@pytest.mark.parametrize(
    "node",
    [
        {"_target_": "os.system", "command": SINK},
        {"_target_": "torch.nn.Sequential", "_args_": [{"_target_": "os.system", "command": SINK}]},
        {"_target_": "torch.nn.Sequential", "_partial_": True, "deep": {"er": [[{"_target_": "os.system"}]]}},
        {"_target_": "torch.nn.Sequential", "_recursive_": False, "x": {"_target_": "os.system"}},
        {"_target_": "${oc.env:EVIL}", "command": SINK},
        {"_target_": "torch.nn.Sequential", "x": "${oc.decode:${oc.env:EVIL_NODE}}"},
        {"_target_": "torch.nn.Sequential", "x": "${oc.env:EVIL_TWICE}"},
    ],
)
def test_nothing_of_a_configuration_runs(composed, tmp_path, monkeypatch, node):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVIL", "os.system")
    monkeypatch.setenv("EVIL_NODE", "{_target_: os.system, command: touch ran}")
    monkeypatch.setenv("EVIL_TWICE", "${oc.decode:'{_target_: os.system, command: touch ran}'}")
    config = composed(*SMALL, "dataset=ring8")
    OmegaConf.set_struct(config, False)
    config.model.generator = node
    with pytest.raises(ConfigError, match=r"os\.system: expected one of gan_lab's|expected a value without \$\{"):
        train_in(tmp_path / "run", config)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("key", "base"), [("trainer", "pytorch_lightning.Trainer"), ("loss", "gan_lab.losses.Recipe"), ("model.x", None)]
)
def test_what_a_function_has_made_must_be_of_its_keys_kind(key, base):
    """A class is judged before it is called; a function of an allowed package can return anything."""
    made = torch.nn.Tanh()
    if base is None:
        check_kind(key, made)
    else:
        with pytest.raises(ConfigError, match=f"{key}: expected a {base}, not Tanh"):
            check_kind(key, made)


# ---- a configuration folder from elsewhere ----


@pytest.mark.parametrize(
    "yaml",
    [
        "allowed_targets: [os]\nmodel:\n  generator: {_target_: os.system, command: touch ran}\n",
        "hydra:\n  callbacks:\n    x: {_target_: os.system, command: touch ran}\n",
        "hydra:\n  callbacks:\n    x: ${dataset}\ndataset: {_target_: evil.run}\n",
        "hydra:\n  sweeper:\n    params: {allowed_targets: '[os]', seed: '0,1'}\n",
        "hydra:\n  job_logging:\n    formatters:\n      simple: {(): os.system, command: touch ran}\n",
        "hydra:\n  job_logging:\n    handlers:\n      file: {class: evil.run}\n",
        "hydra:\n  job_logging:\n    handlers:\n      file: {filename: victim}\n",
        "hydra:\n  job: {name: ../victim}\n",
        "seed: !!python/object/apply:os.system [touch ran]\n",
    ],
)
@pytest.mark.parametrize("sweep", [[], ["-m", "seed=0,1", "hydra.sweep.dir=s"]])
def test_somebodys_experiment_cannot_allow_itself_anything(tmp_path, monkeypatch, yaml, sweep):
    (tmp_path / "theirs" / "experiment").mkdir(parents=True)
    (tmp_path / "theirs" / "experiment" / "evil.yaml").write_text(f"# @package _global_\n{yaml}")
    (tmp_path / "evil.py").write_text("import pathlib\npathlib.Path('ran').touch()\ndef run(**_): pass\n")
    words = ["--config-dir", "theirs", "experiment=evil", *sweep]
    if "params" in yaml and not sweep:
        words += ["-m"]
    refusal(monkeypatch, tmp_path, gan_lab, "gan-lab", *words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.py", "theirs"]


@pytest.mark.parametrize(
    "node",
    [
        "job_logging: {formatters: {simple: {(): evil.run}}}",
        "job_logging: {handlers: {file: {class: evil.run}}}",
        "callbacks: {x: {_target_: evil.run}}",
        "launcher: {_target_: evil.run}",
        "sweeper: {_target_: evil.run}",
        "callbacks: {x: '${dataset}'}",
    ],
)
@pytest.mark.parametrize("launcher", ["basic", "parallel"])
def test_an_option_that_is_swept_tells_hydra_to_run_nothing(tmp_path, monkeypatch, node, launcher):
    """Its YAML is read when its job is composed, after the sweep's own."""
    (tmp_path / "theirs" / "experiment").mkdir(parents=True)
    for name, line in (("good", "seed: 1"), ("evil", f"hydra:\n  {node}")):
        (tmp_path / "theirs" / "experiment" / f"{name}.yaml").write_text(f"# @package _global_\n{line}\n")
    (tmp_path / "evil.py").write_text("import pathlib\npathlib.Path('ran').touch()\ndef run(**_): pass\n")
    words = ["--config-dir", "theirs", "-m", "experiment=good,evil", f"hydra/launcher={launcher}", "hydra.sweep.dir=s"]
    said = refusal(monkeypatch, tmp_path, gan_lab, "gan-lab", *words)
    assert said.startswith("gan-lab: hydra.")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.py", "theirs"]


@pytest.mark.parametrize("show", [["--help"], ["--cfg", "job"], ["--info", "config"]])
@pytest.mark.parametrize("part", ["hydra_logging", "job_logging"])
def test_showing_somebodys_experiment_runs_nothing(tmp_path, monkeypatch, show, part):
    """Hydra configures its logging before it shows anything."""
    (tmp_path / "theirs" / "experiment").mkdir(parents=True)
    logging = f"hydra:\n  {part}:\n    formatters:\n      x: {{(): evil.run}}\n"
    (tmp_path / "theirs" / "experiment" / "evil.yaml").write_text(f"# @package _global_\n{logging}")
    (tmp_path / "evil.py").write_text("import pathlib\npathlib.Path('ran').touch()\ndef run(**_): pass\n")
    said = refusal(monkeypatch, tmp_path, gan_lab, "gan-lab", "--config-dir", "theirs", "experiment=evil", *show)
    assert said.startswith(f"gan-lab: hydra.{part}.")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.py", "theirs"]


def test_what_hydra_is_told_may_not_change_between_two_readings(tmp_path, monkeypatch):
    """An interpolation is not what it leads to now: the clock, say, may lead it elsewhere when Hydra uses it."""
    (tmp_path / "theirs" / "experiment").mkdir(parents=True)
    text = "# @package _global_\nhydra:\n  callbacks:\n    gan_lab:\n      _target_: {}\n"
    target = "${oc.select:hydra.launcher.${now:%S},gan_lab.sweeps.hydra_callback.Launch}"
    (tmp_path / "theirs" / "experiment" / "evil.yaml").write_text(text.format(target))
    said = refusal(monkeypatch, tmp_path, gan_lab, "gan-lab", "--config-dir", "theirs", "experiment=evil")
    assert said.startswith("gan-lab: hydra.callbacks.gan_lab._target_=${oc.select:")


@pytest.mark.parametrize(
    ("name", "said"),
    [("Cubik", "did you mean 'Cubic'[?]$"), ("Nope", "expected one of its classes: Cubic$")],
)
def test_a_class_that_a_module_of_the_users_lacks(monkeypatch, name, said):
    module = types.ModuleType("mine")
    exec("import os\nclass Cubic: pass", vars(module))
    monkeypatch.setitem(sys.modules, "mine", module)
    with pytest.raises(ConfigError, match=f"^loss.objective._target_=mine.{name}: mine has no '{name}'; {said}"):
        check_target("loss.objective._target_", f"mine.{name}", (), ["mine"])


def test_a_class_of_a_script_in_a_further_process(monkeypatch):
    """There multiprocessing imports the script as __mp_main__, which __main__ is then another name of."""
    module = types.ModuleType("__mp_main__")
    exec("class Cubic: pass", vars(module))
    monkeypatch.setitem(sys.modules, "__main__", module)
    assert check_target("loss.objective._target_", "__main__.Cubic", (), ["__main__"]) is module.Cubic
    with pytest.raises(ConfigError, match="expected one of gan_lab's"):
        check_target("loss.objective._target_", "__main__.Cubic", (), ["mine"])


def test_a_module_of_the_users_that_fails_is_told_with_its_line(tmp_path, monkeypatch):
    (tmp_path / "mine_fails.py").write_text("import os\n\nclass Cubic(os.nothing): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"^loss.objective._target_=mine_fails.Cubic: .+ \(mine_fails.py, line 3\)$"):
        check_target("loss.objective._target_", "mine_fails.Cubic", (), ["mine_fails"])
