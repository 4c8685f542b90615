"""The ranking table, in words."""

from dataclasses import dataclass
from functools import cached_property

from gan_lab.report import statistics
from gan_lab.report.cells import Cell
from gan_lab.report.formatting import estimate, interval, number, percent
from gan_lab.report.leaderboard import BUDGET, Board, Row
from gan_lab.report.unsettled import MOST, seeds_needed


@dataclass(frozen=True)
class Ranked:
    """A group's row of the ranking table. What is costly is computed once, when it is first asked for."""

    board: Board
    group: Row
    position: int
    """In the table, from 1."""

    @property
    def rank(self) -> str:
        """A dash for a group without a run that counts."""
        return str(self.position) if self.board.losses(self.group) else "–"

    @cached_property
    def span(self) -> str:
        """The ranks that claims leave open; empty of two groups, without claims, and where one is left.

        They lie between the groups that are better than this one and those that it is better than.
        """
        ranked = self.board.ranked
        if not self.board.claims.better or not self.board.losses(self.group):
            return ""
        low = 1 + sum(self.board.is_better(other, self.group) for other in ranked)
        high = len(ranked) - sum(self.board.is_better(self.group, other) for other in ranked)
        return f"{low}–{high}" if len(ranked) > 2 and low < high else ""

    @cached_property
    def value(self) -> Cell:
        """The mean of the primary metric."""
        mean = self.board.mean(self.group, self.board.primary)
        return Cell(number(mean.value), interval(mean.interval)) if mean else Cell("–")

    @property
    def iqm(self) -> str:
        return number(self.group.interquartile_mean(self.board.primary))

    @property
    def best(self) -> str:
        """The mean of the best values during training."""
        return number(self.group.mean_best)

    @cached_property
    def lost(self) -> Cell:
        """Runs that were lost, or have no value to be ranked by."""
        lost = len(self.group.lost) + self.board.valueless(self.group)
        if not lost:
            return Cell("0")
        counted = len(self.group.finished) + len(self.group.lost)
        rate = statistics.failure_rate(lost, counted)
        ends = f" [{percent(rate.interval[0])}, {percent(rate.interval[1])}]" if rate.interval else ""
        return Cell(f"{lost} of {counted}", f"{percent(rate.value)}{ends}")

    @property
    def verdicts(self) -> str:
        found = self.group.verdicts.most_common()
        return ", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in found)

    @property
    def standing(self) -> str:
        """Against the first; empty for the first itself, and where one of the two has no run that counts."""
        leader = self.board.rows[0]
        if self.group is leader or not self.board.losses(self.group) or not self.board.losses(leader):
            return ""
        return "behind" if self.group.beaten else "not settled"

    @cached_property
    def open(self) -> str:
        """What would settle it against the first, where it is not settled."""
        leader = self.board.rows[0]
        if self.standing != "not settled" or not leader.finished:
            return ""
        needed = seeds_needed(self.board, leader, self.group)
        return f"about {needed} seeds would" if needed is not None and needed <= MOST else ""

    @cached_property
    def metrics(self) -> list[str]:
        """The other metrics."""
        return [estimate(self.board.mean(self.group, name)) for name in self.board.others]

    @property
    def budget(self) -> list[str]:
        """Each entry of `BUDGET`: the mean over finished runs, with the least and the most where these differ."""
        return [_range(self.board.budget(self.group, key)) for key in BUDGET]


def _range(budget: tuple[float, float, float] | None) -> str:
    if budget is None:
        return "–"
    mean, least, most = map(number, budget)
    return mean if least == most else f"{mean} ({least}–{most})"
