"""Cells of the tables that have a column for each seed or group: the collapse map, the matrix and the ranks."""

from dataclasses import dataclass

from gan_lab.report import statistics
from gan_lab.report.formatting import estimate, interval, number, percent
from gan_lab.report.leaderboard import Board, Row
from gan_lab.report.statistics import Estimate
from gan_lab.report.unsettled import bound, is_telling

_MARKS = {
    "healthy": "●", "collapsed": "◐", "diverged": "✕", "discriminator_won": "▲", "generator_frozen": "■",
    "discriminator_frozen": "□", "failed": "✕", "killed": "‖", "interrupted": "‖", "running": "…", "waiting": "…",
    "unreadable": "?", "not judged": "○", "unconverged": "◌", "far_from_real": "◇",
}  # fmt: skip


@dataclass
class Cell:
    """A cell of text with a note below it."""

    text: str
    note: str = ""
    kind: str = ""
    share: int = 0
    """0-100: how strongly to shade it."""
    hint: str = ""
    """What the pointer shows."""

    @property
    def mark(self) -> str:
        """The sign of what is claimed in a cell of differences."""
        return {"better": "▲ ", "worse": "▼ "}.get(self.kind, "")


def verdict_cell(row: Row, seed: int) -> Cell:
    """What became of a group's run of a seed; of several runs, the first."""
    runs = [run for run in row.runs if run.seed == seed]
    if not runs:
        return Cell("", kind="none")
    run, *further = runs
    metrics = run.outcome.measurements[0].metrics if run.done else {}
    note = ""
    if "modes" in metrics:
        note = f"{number(metrics['modes'])} modes"
    elif "classes" in metrics:
        note = f"{number(metrics['classes'])} classes"
    elif "diversity" in run.outcome.signals:
        note = f"diversity {number(run.outcome.signals['diversity'])}"
    elif not run.done and run.iteration:
        note = f"at {run.iteration:,}"
    if further:
        note = f"{note}; {len(further)} more".removeprefix("; ")
    hint = run.outcome.rule if run.done else run.reason
    verdict = run.verdict
    return Cell(
        f"{_MARKS.get(verdict, '○')} {verdict.replace('_', ' ')}",
        note,
        verdict.replace(" ", "_") if verdict in _MARKS else "",
        hint=hint,
    )


def matrix_cells(board: Board, rows: list[Row]) -> list[list[Cell]]:
    """The probability that a run of the row beats one of the column; each pair is computed once for both its cells."""
    cells = [[Cell("", kind="self") for _ in rows] for _ in rows]
    for i, one in enumerate(rows):
        for j, other in enumerate(rows[:i]):
            chance, difference = board.improvement(one, other), board.difference(one, other)
            sure = "sure" if board.is_better(one, other) or board.is_better(other, one) else ""
            cells[i][j] = _pair(chance, difference, sure)
            cells[j][i] = _pair(_turned(chance, 1.0), _turned(difference, 0.0) if difference else None, sure)
    return cells


def difference_cells(board: Board, rows: list[Row]) -> list[list[Cell]]:
    """The mean of the row less that of the column, within seeds; what the report claims, or how large it can be."""
    cells = [[Cell("", kind="self") for _ in rows] for _ in rows]
    for i, one in enumerate(rows):
        for j, other in enumerate(rows[:i]):
            found, largest = board.difference(one, other), bound(board, one, other)
            cells[i][j], cells[j][i] = _signed(found), _signed(_turned(found, 0.0) if found else None)
            if board.is_better(other, one):
                cells[j][i].kind, cells[i][j].kind = "better", "worse"
            elif board.is_better(one, other):
                cells[i][j].kind, cells[j][i].kind = "better", "worse"
            elif largest is not None and is_telling(board, largest):
                cells[i][j].hint = cells[j][i].hint = f"at most {number(largest)}"
    return cells


def _signed(difference: Estimate | None) -> Cell:
    return Cell(number(difference.value), interval(difference.interval)) if difference else Cell("–")


def rank_cells(board: Board, rows: list[Row]) -> list[list[Cell]]:
    """The probability of each rank, of and among the given rows."""
    probabilities = statistics.rank_probabilities([board.losses(row) for row in board.ranked])
    most = len(rows)
    return [[Cell(percent(p), share=round(100 * p)) for p in chances[:most]] for chances in probabilities[:most]]


def _turned(found: Estimate, total: float) -> Estimate:
    """The estimate for the pair the other way round."""
    ends = found.interval
    return Estimate(total - found.value, (total - ends[1], total - ends[0]) if ends else None)


def _pair(chance: Estimate, difference: Estimate | None, kind: str) -> Cell:
    ends = chance.interval
    note = f"{percent(ends[0])}–{percent(ends[1])}" if ends else ""
    hint = f"difference {estimate(difference)}, paired by seed" if difference else ""
    return Cell(percent(chance.value), note, kind, round(100 * chance.value), hint)
