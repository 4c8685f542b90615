"""Every experiment of conf/experiment/paper composes, is checked, and takes an iteration on made-up pictures."""

from typing import Any

import pytest
import torch
from configurations import options
from omegaconf import DictConfig

from gan_lab.config.checks import check
from gan_lab.datasets import Batch, Draw
from gan_lab.metric_names import known
from gan_lab.training.build import build_module

SHAPES = {"stl10": (3, 48, 48), "celeba64": (3, 64, 64), "veegan": (3, 28, 28), "pacgan2": (3, 28, 28),
          "lucic_mnist": (1, 28, 28), "lucic_fashion_mnist": (1, 28, 28)}  # fmt: skip


def setting(
    batch: int,
    critic: int,
    iterations: int,
    figures: list[float],
    lr: float = 2e-4,
    betas: tuple[float, float] = (0, 0.9),
    fakes: int = 1,
    generator: int = 1,
    schedule: str = "linear",
    ema: float | None = None,
    data: tuple[bool, bool] = (False, False),
) -> dict[str, Any]:
    """What NETWORKS.md D says of a figure; ``fakes`` are the generator's, in batches, ``data`` flips and noise."""
    return {
        "updates": [batch, fakes, critic, generator, iterations],
        "schedule": [schedule, ema],
        "data": list(data),
        "adam": [(lr, *betas)] * 2,
        "figures": figures,
    }


FLIPS, NOISE = (True, False), (False, True)
DCGANS: dict[str, Any] = {"betas": (0.5, 0.999), "schedule": "constant"}
BIGGAN: dict[str, Any] = {"schedule": "constant", "ema": 0.9999, "data": FLIPS}
# the first four: configs/*.txt, sngan.py and wgangp.py of pytorch-gan-collections, whose Readme.md has the figures
SETTINGS = {
    "sn_cnn_cifar10": setting(128, 1, 100_000, [17.81, 7.84], fakes=2, data=NOISE),
    "sn_resnet_cifar10": setting(64, 5, 100_000, [14.32, 8.31], fakes=2, data=NOISE),
    "wgan_gp_cnn_cifar10": setting(128, 1, 100_000, [19.83, 7.66], fakes=2, data=FLIPS),
    "wgan_gp_resnet_cifar10": setting(64, 5, 100_000, [16.95, 7.95, 22.29], fakes=2, data=FLIPS),
    "sn_resnet_cifar10_mimicry": setting(64, 5, 100_000, [16.77, 23.90, 7.97, 0.0125]),
    "cgan_pd_cifar10": setting(64, 5, 100_000, [10.84, 8.25]),
    "sn_resnet_stl10": setting(64, 5, 100_000, [39.56, 8.04]),
    "sn_resnet_celeba64": setting(64, 5, 100_000, [5.71, 0.0033]),
    "biggan_cifar10_diffaugment": setting(50, 4, 250_000, [8.70, 9.16], betas=(0, 0.999), **BIGGAN),
    "biggan_cifar10_diffaugment_tenth": setting(50, 4, 125_000, [22.40], betas=(0, 0.999), **BIGGAN),
    "biggan_cifar10_studiogan": setting(64, 5, 100_000, [4.16, 9.96], betas=(0.5, 0.999), **BIGGAN),
    "stacked_mnist_veegan": setting(64, 1, 100_000, [78.9, 4.50, 99.0, 3.40], generator=2, **DCGANS),
    "stacked_mnist_pacgan2": setting(64, 1, 100_000, [1000.0, 0.06], generator=2, **DCGANS),
    "lucic_mnist": setting(64, 1, 18_750, [6.8], **DCGANS),
    "lucic_fashion_mnist": setting(64, 1, 18_750, [26.5], **DCGANS),
}


def asked(config: DictConfig) -> dict[str, Any]:
    """The same of a configuration."""
    keys = ("batch_size", "generator_batch_factor", "n_critic", "n_generator", "iterations")
    optimizers = [config.optimizer[player] for player in ("generator", "discriminator")]
    return {
        "updates": [config[key] for key in keys],
        "schedule": [config.lr_schedule, config.ema_decay],
        "data": [config.dataset.flip, config.dataset.dequantise],
        "adam": [(one.lr, *one.betas) for one in optimizers],
        "figures": [one.value for one in config.published],
    }


@pytest.mark.parametrize("name", options("experiment/paper"))
def test_the_published_setting_one_iteration_and_figures_of_what_is_measured(composed, name):
    place = ["dataset.path=pictures"] if "celeba" in name else []
    config = check(composed(f"experiment=paper/{name}", *place))
    assert asked(config) == SETTINGS[name]
    config.batch_size = 4
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
