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
from gan_lab.files import replacing

_DIGEST = hashlib.sha256().digest_size  # each file begins with the SHA-256 of the rest


def cache_folder() -> Path:
    """The folder named by ``GAN_LAB_CACHE``, else ``gan_lab`` in the user's cache folder."""
    if folder := os.environ.get("GAN_LAB_CACHE"):
        return Path(folder).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gan_lab"


def cached(kind: str, key: dict[str, Any], make: Callable[[], Any]) -> Any:
    """What ``make`` returns, tensors and plain containers, from disk if it was made for this key before.

    A lock lets one process make it while others wait; what is there is read without one.

    Args:
        kind: a subfolder, for people who look.
        key: everything the value depends on, as JSON.

    Raises:
        ConfigError: if the folder cannot be written, or the file is broken.
    """
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    file = cache_folder() / kind / f"{name}.pt"
    if not file.is_file():
        with _locked(file):
            if not file.is_file():
                value = make()
                _write(file, value)
                return value
    content = file.read_bytes()
    digest, payload = content[:_DIGEST], content[_DIGEST:]
    if hashlib.sha256(payload).digest() != digest:
        raise ConfigError(f"{file}: this file of the cache is broken; delete it, it will be made again")
    return torch.load(io.BytesIO(payload), weights_only=True)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    lock = FileLock(file.with_suffix(".lock"))
    with _blaming_the_folder():
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _write(file: Path, value: Any) -> None:
    payload = io.BytesIO()
    torch.save(value, payload)
    with _blaming_the_folder(), replacing(file) as stream:
        stream.write(hashlib.sha256(payload.getvalue()).digest())
        stream.write(payload.getvalue())


@contextmanager
def _blaming_the_folder() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"GAN_LAB_CACHE={cache_folder()}: the cache cannot be written: {error.strerror}; name another folder"
        ) from error


def code_hash(*files: Path) -> str:
    """A hash of source files."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files))).hexdigest()[:16]
