"""The answer in one paragraph: which group is better, by how much, how sure that is, and what it costs."""

import math
from collections import Counter

import numpy as np

from gan_lab.metric_names import floor_of
from gan_lab.report import statistics
from gan_lab.report.caveats import TIME_RATIO
from gan_lab.report.formatting import estimate, interval, listed, number, percent
from gan_lab.report.leaderboard import Board, Row, one_mode
from gan_lab.report.unsettled import MOST, bound, is_telling, seeds_needed

_FINE = ("healthy", "not judged")


def answer(board: Board) -> str:
    """A paragraph on a board. It claims only what the intervals and tests support."""
    ranked = board.ranked
    contenders = [row for row in ranked if row.finals(board.primary)]
    if not contenders:
        return f"No run has finished with a value of {board.title}, so there is nothing to compare."
    leader, others = contenders[0], contenders[1:]
    worth = f"{board.title} {_value(board, leader)}{_against_floor(board)}"
    if others:
        standing, open_ = _standing(board, leader, others, worth), _left_open(board, leader, others)
        sentences = [standing, *open_, _cost(board, leader, others[0])]
    elif len(board.rows) > 1:
        rest = listed([row.label for row in board.rows if row is not leader])
        sentences = [f"{leader.label} alone has runs with a value, and reaches {worth}; no run of {rest} has one."]
    else:
        sentences = [f"There is one group alone, so nothing to compare it with: {leader.label} reaches {worth}."]
    sentences.insert(1, _unhealthy(leader))
    sentences.append(_spread(board))
    damaged = {row.label: (_damaged(board, row), len(row.runs)) for row in ranked if _damaged(board, row)}
    if damaged:
        parts = [f"{bad} of {count} of {label}" for label, (bad, count) in damaged.items()]
        sentences.append(f"Lost or unhealthy runs: {listed(parts, 6)}.")
    return " ".join(sentence for sentence in sentences if sentence)


def _unhealthy(leader: Row) -> str:
    """A warning if most runs of the first group are unhealthy: the metric that ranks may not see that."""
    found = Counter(run.verdict for run in leader.finished if run.verdict not in _FINE)
    if 2 * found.total() <= len(leader.runs):
        return ""
    parts = [(count, "was" if count == 1 else "were", verdict) for verdict, count in found.most_common()]
    verdicts = [f"{count} {were} judged {verdict.replace('_', ' ')}" for count, were, verdict in parts]
    told = f"of {len(leader.runs)} runs of {leader.label} {listed(verdicts)}"
    return f"Beware: {told}; being first does not make them good."


def _standing(board: Board, leader: Row, others: list[Row], worth: str) -> str:
    second = others[0]
    margin = _margin(board, leader, second)
    ours, theirs = (len(board.losses(row)) for row in (leader, second))
    fewest = min(ours, theirs)
    if level := [row for row in others if row.is_level(leader)]:
        means = {number(float(np.mean(row.finals(board.primary)))) for row in (leader, *level)}
        of_first = "" if len(means) == 1 else f"by the interquartile mean; {leader.label} reaches "
        ahead = f"{listed([leader.label, *(row.label for row in level)], 6)} are level, {of_first}{worth}"
    else:
        ahead = f"{leader.label} is ahead, {worth}{margin}"
    beaten = [row.label for row in others if row.beaten]
    better = f" {leader.label} is better, beyond chance, than {listed(beaten)}." if beaten else ""
    if fewest < statistics.FEWEST:
        return (
            f"Which is best on {board.dataset} is not settled. {ahead}. No interval of the difference: fewer than "
            f"{statistics.FEWEST} seeds, so this may be chance alone.{better}"
        )
    chance = board.improvement(leader, second)
    odds = (
        f"; a run of {leader.label} beats one of {second.label} with probability {percent(chance.value)} "
        f"[{percent(chance.interval[0])}, {percent(chance.interval[1])}]"
        if chance.interval and not level
        else ""
    )
    if odds and chance.value < 0.5:
        odds += f", so it leads {_leads_by(board, leader, second)}"
    elif odds and chance.interval and chance.interval[0] > 0.5 and not second.beaten:
        odds += ", which alone does not settle it"
    unsure = [row.label for row in others if not row.beaten]
    if second.beaten:
        doubt = f" Against {listed(unsure)} it is not settled." if unsure else ""
        return f"{leader.label} is better than {listed(beaten, 4)} on {board.dataset}: {worth}{margin}{odds}.{doubt}"
    text = f"Which is best on {board.dataset} is not settled. {ahead}{odds}.{better}"
    if not beaten and 2 / math.comb(ours + theirs, ours) > board.claims.pair_level:  # the smallest p of all
        text += (
            f" {fewest} seeds a group cannot settle an order of {len(board.ranked)} groups, however far apart they "
            f"are: run {board.claims.fewest_seeds} or more."
        )
    return text


def _leads_by(board: Board, leader: Row, second: Row) -> str:
    """Why the first group leads: groups are ranked by the share of lost runs, then by the interquartile mean."""
    if second.key[1] < leader.key[1]:
        ours, theirs = (f"{np.isinf(found).sum()} of {len(found)}" for found in map(board.losses, (leader, second)))
        if leader.key[0]:
            return f"only because it lost {ours} runs and {second.label} {theirs}"
        return f"only because {second.label} lost {theirs} runs"
    difference = board.difference(leader, second)
    in_the_mean = difference is not None and (difference.value > 0) == board.higher
    return "in the means alone" if in_the_mean else "by the interquartile mean alone"


def _left_open(board: Board, leader: Row, others: list[Row]) -> list[str]:
    """Of the groups that the first is not better than: how large the difference can be, and what would settle it."""
    unsure = [row for row in others if not row.beaten]
    sentences = []
    bounds = {row.label: largest for row in unsure if (largest := bound(board, leader, row)) is not None}
    if told := {label: largest for label, largest in bounds.items() if is_telling(board, largest)}:
        parts = [f"{number(largest)} from that of {label}" for label, largest in told.items()]
        sentences.append(
            f"With these seeds the mean of {leader.label} differs, either way, by no more than {listed(parts, 6)}, "
            "unless runs can end as none of these did."
        )
    second = others[0]
    if second.beaten or min(len(board.losses(row)) for row in (leader, second)) < statistics.FEWEST:
        return sentences
    needed = seeds_needed(board, leader, second)
    if needed is None or leader.is_level(second):
        return sentences
    if needed <= MOST:
        sentences.append(
            f"If further runs are like these, about {number(needed)} seeds a group would settle it between "
            f"{leader.label} and {second.label}, by the test of the two alone (power 0.8)."
        )
    else:
        sentences.append(
            f"If further runs are like these, {number(MOST)} seeds a group would not settle it between {leader.label} "
            f"and {second.label}."
        )
    return sentences


def _value(board: Board, row: Row) -> str:
    mean = board.mean(row, board.primary)
    note = "" if mean is None or mean.interval else " (no interval: fewer than 3 seeds)"
    return f"{estimate(mean)}{note}"


def _against_floor(board: Board) -> str:
    floor = board.floor.get(board.primary)
    return f" ({floor_of(board.primary)} {number(floor)})" if floor is not None and math.isfinite(floor) else ""


def _margin(board: Board, leader: Row, second: Row) -> str:
    difference = board.difference(leader, second)
    if difference is None:
        return f", before {second.label}"
    if difference.value == 0:
        return f", in the mean equal to {second.label}"
    way = "higher" if difference.value > 0 else "lower"
    # groups are ranked by the interquartile mean, so the mean of the first can be worse
    against = "" if (difference.value > 0) == board.higher else "though in the mean "
    size = number(abs(difference.value))
    shared = len(leader.by_seed(board.primary).keys() & second.by_seed(board.primary).keys())
    seeds = f" over the {shared} that both have" if shared < max(len(leader.runs), len(second.runs)) else ""
    ends = difference.interval
    if ends and difference.value < 0:
        ends = (-ends[1], -ends[0])
    widened = f", an interval that very bad runs of {second.label} widen"
    unsure = "" if not ends or not ends[0] < 0 < ends[1] else widened if second.beaten else ", an interval that holds 0"
    paired = f" {interval(ends)}, paired by seed{seeds}{unsure}" if ends else ""
    return f", {against}{size} {way} than {second.label}{paired}"


def _cost(board: Board, leader: Row, second: Row) -> str:
    ours, theirs = (board.budget(row, "train_seconds") for row in (leader, second))
    updates = leader.budget("discriminator_updates"), second.budget("discriminator_updates")
    if not ours or not theirs or not updates[0] or not updates[1]:
        return ""
    spent = f"{number(updates[0][0])} discriminator updates against {number(updates[1][0])}."
    if not one_mode([leader, second]):
        return f"Its cost: {spent}"
    pace = "" if number(ours[0]) == number(theirs[0]) else _pace(leader, second, ours, theirs)
    return (
        f"Its cost: {number(ours[0])} s of training a run against {number(theirs[0])} s of {second.label}{pace}; "
        f"{spent}"
    )


def _pace(leader: Row, second: Row, ours: tuple[float, float, float], theirs: tuple[float, float, float]) -> str:
    """How many times longer the first group's runs take than the second's, or why that is not said."""
    few = [row.label for row in (leader, second) if row.timed < statistics.FEWEST]
    apart = ours[2] < theirs[1] or theirs[2] < ours[1]
    if apart and not few and theirs[0] > 0:
        return f" ({number(ours[0] / theirs[0])} times)"
    if max(ours[0], theirs[0]) < TIME_RATIO * min(ours[0], theirs[0]):
        return ", which the load of the machine alone may explain"
    if few:
        return f" (no ratio, as {listed(few)} {'was' if len(few) == 1 else 'were'} timed fewer than 3 times)"
    return " (no ratio, as the times of their runs overlap)"


def _spread(board: Board) -> str:
    """How much of what sets runs of a group apart is the luck of the latents; nothing if that was not measured."""
    errors = [error for row in board.ranked for error in row.sampling]
    groups = [values for row in board.ranked if len(values := row.finals(board.primary)) > 1]
    if not errors or not groups:
        return ""
    latents = math.sqrt(sum(error**2 for error in errors) / len(errors))
    seeds = math.sqrt(sum(float(np.var(values, ddof=1)) for values in groups) / len(groups))
    runs = f"{len(errors)} run{'' if len(errors) == 1 else 's'}"
    return (
        f"With other latents {board.title} moves by {number(latents)} (measured in {runs}), from seed to seed by "
        f"{number(seeds)} (standard deviations)."
    )


def _damaged(board: Board, row: Row) -> int:
    """The number of runs that were lost, that have no value to be ranked by, or whose verdict is not healthy."""
    values = row.values[board.primary]
    return len(row.lost) + sum(run.verdict not in _FINE or run.name not in values for run in row.finished)
