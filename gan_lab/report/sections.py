"""What the report says, as rows of text: the page, Markdown and LaTeX are written from these."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from gan_lab.errors import shown
from gan_lab.metric_names import FLOORS, floor_of, higher_is_better, known, title
from gan_lab.report import boards as building
from gan_lab.report import factors, statistics
from gan_lab.report.across_datasets import Across, across
from gan_lab.report.caveats import warnings
from gan_lab.report.cells import Cell, difference_cells, matrix_cells, rank_cells, verdict_cell
from gan_lab.report.collect import Sweep
from gan_lab.report.conclusion import answer
from gan_lab.report.formatting import estimate, interval, listed, number, percent, plain
from gan_lab.report.leaderboard import BUDGET, Board, Row
from gan_lab.report.published import Beside, beside
from gan_lab.report.run import Run
from gan_lab.report.sample_pictures import best_to_worst, of_one_seed
from gan_lab.report.time_to_quality import TimeToQuality, time_to_quality
from gan_lab.report.unsettled import MOST, seeds_needed
from gan_lab.report.usefulness import Useful, useful
from gan_lab.report.values import ABSENT

_MATRIX = 24  # groups in the tables that have a column for each group; the ranking has all

_COLUMNS = 8  # axes up to which each has a column

Cells = list[tuple[Row, list[Cell]]]
"""A row of cells for each group."""


@dataclass
class Ranked:
    """A row of the ranking table, in words."""

    group: Row
    rank: str
    span: str
    """The ranks that claims leave open; empty of two groups, without claims, and where one is left."""
    value: Cell
    iqm: str
    best: str
    """The mean of the best values during training."""
    lost: Cell
    verdicts: str
    standing: str
    open: str
    """What would settle it against the first, where it is not settled."""
    metrics: list[str]
    """The other metrics."""
    budget: list[str]


@dataclass
class Section:
    """Everything about one board."""

    board: Board
    slug: str
    """Begins the names of the section's figures."""
    heading: str
    answer: str
    rows: list[Ranked]
    axes: list[str]
    """The columns of `settings`: the keys that vary among the groups, or of many one for all."""
    settings: list[tuple[Row, list[str]]]
    """Each group's value of every axis."""
    references: list[tuple[str, list[str]]]
    """Names (`FLOORS`, perfect sampler) with their value of each metric, the primary first."""
    published: list[Beside]
    useful: Useful | None
    map: Cells
    """The collapse map: a cell for each of the board's seeds."""
    differences: Cells
    """The first groups' mean differences; none of two groups alone, of which the answer tells it."""
    matrix: Cells
    """The probabilities of the first groups against each other."""
    ranks: Cells
    pictures: list[tuple[str, Run]]
    """Labels and runs of one seed that have a picture of samples, in order of rank."""
    between: list[tuple[str, Run]]
    """The same of those that have a picture of interpolations."""
    closest: list[tuple[str, Run]]
    """The same of those that have one of the samples closest to training samples."""
    truncated: list[tuple[str, Run]]
    """The same of those that have one of their metrics along truncation."""
    extremes: list[tuple[str, Run]]
    """The best, the median and the worst run of the first groups, each with a label and a picture of samples."""
    time: TimeToQuality | None


@dataclass
class Content:
    """The whole report."""

    title: str
    made: str
    counts: str
    protocols: str
    sections: list[Section]
    across: Across | None
    """The comparison over several datasets."""
    warnings: list[str]
    varied: str
    """The axes of all comparisons, in words."""
    overview: factors.Overview
    curves: bool
    """Whether there are any: results.csv has none."""
    environment: list[tuple[str, str]]


def content(sweep: Sweep, metric: str | None, quality: float | None = None) -> Content:
    """Everything that the report says of a sweep.

    Args:
        sweep: the runs.
        metric: what to rank by; None for what fits the data.
        quality: the value that the time to is told of; None for the final mean of the second group.

    Raises:
        ConfigError: if the metric asked for is in no run.
    """
    boards = building.boards(sweep.runs, metric)
    axes = list(dict.fromkeys(key for board in boards for key in _axes(board)))
    done = [run for run in sweep.runs if run.done]
    states = Counter(run.state for run in sweep.runs)
    return Content(
        title=listed([shown(folder.resolve().name) for folder in sweep.folders], 3),
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        counts=f"{len(sweep.runs)} runs: {listed([f'{count} {state}' for state, count in states.items()])}",
        protocols=listed(sorted({run.asked.choices["protocol"] for run in done} or {"unknown"})),
        sections=[_section(board, place, boards, quality) for place, board in enumerate(boards, 1)],
        across=across(boards, sweep.runs),
        warnings=warnings(boards, sweep.runs),
        varied=listed(axes) if axes else "",
        overview=factors.overview(sweep.runs),
        curves=any(run.curves for run in sweep.runs),
        environment=_environment(done),
    )


def _section(board: Board, place: int, boards: list[Board], quality: float | None) -> Section:
    mine = [other for other in boards if other.dataset == board.dataset]
    heading = board.dataset
    if len(mine) > 1:
        heading += f" · table {mine.index(board) + 1} of {len(mine)}"
    if board.again:
        heading += " · evaluated again"
    first, few = board.ranked[:_MATRIX], len(_axes(board)) <= _COLUMNS
    return Section(
        board=board,
        slug=f"{place}_" if len(boards) > 1 else "",
        heading=heading,
        answer=answer(board),
        rows=[_ranked(board, row, rank) for rank, row in enumerate(board.rows, 1)],
        axes=_axes(board) if few else ["settings"],
        settings=[(row, _settings(board, row, few)) for row in board.rows],
        references=[
            (name, [number(values.get(metric)) for metric in (board.primary, *board.others)])
            for name, values in (*_floors(board), ("perfect sampler", board.ceiling))
            if values
        ],
        published=beside(board),
        useful=useful(board),
        map=[(row, [verdict_cell(row, seed) for seed in board.seeds]) for row in board.rows],
        differences=list(zip(first, difference_cells(board, first), strict=True)) if len(board.ranked) > 2 else [],
        matrix=list(zip(first, matrix_cells(board, first), strict=True)),
        ranks=list(zip(first, rank_cells(board, first), strict=True)),
        pictures=of_one_seed(board, "final.png"),
        between=of_one_seed(board, "interpolations.png"),
        closest=of_one_seed(board, "closest.png"),
        truncated=of_one_seed(board, "truncation.png"),
        extremes=best_to_worst(board),
        time=time_to_quality(board, quality),
    )


def _floors(board: Board) -> list[tuple[str, dict[str, float]]]:
    return [(whose, {name: one for name, one in board.floor.items() if floor_of(name) == whose}) for whose in FLOORS]


def _axes(board: Board) -> list[str]:
    """The axes of the board's comparison, and what was named beside them, on which its own groups differ."""
    axes, places = board.axes, [row.place for row in board.rows]
    return [key for key in (*axes.keys, *axes.along) if len({axes.settings(place, key) for place in places}) > 1]


def _settings(board: Board, row: Row, few: bool) -> list[str]:
    """The group's value of each axis; of many axes a list of those that it has, as a table of them would be empty."""
    told = {key: board.axes.settings(row.place, key) for key in _axes(board)}
    return (
        list(told.values()) if few else ["; ".join(f"{key} {value}" for key, value in told.items() if value != ABSENT)]
    )


def _ranked(board: Board, row: Row, rank: int) -> Ranked:
    mean = board.mean(row, board.primary)
    return Ranked(
        group=row,
        rank=str(rank) if board.losses(row) else "–",
        span=_span(board, row),
        value=Cell(number(mean.value), interval(mean.interval)) if mean else Cell("–"),
        iqm=number(row.interquartile_mean(board.primary)),
        best=number(row.mean_best),
        lost=_lost(board, row),
        verdicts=", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in row.verdicts.most_common()),
        standing=_standing(board, row),
        open=_open(board, row),
        metrics=[estimate(board.mean(row, name)) for name in board.others],
        budget=[_range(board.budget(row, key)) for key in BUDGET],
    )


def _lost(board: Board, row: Row) -> Cell:
    """Runs that were lost, or have no value to be ranked by."""
    lost = len(row.lost) + board.valueless(row)
    if not lost:
        return Cell("0")
    counted = len(row.finished) + len(row.lost)
    rate = statistics.failure_rate(lost, counted)
    ends = f" [{percent(rate.interval[0])}, {percent(rate.interval[1])}]" if rate.interval else ""
    return Cell(f"{lost} of {counted}", f"{percent(rate.value)}{ends}")


def _standing(board: Board, row: Row) -> str:
    leader = board.rows[0]
    if row is leader or not board.losses(row) or not board.losses(leader):
        return ""
    return "behind" if row.beaten else "not settled"


def _open(board: Board, row: Row) -> str:
    leader = board.rows[0]
    if _standing(board, row) != "not settled" or not leader.finished:
        return ""
    needed = seeds_needed(board, leader, row)
    return f"about {needed} seeds would" if needed is not None and needed <= MOST else ""


def _span(board: Board, row: Row) -> str:
    """The ranks between those that are better than the row and those that it is better than; nothing without claims."""
    if not board.claims.better or not board.losses(row):
        return ""
    ranked = board.ranked
    low = 1 + sum(board.is_better(other, row) for other in ranked)
    high = len(ranked) - sum(board.is_better(row, other) for other in ranked)
    return f"{low}–{high}" if len(ranked) > 2 and low < high else ""


def _range(budget: tuple[float, float, float] | None) -> str:
    if budget is None:
        return "–"
    mean, least, most = map(number, budget)
    return mean if least == most else f"{mean} ({least}–{most})"


def _environment(done: list[Run]) -> list[tuple[str, str]]:
    keys = dict.fromkeys(key for run in done for key in run.outcome.environment)
    return [(key, listed(sorted({plain(run.outcome.environment.get(key)) for run in done}))) for key in keys]


def with_direction(metric: str) -> str:
    """A metric's title with an arrow up if higher is better, down if lower is."""
    if not known(metric):
        return metric
    return f"{title(metric)} {'↑' if higher_is_better(metric) else '↓'}"
