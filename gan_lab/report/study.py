"""Publishes a study: its runs in ``results.csv`` and ``common.csv``, and ``README.md``, made of these alone."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_lab.errors import ConfigError, shown
from gan_lab.report import boards as building
from gan_lab.report.canvas import encode
from gan_lab.report.collect import Sweep, read, unlike
from gan_lab.report.columns import MEASURED, PUBLISHED
from gan_lab.report.commands import commands_of
from gan_lab.report.formatting import listed
from gan_lab.report.groups import with_known_choices
from gan_lab.report.leaderboard import BUDGET
from gan_lab.report.render import ACROSS, drawings, put, readable, template
from gan_lab.report.results_file import (
    COMMON,
    RESULTS,
    Line,
    common_of,
    common_text,
    key_of,
    line_of,
    lines_in,
    read_lines,
    runs_of,
    text_of,
)
from gan_lab.report.sections import Content, content
from gan_lab.report.usefulness import TITLES
from gan_lab.report.values import cell, exact, together, value_of
from gan_lab.report.versions import lacking, with_later_keys

PAGE = "README.md"
LARGEST_FIGURE = 300 * 1024
"""Bytes of a figure, which lies in a repository; a larger drawing is written as pixels."""

_MADE = re.compile(r"<!-- made by gan-lab-report with publish=(?: metric=(\S+))? -->\n")
_OWN = {"question": "*Write here what the study asks.*", "limits": "*Write here what the study leaves open.*"}
# curves and pictures lie in run folders, which a study does not hold
_FIGURE = re.compile(r"(?:\d+_)?(?:ranking|axis(?:_\d+)?|ranks|profiles)")
_LINK = re.compile(rf"\]\(({_FIGURE.pattern}\.(?:svg|png))\)")
_CONFIG = "config."
_COMMANDS = 12  # on a page; all are in the file


@dataclass
class Counts:
    """How many runs of a study are new, replace an earlier line, were there already, or are not published."""

    new: int = 0
    replaced: int = 0
    kept: int = 0
    left_out: int = 0
    """Runs that neither finished nor were lost: they may still go on."""


def publish(folders: Sequence[str | Path], target: str | Path, *, metric: str | None = None) -> tuple[Path, Counts]:
    """Write the runs at or below the folders to a study, beside those that its ``results.csv`` has.

    Args:
        folders: run folders, sweep folders, folders that hold them, or the results.csv of another study.
        target: the study's folder.
        metric: what to rank by; default: what the study was ranked by, or what fits its data.

    Returns:
        The page, and what became of the runs.

    Raises:
        ConfigError: if a folder is missing, no run is finished or lost, the target holds something else than a study,
            a run that is there, or in two of the folders, finished with another result, or no run has the metric.
    """
    home, told = Path(target), f"publish={shown(target)}"
    if not str(target):
        raise ConfigError("publish=: expected the folder of a study, such as docs/studies/ring")
    before = _page_before(home, told)
    metric = metric or _metric(before)
    paths = readable(folders)
    sweep = read(paths)
    fresh = [run for run in sweep.runs if run.known and run.state in PUBLISHED]
    if not fresh:
        raise ConfigError(f"{told}: no run in {listed([shown(path) for path in paths])} is finished or lost")
    if odd := next((one for one in sweep.skipped if one.contradicts), None):
        reason = odd.reason.removesuffix("; done")
        raise ConfigError(f"{told}: {odd.path}: {reason}; expected the same result of the same run: leave one out")
    file = home / RESULTS
    lines = {key_of(line): line for line in (read_lines(file) if file.exists() else [])}
    commands = {key_of(line): line.get("command", "") for path in paths if path.is_file() for line in read_lines(path)}
    counts = Counts(left_out=len(sweep.runs) - len(fresh))
    made = commands_of([run.path for run in fresh])
    for run in fresh:
        line = line_of(run)
        if command := commands.get(key_of(line), "") or made[run.path]:
            line["command"] = cell(command)
        lines[key_of(line)] = _chosen(lines.get(key_of(line)), line, counts, told)
    named = _named(_with_later_keys(list(lines.values())), file, metric)
    page, drawn = _made(lines_in(text_of(named), file), file, before, metric)
    try:
        for name, data in drawn.items():
            put(home / name, data)
        _put_runs(home, named)
        put(home / PAGE, page.encode())
        for name in {*_LINK.findall(before)} - {*drawn}:
            (home / name).unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{told}: it cannot be written: {error.strerror or error}") from error
    return home / PAGE, counts


def _put_runs(home: Path, lines: list[Line]) -> None:
    """Write the two files of runs. The first has every column until the second is there, so it is always whole."""
    common = common_of(lines)
    put(home / RESULTS, text_of(lines).encode())
    put(home / COMMON, common_text(common).encode())
    put(home / RESULTS, text_of(lines, common).encode())


def page_of(file: Path) -> str:
    """The page of a study, made anew of its runs; from the page beside it come its owner's words alone."""
    before = _page_before(file.parent, shown(file))
    return _made(read_lines(file), file, before, _metric(before))[0]


def _page_before(home: Path, told: str) -> str:
    """The page that is there, empty for none; what holds something else than a study is refused."""
    if home.exists() and not home.is_dir():
        raise ConfigError(f"{told}: it is a file; name a folder")
    if any((home / name).exists() for name in ("sweep.json", "status.json")):
        raise ConfigError(f"{told}: it is the folder of a sweep or a run; expected one for the study")
    for path in (home, home / PAGE, home / RESULTS, home / COMMON):
        if path.is_symlink():
            raise ConfigError(f"{told}: {shown(path.name)} is a link; expected a study's own folder and files")
    if (home / COMMON).exists() and not (home / RESULTS).exists():
        raise ConfigError(f"{told}: {COMMON} is there without {RESULTS}; name another folder")
    page = home / PAGE
    if not page.exists():
        return ""
    try:
        text = page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{told}: {PAGE} cannot be read; name another folder") from error
    if not _MADE.match(text):
        raise ConfigError(f"{told}: {PAGE} was not made by publish=; move it, or name another folder")
    return text


def _metric(page: str) -> str | None:
    """What the study was ranked by, if that was asked for."""
    return made[1] if (made := _MADE.match(page)) else None


def _chosen(there: Line | None, line: Line, counts: Counts, told: str) -> Line:
    """The line of a run that counts: the newer one, but a run that finished is not lost again."""
    if there is None:
        counts.new += 1
        return line
    finished = there["state"] == "done"
    if finished and line["state"] == "done":
        line = line | _measured_before(there, line)
    # one run has the same settings, whatever keys a version writes
    compared = [key for key in {*there, *line} - {"group", "command", "run"} if not key.startswith(_CONFIG)]
    differ = sorted(key for key in compared if there.get(key) != line.get(key))
    if not differ or (finished and line["state"] in ("failed", "killed")):
        counts.kept += 1
        if _covers(line.get("command", ""), there.get("command", "")):  # its sweep has grown
            there = there | {"command": line["command"]}
        return there
    results = [key for key in differ if key.startswith(("state", "metric.", "fingerprint."))]
    if finished and results:
        values = " and ".join(
            f"{when} {line.get(results[0], 'absent')}" for when, line in (("had", there), ("has", line))
        )
        raise ConfigError(
            f"{told}: the run of settings {line['settings_hash']} and seed {line['seed']} {values} as {results[0]}; "
            f"expected the same result of the same run: remove its line from {RESULTS}, or publish elsewhere"
        )
    counts.replaced += 1
    return {"command": there["command"], **line} if "command" in there else line


def _measured_before(there: Line, line: Line) -> Line:
    """What was measured of a finished run besides its own metrics, before and now; of the same the newer values."""
    kept = {column: text for column, text in there.items() if column.startswith("sampling.") and column not in line}
    for column, values in (("evaluations", MEASURED), ("usefulness", ("cas",))):
        found: dict[str, dict[str, Any]] = {}
        for entry in [one for each in (there, line) if column in each for one in value_of(each[column])]:
            settings = exact({key: value for key, value in entry.items() if key not in values})
            found[settings] = together(found.get(settings, {}), entry)
        if found:
            kept[column] = cell([*found.values()])
    return kept


def _covers(command: str, other: str) -> bool:
    """Whether a command line makes all runs that another makes, as its words tell."""
    given, wanted = ({key: set(values.split(",")) for key, _, values in _pairs(line)} for line in (command, other))
    return bool(command) and all(values <= given.get(key, set()) for key, values in wanted.items())


def _pairs(command: str) -> list[tuple[str, str, str]]:
    return [word.partition("=") for word in shlex.split(command)]


def _with_later_keys(lines: list[Line]) -> list[Line]:
    """The lines, where those of earlier versions lack settings that others have with what means the same as none."""
    given = [[(column, text) for column, text in line.items() if column.startswith(_CONFIG)] for line in lines]
    added = lacking([{column[len(_CONFIG) :]: value_of(text) for column, text in cells} for cells in given])
    return [
        line | {f"{_CONFIG}{key}": cell(value) for key, value in more.items()}
        for line, more in zip(lines, added, strict=True)
    ]


def _named(lines: list[Line], file: Path, metric: str | None) -> list[Line]:
    """The lines with a name of its own for each run, and with the names of groups that they have among all of them."""
    taken: set[str] = set()
    for line in lines:
        line["run"] = cell(unlike(value_of(line["run"]), taken))
    boards = building.boards(_sweep(lines, file).runs, metric)
    labels = {run.name: row.label for board in boards for row in board.rows for run in row.runs}
    for line, run in zip(lines, runs_of(lines, file), strict=True):
        line.pop("group", None)
        if label := labels.get(run.name):
            line["group"] = cell(label)
    return lines


def _sweep(lines: list[Line], file: Path) -> Sweep:
    runs = sorted(runs_of(lines, file), key=lambda run: run.name)
    return Sweep([file.parent], with_known_choices(with_later_keys(runs)))


def _made(lines: list[Line], file: Path, before: str, metric: str | None) -> tuple[str, dict[str, bytes]]:
    """The page, and its figures by the names of their files."""
    sweep = _sweep(lines, file)
    said = content(sweep, metric)
    images: dict[str, list[dict[str, str]]] = {ACROSS: [], **{section.slug: [] for section in said.sections}}
    drawn: dict[str, bytes] = {}
    for name, place, caption, figure in drawings(said):
        for kind in ("svg", "png") if _FIGURE.fullmatch(name) else ():
            if len(data := encode(figure, kind)) <= LARGEST_FIGURE:
                drawn[f"{name}.{kind}"] = data
                images[place].append({"file": f"{name}.{kind}", "caption": caption})
                break
    return _page(said, sweep, lines, before, metric, images), drawn


def _page(
    said: Content,
    sweep: Sweep,
    lines: list[Line],
    before: str,
    metric: str | None,
    images: dict[str, list[dict[str, str]]],
) -> str:
    commands = sorted({line["command"] for line in lines if "command" in line})
    done = [run for run in sweep.runs if run.done]
    versions = sorted({str(run.outcome.environment.get("gan_lab", "not recorded")) for run in done})
    machines = sorted({run.machine or "not recorded" for run in done})
    own = {}
    for name, placeholder in _OWN.items():
        block = re.search(rf"<!-- {name}: [^\n]* -->\n(.*?)\n<!-- end of {name} -->", before, re.DOTALL)
        own[name] = block[1] if block else placeholder
    text = template("study.md", escape=False).render(
        report=said,
        mark=f"<!-- made by gan-lab-report with publish={f' metric={metric}' if metric else ''} -->",
        own=own,
        images=images,
        budget_titles=list(BUDGET.values()),
        useful_titles=TITLES,
        commands=[shown(command) for command in commands[:_COMMANDS]],
        more=max(0, len(commands) - _COMMANDS),
        made_with=[(name, listed(told)) for name, told in (("gan_lab", versions), ("machine", machines)) if told],
    )
    return f"{text}\n"
