"""The folder that a report is written to: nothing outside it is touched, nothing in it that is not the report's."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gan_lab.errors import ConfigError, shown
from gan_lab.report.reading import foreign_to
from gan_lab.storage.files import BrokenRecord, read_json, write_json

MARK = '<meta name="generator" content="gan-lab-report">'
"""What a page of a report has in its head."""

_LIST = "files.json"
_FIGURE = re.compile(r"\w[\w-]*\.(svg|png)")


def target_of(folders: list[Path], out: str | Path | None) -> Path:
    """The folder to write to, once it is known to be one that may be written to.

    Raises:
        ConfigError: if it is missing, holds something other than a report, or leads elsewhere.
    """
    if out is None and len(folders) != 1:
        raise ConfigError(f"out=...: missing; it says where the report on {len(folders)} folders goes")
    home = folders[0].parent if folders[0].is_file() else folders[0]
    target = Path(out) if out is not None else home / "report"
    named = f"out={shown(target)}"
    if out is None and target.is_symlink():
        raise ConfigError(f"{named}: it is a link: expected a folder; name where it leads to with out=...")
    if target.exists() and not target.is_dir():
        raise ConfigError(f"{named}: it is a file; name a folder")
    if not target.is_dir() or not any(target.iterdir()):
        return target
    if foreign := foreign_to(target):
        raise ConfigError(f"{named}: {foreign}: expected a report's own files alone; name another folder")
    if (target / "figures").is_symlink():
        raise ConfigError(f"{named}: figures: a link: expected a report's own folder; name another one")
    page = target / "index.html"
    begun = not page.exists() and _listed(target) is not None  # a report that was killed before its page
    if not begun and (not page.is_file() or MARK not in page.read_text(errors="replace")):
        raise ConfigError(f"{named}: the folder holds something else than a report; name another folder")
    return target


def begin(target: Path) -> None:
    """Make a new report's folder one that a later report may write to, even if this one does not get to its page."""
    target.mkdir(parents=True, exist_ok=True)
    if not (target / _LIST).exists():
        write_json(target / _LIST, {"figures": []})


def remove_old_figures(target: Path, kept: Iterable[str]) -> None:
    """Remove the figures of the report before that are not among those kept, and list these in their place.

    Only files that its own list names are removed: others in the folder are somebody's.
    """
    names = sorted(kept)
    for name in _listed(target) or []:
        if isinstance(name, str) and _FIGURE.fullmatch(name) and name not in names:
            file = target / "figures" / name
            if file.is_file() and not file.is_symlink():
                file.unlink()
    write_json(target / _LIST, {"figures": names})


def _listed(target: Path) -> list[Any] | None:
    """The figures that a report says are its own; None for the first one, and for that of a version without a list."""
    try:
        listed = read_json(target / _LIST).get("figures")
    except BrokenRecord:
        return None
    return listed if isinstance(listed, list) else None
