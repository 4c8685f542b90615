"""Networks of a user's own: what they may give, how they are named, and which words a bad one ends with."""

import sys

import pytest
import torch
from command_runs import ended, refusal
from omegaconf import OmegaConf
from torch import nn
from training_runs import SMALL, weights_of

import gan_lab
from gan_lab.cli.train import main
from gan_lab.losses import R1, Judge
from gan_lab.models import DCGANDiscriminator, DCGANGenerator, Judgement
from gan_lab.runs.folder import RunFolder

OWN = """
import math

import torch
from torch import nn

from gan_lab.augmentations import Augmentation
from gan_lab.models import DCGANGenerator, Judgement


class Generator(nn.Sequential):
    def __init__(self, latent_dim, sample_shape, width=8):
        layers = nn.Linear(latent_dim, width), nn.ReLU(), nn.Linear(width, math.prod(sample_shape))
        super().__init__(*layers, nn.Unflatten(1, tuple(sample_shape)))


class Derived(DCGANGenerator):
    def __init__(self, **rest):
        super().__init__(**rest)


class Features(nn.Module):
    def __init__(self, out=1, norm="none"):
        super().__init__()
        norms = [nn.BatchNorm1d(8)] if norm == "batch" else []
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), *norms, nn.LeakyReLU(0.2), nn.Linear(8, out))

    def forward(self, samples):
        return self.layers(samples)


class Flat(Features):
    def forward(self, samples):
        return self.layers(samples).squeeze(1)


class AlwaysNormed(Features):
    def __init__(self):
        super().__init__(norm="batch")


class Viewing(nn.Module):
    def __init__(self, norm=torch.nn.utils.spectral_norm):
        super().__init__()
        self.maps, self.logit = norm(nn.Conv2d(1, 4, 3, padding=1)), norm(nn.Linear(256, 1))

    def forward(self, samples):
        return self.logit(self.maps(samples).view(len(samples), -1))


class Patches(nn.Sequential):
    def __init__(self, width=4):
        super().__init__(nn.Conv2d(1, width, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(width, 1, 3))


class Labelled(Features):
    def __init__(self, classes):
        super().__init__(classes)

    def forward(self, samples, labels):
        return super().forward(samples).gather(1, labels[:, None])


class Classifying(Features):
    def __init__(self, classes):
        super().__init__(1 + classes)

    def forward(self, samples):
        out = super().forward(samples)
        return Judgement(out[:, :1], out[:, 1:])


class Pair(Features):
    def forward(self, samples):
        return super().forward(samples), samples


class OneOnly(Generator):
    def forward(self, latents):
        return super().forward(latents)[:1]


class Detached(Generator):
    def forward(self, latents):
        return super().forward(latents).detach()


class Lazy(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.LazyLinear(1))


class Weightless(nn.Module):
    def forward(self, samples):
        return samples.flatten(1).mean(1)


class Mean(Features):
    def forward(self, samples):
        return super().forward(samples).mean()


class Taking(nn.Module):
    def __init__(self, **anything):
        super().__init__()
        assert not anything, anything
        self.layer = nn.Linear(64, 2)

    def forward(self, samples):
        return self.layer(samples.flatten(1))


class Wrong(Features):
    def forward(self, samples):
        raise ValueError("no way")


SHARED = nn.Linear(64, 64)


class Drawing(nn.Sequential):
    def __init__(self, latent_dim):
        super().__init__(nn.Linear(latent_dim, 64), SHARED, nn.Unflatten(1, (1, 8, 8)))


class Judging(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), SHARED, nn.Linear(64, 1))


class Halved(Augmentation):
    def operations(self):
        return [lambda images, draws, channels: images[:, :, ::2]]


class Rounded(Augmentation):
    def operations(self):
        return [lambda images, draws, channels: images.detach().round()]


class Unready(Augmentation):
    def __init__(self, p=0.5):
        self.p = p


class NoRate(torch.optim.Optimizer):
    def __init__(self, params):
        super().__init__(params, {})
"""
LINE = 1 + [line.strip() for line in OWN.splitlines()].index('raise ValueError("no way")')
AUGMENTED = "augmentation={_target_:own_nets.%s}"
D, G = "model.discriminator={_target_:own_nets.%s}", "model.generator={_target_:own_nets.%s}"
SHORT = [word for word in SMALL if "hidden" not in word and word != "model=mlp"]
SHORT += ["iterations=3", "evaluation.extractor.steps=20", "allowed_targets=[own_nets]"]


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    """The module of a user's networks, as it lies in the working directory."""
    (tmp_path / "module").mkdir()
    (tmp_path / "module" / "own_nets.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path / "module")
    yield
    sys.modules.pop("own_nets", None)


@pytest.mark.parametrize(
    "words",
    [
        [D % "Patches,width:3", "loss=rsgan_gp"],  # pairs of patches, and a penalty on their mean
        [D % "Patches", "loss=sngan", "optimizer.generator={_target_:torch.optim.SGD,lr:0.1}"],
        [D % "Viewing", "ema_decay=0.9"],  # its layers keep tensors with a graph, and it views maps as they are
        # a warning says that its normalisation undoes the constraint
        [D % "AlwaysNormed", G % "Generator,width:4", "loss=sngan"],
        [D % "Taking", "loss=ragan_attention"],
        [D % "Labelled", "conditional=own", "loss.objective={_target_:gan_lab.losses.Hinge}"],
        [D % "Classifying", "conditional=auxiliary"],
        [G % "Derived,channels:4", "conditional=projection"],
        [G % "Derived,channels:4,conditioning:concat", D % "Labelled", "conditional=own", "loss=wgan_gp"],
    ],
    ids=" ".join,
)
def test_they_train_sample_and_go_on(tmp_path, capsys, words):
    run = gan_lab.train(*SHORT, *words, folder=tmp_path / "run")
    assert f"gan-lab-sample run={tmp_path / 'run'} 'allowed_targets=[own_nets]'" in capsys.readouterr().out
    assert run.status["state"] == "done"
    labelled = any("conditional" in word for word in words)
    samples = (
        gan_lab.Run(tmp_path / "run", allowed_targets=["own_nets"]).sample(3, labels=[1] if labelled else None).values
    )
    assert samples.shape == (3, 1, 8, 8)
    assert samples.dtype == torch.uint8
    more = run.resume(iterations=4)
    assert more.result["budget"]["iterations"] == 4


def test_a_column_of_logits_is_the_same_as_flat_ones(tmp_path):
    column, flat = (
        gan_lab.train(*SHORT, D % name, "loss=rasgan_gp", folder=tmp_path / name) for name in ("Features", "Flat")
    )
    of_column, of_flat = (weights_of(RunFolder(run.folder)) for run in (column, flat))
    assert of_column.keys() == of_flat.keys()
    assert all(torch.equal(of_column[key], of_flat[key]) for key in of_column)


def test_a_map_is_logits_for_the_objective_and_their_mean_for_penalties():
    """A linear convolution of 2×2 pixels in steps of 2 looks at each pixel once.

    The mean of 4 patches has the gradient w/4 at every pixel of a patch, so R1 is ½ · 4 · ‖w‖²/16 = ‖w‖²/8. Of their
    sum it would be 16 times as much.
    """
    network = nn.Conv2d(1, 1, 2, 2, bias=False).double()
    samples = torch.randn(5, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    of = Judgement.of(network(samples))
    assert of.logits.shape == (20,)
    assert torch.equal(of.logits.view(5, 1, 2, 2), network(samples))
    first, second = Judgement.of(network(torch.cat([samples, -samples]))).halves()
    assert torch.equal(first.logits, of.logits)
    assert torch.equal(second.logits, -of.logits)
    judge = Judge(network)
    assert torch.allclose(judge(samples), network(samples).flatten(1).mean(1))
    expected = network.weight.square().sum().item() / 8
    assert R1()(judge, samples, samples).item() == pytest.approx(expected, rel=1e-9)


@pytest.fixture
def told(monkeypatch, tmp_path, capsys):
    """The configuration that the command tells of words."""

    def tell(*words):
        assert ended(monkeypatch, tmp_path, main, "gan-lab", *words, "--cfg", "job") == 0
        return OmegaConf.create(capsys.readouterr().out)

    return tell


def test_a_block_takes_the_place_of_the_block_but_later_options_count(told):
    """sngan sets norm=none in the discriminator, whichever it is; what a person types comes last of all."""
    config = told(*SHORT, D % "Features,norm:batch", "loss=hinge")
    assert config.model.discriminator == {"_target_": "own_nets.Features", "norm": "batch"}
    config = told(*SHORT, D % "Features", "loss=sngan")
    assert config.model.discriminator == {"_target_": "own_nets.Features", "norm": "none"}
    assert config.model.generator._target_.endswith("DCGANGenerator")
    config = told(*SHORT, "optimizer.generator={_target_:torch.optim.SGD,lr:0.1}")
    assert config.optimizer.generator == {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.1}


@pytest.mark.parametrize("key", ["r1", "cr.transform"])
def test_a_block_takes_the_place_of_a_penaltys_and_of_a_part_of_one(told, key):
    """The schema knows no such keys, and r1's own weight refers to a key of another file."""
    target = "gan_lab.losses.R1" if key == "r1" else "gan_lab.augmentations.Flip"
    composed = told("penalty=[r1,cr]", f"loss.penalties.{key}={{_target_:{target}}}")
    assert OmegaConf.select(composed, f"loss.penalties.{key}") == {"_target_": target}


def test_a_sweep_over_blocks(monkeypatch, tmp_path):
    words = [f"{D % 'Features,norm:none'},{{_target_:own_nets.AlwaysNormed}}", "loss=hinge"]
    folder = tmp_path / "sweep"
    assert ended(monkeypatch, tmp_path, main, "gan-lab", "-m", *SHORT, *words, f"hydra.sweep.dir={folder}") == 0
    runs = gan_lab.Sweep(folder, allowed_targets=["own_nets"]).runs
    assert [run.status["state"] for run in runs] == ["done"] * 2
    targets = sorted(run.config["model"]["discriminator"]["_target_"] for run in runs)
    assert targets == ["own_nets.AlwaysNormed", "own_nets.Features"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([D % "Pair"], "model.discriminator: Pair, given [B, 1, 8, 8], gives a tuple: expected a tensor"),
        ([G % "Patches"], "model.generator: Patches, given [B, 100], fails: "),
        ([G % "Features"], "model.generator: Features, given [B, 100], fails: "),
        ([D % "Generator,latent_dim:64"], "model.discriminator: Generator, given [B, 1, 8, 8], fails: "),
        ([D % "Patches", "loss=ragan_attention"],
         "model.discriminator: it gives logits [B, 1, 2, 2], and RelativisticAttention takes [B, 2]"),
        ([D % "Wrong"],
         f"model.discriminator: Wrong, given [B, 1, 8, 8], fails: ValueError: no way (own_nets.py, line {LINE})"),
        ([G % "Drawing", D % "Judging"],
         "model.discriminator: it has weights that model.generator has too; expected its own alone"),
        ([AUGMENTED % "Halved"],
         "augmentation: Halved, given [2, 1, 8, 8], gives [2, 1, 4, 8]: expected images of the same shape"),
        ([AUGMENTED % "Rounded"], "augmentation: Rounded, given [2, 1, 8, 8], gives a tensor without a graph: "),
        ([AUGMENTED % "Unready"], "augmentation: Unready, given [2, 1, 8, 8], fails: AttributeError: "),
        (["optimizer.generator={_target_:own_nets.NoRate,_partial_:true}"],
         "optimizer.generator: NoRate has no learning rate: expected 'lr' among its defaults"),
        ([G % "OneOnly"], "model.generator: it draws samples [1, 1, 8, 8] of latents [B, …], expected [B, 1, 8, 8]"),
        ([G % "Detached"], "model.generator: Detached, given [B, 100], gives a tensor without a graph: "),
        ([D % "Lazy"], "model.discriminator: Lazy has no weights yet: expected layers whose sizes are given"),
        ([D % "Weightless"], "model.discriminator: Weightless has no weights yet: "),
        ([D % "Mean"], "model.discriminator: it gives logits [], and NonSaturating takes [B], [B, 1] or a map "),
        ([D % "Labelled"], "model.discriminator: it asks for the number of classes; expected conditional=own"),
        ([G % "Generator,_partial_:true"], "model.generator: it makes a "),
        ([G % "Generator,sample_shape:[1,9,9]"],
         "model.generator: it draws samples [B, 1, 9, 9] of latents [B, …], expected [B, 1, 8, 8]"),
        ([G % "Generator", "model.generator.depth=7"],
         "model.generator.depth: there is no key 'depth' in model.generator; Allowed: _target_; +model.gen"),
        (["stop_early.patience=3"], "stop_early.patience=3: it does nothing without stop_early.metric; "),
        (["init_strict=false"], "init_strict=false: it does nothing without init_from; expected init_from=... with it"),
        ([D % "Features,out:3"], "model.discriminator: it gives logits [B, 3], and NonSaturating takes [B], [B, 1] "),
        ([D % "Labelled", "conditional=projection"],
         "model.discriminator.conditioning=projection: Labelled has no such argument; expected conditional=own, "),
        ([D % "Features", "conditional=own"], "conditional=own: expected none, as model.discriminator takes no labels"),
        ([D % "Features", "conditional=auxiliary"],
         "loss.penalties.classification: expected a discriminator that classifies, "),
        ([D % "Classifying,classes:4"], "model.discriminator: it classifies its samples, which no part of the loss "),
        (["model.generator._target_=own_nets.Generator"],
         "model.generator.channels: there is no key 'channels' in model.generator; Allowed: latent_dim, sample_shape, "
         "width; model.generator={_target_:...} takes the place of the whole block"),
        ([G % "Generator,widht:3"],
         "model.generator.widht: there is no key 'widht' in model.generator; did you mean 'width'? "),
        ([D % "Nope"], "model.discriminator._target_=own_nets.Nope: "),
        ([D % "Features", "allowed_targets=[]"], "model.discriminator._target_=own_nets.Features: "),
        (["model.generator={_target_:null}"], "model.generator._target_"),
        (["model.generator={_target_:gan_lab.losses.Hinge}"], "model.generator"),
        (["model={_target_:own_nets.Generator}"], "model: there is no key '_target_' in model; "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_refusals(monkeypatch, tmp_path, words, sentence):
    (tmp_path / "here").mkdir()
    said = refusal(monkeypatch, tmp_path / "here", main, "gan-lab", *SHORT, *words)
    assert said.startswith(f"gan-lab: {sentence}")
    assert not list((tmp_path / "here").iterdir())


@pytest.mark.parametrize("shape", [(1, 32, 16), (3, 8, 28 * 8 // 7), (2, 28, 28), (1, 12, 20)], ids=str)
@pytest.mark.parametrize("attention", [False, True])
def test_dcgan_draws_sides_that_differ(shape, attention):
    draws, judges = DCGANGenerator(5, shape, 4), DCGANDiscriminator(shape, 4, attention=attention)
    samples = draws(torch.randn(3, 5))
    assert samples.shape == (3, *shape)
    assert judges(samples).shape == ((3, 2) if attention else (3,))
    labelled = DCGANDiscriminator(shape, 4, conditioning="projection", classes=3)
    assert labelled(samples, torch.tensor([0, 1, 2])).shape == (3,)


def test_dcgan_names_a_model_for_other_sizes():
    with pytest.raises(ValueError, match=r"dcgan cannot draw images of 32x30 pixels: .*; model=pacgan_dcgan draws"):
        DCGANGenerator(5, (1, 32, 30), 4)
