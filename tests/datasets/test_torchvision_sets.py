"""Published data sets: pixels, classes, splits, the cache, downloads; every kind of wrong file has its sentence."""

import gzip
import hashlib
import multiprocessing
import os
import pickle
import tarfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image, ImageOps
from published_files import fabricate, write

from gan_lab.datasets import cifar10, torchvision_set
from gan_lab.datasets import published_readers as readers
from gan_lab.datasets.published import PublishedSet
from gan_lab.datasets.published_sets import SOURCES
from gan_lab.errors import ConfigError


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("GAN_LAB_CACHE", str(folder))
    return folder


def as_pixels(images):
    return torch.from_numpy(images).permute(0, 3, 1, 2)


@pytest.mark.parametrize("name", sorted(set(SOURCES) - {"GTSRB", "USPS"}))
def test_pixels_classes_and_parts(name, tmp_path, monkeypatch):
    train, test = fabricate(name, tmp_path, monkeypatch)
    data = torchvision_set(name, str(tmp_path))
    assert torch.equal(data.train, as_pixels(train[0]))
    assert torch.equal(data.test, as_pixels(test[0]))
    assert data.train_labels.tolist() == train[1].tolist()
    assert data.test_labels.tolist() == test[1].tolist()
    assert (data.train.dtype, data.train_labels.dtype) == (torch.uint8, torch.int64)
    assert data.record == {"checksum": data.checksum, "train": 50, "test": 20}
    limited = torchvision_set(name, str(tmp_path), max_samples=7, subset=1)
    assert torch.equal(limited.train, data.train[:7])
    assert limited.checksum == data.checksum


def everything(read):
    return [(np.asarray(image), label) for image, label in read]


@pytest.mark.parametrize(
    "name", ["CIFAR10", "CIFAR100", "SVHN", "STL10", "USPS", "KMNIST", "QMNIST", "EMNIST", "GTSRB"]
)
def test_torchvision_reads_the_same(name, tmp_path, monkeypatch):
    """torchvision unpacks archives when it downloads them; it leaves EMNIST's images transposed."""
    fabricate(name, tmp_path, monkeypatch)
    place = tmp_path / SOURCES[name].folder
    for archive in place.glob("*.gz"):
        archive.with_suffix("").write_bytes(gzip.decompress(archive.read_bytes()))
    for archive in place.glob("*.zip"):
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(place)
    for archive in place.glob("gzip/*.gz"):
        (place / archive.stem).write_bytes(gzip.decompress(archive.read_bytes()))
    for module in (torchvision.datasets.cifar, torchvision.datasets.svhn, torchvision.datasets.stl10):
        monkeypatch.setattr(module, "check_integrity", lambda *_: True)
    by_split = name in ("SVHN", "STL10", "GTSRB")
    parts = [{"split": part} for part in ("train", "test")] if by_split else [{"train": part} for part in (True, False)]
    if name == "EMNIST":
        parts = [part | {"split": "letters"} for part in parts]
    split = SOURCES[name].splits["letters" if name == "EMNIST" else "train"]
    for arguments, read in zip(parts, (split.train, split.test), strict=True):
        ours = [(image[..., 0] if image.shape[2] == 1 else image, label) for image, label in read(place)]
        theirs = everything(getattr(torchvision.datasets, name)(tmp_path, **arguments))
        if name == "EMNIST":
            theirs = [(image.T, label - 1) for image, label in theirs]
        if name == "GTSRB":  # whose training images are in random order here
            ours, theirs = (sorted(rows, key=lambda row: (row[1], row[0].tobytes())) for rows in (ours, theirs))
        assert len(ours) == len(theirs) == (50 if "train" in arguments.values() or True in arguments.values() else 20)
        for (image, label), (other, truth) in zip(ours, theirs, strict=True):
            assert label == truth
            assert np.array_equal(image, other)


def test_checksums_are_torchvisions():
    """They are written down here, so that another version of torchvision cannot change what is believed."""
    sets = torchvision.datasets
    published = {name: dict(source.files) for name, source in SOURCES.items()}
    for name in ("CIFAR10", "CIFAR100"):
        one = getattr(sets, name)
        meta = {one.meta["filename"]: one.meta["md5"]}
        assert published[name] == dict(one.train_list) | dict(one.test_list) | meta
        assert SOURCES[name].folder == one.base_folder
    assert published["STL10"] == dict(sets.STL10.train_list) | dict(sets.STL10.test_list)
    assert SOURCES["STL10"].folder == sets.STL10.base_folder
    for name in ("SVHN", "USPS"):
        assert published[name] == {file: md5 for _, file, md5 in getattr(sets, name).split_list.values()}
    assert published["KMNIST"] == dict(sets.KMNIST.resources)
    qmnist = [one for part in ("train", "test") for one in sets.QMNIST.resources[part]]
    assert published["QMNIST"] == {url.rpartition("/")[2]: md5 for url, md5 in qmnist}
    assert published["EMNIST"] == {"gzip.zip": sets.EMNIST.md5}
    assert set(SOURCES["EMNIST"].splits) == set(sets.EMNIST.splits)
    source = Path(sets.gtsrb.__file__).read_text()
    assert all(file in source and md5 in source for file, md5 in published["GTSRB"].items())


def test_parts_that_may_be_chosen(tmp_path, monkeypatch):
    """STL-10's unlabeled images, SVHN's extra ones, EMNIST's kinds; classes begin with 0."""
    for name in ("STL10", "SVHN", "EMNIST"):
        fabricate(name, tmp_path, monkeypatch)
    root = str(tmp_path)
    unlabeled = torchvision_set("STL10", root, split="unlabeled", subset=0.5)
    assert (unlabeled.train_labels, unlabeled.test_labels, unlabeled.trained_on) == (None, None, 25)
    (tmp_path / "train_32x32.mat").unlink()
    assert len(torchvision_set("SVHN", root, split="extra").train) == 50
    with pytest.raises(ConfigError, match=r"^dataset.name=SVHN: the folder \S+ lacks train_32x32.mat; put the publish"):
        torchvision_set("SVHN", root)
    letters, balanced = (torchvision_set("EMNIST", root, split=split) for split in ("letters", "balanced"))
    assert letters.class_counts == balanced.class_counts == [5] * 10
    assert torch.equal(letters.train, 255 - balanced.train)  # both are in one archive


def test_images_of_different_sizes_are_resized_as_those_of_a_folder(tmp_path, monkeypatch):
    train, test = fabricate("GTSRB", tmp_path, monkeypatch)
    data = torchvision_set("GTSRB", str(tmp_path), image_size=16)
    assert (data.train.shape, data.test.shape) == ((50, 3, 16, 16), (20, 3, 16, 16))
    expected = {}
    for number, (image, label) in enumerate(zip(*train, strict=True)):
        fitted = ImageOps.fit(Image.fromarray(image[: 20 + number % 3]), (16, 16), Image.Resampling.BICUBIC)
        expected[np.asarray(fitted).tobytes()] = label
    found = [expected[image.permute(1, 2, 0).numpy().tobytes()] for image in data.train]
    assert found == data.train_labels.tolist()
    assert len(set(found[:8])) > 3  # in random order: the first few are of several classes
    assert data.test_labels.tolist() == test[1].tolist()
    grey = torchvision_set("GTSRB", str(tmp_path), image_size=16, channels=1)
    assert grey.sample_shape == (1, 16, 16)
    assert grey.checksum != data.checksum


def test_grey_images_become_coloured_and_larger(tmp_path, monkeypatch):
    train, _ = fabricate("USPS", tmp_path, monkeypatch)
    plain = torchvision_set("USPS", str(tmp_path))
    assert (plain.train.int() - as_pixels(train[0]).int()).abs().max() <= 1  # pixels were rounded to text and back
    assert plain.train_labels.tolist() == train[1].tolist()
    large = torchvision_set("USPS", str(tmp_path), image_size=32, channels=3)
    assert large.sample_shape == (3, 32, 32)
    assert torch.equal(large.train[:, 0], large.train[:, 2])


def test_decoded_once_and_again_when_a_file_changes(tmp_path, cache, monkeypatch):
    fabricate("CIFAR10", tmp_path, monkeypatch)
    data = cifar10(str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(readers._ArraysOnly, "load", None)
        patch.setattr(PublishedSet, "verify", None)
        again = cifar10(str(tmp_path), flip=True)
        same = torchvision_set("CIFAR10", str(tmp_path))
    assert torch.equal(again.train, data.train)
    assert again.train_labels.tolist() == same.train_labels.tolist() == data.train_labels.tolist()
    assert again.checksum == same.checksum == data.checksum
    assert len(list((cache / "images").glob("*.pixels"))) == 1
    file = tmp_path / "cifar-10-batches-py" / "data_batch_3"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(
        ConfigError, match=r"^dataset=cifar10: \S+data_batch_3 is not the published file: it has an MD5"
    ):
        cifar10(str(tmp_path))
    file.write_bytes(content)
    assert cifar10(str(tmp_path)).checksum == data.checksum


def test_a_pickle_that_holds_more_than_arrays_is_not_run(tmp_path, monkeypatch):
    """Even if its checksum were the published one."""
    fabricate("CIFAR100", tmp_path, monkeypatch)
    file = tmp_path / "cifar-100-python" / "train"

    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    file.write_bytes(pickle.dumps({"data": Harm()}))
    with pytest.raises(pickle.UnpicklingError, match=r"mkdir is no array"):
        list(readers.cifar(file.parent, ["train"], "fine_labels"))
    assert not (tmp_path / "harm").exists()


def test_arrays_that_python_2_pickled(tmp_path):
    """As CIFAR's authors did: text is bytes, and NumPy's modules have their old names."""
    pixels = np.arange(2 * 3072, dtype=np.uint8)
    old = (
        b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b\x87R"
        b"(K\x01K\x02M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89T" + len(pixels).to_bytes(4, "little") + pixels.tobytes() + b"tbU\x06labels](K\x07K\x03eu."
    )
    (tmp_path / "batch").write_bytes(old)
    images, labels = zip(*readers.cifar(tmp_path, ["batch"], "labels"), strict=True)
    assert labels == (7, 3)
    assert np.array_equal(np.stack(images).transpose(0, 3, 1, 2).ravel(), pixels)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server of CIFAR-10's archive that torchvision takes for the authors': its folder, and what was asked for."""
    made, asked = tmp_path / "made", []
    fabricate("CIFAR10", made, monkeypatch)
    folder, one = tmp_path / "server", torchvision.datasets.CIFAR10
    folder.mkdir()
    archive = folder / one.filename
    with tarfile.open(archive, "w:gz") as opened:
        opened.add(made / one.base_folder, one.base_folder)
    published = SOURCES["CIFAR10"].files

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

    serving = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    monkeypatch.setattr(one, "url", f"http://127.0.0.1:{serving.server_port}/{archive.name}")
    monkeypatch.setattr(one, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    monkeypatch.setattr(one, "train_list", [[file, published[file]] for file, _ in one.train_list])
    monkeypatch.setattr(one, "test_list", [[file, published[file]] for file, _ in one.test_list])
    monkeypatch.setattr(one, "meta", one.meta | {"md5": published["batches.meta"]})
    yield archive, asked
    serving.shutdown()
    serving.server_close()


def test_nothing_is_downloaded_unless_asked_for(tmp_path, server):
    _, asked = server
    with pytest.raises(ConfigError, match=r"^dataset=cifar10: the folder \S+ lacks data_batch_1, .*download=true$"):
        cifar10(str(tmp_path / "root"))
    assert not asked
    assert not (tmp_path / "root").exists()


def test_a_download_leaves_the_files_and_nothing_else(tmp_path, server, cache):
    root = tmp_path / "root"
    for download in (True, False):
        assert len(cifar10(str(root), download=download).train) == 50
        assert len(list((cache / "images").glob("*.pixels"))) == 1
    assert sorted(path.name for path in root.rglob("*")) == sorted(["cifar-10-batches-py", *SOURCES["CIFAR10"].files])
    (root / "cifar-10-batches-py" / "test_batch").write_bytes(b"short")
    assert len(cifar10(str(root), download=True).test) == 20
    assert len(torchvision.datasets.CIFAR10(root)) == 50  # which finds all it needs


@pytest.mark.parametrize("fault", ["wrong", "absent", "silent"])
def test_a_failed_download_leaves_nothing_and_is_told_in_our_words(tmp_path, server, fault, monkeypatch):
    archive, _ = server
    if fault == "wrong":
        archive.write_bytes(b"not the archive")
    elif fault == "absent":
        archive.unlink()
    else:
        monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", "http://127.0.0.1:9/x")
    with pytest.raises(ConfigError) as error:
        cifar10(str(tmp_path / "deep" / "root"), download=True)
    said = str(error.value)
    assert said.startswith("dataset.download=true: CIFAR10 could not be fetched: data_batch_1, ")
    reasons = {"wrong": "sent something else", "absent": "the server's answer was 404", "silent": "Connection refused"}
    assert said.endswith(reasons[fault])
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "deep").exists()
    assert not list(tmp_path.glob(".download*"))


def test_processes_that_fetch_the_same_data_set_at_once(tmp_path, server):
    """One fetches, the others wait, and all have it."""
    archive, asked = server
    processes = [
        multiprocessing.get_context("fork").Process(target=cifar10, args=(str(tmp_path / "root"), True))
        for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert asked == [f"/{archive.name}"] * 2  # torchvision first asks where the file is
    assert len(cifar10(str(tmp_path / "root")).train) == 50


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_torchvision_fetches_what_a_split_needs(name, tmp_path, monkeypatch):
    """Nothing is fetched here: what torchvision would fetch is recorded."""
    sets, asked = torchvision.datasets, []

    def record(url, *_, filename=None, **__):
        asked.append(filename or url.rpartition("/")[2])

    for module in (sets.cifar, sets.gtsrb, sets.mnist, sets.stl10, sets.svhn, sets.usps):
        for function in ("download_and_extract_archive", "download_url"):
            monkeypatch.setattr(module, function, record, raising=False)
    for split in SOURCES[name].splits.values():
        asked.clear()
        for arguments in split.downloads:
            with pytest.raises((OSError, RuntimeError)):  # as the files are not there
                getattr(sets, name)(tmp_path, **arguments, download=True)
        archive = getattr(getattr(sets, name), "filename", None)  # of CIFAR and STL-10
        assert {archive} == set(asked) if archive else set(split.needed) <= set(asked)


def test_every_part_is_asked_of_torchvision(tmp_path, monkeypatch):
    """Of each set, torchvision's class is called until all files that a split needs are there."""
    for name, source in SOURCES.items():
        made = tmp_path / name / "made"
        fabricate(name, made, monkeypatch)
        for split in source.splits:
            if name == "EMNIST" and split not in ("balanced", "letters"):
                continue
            root, calls = tmp_path / name / split, []

            def fetch(scratch, download, made=made, source=source, calls=calls, **arguments):
                assert download
                calls.append(arguments)
                place = Path(scratch) / source.folder
                place.mkdir(parents=True, exist_ok=True)
                for file in source.files:
                    (place / file).write_bytes((made / source.folder / file).read_bytes())

            monkeypatch.setattr(torchvision.datasets, name, fetch)
            data = torchvision_set(name, str(root), split=split, image_size=32, download=True)
            assert (len(data.train), len(data.test)) == (50, 20)
            assert calls == list(source.splits[split].downloads)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"name": "SVNH"},
            r"^dataset.name=SVNH: it is not among the data sets; did you mean 'SVHN'\? Allowed: CIFAR10, ",
        ),
        ({"name": "CelebA"}, r"^dataset.name=CelebA: it is not among the data sets; Allowed: CIFAR10, .*, USPS$"),
        ({"name": ["SVHN"]}, r"^dataset.name=\['SVHN'\]: it is not among the data sets"),
        ({"name": "MNIST"}, r"^dataset.name=MNIST: expected dataset=mnist, which reads this data set"),
        ({"name": "FashionMNIST"}, r"^dataset.name=FashionMNIST: expected dataset=fashion_mnist, which"),
        (
            {"name": "STL10", "split": "unlabelled"},
            r"^dataset.split=unlabelled: expected null or one of train, unlabel",
        ),
        ({"name": "USPS", "split": 1}, r"^dataset.split=1: expected null or one of train for USPS"),
        ({"name": "GTSRB"}, r"^dataset.image_size=null: the images of GTSRB are of different sizes, expected a size"),
        ({"name": "SVHN", "image_size": 3}, r"^image_size=3: expected null or a whole number from 4 to 2048"),
        ({"name": "SVHN", "channels": 2}, r"^channels=2: expected null, 1 \(grey\) or 3 \(colour\)"),
        ({"name": "SVHN", "download": "maybe"}, r"^download='maybe': expected true or false"),
        ({"name": "SVHN", "flip": 2}, r"^flip=2: expected true or false"),
        (
            {"name": "SVHN"},
            r"^dataset.name=SVHN: the folder \S+ lacks train_32x32.mat, test_32x32.mat; put the publish",
        ),
        ({"name": "SVHN", "root": 7}, r"^dataset.root=7: expected a path, as text, such as dataset.root=./7"),
    ],
)
def test_wrong_arguments(tmp_path, arguments, words):
    with pytest.raises((ConfigError, ValueError), match=words):
        torchvision_set(**{"root": str(tmp_path)} | arguments)
    assert not any(tmp_path.iterdir())


def test_files_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "usps.bz2").symlink_to(tmp_path / "usps.bz2")
    with pytest.raises(ConfigError, match=r"^dataset.root: \S+usps.bz2 cannot be read: Too many levels"):
        torchvision_set("USPS", str(tmp_path))
    write("USPS", tmp_path / "other", *[(np.zeros((4, 16, 16, 1), np.uint8), np.zeros(4, int))] * 2)
    with pytest.raises(ConfigError, match=r"^dataset.name=USPS: \S+usps.bz2 is not the published file: it has an MD5 "):
        torchvision_set("USPS", str(tmp_path / "other"))
