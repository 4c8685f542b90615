"""Published data sets: their files are compared with the published checksums, and downloaded only if asked for."""

import hashlib
import http.client
import logging
import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from gan_lab.datasets.readers import user_path
from gan_lab.errors import ConfigError, shown
from gan_lab.storage.cache import locked

log = logging.getLogger(__name__)


class Published(NamedTuple):
    """What is published about a file: its checksum, the checksum's name in `hashlib`, and perhaps its size in bytes."""

    checksum: str
    algorithm: str = "md5"
    size: int | None = None


@dataclass(frozen=True)
class PublishedSet:
    """A data set in torchvision's folder layout.

    Args:
        name: of torchvision's class, which downloads it.
        folder: where the files lie below the root; empty for the root itself.
        files: each file that is read, by name.
        downloads: arguments of torchvision's class, by what they fetch; all of them fetch ``files``.
    """

    name: str
    folder: str
    files: Mapping[str, Published]
    downloads: Sequence[Mapping[str, Any]]

    def place(self, root: str) -> Path:
        """The folder of the files.

        Raises:
            ConfigError: if the root is not text.
        """
        return user_path("dataset.root", root) / self.folder

    def verify(self, option: str, place: Path, download: bool, needed: Collection[str] | None = None) -> None:
        """Compare the files with the published ones.

        Args:
            option: what the user asked for, for errors, such as ``dataset=mnist``.
            place: the folder of the files.
            download: download what is missing or different.
            needed: names of the files; None for all.

        Raises:
            ConfigError: if a file is missing or differs, or cannot be downloaded.
        """
        needed = self.files if needed is None else needed
        if download and self._faults(place, needed):
            self._download(place, needed)
        faults = self._faults(place, needed)
        if missing := [file for file, fault in faults.items() if fault == "missing"]:
            raise ConfigError(
                f"{option}: the folder {place} lacks {', '.join(missing)}; put the published files there "
                "(dataset.root=FOLDER names another place), or fetch them with dataset.download=true"
            )
        for file, fault in faults.items():
            raise ConfigError(
                f"{option}: {place / file} is not the published file: it has {fault}; replace it, or fetch it again "
                "with dataset.download=true"
            )

    def torchvision_class(self) -> Any:
        """torchvision's class, imported late: it takes seconds."""
        import torchvision.datasets

        return getattr(torchvision.datasets, self.name)

    def _faults(self, place: Path, needed: Collection[str]) -> dict[str, str]:
        """What is wrong with the files that differ from the published ones, by file name."""
        faults = {}
        for name in needed:
            file, published = place / name, self.files[name]
            try:
                actual = file.stat().st_size
                if published.size is not None and actual != published.size:
                    faults[name] = f"{actual} bytes, expected {published.size}"
                    continue
                with file.open("rb") as stream:
                    digest = hashlib.file_digest(stream, published.algorithm).hexdigest()
            except (FileNotFoundError, NotADirectoryError):
                faults[name] = "missing"
                continue
            except OSError as error:
                raise ConfigError(f"dataset.root: {file} cannot be read: {error.strerror}") from error
            if digest != published.checksum:
                kind = {"md5": "an MD5", "sha256": "a SHA-256"}[published.algorithm]
                faults[name] = f"{kind} that starts {digest[:12]}, expected {published.checksum[:12]}"
        return faults

    def _download(self, place: Path, needed: Collection[str]) -> None:
        """Download into a temporary folder on the same file system, then rename, so that no process sees half a file.

        A lock keeps parallel runs from downloading the same files twice. It lies in the cache folder, as lock files are
        left behind.
        """
        with locked("downloads", {"folder": str(place.resolve())}):
            if not self._faults(place, needed):
                return
            there = next(folder for folder in (place, *place.parents) if folder.is_dir())  # failing makes no folders
            try:
                with tempfile.TemporaryDirectory(prefix=".download-", dir=there) as scratch:
                    self._fetch(Path(scratch), needed)
                    place.mkdir(parents=True, exist_ok=True)
                    for file in self.files:
                        if (fetched := Path(scratch) / self.folder / file).is_file():
                            os.replace(fetched, place / file)
            except OSError as error:
                reason = error.strerror or type(error).__name__
                raise ConfigError(
                    f"dataset.download=true: {self.name} could not be put into {place}: {reason}"
                ) from error

    def _fetch(self, scratch: Path, needed: Collection[str]) -> None:
        """Download with torchvision's class, and compare what has come with what is published."""
        reason = "their servers sent something else"
        try:
            for arguments in self.downloads:
                self.torchvision_class()(scratch, **arguments, download=True)
        except (OSError, RuntimeError, http.client.HTTPException) as error:
            log.info("torchvision says: %s", shown(" ".join(str(error).split())))
            reason = _reason(error)
        if wrong := [file for file in needed if file in self._faults(scratch / self.folder, needed)]:
            raise ConfigError(f"dataset.download=true: {self.name} could not be fetched: {', '.join(wrong)}: {reason}")


def _reason(error: Exception) -> str:
    """Why a download failed, in the system's words; torchvision's own are of several lines, or about its arguments."""
    if (status := getattr(error, "code", None)) is not None:  # of an HTTPError
        return f"the server's answer was {status}"
    if isinstance(cause := getattr(error, "reason", None), OSError):  # of a URLError
        error = cause
    return getattr(error, "strerror", None) or "their servers cannot be reached or sent something else"
