"""Files that are either the old version or the new one, never half of either."""

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import yaml

from gan_lab.errors import CannotGoOn

_HALF = ".half"  # ends the names of files that are being written
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}  # no space, quota, too large, locked: of writing alone
_DEEPEST = 50  # levels of a YAML file


class BrokenRecord(CannotGoOn):
    """A file is not what gan-lab writes."""


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Write to a temporary file in the same folder; when the block ends well, flush it to disk and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_HALF, dir=path.parent)
    try:
        with named(path), os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes files that only their owner may read
        os.replace(temporary, path)
        sync(path.parent)  # the new name
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Inside, an error that the system raises of an open file, without its name, gets the name."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def remove_half_written(folder: Path) -> None:
    """Remove, at any depth, what killed processes left of files that they were `replacing`."""
    for file in folder.rglob(f".*{_HALF}"):
        file.unlink()


def sync(path: Path) -> None:
    """Have what was written to a file, or the names in a folder, on the disk, should the power fail."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def concerns(error: OSError, folder: Path) -> bool:
    """Whether an error is about writing into a folder: a disk is full or locked, or the file is in there."""
    if error.errno in _FULL:
        return True
    named = isinstance(error.filename, str | bytes)
    return named and Path(os.fsdecode(error.filename)).resolve().is_relative_to(folder.resolve())


def foreign_in(folder: Path) -> str:
    """What is in a folder and no part of it, in words: a link that leads out, or what is neither file nor folder."""
    home = folder.resolve()
    for path in folder.rglob("*"):
        if path.is_symlink() and not path.resolve().is_relative_to(home):
            return f"{path}: a link out of the folder of the run"
        if path.exists() and not (path.is_file() or path.is_dir()):  # whoever reads a pipe may wait for ever
            return f"{path}: neither a file nor a folder"
    return ""


def check_inside(folder: Path) -> None:
    """Raise CannotGoOn for a link out of a folder, which may be anybody's: nothing outside is read or written."""
    if foreign := foreign_in(folder):
        raise CannotGoOn(f"{foreign}; expected everything to be in there")


def read_json(path: Path) -> dict[str, Any]:
    """A file's JSON object.

    Raises:
        BrokenRecord: if it holds anything else.
    """
    if not path.is_file():
        raise BrokenRecord(f"{path}: there is no such file")
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BrokenRecord(f"{path}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BrokenRecord(f"{path}: it is a {type(value).__name__}: expected an object, as gan-lab writes it")
    return value


def read_yaml(path: Path) -> Any:
    """What a YAML file holds: plain values in lists and mappings.

    What is nested without end, or holds itself by an alias, would end the process inside libyaml, or never.

    Raises:
        BrokenRecord: if it holds anything else.
    """
    try:
        text = path.read_text(encoding="utf-8")
        depth = 0
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST or isinstance(event, yaml.AliasEvent):
                raise BrokenRecord(f"{path}: not the YAML of a run: it is nested without end")
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise BrokenRecord(f"{path}: not the YAML of a run: {' '.join(str(error).split())}") from error


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, atomically.

    Raises:
        ValueError: if it holds a number that is not finite, which JSON has no word for.
    """
    with replacing(path) as file:
        file.write(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False).encode() + b"\n")
