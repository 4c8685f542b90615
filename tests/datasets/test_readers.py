"""Samples out of other tools' files, and what is wrong with the files that are refused."""

import numpy as np
import pytest
import torch
from PIL import Image

from gan_lab.datasets.readers import read_samples
from gan_lab.errors import ConfigError

PIXELS = np.random.RandomState(0).randint(0, 256, (5, 6, 4, 3)).astype(np.uint8)


def written(folder, **arrays):
    np.savez(folder / "x.npz", **arrays)
    return folder / "x.npz"


@pytest.mark.parametrize("array", [PIXELS, PIXELS.transpose(0, 3, 1, 2)])
@pytest.mark.parametrize("name", ["samples", "images", "arr_0"])
def test_archives_of_images(tmp_path, array, name):
    samples, labels = read_samples("real", written(tmp_path, **{name: array}))
    assert torch.equal(samples, torch.from_numpy(PIXELS.transpose(0, 3, 1, 2).copy()))
    assert labels is None


def test_grey_points_and_labels(tmp_path):
    samples, labels = read_samples(
        "real", written(tmp_path, images=PIXELS[..., 0], labels=np.arange(5, dtype=np.uint8))
    )
    assert samples.shape == (5, 1, 6, 4)
    assert labels.tolist() == [0, 1, 2, 3, 4]
    points, _ = read_samples("real", written(tmp_path, samples=np.eye(5)))
    assert (points.shape, points.dtype) == ((5, 5), torch.float32)


def test_folders(tmp_path):
    for number, image in enumerate(PIXELS):
        (tmp_path / "deep").mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / "deep" / f"{number}.png")
    samples, _ = read_samples("real", tmp_path)
    assert torch.equal(samples, torch.from_numpy(PIXELS.transpose(0, 3, 1, 2).copy()))


def test_refused_files(tmp_path):
    def refused(path, words):
        with pytest.raises(ConfigError, match=words):
            read_samples("fake", path)

    refused(tmp_path / "nope.npz", r"^fake=\S*nope.npz: there is no such file or folder")
    refused(tmp_path, r"it holds 0 images, expected at least 4")
    (tmp_path / "x.txt").write_text("x")
    refused(tmp_path / "x.txt", r"expected a folder of images or a file NAME.npz")
    (tmp_path / "bad.npz").write_text("x")
    refused(
        tmp_path / "bad.npz",
        r"bad.npz: not an archive that NumPy can read: it is no zip file, or not a whole one; expected",
    )
    refused(written(tmp_path, other=PIXELS), r"it holds 'other', expected one of the arrays samples, images, arr_0")
    refused(written(tmp_path, samples=PIXELS[:1]), r"it holds 1 samples, expected at least 4")
    refused(written(tmp_path, samples=PIXELS.astype(np.int32)), r"its array is int32 \[5, 6, 4, 3\], expected uint8")
    refused(written(tmp_path, samples=PIXELS[..., :2]), r"its array is uint8 \[5, 6, 4, 2\]")
    refused(written(tmp_path, samples=np.array([[1.0], [np.nan], [2.0], [3.0]])), r"its array is float64 \[4, 1\]")
    refused(
        written(tmp_path, samples=np.array([[1.0, 2]] * 3 + [[0, np.nan]])),
        r"sample 3 holds nan, expected numbers that are finite as float32$",
    )
    refused(
        written(tmp_path, samples=PIXELS, labels=np.arange(4)),
        r"its labels are int64 \[4\] from 0 to 3, expected a whole number from 0",
    )
    refused(written(tmp_path, samples=np.array([object()] * 5)), r"not an archive that NumPy can read")
    for number, image in enumerate(PIXELS[:3]):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    Image.fromarray(PIXELS[3, :, :, 0]).save(tmp_path / "3.png")
    refused(tmp_path, r"3.png is 4x6 with 1 channel, and \S*/0.png is 4x6 with 3 channels, expected all alike")
    Image.fromarray(PIXELS[3, :3]).save(tmp_path / "3.png")
    refused(tmp_path, r"3.png is 4x3 with 3 channels, and \S*/0.png is 4x6")
    (tmp_path / "3.png").write_bytes((tmp_path / "2.png").read_bytes()[:60])
    refused(tmp_path, r"3.png is not an image that can be read")


def test_more_refused_files(tmp_path):
    def refused(path, words):
        with pytest.raises(ConfigError, match=words):
            read_samples("fake", path)

    with (tmp_path / "array.npz").open("wb") as file:
        np.save(file, PIXELS)
    refused(tmp_path / "array.npz", r"it is a single array, expected an archive")
    refused(written(tmp_path, samples=np.float64(3)), r"it holds 0 samples, expected at least 4")
    refused(written(tmp_path, samples=np.zeros((5, 0))), r"its array is float64 \[5, 0\], expected")
    refused(written(tmp_path, samples=PIXELS[:, :0]), r"its array is uint8 \[5, 3, 0, 4\], expected")
    refused(written(tmp_path, samples=PIXELS, labels=np.array([0, 1, -1, 0, 1])), r"expected a whole number from 0")
    np.savez_compressed(tmp_path / "c.npz", samples=PIXELS)
    content = bytearray((tmp_path / "c.npz").read_bytes())
    content[200:260] = bytes(60)
    (tmp_path / "c.npz").write_bytes(content)
    refused(tmp_path / "c.npz", r"c.npz: not an archive that NumPy can read")
    for number in range(4):
        Image.fromarray(PIXELS[number, :, :, 0].astype(np.uint16) * 200).save(tmp_path / f"{number}.png")
    refused(tmp_path, r"0.png is of Pillow's mode I;16, expected 8-bit grey or colour")
    for number in range(4):
        Image.fromarray(np.dstack([PIXELS[number], PIXELS[number, :, :, :1]])).save(tmp_path / f"{number}.png")
    refused(tmp_path, r"0.png is transparent in places")
