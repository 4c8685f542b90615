"""The datasets from picture to picture that need no files of the user's: what is in them."""

import numpy as np
import pytest
import torch
from PIL import Image
from published_files import drawn, fabricate

from gan_lab.datasets import cifar10, digits, digits_edges, digits_mnist, grey_to_colour, mnist, npz
from gan_lab.datasets.digits_edges import outlines
from gan_lab.datasets.digits_mnist import area_resized
from gan_lab.datasets.grey_to_colour import luminance
from gan_lab.errors import ConfigError


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path / "cache"))


def test_digits_and_their_outlines():
    data, whole = digits_edges(), digits()
    for name in ("train", "train_labels", "test", "test_labels"):
        assert torch.equal(getattr(data, name), getattr(whole, name))
    assert data.record == {"checksum": data.checksum, "train": 1297, "test": 500} | {
        "source": {"paired": True, "train": 1297, "test": 500}
    }
    assert data.checksum != whole.checksum
    assert torch.equal(data.source.test_labels, whole.test_labels)
    for samples, edges in ((data.train, data.source.train), (data.test, data.source.test)):
        assert torch.equal(edges, outlines(samples))
        assert edges.unique().tolist() == [0, 255]
        assert edges.flatten(1).any(1).all()  # every digit has one
    seven = digits_edges(7, flip=True)
    assert torch.equal(seven.source.train, data.source.train[:7])
    assert seven.drawing.flip


def test_an_outline_is_ink_beside_paper():
    """By the definition, pixel by pixel."""
    images = torch.randint(0, 256, (20, 1, 5, 7), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    ink = np.pad(images[:, 0].numpy() >= 128, ((0, 0), (1, 1), (1, 1)))
    expected = np.zeros((20, 1, 5, 7), np.uint8)
    for number, row, column in np.ndindex(20, 5, 7):
        neighbours = [ink[number, row + up, column + right] for up, right in ((0, 1), (2, 1), (1, 0), (1, 2))]
        if ink[number, row + 1, column + 1] and not all(neighbours):
            expected[number, 0, row, column] = 255
    assert np.array_equal(outlines(images), expected)
    solid = torch.full((1, 1, 4, 4), 255, dtype=torch.uint8)
    assert outlines(solid)[0, 0, 1:3, 1:3].unique().tolist() == [0]


def test_luminance_is_pillows():
    """Of every level of each colour, and of random ones; more images than are converted at a time."""
    images = torch.randint(0, 256, (5000, 3, 4, 4), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    images[:256] = torch.arange(256, dtype=torch.uint8)[:, None, None, None]
    found = luminance(images)
    assert found.shape == (5000, 1, 4, 4)
    flat = images.permute(0, 2, 3, 1).reshape(-1, 4, 3).contiguous().numpy()
    assert np.array_equal(found.reshape(-1, 4), np.asarray(Image.fromarray(flat).convert("L")))


def test_cifar10_from_its_luminance(cache, tmp_path, monkeypatch):
    fabricate("CIFAR10", tmp_path / "data", monkeypatch, train=60)
    root = str(tmp_path / "data")
    data, whole = grey_to_colour(root), cifar10(root)
    assert torch.equal(data.train, whole.train)
    assert (data.source_shape, data.source.paired) == ((1, 32, 32), True)
    assert torch.equal(data.source.train, luminance(whole.train))
    assert torch.equal(data.source.test, luminance(whole.test))
    assert torch.equal(data.source.train_labels, whole.train_labels)
    assert data.checksum != whole.checksum


def test_an_archive_from_its_luminance(tmp_path):
    images, labels = drawn("CIFAR10", 40, 0)
    file = str(tmp_path / "images.npz")
    np.savez(file, images=images, labels=labels)
    data, whole = grey_to_colour("nowhere", file, held_out=0.25), npz(file, 0.25)
    assert torch.equal(data.train, whole.train)
    assert torch.equal(data.source.test, luminance(whole.test))
    assert torch.equal(data.source.test_labels, whole.test_labels)
    assert grey_to_colour("nowhere", file, max_samples=9).record["source"]["train"] == 9
    for kind, samples in (("grey images", images[..., 0]), (r"points \[2\]", np.random.rand(9, 2))):
        np.savez(file, samples)
        with pytest.raises(ConfigError, match=rf"^dataset.path=.*npz: it holds {kind}, expected images in colour$"):
            grey_to_colour("nowhere", file)


def test_digits_and_mnist(data_root):
    data, small, large = digits_mnist(str(data_root)), digits(), mnist(str(data_root))
    assert data.record == {"checksum": data.checksum, "train": 60_000, "test": 10_000} | {
        "source": {"paired": False, "train": 1297, "test": 500}
    }
    assert data.sample_shape == data.source_shape == (1, 16, 16)
    for name in ("train_labels", "test_labels"):
        assert torch.equal(getattr(data, name), getattr(large, name))
        assert torch.equal(getattr(data.source, name), getattr(small, name))
    assert torch.equal(data.test[:9], area_resized(large.test[:9], 16))
    inside = data.source.train[:, :, 2:-2, 2:-2]
    assert torch.equal(inside, area_resized(small.train, 12))
    assert data.source.train.long().sum() == inside.long().sum()  # a margin of paper
    whole = digits_mnist(str(data_root), 28, max_samples=2000, subset=0.5)
    assert torch.equal(whole.train, large.train[:2000])  # as published
    share = sum(round(0.5 * count) for count in small.class_counts)
    assert (len(whole.source.train), len(whole.chosen_source)) == (1297, share)
    assert whole.checksum != data.checksum


def test_sides_of_digits_and_mnist():
    for size, told in ((0, "0"), (14, "14"), (32, "32"), ("16", "'16'"), (16.5, "16.5"), (None, "null")):
        with pytest.raises(ValueError, match=rf"image_size={told}: expected one of 8, 12, 16, 20, 24, 28"):
            digits_mnist("nowhere", size)


@pytest.mark.parametrize("side", [2, 3, 4, 6, 8, 12])
def test_resizing_takes_means_of_areas(side):
    """Every new pixel is the mean of the old ones on a grid so fine that both sizes divide it."""
    images = torch.randint(0, 256, (5000, 1, 6, 6), generator=torch.Generator().manual_seed(side)).to(torch.uint8)
    fine = images[-20:].double().repeat_interleave(side, 2).repeat_interleave(side, 3)
    expected = fine.unflatten(3, (side, 6)).mean(4).unflatten(2, (side, 6)).mean(3)
    found = area_resized(images, side)
    assert (found.shape, found.dtype) == ((5000, 1, side, side), torch.uint8)
    assert (found[-20:].double() - expected).abs().max() <= 0.5 + 1e-9  # rounded to pixels
    assert abs(found.double().mean() - images.double().mean()) < 0.1  # mean of 180,000 rounding errors of up to 1/2
