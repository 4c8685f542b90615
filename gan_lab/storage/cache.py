"""A cache on disk for what is expensive to compute and always the same: a file per key, made by one process."""

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from gan_lab.errors import ConfigError
from gan_lab.storage.files import replacing

_DIGEST = hashlib.sha256().digest_size  # each file begins with the SHA-256 of the rest


def cache_folder() -> Path:
    """The folder that ``GAN_LAB_CACHE`` names, else ``gan_lab`` in the user's cache folder."""
    if folder := os.environ.get("GAN_LAB_CACHE"):
        return Path(folder).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gan_lab"


def cache_file(kind: str, key: dict[str, Any]) -> Path:
    """The file of a key, whether or not it exists.

    Args:
        kind: the subfolder, named after what is kept.
        key: everything that the kept value depends on; it must convert to JSON.
    """
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    return cache_folder() / kind / f"{name}.pt"


def cached(kind: str, key: dict[str, Any], make: Callable[[], Any]) -> Any:
    """The value that ``make`` returns, read from disk if it was made for this key before.

    One process makes the value while others wait. A value that exists is read without a lock.

    Args:
        kind: see `cache_file`.
        key: see `cache_file`.
        make: makes the value: tensors in plain containers.

    Raises:
        ConfigError: if the folder cannot be written, or the file is damaged.
    """
    file = cache_file(kind, key)
    if not file.is_file():
        with locked(kind, key):
            if not file.is_file():
                value = make()
                _write(file, value)
                return value
    content = file.read_bytes()
    digest, payload = content[:_DIGEST], content[_DIGEST:]
    if hashlib.sha256(payload).digest() != digest:
        raise broken(file)
    return torch.load(io.BytesIO(payload), weights_only=True)


def broken(file: Path) -> ConfigError:
    """The error for a file of the cache whose content is not what was written."""
    return ConfigError(f"{file}: this file of the cache is broken; delete it, it will be made again")


@contextmanager
def locked(kind: str, key: dict[str, Any]) -> Iterator[None]:
    """Inside, no other process can lock the same key; the arguments are those of `cache_file`."""
    lock = FileLock(cache_file(kind, key).with_suffix(".lock"))
    with naming_the_cache():
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _write(file: Path, value: Any) -> None:
    payload = io.BytesIO()
    torch.save(value, payload)
    with naming_the_cache(), replacing(file) as stream:
        stream.write(hashlib.sha256(payload.getvalue()).digest())
        stream.write(payload.getvalue())


@contextmanager
def naming_the_cache() -> Iterator[None]:
    """Turn an OSError raised inside into a ConfigError that names the cache folder."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"GAN_LAB_CACHE={cache_folder()}: the cache cannot be written: {error.strerror}; name another folder"
        ) from error


def code_hash(*files: Path) -> str:
    """A hash of the contents of source files, in keys of values that must not outlive a change of the code."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files))).hexdigest()[:16]
