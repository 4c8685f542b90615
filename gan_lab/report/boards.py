"""Sorts runs onto boards and ranks their groups."""

import json
import math
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from gan_lab.errors import ConfigError, closest, shown
from gan_lab.metric_names import known
from gan_lab.report import factors, groups, significance, statistics
from gan_lab.report.leaderboard import Board, Claims, Row, primary_metric
from gan_lab.report.run import Measurement, Run

_WINDOW = "ssim_window"


@dataclass(frozen=True)
class Measured:
    """A run with one of its measurements, and whether that was made later."""

    run: Run
    measurement: Measurement
    later: bool


def boards(runs: list[Run], metric: str | None) -> list[Board]:
    """Sort finished runs onto boards; lost and unfinished ones join their groups there.

    Runs without a readable configuration are on none.

    Raises:
        ConfigError: if no run has the metric asked for, or its direction is not known.
    """
    _check(metric, {name for run in runs for entry in run.outcome.measurements for name in entry.metrics})
    runs = _with_windows(runs)
    places, apart = groups.places(runs)
    cells: dict[tuple[str, str, str], list[Measured]] = defaultdict(list)
    for run in runs:
        for number, measurement in enumerate(run.outcome.measurements):
            fingerprint = json.dumps(measurement.fingerprint, sort_keys=True, default=str)
            names = json.dumps(sorted(measurement.metrics))
            cells[run.dataset, fingerprint, names].append(Measured(run, measurement, number > 0))
    tried = [_board(dataset, members, places, metric) for dataset, members in _together(cells, metric)]
    made = [board for board in tried if board is not None]
    made.sort(key=lambda board: (board.dataset, board.again, -sum(len(row.runs) for row in board.rows)))
    _place_unfinished(made, runs, places)
    _name(made, places, apart)
    for board in made:
        for row in board.rows:
            if losses := board.losses(row):
                row.key = statistics.ranking_key(losses)
        board.rows.sort(key=lambda row: row.key)
    _settle(made)
    return made


def _with_windows(runs: list[Run]) -> list[Run]:
    """The runs; measurements without SSIM, which depend on no window, get that of the others in their fingerprint."""

    def rest(run: Run, one: Measurement) -> str:
        others = {key: value for key, value in one.fingerprint.items() if key != _WINDOW}
        return json.dumps([run.dataset, others], sort_keys=True, default=str)

    def of(run: Run, one: Measurement) -> Measurement:
        if any("ssim" in name for name in one.metrics) or rest(run, one) not in windows:
            return one
        return replace(one, fingerprint=one.fingerprint | {_WINDOW: windows[rest(run, one)]})

    measured = [(run, one) for run in runs for one in run.outcome.measurements]
    windows = {rest(run, one): one.fingerprint[_WINDOW] for run, one in measured if _WINDOW in one.fingerprint}
    return [
        replace(run, outcome=replace(run.outcome, measurements=[of(run, one) for one in run.outcome.measurements]))
        for run in runs
    ]


def _check(metric: str | None, available: set[str]) -> None:
    if metric is None or not available:
        return
    if metric not in available:
        raise ConfigError(f"metric={shown(metric)}: no run has this metric; {closest(metric, available)}")
    if not known(metric):
        raise ConfigError(f"metric={metric}: whether more of it is better is not known, so nothing is ranked by it")


def _together(
    cells: dict[tuple[str, str, str], list[Measured]], metric: str | None
) -> list[tuple[str, list[Measured]]]:
    """The measurements of each board, with its dataset: of one fingerprint, and ranked by one metric.

    Some runs may have further metrics, as those with labels do. Two measurements of a run are never on one board.
    """
    found: dict[tuple[str, str, str | None], list[list[Measured]]] = defaultdict(list)
    for (dataset, fingerprint, _), members in cells.items():
        homes = found[dataset, fingerprint, _primary(members, metric)]
        runs = {one.run.name for one in members}
        home = next((home for home in homes if runs.isdisjoint(one.run.name for one in home)), None)
        if home is None:
            homes.append([*members])
        else:
            home += members
    return [(dataset, members) for (dataset, _, _), homes in found.items() for members in homes]


def _primary(members: list[Measured], metric: str | None) -> str | None:
    """What measurements of the same metrics are ranked by."""
    names = list(members[0].measurement.metrics)
    return metric if metric in names else primary_metric(names)


def _board(dataset: str, members: list[Measured], places: groups.Places, metric: str | None) -> Board | None:
    """The board of some measurements; None without metrics of a known direction."""
    first = members[0].measurement
    names = list(dict.fromkeys(name for one in members for name in one.measurement.metrics))
    primary = _primary(members, metric)
    if primary is None:
        return None
    again = all(one.later for one in members)
    board = Board(dataset, first.fingerprint, names, primary, _shared("floor", members), _shared("ceiling", members),
                  again)  # fmt: skip
    for one in members:
        row = _row(board, places[one.run.name])
        row.runs.append(one.run)
        for name, value in one.measurement.metrics.items():
            if math.isfinite(value):
                row.values[name][one.run.name] = value
        if primary in one.measurement.sampling:
            row.sampling.append(one.measurement.sampling[primary])
        if not one.later and primary in one.run.outcome.best:
            row.best.append(one.run.outcome.best[primary])
    return board


def _shared(key: str, members: list[Measured]) -> dict[str, float]:
    """The floor or the ceiling of a board: each metric's value from the first run that has a number."""
    found: dict[str, float] = {}
    for one in reversed(members):
        values: dict[str, float] = getattr(one.measurement, key)
        found |= {name: value for name, value in values.items() if math.isfinite(value)}
    return found


def _row(board: Board, place: str) -> Row:
    """The board's row of a group, added if it has none."""
    for row in board.rows:
        if row.place == place:
            return row
    board.rows.append(Row(place, values={name: {} for name in board.metrics}))
    return board.rows[-1]


def _place_unfinished(made: list[Board], runs: list[Run], places: groups.Places) -> None:
    """Put runs without a result on the boards that have their group, or else on their dataset's largest board.

    Boards of other data, such as another folder of images, may have their group too: those of the same data go first.
    """
    for run in [run for run in runs if run.known and not run.done]:
        of_dataset = [board for board in made if board.dataset == run.dataset]
        homes = [board for board in of_dataset if any(row.place == places[run.name] for row in board.rows)]
        of_data = [board for board in homes or of_dataset if _data(run) in map(_data, _finished(board))]
        for board in (of_data if homes else of_data[:1]) or homes or of_dataset[:1]:
            _row(board, places[run.name]).runs.append(run)


def _finished(board: Board) -> list[Run]:
    return [run for row in board.rows for run in row.finished]


def _data(run: Run) -> list[tuple[str, str]]:
    """The settings of a run's dataset."""
    return sorted(item for item in run.asked.exact.items() if item[0].startswith("dataset."))


def _name(made: list[Board], places: groups.Places, apart: dict[str, set[str]]) -> None:
    """Name the groups of all boards. Boards of a dataset that share groups are one comparison."""
    known_colours: dict[str, int] = {}
    left = list(made)
    while left:
        comparison = [left.pop(0)]
        shared = {row.place for row in comparison[0].rows}
        while joining := [board for board in left if _joins(board, comparison[0].dataset, shared)]:
            comparison += joining
            shared |= {row.place for board in joining for row in board.rows}
            left = [board for board in left if all(board is not other for other in joining)]
        runs = {run.name: run for board in comparison for row in board.rows for run in row.runs}
        axes = factors.find([runs[name] for name in sorted(runs)], places, apart)
        colours = _colours(list(axes.labels.values()), known_colours)
        for board in comparison:
            board.axes = axes
            for row in board.rows:
                row.label = axes.labels[row.place]
                row.colour = colours[row.label]


def _joins(board: Board, dataset: str, shared: set[str]) -> bool:
    return board.dataset == dataset and any(row.place in shared for row in board.rows)


def _colours(labels: list[str], known_colours: dict[str, int]) -> dict[str, int]:
    """A colour for each group, if possible the one that a group of its name has in an earlier comparison."""
    taken: dict[str, int] = {}
    for label in labels:
        colour = known_colours.get(label, len(labels))
        if colour < len(labels) and colour not in taken.values():
            taken[label] = colour
    free = iter(sorted(set(range(len(labels))) - set(taken.values())))
    colours = {label: taken[label] if label in taken else next(free) for label in labels}
    for label, colour in colours.items():
        known_colours.setdefault(label, colour)
    return colours


def _settle(made: list[Board]) -> None:
    """Mark which groups are better than which, all comparisons of all boards corrected for together."""
    compared = [board for board in made if len(board.ranked) > 1 and board.ranked[0].finished]
    found = significance.told_apart([[board.losses(row) for row in board.ranked] for board in compared])
    comparisons = sum(math.comb(len(board.ranked), 2) for board in compared)
    for board, apart in zip(compared, found, strict=True):
        ranked = board.ranked
        level = significance.pair_level(len(ranked), len(compared))
        fewest = max(statistics.FEWEST, significance.fewest_seeds(level))
        pairs = [(ranked[i], ranked[j]) for i, j in zip(*np.nonzero(np.triu(apart)), strict=True)]
        better = {(one.place, other.place) for one, other in pairs if _intervals_agree(board, one, other)}
        board.claims = Claims(better, comparisons, level, fewest)
        for row in ranked[1:]:
            row.beaten = board.is_better(ranked[0], row)


def _intervals_agree(board: Board, first: Row, row: Row) -> bool:
    """Whether no interval contradicts a claim: that of the probability, or that of the mean difference within seeds.

    The second keeps back a group that is usually better and now and then far worse. Very bad runs of the other group
    speak for the claim, but would widen the interval: they are cut at the first group's worst run, though never below
    their own group's median.
    """
    chance = board.improvement(first, row).interval
    if chance is None or chance[0] <= 0.5:
        return False
    sign = -1.0 if board.higher else 1.0
    ours, theirs = ({s: sign * value for s, value in one.by_seed(board.primary).items()} for one in (first, row))
    if not ours or not theirs:
        return True
    worst = max(*ours.values(), float(np.median(list(theirs.values()))))
    difference = statistics.paired_difference(ours, {seed: min(value, worst) for seed, value in theirs.items()})
    return difference is None or difference.interval is None or difference.interval[1] < 0
