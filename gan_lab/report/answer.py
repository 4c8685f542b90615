"""The answer in one paragraph: what is better here, by how much, how sure, at what cost."""

import math

from gan_lab.metric_names import title
from gan_lab.report import statistics
from gan_lab.report.comparison import Board, Row
from gan_lab.report.text import estimate, interval, listed, number, percent


def answer(board: Board) -> str:
    """A paragraph on a board; claims nothing that its intervals do not hold."""
    ranked = board.ranked
    if not any(row.finished for row in ranked):
        return "No run has finished, so there is nothing to compare."
    leader, others = ranked[0], ranked[1:]
    worth = f"{title(board.primary)} {_value(board, leader)}{_against_floor(board)}"
    if not others:
        return f"There is one group alone, so nothing to compare it with: {leader.label} reaches {worth}."
    sentences = [_standing(board, leader, others, worth), _cost(leader, others[0])]
    damaged = [row for row in ranked if _damaged(row)]
    if damaged:
        parts = [f"{_damaged(row)} of {len(row.runs)} of {row.label}" for row in damaged]
        sentences.append(f"Lost or unhealthy runs: {listed(parts, 6)}.")
    return " ".join(sentence for sentence in sentences if sentence)


def settled(board: Board, one: Row, other: Row) -> bool:
    """Whether one is better than the other beyond doubt: the probability's interval lies above one half."""
    ends = board.improvement(one, other).interval
    return ends is not None and ends[0] > 0.5


def _standing(board: Board, leader: Row, others: list[Row], worth: str) -> str:
    second = others[0]
    margin = _margin(board, leader, second)
    beaten = [row for row in others if settled(board, leader, row)]
    if min(len(board.losses(row)) for row in (leader, second)) < statistics.FEWEST:
        return (
            f"Not settled: {leader.label} is ahead on {board.dataset}, {worth}{margin}. "
            f"No interval: fewer than {statistics.FEWEST} seeds, so this may be chance alone."
        )
    chance = board.improvement(leader, second)
    odds = (
        f"a run of {leader.label} beats one of {second.label} with probability {percent(chance.value)} "
        f"[{percent(chance.interval[0])}, {percent(chance.interval[1])}]"
        if chance.interval
        else ""
    )
    if chance.value < 0.5:
        odds += ", so the means and the single runs disagree"
    unsure = [row for row in others if row not in beaten]
    if second in beaten:
        rest = f" and {len(beaten) - 1} others" if len(beaten) > 2 else f" and {beaten[1].label}" if beaten[1:] else ""
        doubt = f" Against {listed([row.label for row in unsure])} it is not settled." if unsure else ""
        return f"{leader.label} is better than {second.label}{rest} on {board.dataset}: {worth}{margin}; {odds}.{doubt}"
    text = f"Which is best on {board.dataset} is not settled. {leader.label} is ahead, {worth}{margin}; {odds}."
    if beaten:
        text += f" It is better, beyond that doubt, than {listed([row.label for row in beaten])}."
    if min(len(board.losses(row)) for row in (leader, second)) == statistics.FEWEST:
        text += " Three seeds a group cannot settle an order, however far apart they are: run four or more."
    return text


def _value(board: Board, row: Row) -> str:
    mean = board.mean(row, board.primary)
    note = "" if mean is None or mean.interval else " (no interval: fewer than 3 seeds)"
    return f"{estimate(mean)}{note}"


def _against_floor(board: Board) -> str:
    floor = board.floor.get(board.primary)
    return f" (real data {number(floor)})" if floor is not None and math.isfinite(floor) else ""


def _margin(board: Board, leader: Row, second: Row) -> str:
    difference = board.difference(leader, second)
    if difference is None:
        return f", before {second.label}"
    way = "higher" if difference.value > 0 else "lower"
    size = number(abs(difference.value))
    ends = difference.interval
    if ends and difference.value < 0:
        ends = (-ends[1], -ends[0])
    unsure = ", an interval that holds 0" if ends and ends[0] < 0 < ends[1] else ""
    paired = f" {interval(ends)}, paired by seed{unsure}" if ends else ""
    return f", {size} {way} than {second.label}{paired}"


def _cost(leader: Row, second: Row) -> str:
    ours, theirs = leader.budget("train_seconds"), second.budget("train_seconds")
    updates = leader.budget("discriminator_updates"), second.budget("discriminator_updates")
    if not ours or not theirs or not updates[0] or not updates[1]:
        return ""
    ratio = ours[0] / theirs[0] if theirs[0] else math.nan
    pace = f"as long as {second.label}" if 0.95 < ratio < 1.05 else f"{number(ratio)} times that of {second.label}"
    return (
        f"Its cost: {number(ours[0])} s of training a run, {pace}, and "
        f"{number(updates[0][0])} discriminator updates against {number(updates[1][0])}."
    )


def _damaged(row: Row) -> int:
    """Runs that were lost, or that the diagnosis found anything but healthy."""
    return len(row.lost) + sum(run.verdict not in ("healthy", "not judged") for run in row.finished)
