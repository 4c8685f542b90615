"""What new runs are refused for; runs of earlier versions, which were not, go on and are measured as before."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from training_runs import SMALL

import gan_lab
from gan_lab.datasets import Batch, Dataset, digits
from gan_lab.datasets.drawing import Drawing
from gan_lab.datasets.source import Source
from gan_lab.errors import ConfigError
from gan_lab.models import MLPDiscriminator, MLPGenerator
from gan_lab.training import build
from gan_lab.training.new_runs import check_differ

MIXED = [
    "model.discriminator.conditioning=projection",
    "+model.discriminator.classes=10",
    "+model.generator.classes=10",
]


class OptionalLabels(nn.Module):
    """A generator that may be told classes, and needs none."""

    def __init__(self, latent_dim, sample_shape):
        super().__init__()
        self.trunk = MLPGenerator(latent_dim, sample_shape, [4])
        self.classes = nn.Embedding(10, latent_dim)

    def forward(self, latents, labels=None):
        return self.trunk(latents if labels is None else latents + self.classes(labels))


class NeededLabels(nn.Module):
    """A discriminator that must be told classes."""

    def __init__(self, sample_shape):
        super().__init__()
        self.trunk = MLPDiscriminator(sample_shape, [4])
        self.classes = nn.Embedding(10, 1)

    def forward(self, samples, labels):
        return self.trunk(samples) + self.classes(labels)[:, 0]


def own(role: str, name: str) -> list[str]:
    return [f"model.{role}={{_target_:test_new_runs.{name}}}", "allowed_targets=[test_new_runs]"]


def unlabelled(folder, **labels) -> list[str]:
    """Words for data without labels, or with these."""
    draw = np.random.default_rng(0)
    np.savez(folder / "images.npz", samples=draw.integers(0, 255, (60, 8, 8), dtype=np.uint8), **labels)
    words = ["evaluation/extractor=pixels", "evaluation.samples=12", "evaluation.kid_subset_size=10", "evaluation.k=2"]
    return ["dataset=npz", f"dataset.path={folder / 'images.npz'}", *words]


@pytest.mark.parametrize(
    ("role", "name", "labelled", "sentence"),
    [
        (
            "generator",
            "OptionalLabels",
            True,
            "conditional=none: expected own, or another way, as model.generator takes",
        ),
        (
            "discriminator",
            "NeededLabels",
            True,
            "conditional=none: expected own, or another way, as model.discriminator",
        ),
        (
            "discriminator",
            "NeededLabels",
            False,
            "model.discriminator: expected one that takes no labels, as the datase",
        ),
        (
            "generator",
            "OptionalLabels",
            "one class",
            "model.generator: expected one that takes no labels, as all samples are of one class",
        ),
    ],
)
def test_a_users_network_that_takes_labels(tmp_path, role, name, labelled, sentence):
    data = ["evaluation/extractor=pixels"] if labelled is True else unlabelled(tmp_path)
    if labelled == "one class":
        data = unlabelled(tmp_path, labels=np.zeros(60, np.int64))
    small = [word for word in SMALL if not word.startswith((f"model.{role}", "evaluation"))]
    with pytest.raises(ConfigError, match=f"^{sentence}"):
        gan_lab.train(*small, *data, *own(role, name), "iterations=1", folder=tmp_path / "run")


def test_labels_that_are_optional_and_that_the_data_lack(tmp_path):
    """The network is trained, kept as an average and sampled without them."""
    small = [word for word in SMALL if not word.startswith(("model.generator", "evaluation"))]
    words = [*small, *unlabelled(tmp_path), *own("generator", "OptionalLabels"), "ema_decay=0.5", "iterations=1"]
    run = gan_lab.train(*words, folder=tmp_path / "run")
    assert run.sample(3).values.shape == (3, 1, 8, 8)


def test_a_run_of_an_earlier_version_goes_on_and_is_measured_and_sampled(tmp_path, monkeypatch):
    """It has networks with labels under conditional=none, which no run was refused for."""
    with monkeypatch.context() as patch:
        patch.setattr(build, "check_new_run", lambda *_: None)
        words = [*SMALL, *MIXED, "evaluation/extractor=pixels", "iterations=1"]
        run = gan_lab.train(*words, folder=tmp_path / "run")
    run = run.resume(iterations=2)
    assert run.result["budget"]["iterations"] == 2
    assert run.sample(2, labels=[3]).labels.tolist() == [3, 3]
    assert run.evaluate("evaluation.samples=90")["metrics"]["fd_pixels"] > 0


SAME, OTHER = torch.zeros(6, 1, 8, 8, dtype=torch.uint8), torch.arange(6 * 64, dtype=torch.int64).view(6, 1, 8, 8) % 251
OTHER = OTHER.to(torch.uint8)
APART = Source(OTHER, OTHER, False)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"train": SAME}, "6 training samples"),
        ({"test": SAME}, "6 held-out samples"),
        ({"validation": Batch(SAME)}, "6 validation samples"),
        ({"source": replace(APART, train=SAME)}, "6 sources to train on"),
        ({"source": replace(APART, test=SAME)}, "6 held-out sources"),
        ({"source": replace(APART, validation=Batch(SAME))}, "6 validation sources"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_part_whose_samples_are_all_the_same(changes, kind):
    dataset = Dataset(OTHER, None, OTHER, None, "0", source=APART)
    check_differ(dataset)
    with pytest.raises(ConfigError, match=rf"^dataset: all {kind} are the same, expected some that differ"):
        check_differ(replace(dataset, **changes))


def test_only_samples_that_are_trained_on_count():
    """Of a hundred samples, one is another and is not among those that the share leaves."""
    train = torch.zeros(100, 1, 8, 8, dtype=torch.uint8)
    chosen = Drawing(subset=0.1).chosen(100, None)
    outside = min(set(range(100)) - set(chosen.tolist()))
    train[outside] = 1
    check_differ(Dataset(train, None, OTHER, None, "0"))
    with pytest.raises(ConfigError, match=r"^dataset: all 10 training samples are the same"):
        check_differ(Dataset(train, None, OTHER, None, "0", drawing=Drawing(subset=0.1)))
    check_differ(digits())
