"""Copies of training samples are counted, and nothing else is."""

import pytest
import torch
from configurations import composed_of
from torch import nn
from truth import random_sets

from gan_lab.datasets import digits, ring
from gan_lab.datasets.dataset import to_model_range
from gan_lab.metrics import memorisation
from gan_lab.metrics.memorisation import and_mirrored, memorised, near_duplicates, nearest_two, some_of
from gan_lab.runs.measuring import build_evaluator, build_extractor


def test_by_hand():
    """Training at 0 and 12: a half as far is not less than a half; a copy of two equal samples is one, too."""
    training = torch.tensor([[0.0], [12.0]])
    samples = torch.tensor([[0.0], [3.9], [4.0], [6.0], [8.1], [12.0], [30.0], [-50.0]])
    found = [memorised(one[None], training) for one in samples]
    assert found == [1, 1, 0, 0, 1, 1, 0, 0]
    assert memorised(samples, training) == pytest.approx(4 / 8)
    assert memorised(torch.tensor([[5.0]]), torch.tensor([[5.0], [5.0], [9.0]])) == 1


def test_near_duplicates_by_hand():
    """Of 0, 1, 3 and 20, the first three lie together: 20 is more than twice as far from each as the others are."""
    line = torch.tensor([[0.0], [1.0], [3.0], [20.0]])
    found = near_duplicates(torch.arange(4), line)
    assert [sorted(row[row >= 0].tolist()) for row in found] == [[1, 2], [0, 2], [0, 1], []]
    near = nearest_two(torch.tensor([[1.4], [30.0]]), line)
    assert near.which.tolist() == [1, 3]
    assert near.distance.tolist() == pytest.approx([0.4, 10], rel=1e-6)
    assert near.second.tolist() == pytest.approx([18.6, 27], rel=1e-6)
    assert (near_duplicates(torch.tensor([0, 3]), line[[0, 0, 0, 3]]) >= 0).sum(1).tolist() == [2, 0]


@pytest.mark.parametrize("pairs", [2**24, 300])
def test_the_two_nearest_in_chunks_of_any_size(pairs, monkeypatch):
    monkeypatch.setattr(memorisation, "_PAIRS", pairs)
    real, fake = random_sets()
    apart = torch.cdist(fake.double(), real.double(), compute_mode="donot_use_mm_for_euclid_dist")
    found = nearest_two(fake, real)
    assert torch.equal(found.which, apart.argmin(1))
    assert (near_duplicates(torch.arange(len(real)), real) < 0).all()  # so that the second is the second of all
    for one, wanted in zip((found.distance, found.second), apart.topk(2, largest=False).values.unbind(1), strict=True):
        assert torch.allclose(one, wanted, rtol=1e-12)
    assert nearest_two(real[:7], real).distance.tolist() == [0] * 7


def test_large_pictures_are_never_all_in_float64(monkeypatch):
    """10,000 pictures of 256x256 in colour would take 15 GiB; the wanted numbers are those of all at once."""
    pictures = torch.randint(256, (20, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    wanted = nearest_two(pictures[:5] // 2, pictures)
    sizes, double = [], torch.Tensor.double
    monkeypatch.setattr(memorisation, "_PAIRS", 1000)
    monkeypatch.setattr(torch.Tensor, "double", lambda self: sizes.append(self.numel()) or double(self))
    found = nearest_two(pictures[:5] // 2, pictures)
    assert 0 < max(sizes) <= 1000 < pictures.numel()
    assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))


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


@pytest.mark.parametrize("times", [2, 5, 11])
@pytest.mark.parametrize("noise", [0, 10])
def test_copies_show_though_the_training_pictures_have_near_duplicates(few, times, noise):
    """Each digit twice, or in a burst: with the second nearest training sample of all as measure they score 0."""
    generator = torch.Generator().manual_seed(1)
    again = few[0].repeat(times - 1, 1, 1, 1)
    again += noise * torch.randn(again.shape, generator=generator, dtype=torch.double)
    training = torch.cat([few[0], again.clamp(0, 255)])
    assert 0.9 <= memorised(planted("copies with noise", few[0]), training) <= 1
    assert memorised(planted("copies", few[0]), training) == pytest.approx(1, abs=0.05)
    assert memorised(few[1], training) < 0.05


def test_mirrored_copies_are_copies(few):
    """As dataset.flip and augmentation=flip may make them; what is none stays none among twice as many pictures."""
    training = and_mirrored(few[0])
    assert torch.equal(training[100:], few[0][..., [7, 6, 5, 4, 3, 2, 1, 0]])
    mirrored = planted("copies with noise", few[0]).flip(-1)
    assert memorised(mirrored, few[0]) < 0.2 < 0.9 <= memorised(mirrored, training)
    assert memorised(planted("copies with noise", few[0]), training) >= 0.9
    assert memorised(planted("noise", few[0]), training) == memorised(planted("mean picture", few[0]), training) == 0
    assert memorised(few[1], training) < 0.05


@pytest.mark.parametrize("count", [10, 100, 1000])
def test_unseen_samples_are_no_copies_however_many_were_seen(few, count):
    assert memorised(few[1], digits().train[:count].double()) < 0.05


def test_of_many_training_samples_some_are_looked_at():
    found = some_of(torch.arange(6000.0))
    assert len(found) == len(found.unique()) == 5000
    assert torch.equal(found, some_of(torch.arange(6000.0)))


def test_an_evaluator_names_pixels_and_features_and_knows_the_floor():
    words = ["dataset=digits", "evaluation/extractor=random_conv", "evaluation.metrics=[fd,memorisation]"]
    words.append("evaluation.extractor.channels=8")  # of more channels the Fréchet distance takes a second
    evaluator = build_evaluator(composed_of(*words), digits(max_samples=150))
    found = {name for name in evaluator.floor if name.startswith("memorisation")}
    assert found == {"memorisation_random_conv", "memorisation_pixels"}
    assert all(0 <= evaluator.floor[name] < 0.05 for name in found)  # of the training samples themselves it is 1
    real = evaluator.comparison.look(digits().test[:100])
    copied = evaluator.comparison.compare(real, evaluator.comparison.look(digits(max_samples=150).train))
    assert {name: copied[name] for name in found} == dict.fromkeys(found, 1.0)


class Copying(nn.Module):
    """A generator whose samples are mirrored training pictures where a latent's first number is positive."""

    def __init__(self, training):
        super().__init__()
        self.training_pictures = nn.Parameter(to_model_range(training))

    def forward(self, latents):
        whole = self.training_pictures[torch.arange(len(latents)) % len(self.training_pictures)].flip(-1)
        return torch.where(latents[:, 0, None, None, None] > 0, whole, whole.mean(0))


def test_copies_are_counted_in_500_samples_however_few_are_held_out():
    """By hand from the latents; the other metrics have as many samples as are held out."""
    words = ["dataset=digits", "evaluation/extractor=pixels", "evaluation.metrics=[fd,memorisation]"]
    evaluator = build_evaluator(composed_of(*words, "evaluation.samples=18"), digits(max_samples=72))
    assert (len(evaluator.request), len(evaluator.examined)) == (18, 500)
    assert torch.equal(evaluator.examined.latents[:18], evaluator.request.latents)
    found = evaluator.evaluate(Copying(digits(max_samples=72).train)).metrics
    share = (evaluator.examined.latents[:, 0] > 0).double().mean().item()
    assert found["memorisation_pixels"] == pytest.approx(share, abs=1e-9)
    assert evaluator.fingerprint["samples"] == 18
    assert evaluator.fingerprint["memorisation"] == memorisation.DEFINITION == 2


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
