"""Writes the report: page, Markdown, CSV, LaTeX and figures. Each file is replaced whole."""

import base64
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure

from gan_lab.errors import ConfigError, shown
from gan_lab.report.canvas import FAINT, GRID, INK, PAPER, colour, encode
from gan_lab.report.collect import Sweep, read
from gan_lab.report.figures import caption, figures
from gan_lab.report.figures_across import CAPTIONS as OF_DATASETS
from gan_lab.report.figures_across import figures_across
from gan_lab.report.formatting import estimate, number, percent, plain
from gan_lab.report.leaderboard import BUDGET
from gan_lab.report.results_file import RESULTS
from gan_lab.report.sample_pictures import best_to_worst, embedded
from gan_lab.report.sections import Content, content, with_direction
from gan_lab.report.tables import table_csv, table_tex
from gan_lab.report.target import MARK, begin, remove_old_figures, target_of
from gan_lab.report.usefulness import TITLES
from gan_lab.storage.files import replacing
from gan_lab.validation import is_number

_NUMBERED = re.compile(r"\d+(?=[.)](\s|$))")  # what Markdown takes for an item of a list

ACROSS = "across"
"""The place of figures over several datasets."""

Drawn = tuple[str, str, str, Figure]
"""A figure's file name without its ending, its place on the page (a section's slug or `ACROSS`), caption and itself."""


def drawings(said: Content) -> list[Drawn]:
    """All figures of a report."""
    made = [
        (f"{section.slug}{name}", section.slug, caption(name, section.board), figure)
        for section in said.sections
        for name, figure in figures(section.board).items()
    ]
    if said.across:
        of_datasets = figures_across(said.across)
        made += [(name, ACROSS, OF_DATASETS[name], figure) for name, figure in of_datasets.items()]
    return made


def write_report(
    folders: Sequence[str | Path],
    *,
    out: str | Path | None = None,
    metric: str | None = None,
    quality: float | None = None,
) -> Path:
    """Report on every run at or below the folders.

    Args:
        folders: run folders, sweep folders, folders that hold them, or the results.csv of a published study.
        out: the folder to write to; default: ``report`` in the folder, if only one is given.
        metric: what to rank by; default: see `gan_lab.report.leaderboard.primary_metric`.
        quality: the value of that metric that the time to is told of; default: the final mean of the second group.

    Returns:
        The page, ``index.html``.

    Raises:
        ConfigError: if a folder is missing, there are no runs, several folders come without ``out``, the folder to
            write to holds something other than a report or leads elsewhere, no run has the metric, or a quality is
            given and no run has curves.
    """
    paths = readable(folders)
    target = target_of(paths, out)
    sweep = read(paths)
    if not sweep.runs:
        study = next((f"; name its {RESULTS}" for path in paths if (path / RESULTS).is_file()), "")
        raise ConfigError(f"{', '.join(map(shown, paths))}: no run in it (a run folder has a status.json){study}")
    if quality is not None and not is_number(quality):
        raise ConfigError(f"quality={quality}: expected a finite number")
    said = content(sweep, metric, quality)
    if quality is not None and not said.curves:
        raise ConfigError(f"quality={quality}: no run has curves, which a results.csv does not hold; drop the key")
    drawn = drawings(said)
    try:
        return _write(target, said, drawn, sweep)
    except OSError as error:
        raise ConfigError(f"out={shown(target)}: the report cannot be written: {error.strerror or error}") from error


def readable(folders: Sequence[str | Path]) -> list[Path]:
    """The paths, if each is a folder or a results.csv; a ConfigError names the first that is neither."""
    paths = [Path(folder) for folder in folders]
    for path in paths:
        if not path.is_dir() and not (path.is_file() and path.suffix == ".csv"):
            told = "not a folder, nor a results.csv" if path.exists() else "there is no such folder"
            raise ConfigError(f"{shown(path)}: {told}")
    return paths


def _write(target: Path, said: Content, drawn: list[Drawn], sweep: Sweep) -> Path:
    begin(target)
    images = _save_figures(target / "figures", said, drawn)
    names = [image["file"] for of_section in images.values() for image in of_section]
    remove_old_figures(target, [f"{name}.{kind}" for name in names for kind in ("svg", "png")])
    values: dict[str, Any] = {
        "report": said,
        "sweep": sweep,
        "without_result": [run for run in sweep.runs if not run.done],
        "budget_titles": list(BUDGET.values()),
        "useful_titles": TITLES,
        "images": images,
        "pictures": {
            section.slug: {name: embedded(runs, name) for name, runs in section.pictures.items()}
            for section in said.sections
        },
        "extremes": {section.slug: embedded(best_to_worst(section.board), "final.png") for section in said.sections},
        "mark": MARK,
    }
    put(target / "report.md", template("report.md", escape=False).render(values).encode())
    put(target / "table.csv", table_csv(said).encode())
    put(target / "table.tex", table_tex(said).encode())
    page = target / "index.html"
    put(page, template("index.html", escape=True).render(values).encode())
    return page


def _save_figures(folder: Path, said: Content, drawn: list[Drawn]) -> dict[str, list[dict[str, str]]]:
    """Write the figures; returns what the templates need of each place's: caption, data and name of the file."""
    images: dict[str, list[dict[str, str]]] = {ACROSS: [], **{section.slug: [] for section in said.sections}}
    for file, place, text, figure in drawn:
        svg = encode(figure, "svg")
        put(folder / f"{file}.svg", svg)
        put(folder / f"{file}.png", encode(figure, "png"))
        images[place].append({"caption": text, "uri": _uri(_adaptive(svg), "svg+xml"), "file": file})
    return images


@cache
def template(name: str, escape: bool) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("gan_lab.report"),
        autoescape=escape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=None if escape else markdown,
    )
    for function in (colour, estimate, number, percent, plain, with_direction):
        environment.filters[function.__name__] = function
    return environment.get_template(name)


def markdown(text: object) -> str:
    """Text on one line, with the characters escaped that Markdown, its tables and its HTML would take for markup."""
    if isinstance(text, Markup):
        return text
    plain = re.sub(r"[^\S ]", " ", str(text)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for character in "\\`*_[]|~$":
        plain = plain.replace(character, f"\\{character}")
    if plain.startswith(("#", "+", "-", "=")):
        return f"\\{plain}"
    return _NUMBERED.sub(lambda found: f"{found[0]}\\", plain, count=1) if _NUMBERED.match(plain) else plain


def put(file: Path, data: bytes) -> None:
    with replacing(file) as handle:
        handle.write(data)


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _adaptive(svg: bytes) -> bytes:
    """The SVG with its four neutral colours as variables, so that it follows the page into dark mode."""
    day = {"ink": INK, "faint": FAINT, "grid": GRID, "paper": PAPER}
    night = {"ink": "#e6e9ed", "faint": "#9aa3ad", "grid": "#30363d", "paper": "#171b21"}
    text = svg.decode()
    for role, value in day.items():
        text = text.replace(value, f"var(--{role})")
    rules = ["".join(f"--{role}:{value};" for role, value in colours.items()) for colours in (day, night)]
    style = f"<style>:root{{{rules[0]}}}@media (prefers-color-scheme: dark){{:root{{{rules[1]}}}}}</style>"
    start = text.index(">", text.index("<svg")) + 1
    return (text[:start] + style + text[start:]).encode()
