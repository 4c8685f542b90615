"""Labels on their way from a dataset to networks that take them, and to nobody else."""

import pytest
import torch
from torch import nn
from training_runs import SMALL, train_in, weights_of

from gan_lab.datasets import digits
from gan_lab.datasets.batch import Batch, Draw
from gan_lab.metrics import RealSets
from gan_lab.models import MLPDiscriminator, MLPGenerator
from gan_lab.models.conditions import takes_labels
from gan_lab.training.build import build_module

SEEN = []


class LabelledGenerator(nn.Module):
    """An MLP whose latent has an embedding of the class added."""

    def __init__(self, latent_dim, sample_shape, hidden):
        super().__init__()
        self.trunk = MLPGenerator(latent_dim, sample_shape, hidden)
        self.classes = nn.Embedding(10, latent_dim)

    def forward(self, latents, labels):
        SEEN.append(("generator", self.training, labels.clone()))
        return self.trunk(latents + self.classes(labels))


class LabelledDiscriminator(nn.Module):
    """The logit of an MLP, plus one of the class."""

    def __init__(self, sample_shape, hidden):
        super().__init__()
        self.trunk = MLPDiscriminator(sample_shape, hidden)
        self.classes = nn.Embedding(10, 1)

    def forward(self, samples, labels):
        SEEN.append(("discriminator", self.training, labels.clone()))
        return self.trunk(samples) + self.classes(labels)[:, 0]


def labelled(composed, *overrides):
    words = ["conditional=own", "evaluation/extractor=pixels", "allowed_targets=[test_labels]", *overrides]
    config = composed(*SMALL, *words)
    for player in ("Generator", "Discriminator"):
        config.model[player.lower()] = {"_target_": f"test_labels.Labelled{player}", "hidden": [16]}
    return config


def test_what_takes_labels():
    assert not takes_labels(nn.Sequential())
    assert takes_labels(LabelledDiscriminator((2,), [4]))


def test_every_player_sees_the_labels_of_its_batch_and_evaluation_those_held_out(composed, tmp_path):
    from gan_lab.datasets import BatchStream

    SEEN.clear()
    config = labelled(composed, "iterations=2", "loss=rsgan", "penalty=r1", "joint_batch=false")
    train_in(tmp_path / "run", config)
    data = digits()
    batches, others = (
        [batch.labels for batch in BatchStream(data.train, 8, 2, config.seed, data.train_labels, purpose)]
        for purpose in ("batches", "generator_batches")
    )
    training = [labels for _, in_training, labels in SEEN if in_training]
    # D's update: G, D on real, D on fake, D in the penalty; G's update: G, D on real, D on fake
    expected = [batches[0]] * 4 + [others[0]] * 3 + [batches[1]] * 4 + [others[1]] * 3
    assert len(training) == len(expected)
    assert all(torch.equal(found, labels) for found, labels in zip(training, expected, strict=True))
    looking = [labels for name, in_training, labels in SEEN if name == "generator" and not in_training]
    compared = RealSets.of(data, 100, learns=False).labels  # the evaluation's
    pictured = torch.tensor([0, 3, 6, 9])  # four samples, of classes spread evenly over ten
    rows = pictured.repeat(2).repeat_interleave(8)  # eight rows of interpolations, each of one class
    for labels in (pictured, rows, compared):
        assert any(torch.equal(found, labels) for found in looking)


@pytest.mark.parametrize("joint", ["true", "false"])
def test_labelled_networks_learn(composed, tmp_path, joint):
    config = labelled(composed, "iterations=5", f"joint_batch={joint}")
    start = build_module(config, (1, 8, 8), class_counts=[1] * 10).state_dict()
    end = weights_of(train_in(tmp_path / "run", config))
    assert start.keys() == end.keys()
    assert [key for key in start if key.endswith("weight") and torch.equal(start[key], end[key])] == []


CONDITIONAL = {
    "mlp": ["model.generator.hidden=[8]", "model.generator.norm=batch", "model.discriminator.hidden=[8]"],
    "dcgan": ["model.generator.channels=2", "model.discriminator.channels=8"],
    "sngan_cnn": ["model.generator.channels=2", "model.discriminator.channels=2"],
    "sngan_resnet": ["model.generator.channels=2", "model.discriminator.channels=2"],
}


@pytest.mark.parametrize("looks", ["concat", "projection", "per_class"])
@pytest.mark.parametrize("model", CONDITIONAL)
def test_conditional_networks_of_ours_learn(composed, model, looks):
    """An iteration under a penalty and one under spectral norm: every weight moves, embeddings of drawn classes too."""
    shape = (1, 32, 32) if model == "sngan_resnet" else (1, 8, 8)
    for loss, takes in (("wgan_gp", "concat"), ("sngan", "batch_norm")):
        classes = [f"+model.{player}.classes=3" for player in ("generator", "discriminator")]
        how = [f"model.generator.conditioning={takes}", f"model.discriminator.conditioning={looks}"]
        overrides = [*CONDITIONAL[model], *classes, *how, "batch_size=4", "latent_dim=3"]
        module = build_module(composed(f"model={model}", f"loss={loss}", *overrides), shape)
        start = {name: weight.detach().clone() for name, weight in module.named_parameters()}
        labels = torch.arange(20) % 2  # none of class 2
        real = Batch(torch.randn(20, *shape).clamp(-1, 1), labels)
        curves = module.iterate(Draw(real, Batch(torch.empty(4, 0), labels[:4])))
        assert all(value.isfinite().all() for value in curves.values())
        end = dict(module.named_parameters())
        assert [key for key in start if torch.equal(start[key], end[key]) and not key.endswith("bias")] == []
        tables = {key: end[key] != start[key] for key in start if "embedding" in key or ".gain." in key}
        assert len(tables) >= 1
        assert all(moved[:2].any(1).all() for moved in tables.values())
        if loss == "wgan_gp":  # Adam moves a class only once it has been drawn
            assert not any(moved[2].any() for moved in tables.values())
