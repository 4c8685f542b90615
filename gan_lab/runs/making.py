"""Making the folders of runs and sweeps, and taking back those that were made for nothing."""

import os
from contextlib import suppress
from itertools import count
from pathlib import Path

from gan_lab.errors import ConfigError


def make_new_folder(path: Path, key: str) -> tuple[Path, list[Path]]:
    """Make a folder that no other process has made: of that name, or else the first free one of NAME_2, NAME_3 ….

    For names that the program chooses. A name that the user chose is taken as it is, or refused.

    Args:
        path: the folder.
        key: the key that holds its name.

    Returns:
        The folder, and all that were not there before, innermost first.

    Raises:
        ConfigError: if it cannot be made.
    """
    above, _ = make_folder(path.parent, key)
    for number in count(1):
        free = path if number == 1 else path.with_name(f"{path.name}_{number}")
        try:
            free.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise _not_made(path, key, error) from error
        return free, [free, *above]
    raise AssertionError  # numbers do not end


def _not_made(path: Path, key: str, error: OSError) -> ConfigError:
    return ConfigError(f"{key}={path}: the folder cannot be made: {error.strerror}")


def remove_made(folders: list[Path]) -> None:
    """Remove folders that were made for nothing, innermost first, up to one that something else lies in."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def make_folder(path: Path, key: str) -> tuple[list[Path], list[str]]:
    """Make a folder and its parents.

    Args:
        path: the folder; it may exist.
        key: the key in which the user named it.

    Returns:
        The folders that were not there before, innermost first, and the names of what is in the folder.

    Raises:
        ConfigError: if it cannot be made or listed.
    """
    try:
        made = [folder for folder in (path, *path.parents) if not folder.exists()]
        path.mkdir(parents=True, exist_ok=True)
        return made, os.listdir(path)
    except OSError as error:
        raise _not_made(path, key, error) from error


def refuse_full(path: Path, key: str, names: list[str]) -> None:
    """Raise ConfigError if there are any names in the folder that was named in ``key``."""
    if names:
        raise ConfigError(f"{key}={path}: the folder is not empty ({names[0]}); name another folder")
