"""Wrong data on the command line: one sentence, status 1, and no run's folder left behind."""

import os

import numpy as np
import pytest
from command_runs import refusal
from PIL import Image

from gan_lab.cli.train import main

PIXELS = np.random.RandomState(0).randint(0, 256, (40, 8, 8, 3)).astype(np.uint8)
FOLDER, ARCHIVE = ["dataset=image_folder", "dataset.path=data"], ["dataset=npz", "dataset.path=data.npz"]


@pytest.fixture
def data(tmp_path, monkeypatch):
    """``data``, a folder of forty pictures in two classes, and ``data.npz``, the same; what the caller may spoil."""
    monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path / "cache"))
    for number, image in enumerate(PIXELS):
        place = tmp_path / "data" / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number:02d}.png")
    np.savez(tmp_path / "data.npz", images=PIXELS)
    return tmp_path / "data"


def check_refused(monkeypatch, folder, capsys, arguments, sentence):
    before = {*folder.rglob("*")}
    said = refusal(monkeypatch, folder, main, "gan-lab", "hydra.run.dir=runs/run", *arguments)
    first, *others = sentence.split(" ... ")
    assert said.startswith(f"gan-lab: {first}")
    assert all(other in said for other in others)
    assert capsys.readouterr() == ("", "")
    left = {*folder.rglob("*")} - before - {*(folder / "cache").rglob("*"), folder / "cache"}
    assert not left


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["dataset=image_folder"], "dataset.path: it has no value unless you give it one, expected dataset.path=..."),
        (["dataset=npz"], "dataset.path: it has no value unless you give it one, expected dataset.path=..."),
        (["dataset=image_folder", "dataset.path=nope"], "dataset.path=nope: nope cannot be read: No such file"),
        (["dataset=image_folder", "dataset.path=data.npz"], "dataset.path=data.npz: it is a file, expected a folder"),
        (["dataset=image_folder", "dataset.path=2024"], "dataset.path=2024: expected a path, as text, such as"),
        (["dataset=image_folder", "dataset.path=null"], "dataset.path=null: expected a path, as text"),
        (["dataset=npz", "dataset.path=data"], "dataset.path=data: it is a folder, expected a file NAME.npz; "),
        (["dataset=npz", "dataset.path=nope.npz"], "dataset.path=nope.npz: there is no such file or folder"),
        (["dataset=npz", "dataset.path=data/a/00.png"], "dataset.path=data/a/00.png: expected a folder of images or"),
        ([*FOLDER, "dataset.image_size=3"], "dataset.image_size=3: expected null or a whole number from 4 to 2048"),
        (
            [*FOLDER, "dataset.size=64"],
            "dataset.size: there is no key 'size' in dataset; Allowed: _target_, ",
        ),
        ([*FOLDER, "dataset.held_out=1"], "dataset.held_out=1.0: expected a number above 0 and below 1"),
        ([*FOLDER], "batch_size=64: the dataset has 32 training samples, and a batch may not be larger"),
        (
            [*FOLDER, "batch_size=8", "evaluation.k=8"],
            "evaluation.k=8: expected less than the number of held-out samples compared, 8; a smaller k",
        ),
        (
            [*FOLDER, "batch_size=8", "dataset.image_size=50"],
            "model.generator: dcgan cannot draw images of 50x50 pixels: expected sides that, halved twice",
        ),
        (
            [*ARCHIVE, "batch_size=8", "evaluation/extractor=classifier"],
            "evaluation/extractor=classifier: it learns from images with labels, which the dataset lacks; "
            "evaluation/extractor=whitened_conv needs none",
        ),
        (
            [*ARCHIVE, "batch_size=8", "evaluation/extractor=channel_classifier"],
            "evaluation/extractor=classifier: it learns from images with labels, which the dataset lacks",
        ),
        (
            ["dataset=image_folder", "dataset.path=data/a", "batch_size=8", "evaluation/extractor=classifier"],
            "evaluation/extractor=classifier: it learns from images with labels, which the dataset lacks",
        ),
        (
            [*ARCHIVE, "batch_size=8", "evaluation/extractor=points"],
            "evaluation/extractor=points: the dataset's samples are of shape [3, 8, 8], expected points [D]",
        ),
    ],
)
def test_wrong_words(data, tmp_path, monkeypatch, capsys, arguments, sentence):
    check_refused(monkeypatch, tmp_path, capsys, arguments, sentence)


def emptied(data):
    for file in data.rglob("*.png"):
        file.unlink()


def looped(data):
    data.rename(data.with_name("was"))
    data.symlink_to(data)


def split_in_parts(data):
    (data / "a").rename(data / "train")
    (data / "b").rename(data / "test")


def one_class(data):
    for file in (data / "b").iterdir():
        file.rename(data / "a" / file.name)


def broken_link(data):
    (data / "b" / "99.png").symlink_to("nowhere")


def beside(data):
    (data / "a" / "00.png").rename(data / "00.png")


def renamed_text(data):
    (data / "b" / "99.png").write_text("hello")


def odd_size(data):
    Image.fromarray(PIXELS[0, :6]).save(data / "b" / "99.png")


def other_kind(data):
    Image.fromarray(PIXELS[0, :, :, 0]).save(data / "b" / "99.png")


def four_inks(data):
    for file in data.rglob("*.png"):
        Image.open(file).convert("CMYK").save(file.with_suffix(".jpg"))
        file.unlink()


def no_pictures(data):
    for file in data.rglob("*.png"):
        file.rename(file.with_suffix(".gif"))


def a_pipe(data):
    os.mkfifo(data / "b" / "99.png")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (emptied, "dataset.path=data: it holds no images (.png, .jpg, "),
        (no_pictures, "dataset.path=data: it holds no images (.png, .jpg, "),
        (looped, "dataset.path=data: data cannot be read: Too many levels of symbolic links"),
        (split_in_parts, "dataset.path=data: its subfolders test and train are parts of a split, not classes; "),
        (one_class, "evaluation/extractor=classifier: all training samples are of one class, expected two or more; "),
        (broken_link, "dataset.path=data: data/b/99.png cannot be read: No such file or directory"),
        (beside, "dataset.path=data: data/00.png lies in the folder itself and data/a/02.png in a subfolder, "),
        (renamed_text, "dataset.path=data: data/b/99.png is not an image that can be read: its format is unknown; "),
        (
            odd_size,
            "dataset.path=data: data/ ... is 8x6 with 3 channels ... expected all alike; dataset.image_size",
        ),
        (other_kind, "dataset.path=data: data/ ... is 8x8 with 1 channel ... expected all alike; dataset.channels=3 "),
        (four_inks, "dataset.path=data: data/ ... is of Pillow's mode CMYK, expected 8-bit grey or colour"),
        (a_pipe, "dataset.path=data: data/b/99.png is no ordinary file"),
    ],
)
def test_wrong_folders(data, tmp_path, monkeypatch, capsys, spoil, sentence):
    spoil(data)
    arguments = [*FOLDER, "batch_size=8", "evaluation.kid_subset_size=5", "evaluation/extractor=classifier"]
    check_refused(monkeypatch, tmp_path, capsys, arguments, sentence)


def test_a_cache_that_cannot_be_written(data, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path / "file"))
    check_refused(monkeypatch, tmp_path, capsys, FOLDER, f"GAN_LAB_CACHE={tmp_path}/file: the cache cannot be written")
