"""Archives of a user's own: what they may hold, and what is refused."""

import zipfile

import numpy as np
import pytest
import torch

from gan_lab.datasets import npz
from gan_lab.errors import ConfigError

PIXELS = np.random.RandomState(0).randint(0, 256, (20, 8, 8, 3)).astype(np.uint8)
POINTS = np.random.RandomState(0).randn(20, 2)


def written(folder, **arrays):
    np.savez(folder / "x.npz", **arrays)
    return str(folder / "x.npz")


def test_images_labels_and_split(tmp_path):
    data = npz(written(tmp_path, images=PIXELS, labels=np.arange(20) % 2))
    assert (data.train.shape, data.test.shape) == ((16, 3, 8, 8), (4, 3, 8, 8))
    assert data.test_labels.bincount().tolist() == [2, 2]
    both = torch.cat([data.train, data.test])
    everything = torch.from_numpy(PIXELS).permute(0, 3, 1, 2)
    where = [(image == everything).all((1, 2, 3)).nonzero().item() for image in both]
    assert sorted(where) == list(range(20))
    assert [number % 2 for number in where] == torch.cat([data.train_labels, data.test_labels]).tolist()
    others = [
        npz(written(tmp_path, images=PIXELS)),
        npz(written(tmp_path, images=PIXELS, labels=np.arange(20) % 2), held_out=0.4),
        npz(written(tmp_path, images=255 - PIXELS, labels=np.arange(20) % 2)),
        npz(written(tmp_path, images=PIXELS, labels=np.arange(20) % 4)),
    ]
    assert len({data.checksum, *(other.checksum for other in others)}) == 5
    assert npz(written(tmp_path, arr_0=PIXELS)).checksum == others[0].checksum
    assert len(npz(written(tmp_path, images=PIXELS), max_samples=5).train) == 5


def test_points(tmp_path):
    data = npz(written(tmp_path, samples=POINTS))
    assert (data.train.dtype, data.sample_shape) == (torch.float32, (2,))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"images": PIXELS / 255}, r"its array is float64 \[20, 8, 8, 3\], expected uint8 \[N, H, W, C\]"),
        ({"images": PIXELS.astype(np.int64)}, r"its array is int64"),
        ({"images": PIXELS[:0]}, r"it holds 0 samples, expected at least 4"),
        ({"images": PIXELS[:1].repeat(9, 0)}, r"all 9 samples are the same, expected some that differ"),
        ({"images": PIXELS, "labels": np.zeros(19, int)}, r"its labels are int64 \[19\] from 0 to 0, expected"),
        ({"images": PIXELS, "labels": np.zeros(20)}, r"its labels are float64 \[20\], expected a whole number"),
        ({"images": PIXELS, "labels": np.arange(20) - 1}, r"its labels are int64 \[20\] from -1 to 18, expected"),
        (
            {"images": PIXELS, "labels": np.arange(20) + 2**62},
            r"its labels are int64 \[20\] from 4611686018427387904",
        ),
        ({"images": PIXELS, "labels": np.array(["a"] * 20)}, r"its labels are <U1 \[20\], expected"),
        ({"images": PIXELS, "labels": np.array([{}] * 20)}, r"not an archive that NumPy can read: "),
        (
            {"samples": np.array([object()] * 9)},
            r"not an archive that NumPy can read: .*; expected arrays of numbers",
        ),
        (
            {"samples": np.where(POINTS[7, 1] == POINTS, np.nan, POINTS)},
            r"sample 7 holds nan, expected numbers that are finite as float32",
        ),
        (
            {"samples": np.where(POINTS[3, 0] == POINTS, -np.inf, POINTS)},
            r"sample 3 holds -inf, expected numbers that are finite as float32",
        ),
        (
            {"samples": np.where(POINTS[5, 0] == POINTS, 1e300, POINTS)},
            r"sample 5 holds 1e\+300, expected numbers that are finite as float32",
        ),
        ({"samples": POINTS[:, :1]}, r"its array is float64 \[20, 1\], expected .* with D of at least 2"),
        ({"samples": POINTS.astype(complex)}, r"its array is complex128 \[20, 2\]"),
        ({"pictures": PIXELS}, r"it holds 'pictures', expected one of the arrays samples, images, arr_0"),
        ({}, r"it holds nothing, expected one of the arrays"),
    ],
)
def test_refused_arrays(tmp_path, arrays, words):
    with pytest.raises(ConfigError, match=rf"^dataset.path=\S*x.npz: {words}"):
        npz(written(tmp_path, **arrays))


def test_refused_files(tmp_path):
    def refused(path, words):
        with pytest.raises(ConfigError, match=words):
            npz(path)

    refused(str(tmp_path / "nope.npz"), r"nope.npz: there is no such file or folder")
    refused(str(tmp_path), r"it is a folder, expected a file NAME.npz; dataset=image_folder reads folders of images")
    (tmp_path / "loop.npz").symlink_to(tmp_path / "loop.npz")
    refused(str(tmp_path / "loop.npz"), r"Too many levels of symbolic links")
    refused(2024, r"^dataset.path=2024: expected a path, as text, such as dataset.path=./2024")
    refused(None, r"^dataset.path=null: expected a path, as text, such as dataset.path=./data$")
    refused("", r"^dataset.path=: expected a path, as text, such as dataset.path=./data$")
    with zipfile.ZipFile(tmp_path / "word.npz", "w") as archive:
        archive.writestr("word/document.xml", "x")
    refused(str(tmp_path / "word.npz"), r"it holds 'word/document.xml', expected")
    with zipfile.ZipFile(tmp_path / "raw.npz", "w") as archive:
        archive.writestr("images", "x")  # of a right name, but no array
    refused(str(tmp_path / "raw.npz"), r"it holds 'images', expected one of the arrays")
    content = (tmp_path / "raw.npz").read_bytes()
    entry = content.index(b"PK\x01\x02")  # of the archive's directory, whose bytes 8 and 9 are flags
    (tmp_path / "locked.npz").write_bytes(content[: entry + 8] + b"\x01" + content[entry + 9 :])
    refused(
        str(tmp_path / "locked.npz"), r"locked.npz: not an archive that NumPy can read: .*; expected arrays of numbers"
    )
    with open(written(tmp_path, images=PIXELS), "r+b") as file:
        file.truncate(2000)
    refused(str(tmp_path / "x.npz"), r"not an archive that NumPy can read: it is no zip file, or not a whole one; exp")
