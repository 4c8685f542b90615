"""Wrong lines: one sentence, status 1, nothing left behind, nothing of the user's touched."""

import pytest
import torch
from command_runs import refusal

from gan_lab.train import main

HAS_GPU = torch.cuda.is_available() or torch.backends.mps.is_available()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["loss=wgann"], "loss=wgann: there is no such file in the group; did you mean 'wgan'? Allowed: "),
        (["sede=3"], "sede: there is no key 'sede' in the configuration; did you mean 'seed'? Allowed: "),
        (["seed=abc"], "seed=abc: Value 'abc' of type 'str' could not be converted to Integer"),
        (["iterations=0"], "iterations=0: expected a whole number of at least 1"),
        (["iterations=-5"], "iterations=-5: expected a whole number of at least 1"),
        (["batch_size=0"], "batch_size=0: expected a whole number of at least 1"),
        (["batch_size=1298"], "batch_size=1298: the dataset has 1297 training samples, and a batch may not be larger"),
        (["n_critic=0"], "n_critic=0: expected a whole number of at least 1"),
        (["optimizer.generator.lr=-1"], "optimizer.generator.lr=-1: expected a number above 0"),
        (["optimizer.generator.lr=abc"], "optimizer.generator.lr=abc: expected a number above 0"),
        (["optimizer.generator.betas=[2,3]"], "optimizer.generator: Invalid beta parameter at index 0: 2"),
        (
            ["dataset=mnist", "dataset.root=nope"],
            "dataset=mnist: the folder nope/MNIST/raw lacks train-images-idx3-ubyte",
        ),
        (
            ["model=dcgan", "dataset=ring8"],
            "model.generator: dcgan draws images of shape [C, H, W], not samples of shape [2]",
        ),
        (["latent_dim=0"], "latent_dim=0: expected a whole number of at least 1"),
        (["loss.objective.foo=1"], "loss.objective.foo: there is no key 'foo' in loss.objective; Allowed: _target_"),
        (
            ["+loss.objective.foo=1"],
            "loss.objective: NonSaturating.__init__() got an unexpected keyword argument 'foo'",
        ),
        (["loss.objective=3"], "loss.objective=3: expected a block with a _target_, or an option of its group"),
        (
            ["loss.objective._target_=torch.nn.Identity", "~loss.objective.label_smoothing"],
            "loss: loss.objective is a Identity",
        ),
        (
            ["loss=null"],
            "Config group override must be a string or a list. Got NoneType: name an option, such as loss=lsgan",
        ),
        (["=3"], "Config group override must be a string or a list. Got int: name an option, such as loss=lsgan"),
        (["model.generator=null"], "model.generator=None: expected a block with a _target_"),
        (["dataset._target_=builtins.dict"], "dataset: builtins.dict makes a dict: expected a Dataset"),
        (["model.discriminator={_target_:builtins.dict}"], "model.discriminator: "),
        (["seed=4294967296"], "seed=4294967296: expected a whole number of at most 4294967295"),
        (
            ["dataset.max_samples=1", "batch_size=1"],
            "dataset: max_samples=1: expected null or a whole number from 2 to",
        ),
        (["+trainer.max_time=00:00:00:03"], "trainer.max_time: there is no key 'max_time' in trainer; Allowed: "),
        (["+trainer.max_steps=3"], "trainer.max_steps: there is no key 'max_steps' in trainer"),
        (["+trainer.gradient_clip_val=1"], "trainer.gradient_clip_val: there is no key"),
        (["batch_size=1"], "batch_size=1: expected at least 2, as model.generator has BatchNorm"),
        (
            ["loss=wgan_gp", "model.discriminator.norm=batch"],
            "loss.penalties (gradient_penalty) look at each sample's own",
        ),
        (
            ["loss=ragan_attention", "model.discriminator.attention=false"],
            "model.discriminator: it gives logits [B], and",
        ),
        (["penalty=r3"], "penalty=r3: there is no such file in the group; Allowed: dragan, gradient_penalty"),
        (
            ["penalty=r1", "loss.penalties.r1.weight=-1"],
            "loss.penalties.r1: R1.weight=-1: expected a number of at least 0",
        ),
        (["loss=lsgan", "loss.objective.b=abc"], "loss.objective: LeastSquares.b='abc': expected a finite number"),
        (["loss=rsgan", "loss.objective.pairing=all"], "loss.objective: Relativistic.pairing='all': expected one of"),
        (
            ["dataset=mnist", "dataset.root=x", "dataset.download=maybe"],
            "dataset: download='maybe': expected true or false",
        ),
        (["--config-dir", "nowhere"], "Additional config directory"),
        (["-m", "seed=0,1", "hydra.sweep.dir=/proc/none"], "hydra.sweep.dir=/proc/none: the folder cannot be made: "),
        (["trainer.precision=16-mixed", "trainer=cpu"], "trainer.precision=16-mixed: expected on a GPU alone"),
        (["trainer.devices=2", "trainer=cpu"], "trainer.devices=2: expected 1, a run trains on one device"),
        (["model.generator._target_=gan_lab.models.Foo"], "model.generator._target_=gan_lab.models.Foo: "),
        pytest.param(
            ["trainer=gpu"],
            "trainer.accelerator=gpu: this machine has no GPU that PyTorch can use; try trainer=cpu",
            marks=pytest.mark.skipif(HAS_GPU, reason="this machine has a GPU"),
        ),
        (["hydra.run.dir=/proc/none"], "hydra.run.dir=/proc/none: the folder cannot be made: "),
        (["seed=${foo}"], "Interpolation key 'foo' not found"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(tmp_path, monkeypatch, capsys, arguments, sentence):
    assert refusal(monkeypatch, tmp_path, main, "gan-lab", *arguments).startswith(f"gan-lab: {sentence}")
    assert capsys.readouterr() == ("", "")
    assert not any(tmp_path.iterdir())


def test_the_sentence_is_all_there_is_on_stderr(gan_lab, tmp_path):
    done = gan_lab("model=dcgan", "dataset=ring8")
    assert done.returncode == 1
    assert done.stderr == (
        "gan-lab: model.generator: dcgan draws images of shape [C, H, W], not samples of shape [2]: use model=mlp\n"
    )
    assert done.stdout == ""


def test_full_errors_can_be_asked_for(gan_lab, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert "Traceback" in gan_lab("seed=abc").stderr


@pytest.mark.parametrize("arguments", [["batch_size=99999"], ["iterations=0"], ["loss=wgann"]])
@pytest.mark.parametrize("where", [".", "mine", "mine/deeper"])
def test_a_users_files_are_never_touched(tmp_path, monkeypatch, arguments, where):
    work = tmp_path / "work"
    (work / "mine" / ".hydra").mkdir(parents=True)
    for name in ("notes.txt", "gan-lab.log", "mine/.hydra/note.txt", "mine/gan-lab.log"):
        (work / name).write_text("precious")
    before = {path: path.is_file() and path.read_text() for path in work.rglob("*")}
    assert refusal(monkeypatch, work, main, "gan-lab", f"hydra.run.dir={where}", *arguments).startswith("gan-lab: ")
    assert {path: path.is_file() and path.read_text() for path in work.rglob("*")} == before


def test_an_empty_folder_of_the_users_stays(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    assert "batch_size=99999" in refusal(
        monkeypatch, tmp_path, main, "gan-lab", "hydra.run.dir=empty", "batch_size=99999"
    )
    assert list(tmp_path.iterdir()) == [tmp_path / "empty"]
    assert not any((tmp_path / "empty").iterdir())
