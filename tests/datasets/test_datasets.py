"""Sources: sizes, ranges, held-out parts; every kind of bad file has its sentence."""

import gzip
import hashlib
import math
import multiprocessing
import os
import threading
from collections import Counter
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
import torchvision

from gan_lab.datasets import digits, fashion_mnist, grid, mnist, ring
from gan_lab.datasets.dataset import to_model_range, to_pixels
from gan_lab.errors import ConfigError


def test_digits_are_whole_balanced_and_held_out():
    data = digits()
    assert data.train.shape == (1297, 1, 8, 8)
    assert data.test.shape == (500, 1, 8, 8)
    assert data.train.dtype == torch.uint8
    assert (data.train.min(), data.train.max()) == (0, 255)
    assert len(data.train) + len(data.test) == 1797  # scikit-learn's documented count
    shares = torch.stack([labels.bincount() / len(labels) for labels in (data.train_labels, data.test_labels)])
    assert (shares[0] - shares[1]).abs().max() < 0.002
    again = digits(max_samples=100)
    assert torch.equal(again.train, data.train[:100])
    assert (again.checksum, len(again.test)) == (data.checksum, 500)


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [(ring, "modes", 0), (ring, "modes", 2.5), (ring, "radius", 0), (ring, "std", "x"), (ring, "std", -1),
     (grid, "side", True), (grid, "spacing", math.nan), (grid, "std", 0)],
)  # fmt: skip
def test_a_mixture_takes_positive_numbers(make, name, value):
    told = "true" if value is True else repr(value)
    with pytest.raises(ValueError, match=rf"^{name}={told}: expected a (whole )?number"):
        make(**{name: value})


@pytest.mark.parametrize(
    ("make", "modes", "std", "scale"), [(ring, 8, 0.01, 1.0), (grid, 25, 0.05, 4.0)], ids=["ring8", "grid25"]
)
def test_mixtures_are_those_of_pacgan(make, modes, std, scale):
    """LITERATURE.md §5; ``scale`` is the root mean square distance of the modes from the origin."""
    data = make()
    assert (len(data.train), len(data.test)) == (100_000, 10_000)
    assert len({tuple(mode) for mode in data.mixture.modes.round(decimals=4).tolist()}) == modes
    assert data.mixture.modes.square().sum(1).mean().sqrt().item() == pytest.approx(scale, rel=1e-5)
    distances, nearest = torch.cdist(data.train, data.mixture.modes).min(1)
    assert torch.equal(nearest, data.train_labels)
    assert (distances.square().mean() / 2).sqrt().item() == pytest.approx(std, rel=0.01)
    # uniform over the modes: counts within 5 standard deviations of 100 000 / K
    counts = nearest.bincount(minlength=modes).double()
    assert (counts - 1e5 / modes).abs().max() < 5 * (1e5 / modes) ** 0.5


def test_grid_ticks():
    assert sorted({mode[0] for mode in grid().mixture.modes.tolist()}) == [-4, -2, 0, 2, 4]


def test_pixels_make_the_round_trip():
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    scaled = to_model_range(pixels)
    assert (scaled.min().item(), scaled.max().item()) == (-1.0, 1.0)
    assert torch.equal(to_pixels(scaled), pixels)
    points = torch.randn(3, 2)
    assert to_model_range(points) is points
    assert to_pixels(points) is points


@pytest.mark.parametrize("limit", [0, 1, -1, 1298, 2.5, "x", True])
def test_max_samples_says_its_range(limit):
    with pytest.raises(ValueError, match=r"max_samples=.*from 2 to 1297"):
        digits(max_samples=limit)


def test_download_is_yes_or_no(tmp_path):
    with pytest.raises(ValueError, match=r"download='maybe': expected true or false"):
        mnist(str(tmp_path), download="maybe")


@pytest.mark.parametrize("make", [mnist, fashion_mnist])
def test_real_files(make, data_root):
    data = make(str(data_root), max_samples=1000)
    assert data.train.shape == (1000, 1, 28, 28)
    assert data.test.shape == (10_000, 1, 28, 28)
    assert data.test_labels.bincount().tolist() == (
        [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009] if make is mnist else [1000] * 10
    )  # the published class counts of the test sets


def test_missing_files_are_named_with_two_ways_on(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-images-idx3-ubyte.gz").touch()  # compressed alone does not count
    with pytest.raises(ConfigError) as error:
        mnist(str(tmp_path))
    for words in (str(raw), "train-images-idx3-ubyte", "t10k-labels-idx1-ubyte", "dataset.root=", "dataset.download="):
        assert words in str(error.value)


def test_wrong_files_are_named(tmp_path, data_root):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in (data_root / "MNIST" / "raw").glob("*-ubyte"):
        os.symlink(file, raw / file.name)
    truncated = raw / "t10k-images-idx3-ubyte"
    content = truncated.read_bytes()
    truncated.unlink()
    truncated.write_bytes(content[:1000])
    with pytest.raises(
        ConfigError,
        match=r"t10k-images-idx3-ubyte is not the published file: it has 1000 bytes, expected 7840016; replace",
    ):
        mnist(str(tmp_path))
    truncated.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ConfigError, match=r"t10k-images-idx3-ubyte is not the published file"):
        mnist(str(tmp_path))
    truncated.unlink()
    os.symlink(data_root / "FashionMNIST" / "raw" / truncated.name, truncated)
    with pytest.raises(ConfigError, match=r"is not the published file"):
        mnist(str(tmp_path))


@pytest.fixture
def mirror(tmp_path, data_root, monkeypatch):
    """A server of MNIST's files that torchvision takes for its own: their folder, and the names asked for so far."""
    folder, asked, resources = tmp_path / "mirror", [], []
    folder.mkdir()
    for file in sorted((data_root / "MNIST" / "raw").glob("*-ubyte")):
        packed = gzip.compress(file.read_bytes(), compresslevel=0)  # whole: to pack it takes a second
        (folder / f"{file.name}.gz").write_bytes(packed)
        resources.append((f"{file.name}.gz", hashlib.md5(packed).hexdigest()))

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
    monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path / "cache"))
    yield folder, asked
    server.shutdown()
    server.server_close()


def test_download_fetches_what_is_missing_and_leaves_no_scraps(tmp_path, mirror):
    root = tmp_path / "root"
    assert len(mnist(str(root), download=True).train) == 60_000
    assert [path.name for path in root.rglob("*") if path.is_dir()] == ["MNIST", "raw"]
    assert len([path for path in root.rglob("*") if path.is_file()]) == 4

    truncated = root / "MNIST" / "raw" / "train-labels-idx1-ubyte"
    truncated.write_bytes(b"short")
    assert len(mnist(str(root), download=True).train) == 60_000


@pytest.mark.parametrize("fault", ["wrong", "absent"])
@pytest.mark.parametrize("there", [True, False])
def test_a_failed_download_leaves_nothing(tmp_path, mirror, fault, there):
    folder, _ = mirror
    if fault == "wrong":
        (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"not the file")
    else:
        (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    root = tmp_path / "deep" / "root"
    if there:
        root.mkdir(parents=True)
    before = {*tmp_path.iterdir(), *root.parent.glob("*")}
    with pytest.raises(ConfigError, match=r"^dataset.download=true: MNIST could not be fetched: .*labels") as error:
        mnist(str(root), download=True)
    assert len(str(error.value).splitlines()) == 1
    assert {*tmp_path.iterdir(), *root.parent.glob("*")} - {tmp_path / "cache"} == before
    assert not there or not any(root.iterdir())


def test_processes_that_fetch_the_same_data_set_at_once(tmp_path, mirror):
    """One fetches, the others wait, and all have it."""
    _, asked = mirror
    processes = [
        multiprocessing.get_context("fork").Process(target=mnist, args=(str(tmp_path / "root"), True)) for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert sorted(Counter(asked).values()) == [2, 2, 2, 2]  # torchvision first asks where each file is
    assert len(mnist(str(tmp_path / "root")).train) == 60_000


def test_files_that_cannot_be_read_are_named(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-images-idx3-ubyte").symlink_to(raw / "train-images-idx3-ubyte")
    with pytest.raises(ConfigError, match=r"^dataset.root: \S*images-idx3-ubyte cannot be read: Too many levels"):
        mnist(str(tmp_path))
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match=r"^dataset=mnist: the folder \S*file/MNIST/raw lacks train-images"):
        mnist(str(tmp_path / "file"))
    with pytest.raises(ConfigError, match=r"^dataset.root=7: expected a path, as text, such as dataset.root=./7"):
        mnist(7)


def test_stacked_mnist(data_root):
    """Every channel a digit of its own split, drawn once and for all; 26 000 and 128 000 as PacGAN has them."""
    from gan_lab.datasets import mnist, stacked_mnist

    data = stacked_mnist(str(data_root))
    digits = mnist(str(data_root))
    assert data.train.shape == (128_000, 3, 28, 28)
    assert data.test.shape == (26_000, 3, 28, 28)
    assert (data.train.dtype, data.train_labels.shape) == (torch.uint8, (128_000, 3))
    again = stacked_mnist(str(data_root), max_samples=100)
    assert torch.equal(again.train, data.train[:100])
    assert torch.equal(again.test, data.test)
    assert again.checksum == data.checksum != digits.checksum
    for stacks, stack_labels, singles, labels in (
        (data.train, data.train_labels, digits.train, digits.train_labels),
        (data.test, data.test_labels, digits.test, digits.test_labels),
    ):
        known = {image.numpy().tobytes(): label for image, label in zip(singles, labels.tolist(), strict=True)}
        for stack, three in zip(stacks[:50], stack_labels[:50].tolist(), strict=True):
            assert [known[channel[None].numpy().tobytes()] for channel in stack] == three
        modes = (stack_labels * torch.tensor([100, 10, 1])).sum(1)
        assert modes.unique().numel() == 1000
