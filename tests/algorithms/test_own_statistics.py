"""A moving average is judged with statistics of its own, and training keeps those it needs."""

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from training_runs import SMALL, train_in, weights_of

from gan_lab.algorithms.own_statistics import with_own_statistics
from gan_lab.datasets import Request
from gan_lab.distributed.batchnorm import over_all_processes
from gan_lab.metrics.evaluator import generate
from gan_lab.runs import latents
from gan_lab.runs.checkpoints import load_generator
from gan_lab.runs.latents import statistics_requests
from gan_lab.training.build import build_module


def requests(count=50, dim=4):
    latents = torch.randn(64 * count, dim, generator=torch.Generator().manual_seed(0))
    return Request(latents).split(64)


class Noisy(nn.Module):
    """Adds numbers of its own, in eval mode too."""

    def forward(self, inputs):
        return inputs + torch.randn_like(inputs)


def test_a_network_that_draws_numbers_is_a_function_of_what_it_is_asked_for():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 3), Noisy(), nn.BatchNorm1d(3))
    random = torch.get_rng_state()
    first, second = (with_own_statistics(network, requests(2)) for _ in range(2))
    one, other = (generate(first, request) for request in requests(2))
    assert torch.equal(first[2].running_mean, second[2].running_mean)
    assert torch.equal(generate(second, requests(2)[0]), one)
    assert torch.equal(torch.get_rng_state(), random)
    without = nn.Sequential(first[0], first[2])
    noise, others = (made - generate(without, request) for made, request in zip((one, other), requests(2), strict=True))
    assert not torch.allclose(noise, others)  # new numbers for other latents


@pytest.mark.parametrize("convert", [nn.Identity(), over_all_processes], ids=["batchnorm", "global"])
def test_batchnorms_statistics_are_the_means_over_all_batches(convert):
    """Of a linear layer's outputs, whose mean and unbiased variance each batch has."""
    torch.manual_seed(0)
    network = convert(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout()))
    network[1].running_mean.fill_(7)  # of other weights
    before = {key: value.clone() for key, value in network.state_dict().items()}
    random = torch.get_rng_state()
    own = with_own_statistics(network, requests())
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    outputs = [network[0](one.latents) for one in requests()]
    assert torch.allclose(own[1].running_mean, torch.stack([one.mean(0) for one in outputs]).mean(0), atol=1e-5)
    assert torch.allclose(own[1].running_var, torch.stack([one.var(0) for one in outputs]).mean(0), rtol=1e-4)
    assert own[1].momentum == network[1].momentum == 0.1  # as it was
    assert not any(module.training for module in own.modules())
    assert torch.equal(own[0].weight, network[0].weight)


@pytest.mark.parametrize("norm", [spectral_norm, nn.utils.spectral_norm], ids=["parametrization", "older"])
def test_spectral_norms_vectors_are_those_of_the_weights(norm):
    """After as many power iterations the largest singular value is 1, as it is not with another matrix's vectors."""
    torch.manual_seed(0)
    layer = norm(nn.Linear(4, 4))
    with torch.no_grad():
        next(weight for weight in layer.parameters() if weight.ndim == 2).copy_(torch.randn(4, 4))
        layer.eval()(torch.zeros(1, 4))
    layer.eval()
    own = with_own_statistics(layer, requests())
    assert torch.linalg.matrix_norm(layer.weight, 2).item() > 1.01
    assert torch.linalg.matrix_norm(own.weight, 2).item() == pytest.approx(1, abs=1e-4)


def test_instance_norms_statistics_are_followed_too():
    network = nn.Sequential(nn.Linear(4, 12), nn.Unflatten(1, (3, 4)), nn.InstanceNorm1d(3, track_running_stats=True))
    own = with_own_statistics(network, requests())
    outputs = torch.cat([network[:2](one.latents) for one in requests()])
    assert torch.allclose(own[2].running_mean, outputs.mean((0, 2)), atol=1e-5)


def test_a_network_that_derives_nothing_is_not_copied():
    network = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3))
    assert with_own_statistics(network, requests()) is network


AVERAGED = [*SMALL, "model.generator.norm=batch", "ema_decay=0.9", "iterations=30", "evaluation/extractor=pixels"]


def test_pictures_metrics_and_samples_are_of_the_average_with_its_own_and_the_checkpoint_of_training(
    composed, tmp_path, monkeypatch
):
    from gan_lab.metrics import evaluator

    seen = []

    def spy(network, request):
        seen.append(network.state_dict())
        return generate(network, request)

    monkeypatch.setattr(evaluator, "generate", spy)
    config = composed(*AVERAGED)
    folder = train_in(tmp_path / "run", config)
    state = weights_of(folder)
    means = [key for key in state if key.startswith("ema.") and key.endswith("running_mean")]
    assert len(means) == 1
    for key in means:  # what training needs
        assert torch.equal(state[key], state[key.replace("ema.", "generator.", 1)])
    average = build_module(config, (1, 8, 8)).ema
    average.load_state_dict({key.removeprefix("ema."): value for key, value in state.items() if key[:4] == "ema."})
    expected = with_own_statistics(average, statistics_requests(config, None)).state_dict()
    (folder.path / ".hydra").mkdir()
    from omegaconf import OmegaConf

    OmegaConf.save(config, folder.path / ".hydra" / "config.yaml")
    for found in (seen[-1], load_generator(folder, "auto").state_dict()):
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected)
    own = means[0].removeprefix("ema.")
    assert not torch.allclose(expected[own], state[means[0]], atol=1e-4)
    live = load_generator(folder, "generator").state_dict()
    assert torch.equal(live[own], state[f"generator.{own}"])


def test_estimating_does_not_shift_training(composed, tmp_path):
    often, seldom = (
        weights_of(train_in(tmp_path / n, composed(*AVERAGED, f"evaluation.every={n}", f"pictures.every={n}")))
        for n in ("5", "30")
    )
    assert all(torch.equal(often[key], seldom[key]) for key in often)


def test_labels_come_as_often_as_in_training(composed, monkeypatch, few_statistics):
    monkeypatch.setattr(latents, "_BATCHES", few_statistics)
    config = composed(*SMALL)
    asked = statistics_requests(config, [10, 30, 0, 60])
    assert [len(one) for one in asked] == [64] * 100
    counts = torch.cat([one.labels for one in asked]).bincount(minlength=4) / 6400
    assert counts.tolist() == pytest.approx([0.1, 0.3, 0, 0.6], abs=0.02)
    assert torch.equal(asked[0].labels, statistics_requests(config, [10, 30, 0, 60])[0].labels)
