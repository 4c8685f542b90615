"""Copies of training samples are counted, and nothing else is."""

import pytest
import torch
from configurations import composed_of
from truth import random_sets

from gan_lab.datasets import digits, ring
from gan_lab.metrics import memorisation
from gan_lab.metrics.memorisation import memorised, nearest_two, some_of
from gan_lab.runs.measuring import build_evaluator, build_extractor


def test_by_hand():
    """Training at 0 and 12: a half as far is not less than a half; a copy of two equal samples is one, too."""
    training = torch.tensor([[0.0], [12.0]])
    samples = torch.tensor([[0.0], [3.9], [4.0], [6.0], [8.1], [12.0], [30.0], [-50.0]])
    found = [memorised(one[None], training) for one in samples]
    assert found == [1, 1, 0, 0, 1, 1, 0, 0]
    assert memorised(samples, training) == pytest.approx(4 / 8)
    assert memorised(torch.tensor([[5.0]]), torch.tensor([[5.0], [5.0], [9.0]])) == 1


@pytest.mark.parametrize("pairs", [2**24, 300])
def test_the_two_nearest_in_chunks_of_any_size(pairs, monkeypatch):
    monkeypatch.setattr(memorisation, "_PAIRS", pairs)
    real, fake = random_sets()
    apart = torch.cdist(fake.double(), real.double(), compute_mode="donot_use_mm_for_euclid_dist")
    found = nearest_two(fake, real)
    assert torch.equal(found.which, apart.argmin(1))
    for one, wanted in zip((found.distance, found.second), apart.topk(2, largest=False).values.unbind(1), strict=True):
        assert torch.allclose(one, wanted, rtol=1e-12)
    assert nearest_two(real[:7], real).distance.tolist() == [0] * 7


@pytest.fixture(scope="module")
def few():
    """100 training digits, and those that nothing has seen."""
    data = digits()
    return data.train[:100].double(), data.test.double()


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
    training, _ = few
    assert least <= memorised(planted(name, training), training) <= most


@pytest.mark.parametrize("count", [10, 100, 1000])
def test_unseen_samples_are_no_copies_however_many_were_seen(few, count):
    assert memorised(few[1], digits().train[:count].double()) < 0.05


def test_of_many_training_samples_some_are_looked_at():
    found = some_of(torch.arange(6000.0))
    assert len(found) == len(found.unique()) == 5000
    assert torch.equal(found, some_of(torch.arange(6000.0)))


def test_an_evaluator_names_pixels_and_features_and_knows_the_floor():
    words = ["dataset=digits", "evaluation/extractor=random_conv", "evaluation.metrics=[fd,memorisation]"]
    evaluator = build_evaluator(composed_of(*words), digits(max_samples=150))
    found = {name for name in evaluator.floor if name.startswith("memorisation")}
    assert found == {"memorisation_random_conv", "memorisation_pixels"}
    assert all(0 <= evaluator.floor[name] < 0.05 for name in found)  # of the training samples themselves it is 1
    real = evaluator.comparison.look(digits().test[:100])
    copied = evaluator.comparison.compare(real, evaluator.comparison.look(digits(max_samples=150).train))
    assert {name: copied[name] for name in found} == dict.fromkeys(found, 1.0)


def test_files_have_no_training_samples(tmp_path):
    from gan_lab.errors import ConfigError
    from gan_lab.runs.measuring import build_comparison

    config = composed_of("dataset=digits", "evaluation/extractor=pixels", "evaluation.metrics=[memorisation]")
    with pytest.raises(ConfigError, match="memorisation takes a run, whose training samples are known"):
        build_comparison(config.evaluation, build_extractor(config.evaluation, ()), digits(), 10)


def test_points_lie_close_to_each_other_by_chance():
    """Of a perfect sampler in the plane a quarter would be copies."""
    from gan_lab.errors import ConfigError

    with pytest.raises(ConfigError, match="memorisation takes images"):
        build_evaluator(composed_of("dataset=ring8", "evaluation.metrics=[fd,memorisation]"), ring(max_samples=300))
