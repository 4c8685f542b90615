"""Copies of training samples are counted, and nothing else is."""

import pytest
import torch
from configurations import composed_of
from truth import random_sets

from gan_lab.datasets import digits
from gan_lab.metrics import memorisation
from gan_lab.metrics.memorisation import distances, memorised, memorised_by_chance
from gan_lab.runs.measuring import build_evaluator, build_extractor


def test_by_hand():
    """Distances to training (0, 10) and held-out (4, 20): a half is not less than a half."""
    training, held_out = torch.tensor([[0.0], [10.0]]), torch.tensor([[4.0], [20.0]])
    fakes = torch.tensor([[0.0], [1.0], [4 / 3], [1.4], [3.9], [12.0], [13.4], [30.0], [-50.0]])
    found = [memorised(one[None], training, held_out) for one in fakes]
    assert found == [1, 1, 0, 0, 0, 1, 0, 0, 0]
    assert memorised(fakes, training, held_out) == pytest.approx(3 / 9)


def test_held_out_samples_are_compared_with_the_others():
    """4 is 1 from 5 of the training and 6 from 10; 10 is 5 from it and 6 from 4; 100 is far from all."""
    training, held_out = torch.tensor([[5.0]]), torch.tensor([[4.0], [10.0], [100.0]])
    assert memorised_by_chance(training, held_out) == pytest.approx(1 / 3)


@pytest.mark.parametrize("pairs", [2**24, 300])
def test_nearest_in_chunks_of_any_size(pairs, monkeypatch):
    monkeypatch.setattr(memorisation, "_PAIRS", pairs)
    real, fake = random_sets()
    apart = torch.cdist(fake.double(), real.double(), compute_mode="donot_use_mm_for_euclid_dist")
    found, which = distances(fake, real)
    assert torch.equal(which, apart.argmin(1))
    assert torch.allclose(found, apart.amin(1), rtol=1e-12)
    among = torch.cdist(real.double(), real.double()).fill_diagonal_(torch.inf)
    assert torch.equal(distances(real, real, other=True)[1], among.argmin(1))
    assert distances(real[:7], real)[0].tolist() == [0] * 7


@pytest.fixture(scope="module")
def few():
    """100 training digits and 400 that nothing has seen."""
    data = digits()
    return data.train[:100].double(), data.train[100:500].double(), data.test.double()


def planted(name, training):
    generator = torch.Generator().manual_seed(0)
    copies = training[torch.randint(100, (200,), generator=generator)]
    noise = torch.randn(copies.shape, generator=generator, dtype=torch.double)
    return {
        "copies": copies,
        "copies with noise": (copies + 15 * noise).clamp(0, 255),
        "noise": 255 * torch.rand(copies.shape, generator=generator, dtype=torch.double),
        "mean picture": training.mean(0) + noise,
        "shifted copies": copies.roll(1, -1),
        "blends of two": (copies + copies.roll(1, 0)) / 2,
    }[name]


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("copies", 1, 1),
        ("copies with noise", 0.9, 1),
        ("noise", 0, 0),
        ("mean picture", 0, 0),
        ("shifted copies", 0, 0.02),
        ("blends of two", 0, 0.1),
    ],
)
def test_planted(name, least, most, few):
    training, held_out, unseen = few
    assert least <= memorised(planted(name, training), training, held_out) <= most
    assert memorised(unseen, training, held_out) < 0.03
    assert memorised_by_chance(training, held_out) < 0.03


def test_an_evaluator_names_pixels_and_features_and_knows_the_floor():
    words = ["dataset=digits", "evaluation/extractor=random_conv", "evaluation.metrics=[fd,memorisation]"]
    evaluator = build_evaluator(composed_of(*words), digits(max_samples=150))
    found = {name for name in evaluator.floor if name.startswith("memorisation")}
    assert found == {"memorisation_random_conv", "memorisation_pixels"}
    assert all(0 <= evaluator.floor[name] < 0.2 for name in found)  # of the training samples themselves it is 1
    real = evaluator.comparison.look(digits().test[:100])
    copied = evaluator.comparison.compare(real, evaluator.comparison.look(digits(max_samples=150).train))
    assert {name: copied[name] for name in found} == dict.fromkeys(found, 1.0)


def test_files_have_no_training_samples(tmp_path):
    from gan_lab.errors import ConfigError
    from gan_lab.runs.measuring import build_comparison

    config = composed_of("dataset=digits", "evaluation/extractor=pixels", "evaluation.metrics=[memorisation]")
    with pytest.raises(ConfigError, match="memorisation takes a run, whose training samples are known"):
        build_comparison(config.evaluation, build_extractor(config.evaluation, ()), digits(), 10)
