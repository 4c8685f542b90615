"""A folder of pictures: what is read, how it is split, what is kept of it, and every kind of folder that is refused."""

import json
import os
import struct
import sys
import time
import warnings
import zlib

import numpy as np
import pytest
import torch
from PIL import Image
from training_runs import OFTEN, SMALL, differences, killed, train_in

from gan_lab.datasets import image_files, image_folder, npz
from gan_lab.datasets.dataset import hold_out
from gan_lab.errors import ConfigError

MODULE = sys.modules[image_folder.__module__]  # the function has its module's name
PIXELS = np.random.RandomState(0).randint(0, 256, (40, 8, 8, 3)).astype(np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("GAN_LAB_CACHE", str(folder))
    return folder / "images"


@pytest.fixture
def folder(tmp_path):
    """Forty pictures, ten of each of four classes."""
    for number, image in enumerate(PIXELS):
        place = tmp_path / "pictures" / "abcd"[number % 4]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number:02d}.png")
    return tmp_path / "pictures"


def save(folder, name, image):
    image.save(folder / name)
    return folder / name


def rows(*parts):
    return sorted(image.numpy().tobytes() for part in parts for image in part)


def test_pixels_classes_and_split(folder):
    data = image_folder(str(folder))
    assert (data.train.shape, data.test.shape) == ((32, 3, 8, 8), (8, 3, 8, 8))
    assert data.train.dtype == torch.uint8
    everything = torch.from_numpy(PIXELS).permute(0, 3, 1, 2)
    assert rows(data.train, data.test) == rows(everything)
    known = {image.numpy().tobytes(): number % 4 for number, image in enumerate(everything)}
    for part, labels in ((data.train, data.train_labels), (data.test, data.test_labels)):
        assert [known[image.numpy().tobytes()] for image in part] == labels.tolist()
    assert data.test_labels.bincount().tolist() == [2, 2, 2, 2]  # a fifth of each class
    assert data.record["classes"] == ["a", "b", "c", "d"]
    assert data.train_labels[:10].unique().numel() == 4  # in random order: the first few are of all classes
    limited = image_folder(str(folder), max_samples=7)
    assert torch.equal(limited.train, data.train[:7])
    assert (limited.checksum, len(limited.test)) == (data.checksum, 8)


def test_a_flat_folder_has_no_labels(tmp_path):
    for number, image in enumerate(PIXELS):
        Image.fromarray(image).save(tmp_path / f"{number:02d}.png")
    data = image_folder(str(tmp_path))
    assert (data.train_labels, data.test_labels, data.record["classes"]) == (None, None, [])
    archive = tmp_path / "same.npz"
    np.savez(archive, PIXELS)
    same = npz(str(archive))
    assert torch.equal(same.train, data.train)
    assert torch.equal(same.test, data.test)


def test_an_archive_is_split_as_a_folder_is(folder, tmp_path):
    order = sorted(range(40), key=lambda number: ("abcd"[number % 4], number))
    np.savez(tmp_path / "same.npz", images=PIXELS[order], labels=[number % 4 for number in order])
    data, same = image_folder(str(folder)), npz(str(tmp_path / "same.npz"))
    assert torch.equal(data.train, same.train)
    assert torch.equal(data.test_labels, same.test_labels)


@pytest.mark.parametrize("sizes", [[100], [5, 95], [1, 2, 9], [40, 60], [33, 33, 34], [7] * 13])
@pytest.mark.parametrize("share", [0.5, 0.2, 0.37])
def test_every_class_gives_its_share(sizes, share):
    labels = torch.cat([torch.full((size,), number) for number, size in enumerate(sizes)])
    train, test = hold_out(share, len(labels), labels)
    assert torch.cat([train, test]).sort().values.tolist() == list(range(len(labels)))
    assert len(test) == round(share * len(labels))
    for number, size in enumerate(sizes):
        assert abs((labels[test] == number).sum().item() - share * size) < 2  # 1 of the cut at either end
    assert all(torch.equal(a, b) for a, b in zip(hold_out(share, len(labels), labels), (train, test), strict=True))


def test_decoded_once_and_again_when_a_file_changes(folder, cache, monkeypatch):
    data = image_folder(str(folder))
    with monkeypatch.context() as patch:
        patch.setattr(MODULE, "read_image", None)
        again = image_folder(str(folder))
    assert torch.equal(again.train, data.train)
    assert torch.equal(again.test_labels, data.test_labels)
    assert again.checksum == data.checksum
    assert len(list(cache.glob("*.pixels"))) == 1
    time.sleep(0.02)  # the clock of some file systems ticks every 4 ms
    changed = folder / "a" / "00.png"
    times = changed.stat()
    Image.fromarray(255 - PIXELS[0]).save(changed)
    os.utime(changed, ns=(times.st_atime_ns, times.st_mtime_ns))  # as rsync -t does
    assert image_folder(str(folder)).checksum != data.checksum


def test_the_checksum_follows_pixels_labels_and_split(folder, tmp_path):
    checksums = [image_folder(str(folder), **more).checksum for more in ({}, {"held_out": 0.3}, {"image_size": 4})]
    (folder / "a" / "00.png").rename(folder / "b" / "00.png")
    checksums.append(image_folder(str(folder)).checksum)
    assert len(set(checksums)) == 4
    for number, image in enumerate(PIXELS):
        for place in (tmp_path / "flat", tmp_path / "one" / "class"):
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(place / f"{number:02d}.png")
    flat, one = (image_folder(str(tmp_path / name)) for name in ("flat", "one"))
    assert torch.equal(flat.train, one.train)
    assert flat.checksum != one.checksum  # the labels alone differ


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_damage_to_the_cache_is_seen(folder, cache, damage):
    data = image_folder(str(folder))
    del data  # which has the file mapped
    (file,) = cache.glob("*.pixels")
    content = bytearray(file.read_bytes())
    file.unlink()
    content[77] ^= 1
    if damage != "gone":
        file.write_bytes(content if damage == "flipped" else content[:-1])
    with pytest.raises(ConfigError, match=r"\.pt: this file of the cache is broken; delete it, it will be made again"):
        image_folder(str(folder))


def test_resizing_crops_the_middle_and_averages(tmp_path):
    """A square of one colour in the middle of a wide picture; stripes too fine for the size asked for turn grey.

    The outermost rows and columns are left out: what lies beyond them has a part in them.
    """
    wide = np.zeros((16, 32, 3), np.uint8)
    wide[:, 8:24] = [10, 200, 30]
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    for number in range(4):
        save(tmp_path, f"{number}a.png", Image.fromarray(wide))
        save(tmp_path, f"{number}b.png", Image.fromarray(stripes))
    data = image_folder(str(tmp_path), image_size=8, held_out=0.25)
    pictures = torch.cat([data.train, data.test])
    assert pictures.shape == (8, 3, 8, 8)
    middles = pictures[:, :, 2:-2, 2:-2]
    coloured = (middles == torch.tensor([10, 200, 30])[:, None, None]).all((1, 2, 3))
    grey = ((middles.float() - 127.5).abs() < 2).all((1, 2, 3))
    assert (coloured.sum(), grey.sum()) == (4, 4)
    assert data.record["resize"] == "antialiased bicubic, centre crop to 8x8"


def test_kinds_of_files_that_hold_the_same_pixels(tmp_path):
    """Lossless formats, palettes, opaque alpha, two levels, an orientation tag."""
    red = Image.fromarray(np.tile(np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8), (4, 2, 1)))
    exif = Image.Exif()
    exif[0x0112] = 3  # stored upside down
    names = ["a.png", "b.PNG", "c.bmp", "d.tiff", "e.webp", "f.png", "g.png"]
    for name in names[:4]:
        save(tmp_path, name, red)
    red.save(tmp_path / "e.webp", lossless=True)
    red.convert("RGBA").save(tmp_path / "f.png")
    red.convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "g.png")
    red.rotate(180).save(tmp_path / "h.png", exif=exif)
    grey = red.convert("L").point(lambda level: 255 * (level > 50))
    for name in [*names, "h.png"]:
        assert np.array_equal(image_files.read_image(tmp_path / name), np.asarray(red)), name
    assert np.array_equal(image_files.read_image(save(tmp_path, "i.png", grey.convert("1")))[:, :, 0], np.asarray(grey))
    assert np.array_equal(
        image_files.read_image(save(tmp_path, "j.png", grey.convert("LA")))[:, :, 0], np.asarray(grey)
    )
    assert image_files.read_image(tmp_path / "a.png", channels=1).shape == (4, 4, 1)
    assert image_files.read_image(tmp_path / "i.png", channels=3).shape == (4, 4, 3)


def test_what_systems_leave_behind_is_passed_over(folder, caplog):
    (folder / ".DS_Store").write_text("x")
    (folder / "a" / "._00.png").write_text("x")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "z.png").write_text("x")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "x.png").write_text("x")
    (folder / "notes.txt").write_text("x")
    with caplog.at_level("INFO"):
        data = image_folder(str(folder))
    assert (data.record["images"], data.record["other_files"]) == (40, 1)
    assert "1 other files are left out, such as notes.txt" in caplog.text


def test_links_to_folders_are_followed(folder, tmp_path):
    linked = tmp_path / "linked"
    linked.mkdir()
    for name in "abcd":
        (linked / name).symlink_to(folder / name)
    assert image_folder(str(linked)).checksum == image_folder(str(folder)).checksum
    (folder / "a" / "loop").symlink_to(folder)
    with pytest.raises(ConfigError, match=r"a/loop is a link to a folder that is among them already"):
        image_folder(str(folder))


def test_corrupt_files_are_named_or_counted(folder, caplog, cache):
    whole = (folder / "a" / "00.png").read_bytes()
    (folder / "a" / "00.png").write_bytes(whole[: len(whole) // 2])
    (folder / "b" / "01.png").write_text("not a picture")
    (folder / "c" / "02.png").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"\.png is not an image that can be read: .*; dataset.skip_corrupt=true"):
        image_folder(str(folder))
    assert not [file for file in cache.iterdir() if file.suffix != ".lock"]
    data = image_folder(str(folder), skip_corrupt=True)
    assert len(data.train) + len(data.test) == 37
    assert data.record["skipped"] == ["a/00.png", "b/01.png", "c/02.png"]
    assert "3 of 40 images cannot be read and are left out, such as a/00.png, b/01.png, c/02.png" in caplog.text
    known = {image.transpose(2, 0, 1).tobytes(): number % 4 for number, image in enumerate(PIXELS)}
    assert [known[image.numpy().tobytes()] for image in data.train] == data.train_labels.tolist()
    caplog.clear()
    image_folder(str(folder), skip_corrupt=True)  # from the cache: said again
    assert "3 of 40 images cannot be read" in caplog.text


def test_not_only_what_pillow_calls_unidentified_is_damage(folder, monkeypatch):
    """Pillow raises errors of many kinds on damaged bytes; the one for too large a picture is not an OSError."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(ConfigError, match=r"\d\d.png is not an image that can be read: "):
        image_folder(str(folder))


def test_with_all_files_corrupt_none_are_left(tmp_path):
    for number in range(10):
        (tmp_path / f"{number}.png").write_text("x")
    with pytest.raises(ConfigError, match=r"10 of 10 images cannot be read, such as \d.png, and too few are left"):
        image_folder(str(tmp_path), skip_corrupt=True)


def test_a_file_that_vanishes_is_no_corrupt_one(folder, monkeypatch):
    read = image_files.read_image

    def vanishing(file, *rest):
        (folder / "b" / "01.png").unlink(missing_ok=True)
        return read(file, *rest)

    monkeypatch.setattr(MODULE, "read_image", vanishing)
    with pytest.raises(ConfigError, match=r"b/01.png cannot be read: No such file or directory"):
        image_folder(str(folder), skip_corrupt=True)


def test_names_that_are_no_text_to_the_system(folder):
    strange = os.fsdecode(b"caf\xe9")
    (folder / "a").rename(folder / strange)
    data = image_folder(str(folder))
    assert json.dumps(data.record, ensure_ascii=False).encode()
    assert "caf\\xe9" in data.record["classes"]


def four(folder, image):
    for number in range(8):
        image.save(folder / f"{number}.png")


PLAIN = Image.fromarray(PIXELS[0])


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (PLAIN, r"all 8 samples are the same, expected some that differ"),
        (Image.fromarray(PIXELS[0, :, :, 0].astype(np.uint16) * 200), r"\d.png is of Pillow's mode I;16, expected 8"),
        (
            Image.fromarray(np.dstack([PIXELS[0], PIXELS[1, :, :, :1]])),
            r"\d.png is transparent in places, where its colour is undefined, expected opaque",
        ),
    ],
)
def test_folders_of_unfit_images(tmp_path, cache, image, words):
    four(tmp_path, image)
    with pytest.raises(ConfigError, match=words):
        image_folder(str(tmp_path))
    assert not [file for file in cache.iterdir() if file.suffix != ".lock"]


def sixteen_bit_png(pixels, kind):
    """A PNG by its specification, of 16 bits a channel; kind 2 is colour, 4 grey with alpha, 6 colour with alpha."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    height, width = pixels.shape[:2]
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.mark.parametrize(("kind", "channels", "mode"), [(2, 3, "RGB;16B"), (4, 2, "LA;16B"), (6, 4, "RGBA;16B")])
def test_pictures_of_16_bits_a_channel_are_refused(tmp_path, kind, channels, mode):
    """Pillow opens them in modes of 8 bits, and would cut the lower 8 bits off."""
    for number in range(8):
        (tmp_path / f"{number}.png").write_bytes(
            sixteen_bit_png(np.full((8, 8, channels), 65535 - 300 * number * (channels == 3)), kind)
        )
    with pytest.raises(ConfigError, match=rf"\d\.png is of Pillow's mode {mode}, expected 8-bit grey or colour"):
        image_folder(str(tmp_path))


@pytest.mark.parametrize("bits", [8, 16])
def test_tiffs_whose_channels_lie_one_after_the_other(tmp_path, bits):
    """By the specification of TIFF 6.0, uncompressed: of 16 bits, Pillow would take each byte for a pixel."""
    pixels = PIXELS[0].astype("<u2" if bits == 16 else "u1")
    planes = [pixels[:, :, channel].tobytes() for channel in range(3)]
    begins = [8 + len(planes[0]) * channel for channel in range(3)]
    long = 8 + len(b"".join(planes))  # where numbers lie that are too many for their entry
    numbers = struct.pack("<3I", *begins) + struct.pack("<3I", *map(len, planes)) + struct.pack("<3H", *[bits] * 3)
    # width, height, bits, no compression, RGB, begins of the planes, channels, rows, sizes of the planes, planar
    tags = [(256, 3, 1, 8), (257, 3, 1, 8), (258, 3, 3, long + 24), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 3, long)]
    tags += [(277, 3, 1, 3), (278, 3, 1, 8), (279, 4, 3, long + 12), (284, 3, 1, 2)]
    entries = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    file = tmp_path / "planar.tif"
    file.write_bytes(b"II*\0" + struct.pack("<I", long + len(numbers)) + b"".join(planes) + numbers + entries)
    if bits == 8:
        assert np.array_equal(image_files.read_image(file), PIXELS[0])
    else:
        with pytest.raises(image_files.UnfitImage, match=r"^has 16 bits a channel, expected 8-bit grey or colour$"):
            image_files.read_image(file)


def test_bitmaps_of_16_bits_a_pixel_are_read(tmp_path):
    """They have 5, 6 and 5 bits for the channels; the header is that of Microsoft's format, with bit fields."""
    masks = struct.pack("<III", 0xF800, 0x07E0, 0x001F)
    header = struct.pack("<IiiHHIIiiII", 40, 4, 1, 1, 16, 3, 8, 0, 0, 0, 0) + masks
    body = np.array([0xF800, 0x07E0, 0x001F, 0xFFFF], "<u2").tobytes()
    file = tmp_path / "few_bits.bmp"
    file.write_bytes(b"BM" + struct.pack("<IHHI", 66 + len(body), 0, 0, 66) + header + body)
    expected = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]
    assert image_files.read_image(file)[0].tolist() == expected


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="Linux lists what is mapped")
def test_the_pixels_are_mapped_so_that_they_may_exceed_memory(folder, cache):
    """Linux refuses private writable mappings, -w-p, above its memory; it never refuses those that are read alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = image_folder(str(folder))
    (file,) = cache.glob("*.pixels")
    with open("/proc/self/maps") as maps:
        found = [line.split()[1] for line in maps if line.rstrip().endswith(str(file))]
    assert found
    assert all(permissions[:2] == "r-" for permissions in found)
    assert data.train.float().mean() > 0


def test_mixed_images_are_named_with_a_way_on(tmp_path):
    for number, image in enumerate(PIXELS):
        save(tmp_path, f"{number}.png", Image.fromarray(image))
    save(tmp_path, "odd.png", Image.fromarray(PIXELS[3, :6]))
    with pytest.raises(ConfigError) as error:
        image_folder(str(tmp_path))
    for words in ("odd.png is 8x6 with 3 channels", ".png is 8x8 with 3 channels", "; dataset.image_size=64 brings"):
        assert words in str(error.value)
    assert len(image_folder(str(tmp_path), image_size=8).train) == 33
    save(tmp_path, "odd.png", Image.fromarray(PIXELS[3, :, :, 0]))
    with pytest.raises(ConfigError, match=r"odd.png is 8x8 with 1 channel\b.*; dataset.channels=3 makes all colour"):
        image_folder(str(tmp_path))
    assert image_folder(str(tmp_path), channels=1).sample_shape == (1, 8, 8)


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ({"image_size": 3}, r"image_size=3: expected null or a whole number from 4 to 2048"),
        ({"image_size": 64.0}, r"image_size=64.0: expected null"),
        ({"image_size": "big"}, r"image_size='big': expected null"),
        ({"channels": 4}, r"channels=4: expected null, 1 \(grey\) or 3 \(colour\)"),
        ({"channels": True}, r"channels=true: expected null"),
        ({"skip_corrupt": "yes"}, r"skip_corrupt='yes': expected true or false"),
        ({"held_out": 0}, r"held_out=0: expected a number above 0 and below 1"),
        ({"held_out": float("nan")}, r"held_out=nan: expected a number above 0"),
        ({"held_out": 0.01}, r"held_out=0.01: 0 of 40 samples are held out: expected 2 or more in each part"),
        ({"max_samples": 33}, r"max_samples=33: expected null or a whole number from 2 to 32"),
    ],
)
def test_arguments_say_their_range(folder, argument, words):
    with pytest.raises(ValueError, match=words):
        image_folder(str(folder), **argument)


def test_a_run_goes_on_bit_for_bit_and_only_on_the_same_pictures(folder, composed, tmp_path):
    words = ["dataset=image_folder", f"dataset.path={folder}", *SMALL, *OFTEN, "evaluation/extractor=pixels"]
    words += ["evaluation.kid_subset_size=5"]
    config = composed(*words)
    calm = train_in(tmp_path / "calm", config)
    assert calm.result()["data"] == image_folder(str(folder)).record
    assert calm.result()["fingerprint"]["data"] == calm.result()["data"]["checksum"]
    with killed(7):
        train_in(tmp_path / "run", config)
    moved = folder.rename(tmp_path / "moved")
    config.dataset.path = str(moved)
    assert differences(calm.path, train_in(tmp_path / "run", config, resume=True).path) == []
    with killed(7):
        train_in(tmp_path / "other", config)
    (moved / "a" / "00.png").unlink()
    with pytest.raises(ConfigError, match=r"dataset: the checksum of its data is \w+: expected \w+, that of the data"):
        train_in(tmp_path / "other", config, resume=True)
