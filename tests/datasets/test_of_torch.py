"""Any `torch.utils.data.Dataset`: what its items may be, when they are read again, and what is refused."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from command_runs import ended, refusal
from configurations import composed_of
from PIL import Image
from torch.utils.data import Dataset, IterableDataset

from gan_lab.cli import evaluate, train
from gan_lab.config.checks import check
from gan_lab.datasets.dataset import hold_out
from gan_lab.datasets.of_torch import of_torch
from gan_lab.errors import ConfigError
from gan_lab.runs.components import build_dataset

PIXELS = np.random.RandomState(0).randint(0, 256, (20, 4, 6, 3)).astype(np.uint8)  # [N, H, W, C]


class Items(Dataset):
    """The items of a list; counts how often one is read."""

    def __init__(self, items):
        self.items, self.reads = list(items), 0

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        self.reads += 1
        return self.items[index]


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path / "cache"))


def read(items, **settings):
    return of_torch(items if isinstance(items, Dataset) else Items(items), "mine.Items", {}, **settings)


WAYS = {
    "pillow": lambda image: Image.fromarray(image),
    "array": lambda image: image,
    "array of floats": lambda image: image / 255,
    "array, channels first": lambda image: image.transpose(2, 0, 1),
    "tensor": lambda image: torch.from_numpy(image).permute(2, 0, 1),
    "tensor of floats": lambda image: torch.from_numpy(image).permute(2, 0, 1) / 255,
    "tensor of doubles": lambda image: torch.from_numpy(image).permute(2, 0, 1).double() / 255,
}


@pytest.mark.parametrize("way", WAYS)
def test_an_image_in_every_form_is_the_same_image(way):
    """Item i is in the part, and at the place, that `hold_out` gives; three classes, the class a number of any kind."""
    kinds = [int, np.int64, torch.tensor]
    items = [(WAYS[way](image), kinds[number % 3](number % 3)) for number, image in enumerate(PIXELS)]
    dataset = read(items)
    labels = torch.arange(20) % 3
    wanted = torch.from_numpy(PIXELS).permute(0, 3, 1, 2)
    train_part, test_part = hold_out(0.2, 20, labels)
    assert torch.equal(dataset.train, wanted[train_part])
    assert torch.equal(dataset.test, wanted[test_part])
    assert torch.equal(dataset.train_labels, labels[train_part])
    assert torch.equal(dataset.test_labels, labels[test_part])
    assert dataset.record == {"checksum": dataset.checksum, "train": 16, "test": 4, "class": "mine.Items", "items": 20}


def test_grey_images_points_and_items_alone():
    grey = read([image[:, :, 0] for image in PIXELS])
    assert grey.sample_shape == (1, 4, 6)
    assert grey.train_labels is None
    wrapped = read(torch.utils.data.TensorDataset(torch.from_numpy(PIXELS[:, None, :, :, 0])))
    assert wrapped.checksum == grey.checksum
    points = torch.randn(20, 2, generator=torch.Generator().manual_seed(0))
    dataset = read([(point, 0) for point in points.double()], held_out=0.5, max_samples=3)
    train_part, test_part = hold_out(0.5, 20, torch.zeros(20, dtype=torch.long))
    assert torch.equal(dataset.train, points[train_part[:3]])
    assert torch.equal(dataset.test, points[test_part])


def test_items_are_read_once_until_something_changes(tmp_path):
    def reads(items, **arguments):
        source = Items(items)
        dataset = of_torch(source, "mine.Items", arguments)
        return source.reads, dataset.checksum

    first = reads(PIXELS)
    probed = 2 * 16
    assert first[0] == probed + 1 + 20
    assert reads(PIXELS) == (probed, first[1])
    assert reads(PIXELS, root="x")[0] > probed
    changed = PIXELS.copy()
    changed[-1] = 0
    again = reads(changed)
    assert again[0] > probed
    assert again[1] != first[1]
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a").write_text("1")
    assert [reads(PIXELS, root=str(folder))[0] > probed for _ in range(2)] == [True, False]
    (folder / "a").write_text("22")
    assert reads(PIXELS, root=str(folder))[0] > probed


def with_item(number, item):
    items = [(image, index % 2) for index, image in enumerate(PIXELS)]
    items[number] = item
    return items


class Fails(Items):
    def __getitem__(self, index):
        if index == 7:
            raise RuntimeError("one\nand two")
        return super().__getitem__(index)


class Drawn(Items):
    def __getitem__(self, index):
        return super().__getitem__(index) + np.uint8(random.randrange(100))


class Endless(IterableDataset):
    def __iter__(self):
        yield PIXELS[0]


class Unmeasured(Dataset):
    def __getitem__(self, index):
        return PIXELS[index]


NORMAL = torch.zeros(3, 4, 6) - 0.5
WRONG = [
    (
        with_item(5, (PIXELS[5, :3], 0)),
        "item 5 is 6x3 with 3 channels, and item 0 is 6x4 with 3 channels, expected all",
    ),
    (
        with_item(5, (PIXELS[5, :, :, 0], 0)),
        "item 5 is 6x4 with 1 channel, and item 0 is 6x4 with 3 channels, expected",
    ),
    (with_item(5, (torch.zeros(2), 0)), "item 5 is a point of 2 numbers, and item 0 is 6x4 with 3 channels, expected"),
    (with_item(5, (PIXELS[5], 1.0)), "item 5 has 1.0 for a class, expected a whole number from 0 to 19, below"),
    (with_item(5, (PIXELS[5], True)), "item 5 has True for a class, expected a whole number from 0 to 19, below"),
    (with_item(5, (PIXELS[5], -1)), "item 5 has -1 for a class, expected a whole number from 0 to 19, below"),
    (with_item(5, (PIXELS[5], 20)), "item 5 has 20 for a class, expected a whole number from 0 to 19, below"),
    (with_item(5, (PIXELS[5], {"box": 1})), "item 5 has a dict for a class, expected a whole number from 0 to 19"),
    (with_item(5, PIXELS[5]), "item 5 has no class, and item 0 has one, expected all alike"),
    (with_item(5, (PIXELS[5], 1, 2)), "item 5 is a tuple of 3, expected a sample, or it and its class"),
    (with_item(5, {"image": PIXELS[5]}), "item 5 is a dict, expected an image (Pillow's, a tensor [C, H, W] or an"),
    (
        with_item(5, (NORMAL, 1)),
        "item 5 holds -0.5, expected floating-point pixels from 0 to 1, without a Normalize, or",
    ),
    (with_item(5, (NORMAL * torch.nan, 1)), "item 5 holds nan, expected numbers that are finite as float32"),
    (with_item(5, (PIXELS[5].astype(np.int32), 1)), "item 5 is int32 [4, 6, 3], expected floats, or pixels as uint8"),
    (with_item(5, (torch.zeros(4, 4, 6), 1)), "item 5 is float32 [4, 4, 6], expected an image (Pillow's, a tensor"),
    (with_item(5, (Image.new("CMYK", (6, 4)), 1)), "item 5 is of Pillow's mode CMYK, expected 8-bit grey or colour"),
    (torch.zeros(20, 1), "item 0 is float32 [1], expected an image (Pillow's, a tensor [C, H, W] or an array"),
    ([PIXELS[0]] * 20, "all 20 samples are the same, expected some that differ"),
    ([], "it has 0 items, expected at least 4"),
    (Fails(PIXELS), "item 7 cannot be read: RuntimeError: one and two (test_of_torch.py, line "),
    (Drawn(PIXELS), "item 0 is another one each time it is read, expected the same, as items are read once; dataset"),
    (Endless(), "it is an IterableDataset, expected one with __getitem__ and __len__"),
    (Unmeasured(), "it has no length (TypeError: object of type 'Unmeasured' has no len()), expected a method __len__"),
]


@pytest.mark.parametrize(("items", "sentence"), WRONG, ids=lambda one: one if isinstance(one, str) else "")
def test_what_is_refused(items, sentence, tmp_path):
    with pytest.raises(ConfigError) as raised:
        read(items)
    assert str(raised.value).startswith(f"dataset._target_=mine.Items: {sentence}")
    assert len(str(raised.value).splitlines()) == 1
    assert not list(tmp_path.rglob("*.pixels"))


# ---- from the command line ----

MODULE = """
import torch
from torch.utils.data import Dataset

from gan_lab.datasets import ring


class Squares(Dataset):
    def __init__(self, count=40, side=8):
        self.images = torch.rand(count, 1, side, side)  # without a seed

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index], index % 2


class WithOptions(Squares):
    def __init__(self, flip, **others):
        assert flip == "up"
        super().__init__(**others)


def eight(max_samples):
    return ring(max_samples=max_samples)
"""
LINE = ["dataset=torch", "dataset._target_=own_squares.Squares", "allowed_targets=[own_squares]", "batch_size=8"]


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder with a module of the user's."""
    (tmp_path / "own_squares.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_run_an_evaluation_and_a_resume(place, monkeypatch, capsys):
    """A class that draws its images without a seed makes the same ones in each of the three."""
    words = [*LINE, "+dataset.count=60", "trainer=debug", "model=mlp", "evaluation.samples=12", "hydra.run.dir=run"]
    assert ended(monkeypatch, place, train.main, "gan-lab", *words) == 0
    result = json.loads((place / "run" / "result.json").read_text())
    assert {key: result["data"][key] for key in ("class", "items", "train", "test")} == {
        "class": "own_squares.Squares", "items": 60, "train": 48, "test": 12,
    }  # fmt: skip
    resumed = ["resume=run", "iterations=11", "allowed_targets=[own_squares]"]
    assert ended(monkeypatch, place, train.main, "gan-lab", *resumed) == 0
    capsys.readouterr()
    words = ["run", "evaluation.metrics=[fd]", "allowed_targets=[own_squares]"]
    assert ended(monkeypatch, place, evaluate.main, "gan-lab-evaluate", *words) == 0
    assert json.loads(capsys.readouterr().out)["fingerprint"]["data"] == result["data"]["checksum"]


def test_keys_go_to_the_class_that_names_them(place):
    """Its own arguments, and those of gan_lab's that it has too; the rest says how gan_lab reads it."""
    line = [LINE[0], *LINE[2:], "dataset._target_=own_squares.WithOptions", "dataset.flip=up", "+dataset.count=50"]
    before = torch.get_rng_state(), random.getstate()
    dataset = build_dataset(check(composed_of(*line, "dataset.held_out=0.1", "dataset.subset=0.5")))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert (dataset.trained_on, len(dataset.train), len(dataset.test), dataset.drawing.flip) == (11 + 12, 45, 5, False)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["dataset._target_=???"],
            "dataset._target_: it has no value unless you give it one, expected dataset._target_",
        ),
        (
            ["allowed_targets=[]"],
            "dataset._target_=own_squares.Squares: expected one of gan_lab's losses, augmentations, models, ",
        ),
        (
            ["+dataset.size=3"],
            "dataset.size: there is no key 'size' in dataset; did you mean 'side'? Allowed: count, side",
        ),
        (["+dataset.count=-1"], "dataset: "),
        (["dataset.held_out=1"], "dataset.held_out=1: expected a number above 0 and below 1, the share of samples to"),
        (["dataset.max_samples=1000"], "dataset.max_samples=1000: expected null or a whole number from 2 to 32"),
        (["dataset.flip=yes"], "dataset.flip='yes': expected true or false"),
        (["batch_size=33"], "batch_size=33: the dataset has 32 training samples, and a batch may not be larger"),
        (
            ["dataset._target_=torch.nn.Flatten"],
            "dataset: torch.nn.Flatten makes a Flatten: expected a Dataset, of gan_lab.datasets or of torch.utils.data",
        ),
        (
            ["dataset._target_=own_squares.eight"],
            "dataset.dequantise: own_squares.eight takes no such argument; expected none",
        ),
    ],
    ids=lambda one: one[0] if isinstance(one, list) else "",
)
def test_wrong_words(place, monkeypatch, capsys, words, sentence):
    said = refusal(monkeypatch, place, train.main, "gan-lab", "hydra.run.dir=run", *LINE, *words)
    assert said.startswith(f"gan-lab: {sentence}")
    assert not (place / "run").exists()
