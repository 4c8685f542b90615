"""What is expensive and always the same, kept on disk: a file per key, made once, whoever needs it first."""

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
    """The folder named by ``GAN_LAB_CACHE``, else ``gan_lab`` in the user's cache folder."""
    if folder := os.environ.get("GAN_LAB_CACHE"):
        return Path(folder).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gan_lab"


def place(kind: str, key: dict[str, Any]) -> Path:
    """The file of a key, there or not.

    Args:
        kind: a subfolder, for people who look.
        key: everything that what is kept depends on, as JSON.
    """
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    return cache_folder() / kind / f"{name}.pt"


def cached(kind: str, key: dict[str, Any], make: Callable[[], Any]) -> Any:
    """What ``make`` returns, tensors and plain containers, from disk if it was made for this key before.

    One process makes it while others wait; what is there is read without a lock. The arguments are those of `place`.

    Raises:
        ConfigError: if the folder cannot be written, or the file is broken.
    """
    file = place(kind, key)
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
    """What to say of a file of the cache that is not as it was written."""
    return ConfigError(f"{file}: this file of the cache is broken; delete it, it will be made again")


@contextmanager
def locked(kind: str, key: dict[str, Any]) -> Iterator[None]:
    """Keep other processes off what is made for a key; the arguments are those of `place`."""
    lock = FileLock(place(kind, key).with_suffix(".lock"))
    with blaming_the_folder():
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _write(file: Path, value: Any) -> None:
    payload = io.BytesIO()
    torch.save(value, payload)
    with blaming_the_folder(), replacing(file) as stream:
        stream.write(hashlib.sha256(payload.getvalue()).digest())
        stream.write(payload.getvalue())


@contextmanager
def blaming_the_folder() -> Iterator[None]:
    """Say of an error of the system inside that the cache cannot be written."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"GAN_LAB_CACHE={cache_folder()}: the cache cannot be written: {error.strerror}; name another folder"
        ) from error


def code_hash(*files: Path) -> str:
    """A hash of source files."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files))).hexdigest()[:16]
