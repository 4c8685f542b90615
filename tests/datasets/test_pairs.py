"""Pairs of pictures in files, and two folders without pairs: what is read, kept together, and refused in a sentence."""

import shutil
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

from gan_lab.datasets import image_folder, pairs, unpaired
from gan_lab.errors import ConfigError

PIXELS = np.random.RandomState(0).randint(0, 256, (40, 8, 8, 3)).astype(np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("GAN_LAB_CACHE", str(folder))
    return folder / "images"


@pytest.fixture
def folder(tmp_path):
    """Forty pictures in ``b``, ten of each of four classes; in ``a`` the negatives of their red; in ``ab`` both."""
    for number, image in enumerate(PIXELS):
        name = f"{'wxyz'[number % 4]}/{number:02d}.png"
        red = 255 - image[:, :, 0]
        save(tmp_path / "a" / name, red)
        save(tmp_path / "b" / name, image)
        save(tmp_path / "ab" / name, np.concatenate([np.dstack([red] * 3), image], axis=1))
    return tmp_path


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def both(folder, **settings):
    return pairs(source=str(folder / "a"), target=str(folder / "b"), **settings)


def beside(folder, **settings):
    return pairs(str(folder / "ab"), **settings)


def apart(folder, **settings):
    return unpaired(str(folder / "a"), str(folder / "b"), **settings)


def test_two_folders_with_equal_names(folder):
    data = both(folder)
    assert (data.train.shape, data.test.shape) == ((32, 3, 8, 8), (8, 3, 8, 8))
    assert data.source_shape == (1, 8, 8)
    for samples, source in ((data.train, data.source.train), (data.test, data.source.test)):
        assert torch.equal(source, 255 - samples[:, :1])
    alone = image_folder(str(folder / "b"))
    for name in ("train", "train_labels", "test", "test_labels"):
        assert torch.equal(getattr(data, name), getattr(alone, name))
    assert torch.equal(data.source.train_labels, data.train_labels)
    assert torch.equal(data.source.test_labels, data.test_labels)
    counts = {"train": 32, "test": 8}
    assert data.record == {"checksum": data.checksum, **counts, "source": {"paired": True, **counts}} | {
        "pairs": 40,
        "skipped": [],
        "classes": ["w", "x", "y", "z"],
        "resize": None,
    }


def test_one_folder_of_pictures_side_by_side(folder):
    data, expected = beside(folder, source_channels=1), both(folder)
    for one, other in ((data, expected), (data.source, expected.source)):
        assert torch.equal(one.train, other.train)
        assert torch.equal(one.test, other.test)
    turned = beside(folder, source_side="right", channels=1)
    assert torch.equal(turned.train, expected.source.train)
    assert torch.equal(turned.source.train, expected.train)
    assert beside(folder).source_shape == (3, 8, 8)


def test_partners_may_have_other_suffixes_and_lie_in_no_class(tmp_path):
    for number, image in enumerate(PIXELS):
        save(tmp_path / "a" / f"{number}.v1.bmp", 255 - image[:, :, 0])
        save(tmp_path / "b" / f"{number}.v1.png", image)
    (tmp_path / "a" / "notes.txt").write_text("x")
    data = both(tmp_path)
    assert torch.equal(data.source.train, 255 - data.train[:, :1])
    assert (data.train_labels, data.source.train_labels, data.record["classes"]) == (None, None, [])


def test_both_are_resized_and_cropped_alike(folder):
    for file in (folder / "a").rglob("*.png"):  # twice as large: of the same shape
        Image.open(file).resize((16, 16), Image.Resampling.NEAREST).save(file)
    with pytest.raises(ConfigError, match=r"a/./..\.png is 16x16, and its partner .*b/.* is 8x8, expected one size; "):
        both(folder)
    data = both(folder, image_size=4)
    assert (data.sample_shape, data.source_shape) == ((3, 4, 4), (1, 4, 4))
    halves = data.source.train.float() + data.train[:, :1].float()  # bicubic filters of other sizes differ a little
    assert abs(halves.mean() - 255) < 3
    assert data.record["resize"] == "antialiased bicubic, centre crop to 4x4"
    wide = np.zeros((8, 32), np.uint8)
    wide[:, 4:12] = 255  # the middle square of the left half
    for number in range(8):
        wide[0, 4 + number] = 100
        save(folder / "wide" / f"{number}.png", wide)
        wide[0, 20] = 30 * number  # on the right, so that not all are the same
    data = pairs(str(folder / "wide"), image_size=8, held_out=0.25)
    assert data.source.train[:, :, 1:].unique().tolist() == [255]
    assert data.train[:, :, 1:].unique().tolist() == [0]


def test_first_pairs_shares_and_settings_of_drawing(folder):
    data, seven = both(folder), both(folder, max_samples=7, flip=True)
    assert torch.equal(seven.train, data.train[:7])
    assert torch.equal(seven.source.train, data.source.train[:7])
    assert (seven.checksum, seven.drawing.flip) == (data.checksum, True)
    assert both(folder, subset=0.5).record["source"]["train"] == 16


def test_the_checksum_follows_both_sides_classes_and_split(folder):
    checksums = [both(folder, **more).checksum for more in ({}, {"held_out": 0.3}, {"source_channels": 3})]
    assert beside(folder).checksum == checksums[2]  # the same images
    checksums += [beside(folder, source_side="right").checksum, apart(folder).checksum]
    time.sleep(0.02)  # the clock of some file systems ticks every 4 ms
    save(folder / "a" / "w" / "00.png", PIXELS[0, :, :, 0])
    checksums += [both(folder).checksum, apart(folder).checksum]
    (folder / "a" / "v").mkdir()
    for side in "ab":
        (folder / side / "v").mkdir(exist_ok=True)
        (folder / side / "w" / "00.png").rename(folder / side / "v" / "00.png")
    checksums.append(both(folder).checksum)
    assert len(set(checksums)) == len(checksums)


def test_pairs_are_decoded_once(folder, cache, monkeypatch):
    data = both(folder)
    monkeypatch.setattr(sys.modules[pairs.__module__], "open_image", None)  # the function has its module's name
    again = both(folder)
    assert torch.equal(again.train, data.train)
    assert torch.equal(again.source.test, data.source.test)
    assert again.checksum == data.checksum
    assert len(list(cache.glob("*.pixels"))) == 1


@pytest.mark.parametrize("side", ["a", "b"])
def test_a_pair_is_left_out_if_one_of_its_files_is_damaged(folder, caplog, side):
    for name in ("w/00.png", "z/03.png"):
        (folder / side / name).write_text("no picture")
    key = {"a": "source", "b": "target"}[side]
    words = rf"^dataset.{key}=.*/{side}: .*\.png is not an image that can be read: .*; dataset.skip_corrupt=true leaves"
    with pytest.raises(ConfigError, match=words):
        both(folder)
    data = both(folder, skip_corrupt=True)
    assert len(data.train) + len(data.test) == 38
    assert torch.equal(data.source.train, 255 - data.train[:, :1])
    assert data.record["skipped"] == ["w/00.png", "z/03.png"]
    assert "2 of 40 pairs cannot be read and are left out, such as w/00.png, z/03.png" in caplog.text
    known = {image.transpose(2, 0, 1).tobytes(): number % 4 for number, image in enumerate(PIXELS)}
    assert [known[image.numpy().tobytes()] for image in data.train] == data.train_labels.tolist()


def test_two_folders_without_pairs(folder):
    shutil.rmtree(folder / "a" / "z")
    data = apart(folder)
    samples, sources = image_folder(str(folder / "b")), image_folder(str(folder / "a"))
    for one, other in ((data, samples), (data.source, sources)):
        for name in ("train", "train_labels", "test", "test_labels"):
            assert torch.equal(getattr(one, name), getattr(other, name))
    assert data.record == {
        "checksum": data.checksum,
        "train": 32,
        "test": 8,
        "source": {"paired": False, "train": 24, "test": 6},
        **samples.origin,
        "classes": ["w", "x", "y", "z"],
        "source_images": 30,
        "source_other_files": 0,
        "source_skipped": [],
        "source_classes": ["w", "x", "y", "z"],  # numbered as on the other side
        "source_resize": None,
    }
    few = apart(folder, max_samples=28, subset=0.5)
    assert few.record["source"]["train"] == 12
    assert few.trained_on == sum(few.class_counts) < 17


def test_equal_names_are_the_same_class_on_both_sides(folder):
    (folder / "a" / "w").rename(folder / "a" / "q")
    data, sources = apart(folder), image_folder(str(folder / "a"))
    assert data.record["classes"] == data.record["source_classes"] == ["q", "w", "x", "y", "z"]
    assert data.class_counts[0] == 0
    assert torch.equal(data.source.train_labels.unique(), torch.tensor([0, 2, 3, 4]))
    assert torch.equal(data.source.train, sources.train)
    flat = folder / "flat"
    flat.mkdir()
    for file in (folder / "a").rglob("*.png"):
        shutil.copy(file, flat)
    data = unpaired(str(flat), str(folder / "b"))
    assert (data.source.train_labels, data.record["source_classes"]) == (None, [])
    assert data.class_counts == [8, 8, 8, 8]


def without_partner(folder):
    (folder / "a" / "x" / "01.png").unlink()


def without_source(folder):
    for name in ("x/01.png", "x/05.png", "y/02.png"):
        (folder / "b" / name).unlink()


def of_two_kinds(folder):
    shutil.copy(folder / "a" / "x" / "01.png", folder / "a" / "x" / "01.jpg")


def odd_width(folder):
    save(folder / "ab" / "x" / "01.png", np.zeros((8, 15, 3), np.uint8))


def odd_size(folder):
    save(folder / "ab" / "x" / "01.png", np.zeros((8, 18, 3), np.uint8))


def another_shape(folder):
    save(folder / "a" / "x" / "01.png", np.zeros((8, 16), np.uint8))


def coloured_source(folder):
    save(folder / "a" / "x" / "01.png", PIXELS[0])


def same_sources(folder):
    for number, file in enumerate(sorted((folder / "ab").rglob("*.png"))):
        image = np.array(Image.open(file))
        image[:, :8] = 7
        save(file, image)
        save(folder / "a" / f"{'wxyz'[number // 10]}/{(number % 10) * 4 + number // 10:02d}.png", image[:, :8, 0])


def no_sources(folder):
    shutil.rmtree(folder / "a")
    (folder / "a").mkdir()


def parts_of_a_split(folder):
    for side in ("ab", "b"):
        for old, new in (("w", "train"), ("x", "test")):
            (folder / side / old).rename(folder / side / new)
        for name in "yz":
            shutil.rmtree(folder / side / name)


def beside_classes(folder):
    for side in "ab":
        (folder / side / "x" / "01.png").rename(folder / side / "01.png")


def small_sources(folder):
    for file in (folder / "a").rglob("*.png"):
        save(file, np.array(Image.open(file))[:4, :4])


def as_it_is(folder):
    pass


@pytest.mark.parametrize(
    ("spoil", "read", "settings", "words"),
    [
        (
            without_partner,
            both,
            {},
            r"^dataset.target=.*/b: .*x/01.png has no partner in dataset.source=.*/a, expected",
        ),
        (without_source, both, {}, r"^dataset.source=.*/a: .*x/01.png has no partner in .*=.*/b, nor have 2 more, exp"),
        (
            of_two_kinds,
            both,
            {},
            r"^dataset.source=.*/x/01.jpg and .*/x/01.png differ in their suffixes alone, expecte",
        ),
        (odd_width, beside, {}, r"^dataset.path=.*x/01.png is 15 pixels wide, expected an even width, of two images"),
        (
            odd_size,
            beside,
            {},
            r"^dataset.path=.* is \dx8 with 3 channels, and .* is \dx8 with 3 channels, expected all",
        ),
        (
            another_shape,
            both,
            {},
            r"^dataset.source=.*x/01.png is 16x8, and its partner .*x/01.png is 8x8, expected one",
        ),
        (
            another_shape,
            both,
            {"image_size": 8},
            r"is 16x8, and its .* is 8x8, expected one shape, as the middle square",
        ),
        (
            coloured_source,
            both,
            {},
            r"^dataset.source=.* with \d channels?, .*; dataset.source_channels=3 makes all col",
        ),
        (
            coloured_source,
            apart,
            {},
            r"^dataset.source=.* with \d channels?, .*; dataset.source_channels=3 makes all c",
        ),
        (same_sources, beside, {}, r"^dataset.path=.*/ab: all 40 sources are the same, expected some that differ"),
        (same_sources, both, {}, r"^dataset.source=.*/a: all 40 sources are the same, expected some that differ"),
        (same_sources, apart, {}, r"^dataset.source=.*/a: all 40 samples are the same, expected some that differ"),
        (no_sources, both, {}, r"^dataset.source=.*/a: it holds no images \(.png,"),
        (no_sources, apart, {}, r"^dataset.source=.*/a: it holds no images \(.png,"),
        (
            parts_of_a_split,
            beside,
            {},
            r"^dataset.path=.*: its subfolders test and train are parts of a split, not cla",
        ),
        (parts_of_a_split, apart, {}, r"^dataset.target=.*expected one of them, such as dataset.target=.*/b/test$"),
        (
            beside_classes,
            both,
            {},
            r"^dataset.target=.*01.png lies in the folder itself and .* in a subfolder, expected",
        ),
        (
            small_sources,
            apart,
            {},
            r"^dataset.source=.*: its images are 4x4, and those of dataset.target=.* are 8x8, ex",
        ),
        (
            as_it_is,
            beside,
            {"source": "a"},
            r"^dataset=pairs: it has dataset.path=.*ab dataset.source=a, expected data",
        ),
        (as_it_is, beside, {"source_side": "top"}, r"^source_side='top': expected one of left, right"),
        (as_it_is, both, {"source_channels": 2}, r"^source_channels=2: expected null, 1 \(grey\) or 3 \(colour\)"),
        (as_it_is, both, {"channels": True}, r"^channels=true: expected null, 1"),
        (as_it_is, apart, {"image_size": 2}, r"^image_size=2: expected null or a whole number from 4 to 2048"),
        (as_it_is, apart, {"source_channels": "grey"}, r"^source_channels='grey': expected null, 1"),
        (as_it_is, both, {"held_out": 0.01}, r"^held_out=0.01: 0 of 40 samples are held out: expected 2 or more"),
        (as_it_is, both, {"max_samples": 33}, r"^max_samples=33: expected null or a whole number from 2 to 32"),
    ],
)
def test_wrong_folders_and_settings_have_a_sentence(folder, cache, spoil, read, settings, words):
    spoil(folder)
    with pytest.raises((ConfigError, ValueError), match=words) as error:
        read(folder, **settings)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({}, r"^dataset=pairs: it has no folder, expected dataset.path=FOLDER, of pictures of two images side by"),
        ({"source": "a"}, r"^dataset=pairs: it has dataset.source=a, expected"),
        ({"target": "b"}, r"^dataset=pairs: it has dataset.target=b, expected"),
        ({"path": ""}, r"^dataset.path=: expected a path, as text"),
        ({"source": "a", "target": 7}, r"^dataset.target=7: expected a path, as text"),
        ({"source": "a", "target": "b/../a"}, r"^dataset.source=a: it is the folder of dataset.target too, expec"),
        ({"path": "nowhere"}, r"^dataset.path=nowhere: nowhere cannot be read"),
        ({"source": "b", "target": "a/w/00.png"}, r"^dataset.target=a/w/00.png: it is a file, expected a"),
    ],
)
def test_pairs_lie_in_one_folder_or_in_two(folder, monkeypatch, named, words):
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError, match=words):
        pairs(**named)
    if len(named) == 2:
        with pytest.raises(ConfigError, match=words):
            unpaired(**named)
