"""The items of any `torch.utils.data.Dataset`, read once into a file of the cache (`gan_lab.datasets.pixel_file`)."""

import hashlib
import inspect
import os
import random
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import PIL
import torch
from torch import Tensor
from torch.utils import data
from tqdm import tqdm

from gan_lab.datasets.dataset import Dataset, all_the_same, checksum, first, hold_out
from gan_lab.datasets.drawing import Drawing
from gan_lab.datasets.image_files import described
from gan_lab.datasets.pixel_file import PixelWriter, mapped
from gan_lab.datasets.torch_items import Item, UnfitItem, item_of
from gan_lab.errors import ConfigError, shown
from gan_lab.storage.cache import cache_file, cached, code_hash, naming_the_cache
from gan_lab.storage.files import replacing

READING = ("held_out", "max_samples", "subset", "flip", "dequantise")
"""The arguments of `of_torch` that stand among those of the user's class under ``dataset``."""

_CODE = [
    Path(__file__).with_name(f"{module}.py")
    for module in ("of_torch", "torch_items", "image_files", "dataset", "pixel_file")
]
_FEWEST = 4  # items: a covariance needs two in each half
_PROBED = 16  # items read at the start of every run, twice each, to notice other data

_Read = Callable[[int], Item]


def of_torch(
    source: data.Dataset[Any],
    name: str,
    arguments: Mapping[str, Any],
    held_out: float = 0.2,
    max_samples: int | None = None,
    subset: float | None = None,
    flip: bool = False,
    dequantise: bool = False,
) -> Dataset:
    """The items of a map-style dataset, uint8 images ``[N, C, H, W]`` or float32 points ``[N, D]``, and their classes.

    `gan_lab.datasets.torch_items.item_of` says what an item may be. Items are read again if the class's code, its
    arguments, the files that these name, the number of items, or one of 16 items that are tried has changed.

    Args:
        source: the dataset.
        name: of its class or of the function that made it, for errors and the cache.
        arguments: those that it was made with, plain values.
        held_out: share of the items to hold out for evaluation, see `hold_out`.
        max_samples: number of items to train on, the first ones; None for all.
        subset, flip, dequantise: see `Drawing`.

    Raises:
        ConfigError: for an item that cannot be used; its number is told.
        ValueError: for an argument out of range.
    """
    drawing = Drawing(subset, flip, dequantise)
    what = f"dataset._target_={name}"
    count = _length(what, source)
    hold_out(held_out, count, None)  # a wrong share is told before anything is read
    read = _reader(what, source, count)
    key = {
        "class": [name, _code_of(type(source))],
        "arguments": [arguments, _files_named(arguments)],
        "items": [count, _probe(what, read, count)],
        "held_out": held_out,
        "code": [code_hash(*_CODE), PIL.__version__],
    }
    pixels = cache_file("images", key).with_suffix(".pixels")
    made: dict[str, Any] = cached("images", key, lambda: _read_all(what, read, count, held_out, pixels))
    if made["points"]:
        train, test = made["points"]
    else:
        train, test = mapped(pixels, made["shape"], made["sizes"], made["checksum"])
    labels: list[Tensor] = made["labels"]  # of both parts, or none
    train_labels, test_labels = labels or (None, None)
    raw = hashlib.sha256(f"{made['checksum']} {len(train)} {checksum(*labels)}".encode()).hexdigest()
    origin = {"class": name, "items": count}
    return Dataset(*first(max_samples, train, train_labels), test, test_labels, raw, origin=origin, drawing=drawing)


@contextmanager
def repeatable() -> Iterator[None]:
    """Inside, the global random numbers of PyTorch, NumPy and Python are always the same; afterwards, what they were.

    A class that makes up its data without a seed then makes the same in every run, and shifts nothing of training.
    """
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        np.random.seed(0)
        random.seed(0)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


def _length(what: str, source: data.Dataset[Any]) -> int:
    if isinstance(source, data.IterableDataset):
        raise ConfigError(f"{what}: it is an IterableDataset, expected one with __getitem__ and __len__")
    try:
        count = len(source)  # type: ignore[arg-type]
    except Exception as error:  # the code is the user's
        raise ConfigError(f"{what}: it has no length ({_told(error)}), expected a method __len__") from error
    if count < _FEWEST:
        raise ConfigError(f"{what}: it has {count} items, expected at least {_FEWEST}")
    return count


def _reader(what: str, source: data.Dataset[Any], count: int) -> _Read:
    """Reads the item of a number; a ConfigError tells the number."""

    def read(index: int) -> Item:
        try:
            value = source[index]
        except Exception as error:  # the code is the user's
            raise ConfigError(f"{what}: item {index} cannot be read: {_told(error)}") from error
        try:
            return item_of(value, count)
        except UnfitItem as error:
            raise ConfigError(f"{what}: item {index} {error}") from error

    return read


def _told(error: Exception) -> str:
    """An error of the user's code in one line, with the line of the code."""
    text = shown(" ".join(str(error).split()))
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = "" if frame.filename == __file__ else f" ({Path(frame.filename).name}, line {frame.lineno})"
    return f"{type(error).__name__}{': ' * bool(text)}{text}{where}"


def _probe(what: str, read: _Read, count: int) -> str:
    """A hash of some items, which are the same when they are read again."""
    digest = hashlib.sha256()
    for index in sorted({round(place) for place in np.linspace(0, count - 1, _PROBED)}):
        told = [f"{one.label} {one.sample.shape}".encode() + one.sample.tobytes() for one in (read(index), read(index))]
        if told[0] != told[1]:
            raise ConfigError(
                f"{what}: item {index} is another one each time it is read, expected the same, as items are read once; "
                "dataset.flip=true mirrors images at random"
            )
        digest.update(told[0])
    return digest.hexdigest()


def _files_named(arguments: Any) -> list[list[Any]]:
    """Names, sizes and times of change of all files that the arguments name, or that lie in folders they name.

    A folder around the working directory is left out: runs write into it.
    """
    if isinstance(arguments, Mapping):
        return [row for one in arguments.values() for row in _files_named(one)]
    if isinstance(arguments, list):
        return [row for one in arguments for row in _files_named(one)]
    if not isinstance(arguments, str) or not arguments or "\0" in arguments:
        return []
    place = Path(arguments).expanduser()
    files = [place] if os.path.isfile(place) else []
    if not files and os.path.isdir(place) and not Path.cwd().is_relative_to(place.resolve()):
        files = [Path(parent, name) for parent, _, names in os.walk(place) for name in names]
    rows = []
    for file in sorted(files):
        with suppress(OSError):  # gone, or a link to nothing: the class says whether it matters
            status = file.stat()
            rows.append([os.fsencode(file).hex(), status.st_size, status.st_mtime_ns, status.st_ctime_ns])
    return rows


def _code_of(made: type) -> str:
    """A hash of the files in which a class and those above it are written, PyTorch's and Python's aside."""
    files = set()
    for one in made.__mro__:
        if one.__module__.partition(".")[0] not in ("torch", "typing", "builtins"):
            with suppress(TypeError, OSError):  # it is written in no file
                files.add(Path(inspect.getsourcefile(one) or ""))
    return code_hash(*(file for file in files if file.is_file()))


def _read_all(what: str, read: _Read, count: int, held_out: float, pixels: Path) -> dict[str, Any]:
    """Read all items in their order, then write those to train on before those held out.

    Returns:
        ``labels``: classes of both parts, or nothing; ``points``: points of both parts, or nothing for images;
        ``shape``, ``[C, H, W]``, and ``sizes``, numbers of images of both parts; ``checksum``: SHA-256 of the samples.
    """
    with naming_the_cache(), TemporaryFile(dir=pixels.parent) as unsorted:
        example, labels = _in_order(what, read, count, unsorted)
        rows = np.memmap(unsorted, dtype=example.dtype, mode="r", shape=(count, *example.shape))
        parts = hold_out(held_out, count, labels)
        made: dict[str, Any] = {
            "labels": [] if labels is None else [labels[part] for part in parts],
            "points": [torch.from_numpy(rows[part.numpy()]) for part in parts] if example.ndim == 1 else [],
            "sizes": [len(part) for part in parts],
        }
        if made["points"]:
            return made | {"shape": list(example.shape), "checksum": checksum(*made["points"])}
        with replacing(pixels) as stream:
            writer = PixelWriter(stream)
            for index in torch.cat(parts).tolist():
                writer.write(rows[index])
    return made | {"shape": writer.shape, "checksum": writer.checksum}


def _in_order(what: str, read: _Read, count: int, stream: Any) -> tuple[np.ndarray, Tensor | None]:
    """Write the samples of all items, and return the first sample and all classes, or None without classes."""
    beginning, labels, varied = read(0), [], False
    for index in tqdm(range(count), desc="reading items, once", delay=2, disable=None, leave=False):
        sample, label = read(index)
        if (sample.shape, sample.dtype) != (beginning.sample.shape, beginning.sample.dtype):
            raise ConfigError(
                f"{what}: item {index} is {_form(sample)}, and item 0 is {_form(beginning.sample)}, expected all alike"
            )
        if (label is None) != (beginning.label is None):
            some = "no class, and item 0 has one" if label is None else "a class, and item 0 has none"
            raise ConfigError(f"{what}: item {index} has {some}, expected all alike")
        varied = varied or not np.array_equal(sample, beginning.sample)
        stream.write(sample.tobytes())
        labels.append(label)
    if not varied:
        raise all_the_same(what, count)
    stream.flush()
    return beginning.sample, None if beginning.label is None else torch.tensor(labels)


def _form(sample: np.ndarray) -> str:
    """The form of a sample in words."""
    return f"a point of {len(sample)} numbers" if sample.ndim == 1 else described(sample.shape)
