"""What the report says, as plain rows of text: every format (page, Markdown, CSV, TeX) is written from these."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gan_lab.metric_names import higher_is_better, known, title
from gan_lab.report import factors, leaderboard, statistics
from gan_lab.report.across_datasets import Across, across
from gan_lab.report.caveats import warnings
from gan_lab.report.collect import Run, Skipped, Sweep
from gan_lab.report.conclusion import answer
from gan_lab.report.figures import colour
from gan_lab.report.formatting import estimate, interval, listed, number, percent
from gan_lab.report.leaderboard import BUDGET, Board, Row
from gan_lab.report.statistics import Estimate
from gan_lab.report.tuning import Searched

_MATRIX = 24  # groups in the tables that have a column for each; the ranking has all

_RULES = {
    "healthy": "●",
    "collapsed": "◐",
    "diverged": "✕",
    "discriminator_won": "▲",
    "generator_frozen": "■",
    "discriminator_frozen": "□",
    "failed": "✕",
    "killed": "‖",
    "interrupted": "‖",
    "running": "…",
    "unreadable": "?",
    "not judged": "○",
}


@dataclass
class Ranked:
    """A row of the ranking table, in words."""

    rank: str
    label: str
    colour: str
    value: str
    interval: str
    iqm: str
    best: str
    finished: str
    lost: str
    lost_share: str
    verdicts: str
    standing: str
    metrics: list[str]
    budget: list[str]


@dataclass
class Cell:
    """A run on the collapse map, or a pair in the matrix."""

    text: str
    note: str = ""
    kind: str = ""
    share: int = 0
    """0-100: how strongly to shade it."""
    hint: str = ""


@dataclass
class Section:
    """Everything about one board."""

    board: Board
    slug: str
    heading: str
    answer: str
    metric: str
    direction: str
    rows: list[Ranked]
    metric_titles: list[str]
    references: list[tuple[str, list[str]]]
    """Names (real data, perfect sampler) with their value of each metric, the primary first."""
    seeds: list[int]
    map: list[tuple[Ranked, list[Cell]]]
    matrix: list[tuple[Ranked, list[Cell]]]
    ranks: list[tuple[Ranked, list[Cell]]]
    more: int
    """Groups that are in the ranking, but not in the matrix and the ranks."""
    fingerprint: list[tuple[str, str]]
    pictures: list[tuple[str, Run]]
    picture_seed: int


@dataclass
class Content:
    """The whole report."""

    title: str
    made: str
    counts: str
    axes: factors.Axes
    sections: list[Section]
    warnings: list[str]
    without_result: list[Run]
    skipped: list[Skipped]
    environment: list[tuple[str, str]]
    protocols: str
    summary: str
    """What is said where there is no section at all."""
    budget_titles: list[str]
    across: Across | None
    """The comparison over several datasets."""
    searches: list[Searched]


def content(sweep: Sweep, metric: str | None) -> Content:
    """All that can be said of a sweep.

    Raises:
        ConfigError: if the metric asked for is in no run.
    """
    axes = factors.find(sweep.runs)
    boards = leaderboard.boards(sweep.runs, axes, metric)
    done = [run for run in sweep.runs if run.done]
    states = Counter(run.state for run in sweep.runs)
    folders = listed([folder.resolve().name for folder in sweep.folders], 3)
    return Content(
        title=folders,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        counts=f"{len(sweep.runs)} runs: {listed([f'{count} {state}' for state, count in states.items()])}",
        axes=axes,
        sections=[_section(board, number_, boards, sweep.runs, axes) for number_, board in enumerate(boards, 1)],
        warnings=warnings(boards, sweep.runs),
        without_result=[run for run in sweep.runs if not run.done],
        skipped=sweep.skipped,
        environment=_environment(done),
        protocols=listed(sorted({run.choices["protocol"] for run in done} or {"unknown"})),
        summary="No run has finished, so there is nothing to compare: the reasons are below.",
        budget_titles=list(BUDGET.values()),
        across=across(boards),
        searches=sweep.searches,
    )


def _section(board: Board, place: int, boards: list[Board], runs: list[Run], axes: factors.Axes) -> Section:
    mine = [other for other in boards if other.dataset == board.dataset]
    heading = board.dataset
    if len(mine) > 1:
        heading += f" · table {mine.index(board) + 1} of {len(mine)}"
    if board.again:
        heading += " · evaluated again"
    others = [name for name in board.metrics if name != board.primary]
    rows = {row.label: _ranked(board, row, rank, others) for rank, row in enumerate(board.rows, 1)}
    seeds = sorted({run.seed for row in board.rows for run in row.runs})
    references = [
        (name, [number(values.get(metric)) for metric in (board.primary, *others)])
        for name, values in (("real data", board.floor), ("perfect sampler", board.ceiling))
        if values
    ]
    seed, pictures = _pictures(board)
    probabilities = statistics.rank_probabilities([board.losses(row) for row in board.ranked])
    shown = board.ranked[:_MATRIX]
    return Section(
        board=board,
        slug=f"{place}_" if len(boards) > 1 else "",
        heading=heading,
        answer=answer(board),
        metric=title(board.primary),
        direction="higher is better" if board.higher else "lower is better",
        rows=list(rows.values()),
        metric_titles=[_with_direction(name) for name in others],
        references=references,
        seeds=seeds,
        map=[(rows[row.label], [_fate(row, seed) for seed in seeds]) for row in board.rows],
        matrix=[(rows[row.label], cells) for row, cells in zip(shown, _matrix(board, shown), strict=True)],
        ranks=[
            (rows[row.label], [Cell(percent(p), share=round(100 * p)) for p in chances[:_MATRIX]])
            for row, chances in zip(shown, probabilities[:_MATRIX], strict=True)
        ],
        more=len(board.ranked) - len(shown),
        fingerprint=[(key, _plain(value)) for key, value in sorted(board.fingerprint.items())],
        pictures=pictures,
        picture_seed=seed,
    )


def _ranked(board: Board, row: Row, rank: int, others: list[str]) -> Ranked:
    mean = board.mean(row, board.primary)
    values = list(row.values[board.primary].values())
    budgets = [row.budget(key) for key in BUDGET]
    counted = len(row.finished) + len(row.lost)
    lost, share = "0", ""
    if row.lost:
        rate = statistics.failure_rate(len(row.lost), counted)
        ends = f" [{percent(rate.interval[0])}, {percent(rate.interval[1])}]" if rate.interval else ""
        lost, share = f"{len(row.lost)} of {counted}", f"{percent(rate.value)}{ends}"
    return Ranked(
        rank=str(rank) if board.losses(row) else "–",
        label=row.label,
        colour=colour(row.colour),
        value=number(mean.value) if mean else "–",
        interval=interval(mean.interval) if mean else "",
        iqm=number(statistics.interquartile_mean(values)) if values else "–",
        best=number(sum(row.best) / len(row.best)) if row.best else "–",
        finished=f"{len(row.finished)} of {len(row.runs)}",
        lost=lost,
        lost_share=share,
        verdicts=", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in row.verdicts.most_common()),
        standing=_standing(board, row),
        metrics=[estimate(board.mean(row, name)) for name in others],
        budget=[_range(budget) for budget in budgets],
    )


def _standing(board: Board, row: Row) -> str:
    leader = board.rows[0]
    if row is leader or not board.losses(row) or not board.losses(leader):
        return ""
    return "behind" if row.beaten else "not settled"


def _range(budget: tuple[float, float, float] | None) -> str:
    if budget is None:
        return "–"
    mean, least, most = budget
    return number(mean) if number(least) == number(most) else f"{number(mean)} ({number(least)}–{number(most)})"


def _fate(row: Row, seed: int) -> Cell:
    runs = [run for run in row.runs if run.seed == seed]
    if not runs:
        return Cell("", kind="none")
    run, *further = runs
    metrics = run.measurements[0].metrics if run.done else {}
    note = ""
    if "modes" in metrics:
        note = f"{number(metrics['modes'])} modes"
    elif "classes" in metrics:
        note = f"{number(metrics['classes'])} classes"
    elif run.done and "diversity" in run.result["signals"]:
        note = f"diversity {number(run.result['signals']['diversity'])}"
    elif not run.done and run.iteration:
        note = f"at {run.iteration:,}"
    if further:
        note = f"{note}; {len(further)} more".removeprefix("; ")
    hint = str(run.result["verdict"].get("rule", "")) if run.done else run.reason
    verdict = run.verdict
    return Cell(f"{_RULES.get(verdict, '○')} {verdict.replace('_', ' ')}", note, verdict.replace(" ", "_"), hint=hint)


def _matrix(board: Board, rows: list[Row]) -> list[list[Cell]]:
    """A cell for each pair, computed once for both its places."""
    cells = [[Cell("", kind="self") for _ in rows] for _ in rows]
    for i, one in enumerate(rows):
        for j, other in enumerate(rows[:i]):
            chance, difference = board.improvement(one, other), board.difference(one, other)
            cells[i][j] = _pair(chance, difference)
            cells[j][i] = _pair(_turned(chance, 1.0), _turned(difference, 0.0) if difference else None)
    return cells


def _turned(found: Estimate, total: float) -> Estimate:
    """The same of the pair the other way round."""
    ends = found.interval
    return Estimate(total - found.value, (total - ends[1], total - ends[0]) if ends else None)


def _pair(chance: Estimate, difference: Estimate | None) -> Cell:
    ends = chance.interval
    note = f"{percent(ends[0])}–{percent(ends[1])}" if ends else ""
    hint = f"difference {estimate(difference)}, paired by seed" if difference else ""
    kind = "sure" if ends and not ends[0] <= 0.5 <= ends[1] else ""
    return Cell(percent(chance.value), note, kind, round(100 * chance.value), hint)


def _pictures(board: Board) -> tuple[int, list[tuple[str, Run]]]:
    """The seed of which most groups have a picture, and theirs in order of rank."""
    by_seed: dict[int, list[tuple[str, Run]]] = {}
    for row in board.rows:
        for run in row.finished:
            if run.picture.is_file():
                by_seed.setdefault(run.seed, []).append((row.label, run))
    if not by_seed:
        return 0, []
    seed = min(by_seed, key=lambda seed: (-len(by_seed[seed]), seed))
    return seed, by_seed[seed]


def _environment(done: list[Run]) -> list[tuple[str, str]]:
    keys = dict.fromkeys(key for run in done for key in run.result["environment"])
    return [(key, listed(sorted({_plain(run.result["environment"].get(key)) for run in done}))) for key in keys]


def _with_direction(name: str) -> str:
    if not known(name):
        return name
    return f"{title(name)} {'↑' if higher_is_better(name) else '↓'}"


def _plain(value: Any) -> str:
    return "–" if value is None else number(float(value)) if isinstance(value, float) else str(value)
