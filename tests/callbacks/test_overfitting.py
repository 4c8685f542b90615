"""The curves of a discriminator that learns by heart, and the picture of what the generator copies."""

import csv

import pytest
import torch
from configurations import composed_of
from torch import nn
from training_runs import train_in

from gan_lab.callbacks import Overfitting
from gan_lab.datasets import Batch, Request
from gan_lab.errors import ConfigError

WORDS = ["dataset=digits", "dataset.max_samples=100", "trainer=cpu", "iterations=2", "batch_size=4",
         "evaluation/extractor=pixels", "evaluation.metrics=[fd,memorisation]", "evaluation.every=1",
         "evaluation.samples=40", "pictures.samples=4", "model.generator.channels=2",
         "model.discriminator.channels=2"]  # fmt: skip


def curves(folder):
    with open(folder.metrics_file) as file:
        return {(int(row["iteration"]), row["name"]): float(row["value"]) for row in csv.DictReader(file)}


class Game:
    """Logits are means; the generator draws what it is asked for."""

    def __init__(self, labels=False):
        self.sampler = nn.Linear(1, 1, bias=False)
        nn.init.ones_(self.sampler.weight)
        network = Mean()
        self.players = {"discriminator": type("Player", (), {"network": network})}
        self.dtype = torch.float32

    def on_device(self, tensor):
        return tensor

    def as_trained_on(self, samples):
        return samples


class Mean(nn.Module):
    def forward(self, samples):
        return samples.mean(1)


class Written:
    def write(self, iteration, points):
        self.points = points


def test_real_samples_are_shown_as_in_training():
    """Networks that grow are trained on blended ones while a size fades in; generated samples are blended already."""
    game, written = Game(), Written()
    game.as_trained_on = lambda samples: samples - 1
    sets = [Batch(torch.full((70, 1), value)) for value in (3.0, 2.0)]
    Overfitting(*sets, Request(torch.full((70, 1), 1.0)), 1, 1, written, None).act(None, game, 5)
    assert written.points == {
        "overfitting/training": 2.0,
        "overfitting/held_out": 1.0,
        "overfitting/generated": 1.0,
        "overfitting/share": 1.0,
    }


@pytest.mark.parametrize(
    ("training", "held_out", "generated", "share"),
    [(3.0, 3.0, 1.0, 0.0), (3.0, 2.0, 1.0, 0.5), (3.0, 1.0, 1.0, 1.0), (3.0, 2.0, 3.0, None), (1.0, 2.0, 3.0, None)],
)
def test_share_of_overfitting(training, held_out, generated, share):
    """r_v of Karras et al. 2020 by hand."""
    sets = [Batch(torch.full((130, 1), value)) for value in (training, held_out)]
    written = Written()
    callback = Overfitting(*sets, Request(torch.full((70, 1), generated)), 1, 1, written, None)
    callback.act(None, Game(), 5)
    expected = {"training": training, "held_out": held_out, "generated": generated}
    assert {name: written.points[f"overfitting/{name}"] for name in expected} == pytest.approx(expected)
    assert written.points.get("overfitting/share") == (None if share is None else pytest.approx(share))


def test_a_run_that_looks_for_copies(tmp_path):
    """Curves, the picture, and the same weights as without looking."""
    runs = {}
    for name, words in {"with": [], "without": ["evaluation.metrics=[fd]"]}.items():
        runs[name] = train_in(tmp_path / name, composed_of(*WORDS, *words))
    found, plain = (curves(run) for run in runs.values())
    assert {tag for _, tag in found.keys() - plain.keys()} - {"overfitting/share"} == {
        "metric/memorisation_pixels", "overfitting/training", "overfitting/held_out", "overfitting/generated",
    }  # fmt: skip
    assert {key: value for key, value in found.items() if key in plain} == plain
    assert (runs["with"].samples / "closest.png").is_file()
    assert not (runs["without"].samples / "closest.png").exists()
    assert "memorisation_pixels" in runs["with"].result()["floor"]


@pytest.mark.parametrize(
    "words",
    [
        ["model.packing=3"],
        ["model=mlp", "conditional=projection"],
        ["dataset=digits_edges", "model=unet"],
        ["dataset=digits_edges", "model=cyclegan", "model.generator.blocks=1"],
    ],
)
def test_packs_labels_and_sources(tmp_path, words):
    """Of CycleGAN's two discriminators there are no curves."""
    kept = WORDS if "model=mlp" not in words else [word for word in WORDS if "channels" not in word]
    folder = train_in(tmp_path / "run", composed_of(*kept, *words, "iterations=1"))
    assert ((1, "overfitting/training") in curves(folder)) == ("model=cyclegan" not in words)
    assert (folder.samples / "closest.png").is_file()


def test_packs_larger_than_the_held_out_samples_are_refused(tmp_path):
    """No logit could be given to them, at the first evaluation."""
    words = [*WORDS, "dataset.max_samples=600", "model.packing=501", "batch_size=1"]
    with pytest.raises(ConfigError, match=r"^model\.packing=501: expected at most \d+, the samples that copies are"):
        train_in(tmp_path / "run", composed_of(*words))
