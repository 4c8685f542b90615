"""Every experiment of conf/experiment/paper composes, is checked, and takes an iteration on made-up pictures."""

import pytest
import torch
from configurations import options
from omegaconf import OmegaConf

from gan_lab.config.checks import check
from gan_lab.datasets import Batch, Draw
from gan_lab.metric_names import known
from gan_lab.training.build import build_module

SHAPES = {"stl10": (3, 48, 48), "celeba64": (3, 64, 64), "veegan": (3, 28, 28), "pacgan2": (3, 28, 28),
          "lucic_mnist": (1, 28, 28), "lucic_fashion_mnist": (1, 28, 28)}  # fmt: skip


@pytest.mark.parametrize("name", options("experiment/paper"))
def test_one_iteration_and_figures_of_what_is_measured(composed, name):
    place = ["dataset.path=pictures"] if "celeba" in name else []
    config = check(composed(f"experiment=paper/{name}", "batch_size=4", *place))
    assert config.published
    assert all(known(one.metric) for one in config.published)
    inception = config.evaluation.extractor._target_.endswith("Inception")
    assert inception == any(one.metric == "fid" for one in config.published)
    for network in (config.model.generator, config.model.discriminator):
        if "channels" in network:  # of the published width is tests/models/test_parameter_counts.py
            network.channels = 2
    shape = next((shape for end, shape in SHAPES.items() if name.endswith(end)), (3, 32, 32))
    classes = [6, 6] if config.conditional != "none" else None
    module = build_module(config, shape, class_counts=classes)
    before = {key: weight.detach().clone() for key, weight in module.named_parameters()}
    turns, packing, draw = module.turns, config.model.packing, torch.Generator().manual_seed(0)

    def batch(player: str, factor: int = 1) -> Batch:
        count = 4 * packing * turns[player] * factor
        labels = torch.arange(count) % 2 if classes else None
        return Batch(torch.rand(count, *shape, generator=draw) * 2 - 1, labels)

    curves = module.iterate(Draw(batch("discriminator"), batch("generator", config.generator_batch_factor)))
    assert all(value.isfinite().all() for value in curves.values())
    for role in ("generator", "discriminator"):
        moved = [not torch.equal(before[key], now) for key, now in module.named_parameters() if key.startswith(role)]
        assert sum(moved) > len(moved) / 2


def test_the_whole_setting_of_the_standard_cnn(composed):
    """NETWORKS.md D, its first row: batches of 128, 256 for the generator, one update each, Adam 2e-4 (0, 0.9)."""
    config = composed("experiment=paper/sn_cnn_cifar10")
    keys = ("batch_size", "generator_batch_factor", "n_critic", "iterations", "lr_schedule", "lr_final", "ema_decay")
    assert [config[key] for key in keys] == [128, 2, 1, 100_000, "linear", 0, None]
    for player in ("generator", "discriminator"):
        assert (config.optimizer[player].lr, list(config.optimizer[player].betas)) == (2e-4, [0, 0.9])
    assert [(one.metric, one.value) for one in config.published] == [("fid", 17.81), ("inception_score", 7.84)]
    assert OmegaConf.to_container(config.loss.objective) == {"_target_": "gan_lab.losses.Hinge"}
