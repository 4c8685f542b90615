"""Files that hold the old version or the new one, never half of either; and files read without trust."""

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

_HALF = ".half"  # the suffix of a file that is being written
# errors that only writing can raise: no space, quota exceeded, file too large, read-only file system
_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
_DEEPEST = 50  # levels of nesting in a YAML file


class BrokenRecord(CannotGoOn):
    """A file of a run is missing or holds something that gan-lab does not write."""


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Write a file atomically.

    Yields a temporary file in the same folder. If the block ends without an error, the file is flushed to disk and
    renamed to ``path``; otherwise it is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_HALF, dir=path.parent)
    try:
        with named(path), os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp lets the owner alone read the file
        os.replace(temporary, path)
        sync(path.parent)  # the new name
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Add a file's name to an OSError raised inside: writing to an open file raises errors without one."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def remove_half_written(folder: Path) -> None:
    """Remove the temporary files of `replacing` that killed processes left in a folder, at any depth."""
    for file in folder.rglob(f".*{_HALF}"):
        file.unlink()


def sync(path: Path) -> None:
    """Flush a file's content, or the names in a folder, to disk, so that a power failure does not lose them."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def concerns(error: OSError, folder: Path) -> bool:
    """Whether an error comes from writing into a folder: only writing raises it, or it names a file in the folder."""
    if error.errno in _WRITING:
        return True
    named = isinstance(error.filename, str | bytes)
    return named and Path(os.fsdecode(error.filename)).resolve().is_relative_to(folder.resolve())


def foreign_in(folder: Path) -> str:
    """The first thing in a folder that no run puts there, in words, or an empty string.

    That is a link that leads out of the folder or to itself, or something that is neither a file nor a folder, such as
    a pipe, which a reader might wait for without end.
    """
    home = os.path.realpath(folder)
    for parent, folders, names in os.walk(folder):
        for name in sorted((*folders, *names)):
            path = os.path.join(parent, name)
            if os.path.islink(path) and (told := leads_out(path, home)):
                return f"{path}: {told}"
            if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
                return f"{path}: neither a file nor a folder"
    return ""


def leads_out(link: str, home: str, of: str = "run") -> str:
    """Why a link is foreign in a folder, ``home``, of a run or a sweep; or an empty string."""
    try:
        os.stat(link)
    except FileNotFoundError:
        pass  # it leads to nothing, such as to a checkpoint that was removed
    except OSError as error:  # to itself, or into what nobody may read
        return f"a link that cannot be followed: {error.strerror}"
    inside = Path(os.path.realpath(link)).is_relative_to(home)
    return "" if inside else f"a link out of the folder of the {of}"


def check_inside(folder: Path) -> None:
    """Raise CannotGoOn if a folder, which may come from a stranger, leads a reader or writer out of it."""
    if foreign := foreign_in(folder):
        raise CannotGoOn(f"{foreign}; expected everything to be in there")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        BrokenRecord: if the file is missing or holds anything else.
    """
    if not path.is_file():
        raise BrokenRecord(f"{path} is missing")
    try:
        text = json.dumps(json.loads(path.read_bytes()), ensure_ascii=False)
        value = json.loads(text.encode(errors="replace"))  # half a surrogate pair, which no file can hold, becomes "?"
    except RecursionError as error:
        raise BrokenRecord(f"{path} cannot be read: it is nested too deeply") from error
    except (OSError, ValueError) as error:
        raise BrokenRecord(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise BrokenRecord(f"{path} holds no mapping")
    return value


def read_yaml(path: Path) -> Any:
    """The value in a YAML file: numbers, strings, lists and mappings.

    Deep nesting and aliases are refused before the value is built: the first can crash libyaml, and with an alias a
    value can contain itself.

    Raises:
        BrokenRecord: if the file cannot be read or holds anything else.
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
        ValueError: if it holds a number that is not finite, which JSON cannot express.
    """
    with replacing(path) as file:
        file.write(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False).encode() + b"\n")
