"""Warnings: why numbers cannot be compared, or a comparison is not fair. One sentence each."""

import math
from collections import defaultdict
from typing import Any

from gan_lab.metric_names import not_to_be_trusted, title, unfounded_precision, untrusted
from gan_lab.report.formatting import listed, number
from gan_lab.report.groups import changeable
from gan_lab.report.leaderboard import BUDGET, Board, Row, one_mode
from gan_lab.report.run import UNKNOWN, Run
from gan_lab.report.statistics import FEWEST
from gan_lab.report.values import ABSENT, written

TIME_RATIO = 2.0  # a machine's load alone makes the seconds of equal work differ by less than this
_SECONDS_DEPEND_ON = {
    "device": "their device", "torch": "the version of PyTorch", "threads": "the number of threads",
    "stacked": "how many train as one program", "compile": "what is compiled",
}  # fmt: skip


def warnings(boards: list[Board], runs: list[Run]) -> list[str]:
    """All sentences, the gravest first."""
    found = _not_comparable(boards)
    for board in boards:
        where = f"{board.dataset}: " if len(boards) > 1 else ""
        if not board.again:
            of_board = (
                *_budgets(board),
                *_networks(board),
                *_training(board),
                *_stopped(board),
                *_seeds(board),
                *_repeated(board),
                *_sources(board),
                *_lost(board),
                *_unfounded(board),
            )
            found += [where + sentence for sentence in of_board]
    return found + _untabled(boards, runs) + _environments(runs) + _gaps(runs)


def _not_comparable(boards: list[Board]) -> list[str]:
    """Why a dataset has several tables instead of one."""
    sentences = []
    for dataset in dict.fromkeys(board.dataset for board in boards):
        mine = [board for board in boards if board.dataset == dataset and not board.again]
        for first, other in ((mine[0], other) for other in mine[1:]):
            keys = sorted({*first.fingerprint, *other.fingerprint})
            pairs = [(key, first.fingerprint.get(key, "absent"), other.fingerprint.get(key, "absent")) for key in keys]
            reasons = [(key, ours, theirs) for key, ours, theirs in pairs if ours != theirs]
            for key, ours, theirs in reasons or [("the set of metrics", listed(first.metrics), listed(other.metrics))]:
                sentences.append(
                    f"Not comparable, and so not in one table ({dataset}), because {key} differs: "
                    f"{ours} in {_labels(first)}; {theirs} in {_labels(other)}."
                )
    return sentences


def _budgets(board: Board) -> list[str]:
    sentences = []
    for key, name in BUDGET.items():
        spent: dict[Any, list[str]] = defaultdict(list)
        for row in board.rows:
            for value in sorted({run.outcome.budget[key] for run in row.finished}):
                spent[value].append(row.label)
        if key == "train_seconds":
            means = {row.label: budget[0] for row in board.rows if (budget := board.budget(row, key))}
            if one_mode(board.rows) and means and max(means.values()) > TIME_RATIO * min(means.values()):
                least, most = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
                sentences.append(
                    f"Budgets differ in {name}: from {number(means[least])} a run ({least}) to "
                    f"{number(means[most])} ({most})."
                )
        elif len(spent) > 1:
            parts = [f"{value:,} for {_some(labels)}" for value, labels in sorted(spent.items())]
            sentences.append(f"Budgets differ in {name}: {'; '.join(parts)}.")
    return sentences


def _networks(board: Board) -> list[str]:
    """What recipes change in the networks: it follows from the loss, so that no table shows it."""
    of_model: dict[str, list[Row]] = defaultdict(list)
    for row in board.rows:
        of_model[row.runs[0].asked.choices["model"]].append(row)
    model = {row.label: row.runs[0].asked.choices["model"] for row in board.rows}
    parts = [_told("model", model)] if len(of_model) > 1 and "model" not in board.axes.keys else []
    for rows in of_model.values():
        keys = {key for row in rows for key in row.runs[0].asked.config if key.startswith("model.")}
        parts += [part for key in sorted(keys - _shown(board)) if (part := _differing(rows, key))]
    return [f"Groups differ in their networks as well: {'; '.join(parts)}."] if parts else []


def _training(board: Board) -> list[str]:
    """What recipes change in the training: it follows from the loss, so that no table shows it either.

    Optimizers are told by their options, if these say all that differs in them.
    """
    asked = {row.label: row.runs[0].asked for row in board.rows}
    keys = {key for one in asked.values() for key in one.config if not changeable(key)} - _shown(board)
    told_of = ("loss.", "model.", "evaluation.", *(f"{group}." for group in _shown(board)))
    keys = {key for key in keys if key != "seed" and not key.startswith(told_of)}
    parts = {key: part for key in sorted(keys) if (part := _differing(board.rows, key))}
    settings: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    optimizers = [key for key in parts if key.startswith("optimizer.")]
    for one in asked.values():
        settings[one.choices.get("optimizer", UNKNOWN)].add(tuple(one.exact.get(key, ABSENT) for key in optimizers))
    if optimizers and all(len(found) == 1 for found in settings.values()):
        told = {label: one.choices.get("optimizer", UNKNOWN) for label, one in asked.items()}
        parts = {"optimizer": _told("optimizer", told)} | {k: part for k, part in parts.items() if k not in optimizers}
    return [f"Groups differ in their training as well: {'; '.join(parts.values())}."] if parts else []


def _shown(board: Board) -> set[str]:
    """The keys that the table of settings has."""
    return {*board.axes.keys, *board.axes.along}


def _differing(rows: list[Row], key: str) -> str:
    """Which groups have which value of a key; empty if all have the same."""
    values = {row.label: row.runs[0].asked.config.get(key, ABSENT) for row in rows}
    told = {label: ABSENT if value is ABSENT else written(value) for label, value in values.items()}
    return _told(key, told) if len({*told.values()}) > 1 else ""


def _told(key: str, values: dict[str, str]) -> str:
    labels: dict[str, list[str]] = defaultdict(list)
    for label, value in values.items():
        labels[value].append(label)
    return f"{key} is {listed([f'{value} in {_some(groups)}' for value, groups in sorted(labels.items())])}"


def _measured(run: Run, board: Board, name: str) -> bool:
    """Whether a run was measured by a metric in the board's way, with whatever result."""
    mine = [one for one in run.outcome.measurements if one.fingerprint == board.fingerprint]
    return any(name in one.metrics for one in mine)


def _some(labels: list[str]) -> str:
    return listed(labels) if len(labels) <= 4 else f"{len(labels)} groups"


def _stopped(board: Board) -> list[str]:
    counts = {row.label: sum(run.outcome.stopped_early for run in row.finished) for row in board.rows}
    if not (parts := [f"{count} of {label}" for label, count in counts.items() if count]):
        return []
    return [f"Trainings ended early ({listed(parts)}), as a metric of validation samples got no better."]


def _seeds(board: Board) -> list[str]:
    sentences = []
    counts = {row.label: len(row.finished) for row in board.rows}
    few = [label for label, count in counts.items() if count < FEWEST]
    if few:
        sentences.append(f"No interval for {listed(few)}: fewer than {FEWEST} seeds have finished.")
    if len(set(counts.values())) > 1:
        parts = [f"{count} of {label}" for label, count in counts.items()]
        least, most = min(counts.values()), max(counts.values())
        told = listed(parts) if len(parts) <= 8 else f"from {least} to {most}"
        sentences.append(f"Groups have unequal numbers of finished seeds: {told}.")
    return sentences


def _repeated(board: Board) -> list[str]:
    """Groups with several runs of one seed, which differ in no axis."""
    repeated = {row.label: len(row.finished) - len({run.seed for run in row.finished}) for row in board.rows}
    if not (parts := [f"{count} of {label}" for label, count in repeated.items() if count]):
        return []
    return [f"Runs have the seed of another one in their group ({listed(parts)}): they may not be independent of it."]


def _sources(board: Board) -> list[str]:
    """Whether the runs were made by different source code of gan_lab; results of earlier versions do not tell."""
    made: dict[str, list[str]] = defaultdict(list)
    for row in board.rows:
        told = [(run.outcome.environment.get("gan_lab"), run.outcome.environment.get("source")) for run in row.finished]
        for version, source in dict.fromkeys((str(one), str(other)) for one, other in told):
            made["an unrecorded one" if source == "None" else f"{version}, {source}"].append(row.label)
    if len(made) < 2:
        return []
    parts = [f"{source} in {listed(labels)}" for source, labels in sorted(made.items())]
    return [
        f"Runs were made by different source code of gan_lab ({'; '.join(parts)}): values may differ for that reason."
    ]


def _lost(board: Board) -> list[str]:
    sentences = []
    if lost := [f"{len(row.lost)} of {len(row.runs)} of {row.label}" for row in board.rows if row.lost]:
        sentences.append(
            f"Runs were lost ({listed(lost)}): they failed, diverged or were killed. The means are of the finished "
            "runs alone; the ranking puts every group that lost a run after those that lost none, and the "
            "probabilities count a lost run as worse than any finished one."
        )
    if blank := [f"{count} of {row.label}" for row in board.rows if (count := board.valueless(row))]:
        sentences.append(f"Runs finished without a value of {board.primary} ({listed(blank)}): they count as lost.")
    for name in board.others:
        # runs without labels were not measured by the metrics of labels, which the table shows
        having = [row for row in board.rows if any(_measured(run, board, name) for run in row.finished)]
        counts = {row.label: len(row.finished) - len(row.values[name]) for row in having}
        if blank := [f"{count} of {label}" for label, count in counts.items() if count]:
            sentences.append(f"Runs finished without a value of {name} ({listed(blank)}): its means go without them.")
    short = {row.label: (len(row.best), len(row.finished)) for row in board.rows}
    if any(count for count, _ in short.values()) and (
        parts := [f"{count} of {of} of {label}" for label, (count, of) in short.items() if count < of]
    ):
        sentences.append(f"The mean best values of {board.primary} are of fewer runs than finished: {listed(parts)}.")
    if open_ := [f"{len(row.unfinished)} of {row.label}" for row in board.rows if row.unfinished]:
        sentences.append(
            f"Runs have no result yet, were interrupted, or cannot be read ({listed(open_)}): they count neither for "
            "nor against their group."
        )
    return sentences


def _unfounded(board: Board) -> list[str]:
    sentences = [
        f"{listed([title(name) for name in names])} cannot be trusted: {not_to_be_trusted(extractor)}."
        for extractor, names in untrusted(board.metrics).items()
    ]
    for name in [name for name in board.metrics if name.startswith("precision")]:
        parts = []
        for row in board.rows:
            measured = [{key: row.values[key].get(run.name, math.nan) for key in board.metrics} for run in row.finished]
            if count := sum(name in unfounded_precision(metrics) for metrics in measured):
                parts.append(f"{count} of {row.label}")
        if parts:
            sentences.append(
                f"{title(name)} says little of some runs ({listed(parts)}): fewer than 1 % of the real samples' "
                "neighbourhoods hold all generated samples that it counts."
            )
    return sentences


def _untabled(boards: list[Board], runs: list[Run]) -> list[str]:
    """Datasets and runs that are in no table."""
    finished = {run.dataset for run in runs if run.done}
    tabled = {run.name for board in boards for row in board.rows for run in row.runs}
    datasets = {board.dataset for board in boards}
    sentences = []
    if unknown := [run.name for run in runs if not run.known]:
        sentences.append(
            f"Runs are in no table, as their configuration cannot be read, so that their group is not known: "
            f"{listed(unknown)}."
        )
    if others := [run.name for run in runs if run.done and run.name not in tabled and run.dataset in datasets]:
        sentences.append(f"Runs are in no table, as none of their metrics has a known direction: {listed(others)}.")
    for dataset in sorted({run.dataset for run in runs if run.known} - {board.dataset for board in boards}):
        why = "none of its metrics has a known direction" if dataset in finished else "none of its runs has finished"
        sentences.append(f"Dataset {dataset} is in no table: {why}.")
    return sentences


def _environments(runs: list[Run]) -> list[str]:
    sentences = []
    machines = sorted({run.machine for run in runs if run.done})
    if len(machines) > 1:
        sentences.append(
            f"Runs were made on {len(machines)} machines ({listed(machines)}): their seconds are not compared."
        )
    for key, words in _SECONDS_DEPEND_ON.items():
        values = sorted({str(run.outcome.environment.get(key) or "none") for run in runs if run.done})
        if len(values) > 1:
            sentences.append(f"Runs differ in {words}: {listed(values)}; seconds may not be comparable.")
    return sentences


def _gaps(runs: list[Run]) -> list[str]:
    """What the report does without, as it cannot be read."""
    found: dict[str, list[str]] = defaultdict(list)
    for run in runs:
        for gap in run.gaps:
            found[gap.sentence].append(f"{run.name} ({gap.amount})" if gap.amount else run.name)
    return [f"{_capital(sentence)}: {listed(names)}." for sentence, names in found.items()]


def _capital(sentence: str) -> str:
    """The sentence with a capital, unless it begins with the name of a file."""
    return sentence if "." in sentence.partition(" ")[0] else f"{sentence[0].upper()}{sentence[1:]}"


def _labels(board: Board) -> str:
    return listed([row.label for row in board.rows])
