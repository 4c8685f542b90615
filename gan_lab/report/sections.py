"""What the report says, as rows of text: the page, Markdown and LaTeX are written from these."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from gan_lab.errors import shown
from gan_lab.metric_names import FLOORS, floor_of, higher_is_better, known, title
from gan_lab.report import boards as building
from gan_lab.report import factors
from gan_lab.report.across_datasets import Across, across
from gan_lab.report.caveats import warnings
from gan_lab.report.cells import Cell, difference_cells, matrix_cells, rank_cells, verdict_cell
from gan_lab.report.collect import Sweep
from gan_lab.report.conclusion import answer
from gan_lab.report.formatting import listed, number, plain
from gan_lab.report.leaderboard import Board, Row
from gan_lab.report.published import Beside, beside
from gan_lab.report.ranked import Ranked
from gan_lab.report.run import Run
from gan_lab.report.sample_pictures import PICTURES, of_one_seed
from gan_lab.report.time_to_quality import TimeToQuality, time_to_quality
from gan_lab.report.usefulness import Useful, useful
from gan_lab.report.values import ABSENT

_MATRIX = 24  # groups in the tables that have a column for each group; the ranking has all

_COLUMNS = 8  # axes up to which each has a column

Cells = list[tuple[Row, list[Cell]]]
"""A row of cells for each group."""


@dataclass(frozen=True)
class Section:
    """Everything about one board. What is costly is computed once, when it is first asked for."""

    board: Board
    slug: str
    """Begins the names of the section's figures."""
    heading: str
    quality: float | None
    """The value that `time` tells of; None for the final mean of the second group."""

    @cached_property
    def answer(self) -> str:
        return answer(self.board)

    @cached_property
    def rows(self) -> list[Ranked]:
        return [Ranked(self.board, row, position) for position, row in enumerate(self.board.rows, 1)]

    @cached_property
    def varied(self) -> list[str]:
        """The axes of the board's comparison, and what was named beside them, on which its own groups differ."""
        axes, places = self.board.axes, [row.place for row in self.board.rows]
        return [key for key in (*axes.keys, *axes.along) if len({axes.settings(place, key) for place in places}) > 1]

    @property
    def axes(self) -> list[str]:
        """The columns of `settings`: the keys that vary among the groups, or of many one for all."""
        return self.varied if len(self.varied) <= _COLUMNS else ["settings"]

    @cached_property
    def settings(self) -> list[tuple[Row, list[str]]]:
        """Each group's value of every axis; of many axes a list of those that it has: their table would be empty."""
        rows, axes = self.board.rows, self.board.axes
        told = [{key: axes.settings(row.place, key) for key in self.varied} for row in rows]
        if len(self.varied) <= _COLUMNS:
            return [(row, list(values.values())) for row, values in zip(rows, told, strict=True)]
        lists = [[f"{key} {value}" for key, value in values.items() if value != ABSENT] for values in told]
        return [(row, ["; ".join(of_row)]) for row, of_row in zip(rows, lists, strict=True)]

    @property
    def references(self) -> list[tuple[str, list[str]]]:
        """Names (`FLOORS`, perfect sampler) with their value of each metric, the primary first."""
        board, metrics = self.board, (self.board.primary, *self.board.others)
        found = {whose: {name: one for name, one in board.floor.items() if floor_of(name) == whose} for whose in FLOORS}
        found["perfect sampler"] = board.ceiling
        return [(name, [number(values.get(metric)) for metric in metrics]) for name, values in found.items() if values]

    @cached_property
    def published(self) -> list[Beside]:
        return beside(self.board)

    @cached_property
    def useful(self) -> Useful | None:
        return useful(self.board)

    @property
    def map(self) -> Cells:
        """The collapse map: a cell for each of the board's seeds."""
        return [(row, [verdict_cell(row, seed) for seed in self.board.seeds]) for row in self.board.rows]

    @cached_property
    def differences(self) -> Cells:
        """The first groups' mean differences; none of two groups alone, of which the answer tells it."""
        first = self._first
        return list(zip(first, difference_cells(self.board, first), strict=True)) if len(self.board.ranked) > 2 else []

    @cached_property
    def matrix(self) -> Cells:
        """The probabilities of the first groups against each other."""
        return list(zip(self._first, matrix_cells(self.board, self._first), strict=True))

    @cached_property
    def ranks(self) -> Cells:
        return list(zip(self._first, rank_cells(self.board, self._first), strict=True))

    @property
    def _first(self) -> list[Row]:
        return self.board.ranked[:_MATRIX]

    @cached_property
    def pictures(self) -> dict[str, list[tuple[str, Run]]]:
        """For each of `PICTURES` the labels and runs of one seed that have it, in order of rank."""
        return {name: of_one_seed(self.board, name) for name in PICTURES}

    @cached_property
    def time(self) -> TimeToQuality | None:
        return time_to_quality(self.board, self.quality)


@dataclass(frozen=True)
class Content:
    """The whole report. What is costly is computed once, when it is first asked for."""

    sweep: Sweep
    boards: list[Board]
    quality: float | None
    """The value that the time to is told of; None for the final mean of the second group."""
    made: str
    """When, in words."""

    @property
    def title(self) -> str:
        return listed([shown(folder.resolve().name) for folder in self.sweep.folders], 3)

    @property
    def counts(self) -> str:
        states = Counter(run.state for run in self.sweep.runs)
        return f"{len(self.sweep.runs)} runs: {listed([f'{count} {state}' for state, count in states.items()])}"

    @property
    def protocols(self) -> str:
        return listed(sorted({run.asked.choices["protocol"] for run in self.sweep.runs if run.done} or {"unknown"}))

    @cached_property
    def sections(self) -> list[Section]:
        many = len(self.boards) > 1
        return [
            Section(board, f"{place}_" if many else "", _heading(board, self.boards), self.quality)
            for place, board in enumerate(self.boards, 1)
        ]

    @cached_property
    def across(self) -> Across | None:
        """The comparison over several datasets."""
        return across(self.boards, self.sweep.runs)

    @cached_property
    def warnings(self) -> list[str]:
        return warnings(self.boards, self.sweep.runs)

    @property
    def varied(self) -> str:
        """The axes of all comparisons, in words."""
        axes = list(dict.fromkeys(key for section in self.sections for key in section.varied))
        return listed(axes) if axes else ""

    @cached_property
    def overview(self) -> factors.Overview:
        return factors.overview(self.sweep.runs)

    @property
    def curves(self) -> bool:
        """Whether there are any: results.csv has none."""
        return any(run.curves for run in self.sweep.runs)

    @property
    def environment(self) -> list[tuple[str, str]]:
        found = [run.outcome.environment for run in self.sweep.runs if run.done]
        keys = dict.fromkeys(key for one in found for key in one)
        return [(key, listed(sorted({plain(one.get(key)) for one in found}))) for key in keys]


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
    return Content(sweep, boards, quality, made=f"{datetime.now(UTC):%Y-%m-%d %H:%M UTC}")


def _heading(board: Board, boards: list[Board]) -> str:
    mine = [other for other in boards if other.dataset == board.dataset]
    table = f" · table {mine.index(board) + 1} of {len(mine)}" if len(mine) > 1 else ""
    return f"{board.dataset}{table}{' · evaluated again' if board.again else ''}"


def with_direction(metric: str) -> str:
    """A metric's title with an arrow up if higher is better, down if lower is."""
    if not known(metric):
        return metric
    return f"{title(metric)} {'↑' if higher_is_better(metric) else '↓'}"
