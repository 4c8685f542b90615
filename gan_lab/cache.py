"""What is expensive and always the same, kept on disk: a file per key, made once, whoever needs it first."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from filelock import FileLock

from gan_lab.errors import ConfigError
from gan_lab.files import replacing


def cache_folder() -> Path:
    """The folder named by ``GAN_LAB_CACHE``, else ``gan_lab`` in the user's cache folder."""
    if folder := os.environ.get("GAN_LAB_CACHE"):
        return Path(folder).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gan_lab"


def cached(kind: str, key: dict[str, Any], make: Callable[[], Any]) -> Any:
    """What ``make`` returns, tensors and plain containers, from disk if it was made for this key before.

    A lock lets one process make it while others wait.

    Args:
        kind: a subfolder, for people who look.
        key: everything the value depends on, as JSON.

    Raises:
        ConfigError: if the folder cannot be written, or the file is broken.
    """
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    file = cache_folder() / kind / f"{name}.pt"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_suffix(".lock")):
            if not file.exists():
                value = make()
                with replacing(file) as stream:
                    torch.save(value, stream)
                return value
    except OSError as error:
        raise ConfigError(
            f"GAN_LAB_CACHE={cache_folder()}: the cache cannot be written: {error.strerror}; name another folder"
        ) from error
    try:
        return torch.load(file, weights_only=True)
    except (RuntimeError, EOFError, UnpicklingError) as error:
        raise ConfigError(f"{file}: this file of the cache is broken; delete it, it will be made again") from error


def code_hash(*files: Path) -> str:
    """A hash of source files."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files))).hexdigest()[:16]
