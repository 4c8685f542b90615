"""What is done to samples when they are drawn: flips, noise, and the share of each class that is trained on."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from training_runs import OFTEN, SMALL, checkpoint, differences, killed, train_in

from gan_lab.config.hashing import config_hash
from gan_lab.datasets import BatchStream, Dataset, digits, npz, ring
from gan_lab.datasets import drawing as drawing_module
from gan_lab.datasets.data_module import InMemoryData
from gan_lab.datasets.dataset import to_model_range
from gan_lab.datasets.drawing import PLAIN, Drawing
from gan_lab.datasets.source import Source
from gan_lab.errors import ConfigError
from gan_lab.metrics.real_sets import RealSets
from gan_lab.runs.components import build_dataset
from gan_lab.runs.measuring import build_evaluator
from gan_lab.runs.resume import changes_since
from gan_lab.training.copies import build_overfitting, closest

FLIP, NOISE = Drawing(flip=True), Drawing(dequantise=True)
PIXELS = torch.randint(0, 256, (50, 3, 4, 6), generator=torch.Generator().manual_seed(1)).to(torch.uint8)


def drawn(drawing=PLAIN, batch_size=20, batches=100, seed=0, chosen=None, **settings):
    """The samples of a whole stream, one after the other."""
    stream = BatchStream(PIXELS, batch_size, batches, seed, chosen=chosen, drawing=drawing, **settings)
    return torch.cat([batch.samples for batch in stream])


def mirrored(samples, plain):
    """Whether each sample is the mirror image of the plain one; it must be that or the same."""
    flipped = (samples == plain.flip(-1)).flatten(1).all(1)
    assert (flipped | (samples == plain).flatten(1).all(1)).all()
    return flipped


def test_flips_mirror_half_of_the_images_left_to_right():
    flipped = mirrored(drawn(FLIP), drawn())
    assert abs(flipped.double().mean() - 0.5) < 4 * 0.5 / math.sqrt(len(flipped))  # 4 standard deviations of a coin
    (first, second) = flipped[:1000].view(20, 50)[:2]
    assert not torch.equal(first, second)  # each draw has a coin of its own


def test_noise_is_uniform_and_new_for_every_value_and_draw():
    noise = (drawn(NOISE).double() - drawn().double()) * 128
    assert -1e-4 < noise.min() < 1e-3
    assert 1 - 1e-3 < noise.max() < 1 + 1e-4  # float32 near 1 has steps of 2**-23: of the noise, 2**-16
    count = noise.numel()
    assert abs(noise.mean() - 1 / 2) < 4 / math.sqrt(12 * count)  # mean and variance of U(0, 1)
    assert abs(noise.var() - 1 / 12) < 4 / math.sqrt(180 * count)
    for one, other in ((noise[:-1], noise[1:]), (noise[..., :-1], noise[..., 1:]), (noise[:-50], noise[50:])):
        correlation = torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1]
        assert abs(correlation) < 4 / math.sqrt(one.numel())


@pytest.mark.parametrize("drawing", [FLIP, NOISE, Drawing(0.5, True, True)])
def test_what_is_done_follows_seed_position_and_stream_alone(drawing):
    chosen = drawing.chosen(len(PIXELS), None)
    whole = drawn(drawing, chosen=chosen)
    assert torch.equal(drawn(drawing, batch_size=100, batches=20, chosen=chosen), whole)  # n_critic = 5
    assert not torch.equal(drawn(drawing, seed=1, chosen=chosen), whole)
    stream = BatchStream(PIXELS, 20, 100, 0, chosen=chosen, drawing=drawing)
    stream.load_state_dict({"position": 37})
    assert torch.equal(torch.cat([batch.samples for batch in stream]), whole[37 * 20 :])


def test_the_generators_stream_has_coins_of_its_own():
    own = {"purpose": "generator_batches"}
    one, other = mirrored(drawn(FLIP), drawn()), mirrored(drawn(FLIP, **own), drawn(**own))
    agree = (one == other).double().mean()
    assert abs(agree - 0.5) < 4 * 0.5 / math.sqrt(len(one))
    assert torch.equal(drawn(NOISE, with_samples=False), torch.empty(2000, 0))


def test_flips_and_noise_do_not_shift_each_other():
    both = drawn(Drawing(flip=True, dequantise=True))
    flipped = mirrored(drawn(FLIP), drawn())
    noise = (drawn(NOISE) - drawn()).double()
    plain = drawn()
    expected = torch.where(flipped[:, None, None, None], plain.flip(-1), plain).double() + noise
    assert torch.allclose(both.double(), expected, rtol=0, atol=3e-7)  # rounding of float32 near 1


def test_numbers_are_of_a_stream_of_their_own_for_each_seed_and_purpose(monkeypatch):
    keys = []

    def recorded(key, start, count, width):
        keys.append(key)
        return uniform(key, start, count, width)

    uniform = drawing_module._uniform
    monkeypatch.setattr(drawing_module, "_uniform", recorded)
    for seed in (0, 1):
        for purpose in ("batches", "generator_batches"):
            drawn(Drawing(flip=True, dequantise=True), batches=1, seed=seed, purpose=purpose)
    assert len(keys) == len(set(keys)) == 8


def test_plain_draws_are_the_samples_themselves():
    order = torch.cat([batch.labels for batch in BatchStream(PIXELS, 20, 100, 0, labels=torch.arange(50))])
    assert torch.equal(drawn(), to_model_range(PIXELS)[order])


def test_a_subset_has_its_share_of_each_class_and_is_always_the_same():
    whole, tenth, half = digits(), digits(subset=0.1), digits(subset=0.5)
    assert whole.chosen is None
    for part, share in ((tenth, 0.1), (half, 0.5)):
        assert part.class_counts == [round(share * count) for count in whole.class_counts]
        assert part.trained_on == sum(part.class_counts) == part.record["train"]
        assert part.chosen.tolist() == sorted(set(part.chosen.tolist()))
    assert set(tenth.chosen.tolist()) < set(half.chosen.tolist())
    assert torch.equal(digits(subset=0.1).chosen, tenth.chosen)
    assert torch.equal(digits(subset=1).chosen, torch.arange(1297))
    assert (tenth.record | {"train": 1297}) == whole.record


def test_the_choice_never_changes():
    """As it was when it was first made: runs of different versions train on the same samples."""
    assert Drawing(0.2).chosen(30, None).tolist() == [0, 1, 2, 3, 24, 26]
    assert Drawing(0.2).chosen(30, torch.arange(30) % 3).tolist() == [0, 1, 2, 3, 25, 26]
    first = drawn(FLIP, batch_size=8, batches=1)
    assert mirrored(first, drawn(batch_size=8, batches=1)).int().tolist() == [1, 0, 1, 0, 0, 0, 0, 1]


def test_only_the_subset_is_drawn_each_sample_once_an_epoch():
    chosen = torch.tensor([3, 4, 8, 30, 49])
    stream = BatchStream(PIXELS, 5, 40, 0, labels=torch.arange(50), chosen=chosen)
    for batch in stream:
        assert batch.labels.sort().values.tolist() == chosen.tolist()
        assert torch.equal(batch.samples, to_model_range(PIXELS)[batch.labels])


def test_training_draws_as_the_dataset_says():
    dataset = Dataset(PIXELS, torch.arange(50) % 5, PIXELS, None, "", drawing=Drawing(0.5, True, True))
    data = InMemoryData(dataset, 5, 2, 1, 10, 0, generator_uses_real=True)
    data.trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("cpu")))
    draws = list(data.train_dataloader())
    for one, name, size in (("discriminator", "batches", 10), ("generator", "generator_batches", 5)):
        settings = {"purpose": name, "chosen": dataset.chosen}
        expected = drawn(dataset.drawing, size, 11, **settings)
        assert torch.equal(torch.cat([getattr(draw, one).samples for draw in draws]), expected)


def test_without_classes_a_subset_is_a_share_of_all():
    assert len(Drawing(0.3).chosen(50, None)) == 15
    points = ring(max_samples=1000, subset=0.1)
    assert points.class_counts == [round(0.1 * count) for count in ring(max_samples=1000).class_counts]
    stacks = Dataset(PIXELS, torch.zeros(50, 3).long(), PIXELS, None, "", drawing=Drawing(0.5))
    assert stacks.trained_on == 25  # a label for each channel is no class


def test_evaluation_compares_with_the_same_samples_whatever_is_trained_on(composed, tmp_path, monkeypatch):
    """Fingerprint and floor are those of the whole set, so values for different shares can be compared."""
    monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path))
    words = ["evaluation/extractor=pixels", "trainer=cpu", "batch_size=8"]
    found = []
    for more in ([], ["dataset.subset=0.02", "dataset.flip=true", "dataset.dequantise=true"]):
        config = composed(*words, *more)
        evaluator = build_evaluator(config, build_dataset(config))
        found.append((evaluator.fingerprint, evaluator.floor))
    assert found[0] == found[1]
    whole, part = digits(), digits(subset=0.005, flip=True)  # half of the samples would be too few for it
    for learns in (True, False):
        sets = [RealSets.of(data, 2500, learns) for data in (whole, part)]
        assert torch.equal(sets[0].others, sets[1].others)
        assert torch.equal(sets[0].learned.train, sets[1].learned.train)


def test_copies_are_looked_for_among_the_samples_that_are_trained_on(composed, tmp_path, monkeypatch):
    """By the metric, for its floor and for the picture; the curves are of them, too."""
    monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path))
    part = digits(subset=0.1)
    kept = part.train[part.chosen]
    config = composed("evaluation/extractor=pixels", "evaluation.metrics=[fd,memorisation]", "trainer=cpu")

    def rows(samples):
        return sorted(row.numpy().tobytes() for row in samples)

    whole, evaluator = (build_evaluator(config, data) for data in (digits(), part))
    seen = evaluator.comparison._seen.samples
    assert rows(seen[: len(kept)]) == rows(kept)
    assert len(seen) == 2 * len(kept)  # and mirrored
    reference = evaluator.comparison._memorisation(evaluator._reference, evaluator._reference)
    assert evaluator.floor.items() >= reference.items()
    assert evaluator.floor["fd_pixels"] == whole.floor["fd_pixels"]
    drawn = closest(part, evaluator.examined).training
    assert rows(drawn[: len(kept)]) == rows(kept)
    (curves,) = build_overfitting(config, part, SimpleNamespace(translates_back=False), evaluator.request, None, None)
    assert rows(curves.training.samples) == rows(kept)
    known = {row.numpy().tobytes(): int(label) for row, label in zip(part.train, part.train_labels, strict=True)}
    assert [known[row.numpy().tobytes()] for row in curves.training.samples] == curves.training.labels.tolist()


@pytest.mark.parametrize("paired", [True, False])
def test_some_of_the_samples_that_are_trained_on(paired):
    """With a subset and without, sources beside them; unpaired sources are those that training draws."""
    numbers = torch.arange(50).to(torch.uint8).view(50, 1, 1, 1)
    sources = numbers if paired else numbers[:20]
    for subset in (None, 0.3):
        drawing, source = Drawing(subset), Source(sources, sources, paired)
        data = Dataset(numbers, torch.arange(50) % 2, numbers, None, "", source=source, drawing=drawing)
        found = data.some_trained_on(10)
        samples, images = (part.flatten().tolist() for part in (found.samples, found.source))
        assert len(set(samples)) == 10
        assert found.labels.tolist() == [sample % 2 for sample in samples]
        assert set(samples) <= set(range(50) if subset is None else data.chosen.tolist())
        assert set(images) <= set(range(len(sources)) if subset is None else data.chosen_source.tolist())
        assert (images == samples) == paired
    assert len(data.some_trained_on(1000)) == data.trained_on == 16


def without_keys(config):
    """The configuration of a run of an earlier version."""
    OmegaConf.set_struct(config, False)
    for key in ("subset", "flip", "dequantise"):
        del config.dataset[key]
    return config


def test_neutral_values_leave_the_hash_as_it_was(composed):
    now = config_hash(composed())
    assert config_hash(without_keys(composed())) == now
    assert config_hash(composed("dataset.flip=true")) != now
    assert config_hash(composed("dataset.dequantise=true")) != now
    assert config_hash(composed("dataset.subset=1")) != now


DRAWN = ["dataset.subset=0.5", "dataset.flip=true", "dataset.dequantise=true", "loss=rsgan"]


def test_a_run_goes_on_bit_for_bit(composed, tmp_path):
    """With a loss whose generator looks at real samples too."""
    config = composed(*SMALL, *OFTEN, *DRAWN, "evaluation/extractor=pixels")
    calm = train_in(tmp_path / "calm", config)
    with killed(7):
        train_in(tmp_path / "run", config)
    assert differences(calm.path, train_in(tmp_path / "run", config, resume=True).path) == []
    assert checkpoint(calm)["class_counts"] == digits(subset=0.5).class_counts
    config.dataset.flip = False
    plain = train_in(tmp_path / "plain", config)
    assert differences(calm.path, plain.path) != []


def test_a_run_begun_without_the_keys_goes_on(composed, tmp_path):
    """Runs of earlier versions lack them."""

    class Begun:
        path = tmp_path

        class configuration:
            @staticmethod
            def read():
                return without_keys(composed())

        @staticmethod
        def status():
            return {"config_hash": config_hash(composed())}

    assert changes_since(Begun, composed()) == {}
    with pytest.raises(ConfigError, match=r"dataset.flip was null and is true: expected what the run was begun with"):
        changes_since(Begun, composed("dataset.flip=true"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"subset": 0}, r"subset=0: expected null or a number above 0 and at most 1"),
        ({"subset": 1.01}, r"subset=1.01: expected null or a number above 0 and at most 1"),
        ({"subset": -0.5}, r"subset=-0.5: expected null or a number"),
        ({"subset": float("nan")}, r"subset=nan: expected null or a number"),
        ({"subset": True}, r"subset=true: expected null or a number"),
        ({"subset": "half"}, r"subset='half': expected null or a number"),
        ({"flip": 1}, r"flip=1: expected true or false"),
        ({"flip": None}, r"flip=null: expected true or false"),
        ({"dequantise": "yes"}, r"dequantise='yes': expected true or false"),
        ({"subset": 0.003}, r"subset=0.003: it leaves none of the 128 training samples of class 0, expected a share"),
    ],
)
def test_settings_say_their_range(settings, words):
    with pytest.raises(ValueError, match=words):
        digits(**settings)


def test_what_does_not_suit_points_is_refused(tmp_path):
    np.savez(tmp_path / "points.npz", samples=np.random.RandomState(0).normal(size=(20, 2)))
    path = str(tmp_path / "points.npz")
    assert npz(path, subset=0.5).trained_on == 8
    for name in ("flip", "dequantise"):
        with pytest.raises(ValueError, match=rf"{name}=true: the samples are float32 \[16, 2\], expected false or im"):
            npz(path, **{name: True})
    with pytest.raises(ValueError, match=r"subset=0.01: it leaves none of the 16 training samples, expected"):
        npz(path, subset=0.01)
    with pytest.raises(ValueError, match=r"subset=0.05: it leaves 1 of 16 training samples, expected 2 or more"):
        npz(path, subset=0.05)
