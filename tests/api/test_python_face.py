"""`gan_lab.train` and `gan_lab.Run`: the command's runs, from Python."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from command_runs import ended
from training_runs import SMALL, differences

import gan_lab
from gan_lab.algorithms.gan import GAN
from gan_lab.cli import evaluate, report, sample, train
from gan_lab.runs.checkpoints import load_checkpoint

WORDS = [*SMALL[1:], "dataset=ring8", "iterations=6", "log_every=2", "checkpoint.every=3", "evaluation.every=3",
         "pictures.every=2", "evaluation.metrics=[fd]", "ema_decay=0.9", "constraint=spectral_norm"]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> gan_lab.Run:
    """A run from Python, beside a folder ``command`` that the command has made; tests do not change it."""
    home = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        assert ended(patch, home, train.main, "gan-lab", *WORDS, "hydra.run.dir=run") == 0
        (home / "run").rename(home / "command")
        patch.chdir(home)
        return gan_lab.train(*WORDS, folder="run")


def test_a_run_is_the_commands_to_the_byte(made):
    command = made.folder.with_name("command")
    assert differences(command, made.folder) == []
    names = [
        sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if "tfevents" not in file.name)
        for folder in (command, made.folder)
    ]
    assert names[0] == names[1]
    for file in (".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml", "metrics.csv"):
        assert (command / file).read_bytes() == (made.folder / file).read_bytes()
    assert (made.folder / "gan-lab.log").read_bytes() == b""  # the command's still gets what the tests log
    results = [json.loads((folder / "result.json").read_bytes()) for folder in (command, made.folder)]
    for result in results:
        assert result["budget"].pop("train_seconds") > 0
    assert results[0] == results[1]


def test_the_commands_read_it(made, tmp_path, monkeypatch, capsys):
    assert ended(monkeypatch, tmp_path, sample.main, "", f"run={made.folder}", "num=9", "seed=3", "out=s.npz") == 0
    samples = made.sample(9, seed=3)
    assert np.array_equal(np.load(tmp_path / "s.npz")["samples"], samples.values)
    assert samples.labels is None
    capsys.readouterr()
    assert ended(monkeypatch, tmp_path, evaluate.main, "", str(made.folder)) == 0
    assert json.loads(capsys.readouterr().out) == made.evaluate()
    assert ended(monkeypatch, tmp_path, report.main, "", str(made.folder), "out=page") == 0
    page = gan_lab.Sweep(made.folder).report(out=tmp_path / "other")
    assert (page.parent / "table.csv").read_bytes() == (tmp_path / "page" / "table.csv").read_bytes()


def test_what_a_run_tells(made):
    assert (made.status["state"], made.status["iteration"]) == ("done", 6)
    assert made.config.loss.objective._target_.startswith("gan_lab.losses.")
    assert made.metrics == made.result["metrics"]
    assert repr(made) == f"gan_lab.Run('{made.folder}')"
    assert made.picture.mode == "RGB"
    assert made.evaluate("evaluation.samples=50")["fingerprint"]["samples"] == 50


def test_curves_are_those_of_metrics_csv(made):
    rows = [line.split(",") for line in (made.folder / "metrics.csv").read_text().splitlines()[1:]]
    curves = made.curves()
    assert list(curves["loss/generator"].iterations) == [2, 4, 6]
    told = {(i, name): v for name, one in curves.items() for i, v in zip(one.iterations, one.values, strict=True)}
    assert told == {(int(iteration), name): float(value) for iteration, name, value in rows}
    frame = curves.to_pandas()
    assert list(frame["loss/generator"].dropna()) == list(curves["loss/generator"].values)
    assert list(frame.index) == sorted({int(row[0]) for row in rows})


def test_without_pandas_one_sentence_says_so(made, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(gan_lab.ConfigError, match="pandas is not installed"):
        made.curves().to_pandas()


def test_networks_have_the_weights_of_the_checkpoint(made):
    state = load_checkpoint(made.folder / "checkpoints" / "last.ckpt")["state_dict"]
    networks = {"generator.": made.generator("generator"), "ema.": made.generator(),
                "discriminator.": made.discriminator()}  # fmt: skip
    for prefix, network in networks.items():
        assert type(network).__module__.startswith("gan_lab.models")
        assert not network.training
        saved = {key: value for key, value in state.items() if key.startswith(prefix)}
        loaded = {f"{prefix}{key}": value for key, value in network.state_dict().items()}
        assert saved.keys() == loaded.keys()
        assert all(torch.equal(saved[key], loaded[key]) for key in saved)
    fake = networks["ema."](torch.zeros(3, made.config.latent_dim))
    assert networks["discriminator."](fake).shape == (3,)


def test_a_stopped_run_is_saved_and_goes_on_to_the_same_bits(made, tmp_path, monkeypatch):
    original = GAN.update_generator

    def stopping(self, *arguments):
        if self.trainer.global_step == 3:
            signal.raise_signal(signal.SIGINT)
        return original(self, *arguments)

    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)]
    with monkeypatch.context() as patch:
        patch.setattr(GAN, "update_generator", stopping)
        with pytest.raises(KeyboardInterrupt):
            gan_lab.train(*WORDS, folder=tmp_path / "run")
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)]
    run = gan_lab.Run(tmp_path / "run")
    assert (run.status["state"], run.status["iteration"]) == ("interrupted", 4)
    with pytest.raises(gan_lab.ConfigError, match="no result yet, as the run is interrupted"):
        _ = run.metrics
    assert run.picture.mode == "RGB"  # the newest
    assert "interrupted" in run._repr_html_()
    assert differences(made.folder, run.resume().folder) == []


def test_records_are_read_without_torch(made):
    """Counted in modules, as a clock would tell the machine's load."""
    program = f"""
import sys
before = set(sys.modules)
import gan_lab
loaded = {{name.partition(".")[0] for name in set(sys.modules) - before}}
assert loaded <= sys.stdlib_module_names | {{"gan_lab"}}, loaded
assert len(set(sys.modules) - before) < 40
assert {{"train", "Run", "Sweep", "ConfigError", "Diverged", "__version__"}} <= set(dir(gan_lab))
assert gan_lab.__version__
run = gan_lab.Run({str(made.folder)!r})
run.metrics, run.status, run.config, run.picture, run._repr_html_()
assert len(run.curves()) > 5
assert gan_lab.Sweep(run.folder).table()
assert not {{"torch", "pytorch_lightning"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parent)
