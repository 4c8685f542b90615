"""Which runs make a group: those whose recorded configurations are equal but for the seed."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace

from gan_lab.report.run import GROUPS, UNKNOWN, Gap, Run
from gan_lab.runs.resume import CHANGEABLE

Places = dict[str, str]
"""By a run's name, the name of its place: runs of one place make a group. Runs without a configuration have none."""

_CHANGEABLE = tuple(f"{block}." for block in CHANGEABLE)


def with_known_choices(runs: list[Run]) -> list[Run]:
    """The runs, with options of groups that are recorded nowhere taken from runs of the same configuration.

    Runs that are not done tell their options in hydra.yaml alone, which may be damaged.
    """
    if not any(run.known and run.asked.choices[group] == UNKNOWN for run in runs for group in GROUPS):
        return runs
    of_config = _options(runs, lambda run, _: _configuration(run))
    of_block = _options(runs, lambda run, group: _configuration(run, f"{group}."))
    made = []
    for run in runs:
        choices = dict(run.asked.choices)
        for group in GROUPS:
            if run.known and choices[group] == UNKNOWN:
                found = of_config[group, _configuration(run)]
                if not found and group in ("model", "dataset"):  # a loss and a protocol are more than their block
                    found = of_block[group, _configuration(run, f"{group}.")]
                choices[group] = next(iter(found)) if len(found) == 1 else UNKNOWN
        asked, gaps = replace(run.asked, choices=choices), run.gaps
        if run.known and (unknown := [group for group in GROUPS if choices[group] == UNKNOWN]):
            gaps += (Gap("the options of some groups are recorded nowhere", ", ".join(unknown)),)
        made.append(replace(run, asked=asked, gaps=gaps))
    return made


def _options(runs: list[Run], key: Callable[[Run, str], str]) -> dict[tuple[str, str], set[str]]:
    """By group and what `key` makes of a run, the options that are known of such runs."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for run in runs:
        for group in GROUPS:
            if run.known and run.asked.choices[group] != UNKNOWN:
                found[group, key(run, group)].add(run.asked.choices[group])
    return defaultdict(set, {place: set(options) for place, options in found.items()})


def identity(run: Run) -> str:
    """A text that is equal for runs of the same configuration and seed."""
    if not run.known:
        return run.name
    return json.dumps([_options_of(run), run.seed, run.asked.recorded_hash, *sorted(run.asked.exact.items())])


def changeable(key: str) -> bool:
    """Whether a key does not change what is trained."""
    return f"{key}.".startswith(_CHANGEABLE)


def places(runs: Iterable[Run]) -> tuple[Places, dict[str, set[str]]]:
    """The place of each run that has a configuration.

    A key that does not change what is trained sets runs apart only where two runs of one seed differ in such keys
    alone: pooled, they would count as two seeds.

    Returns:
        The places, and for each the keys of this kind that set it apart from others.
    """
    alike: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if run.known:
            trained = sorted(item for item in run.asked.exact.items() if item[0] != "seed" and not changeable(item[0]))
            alike[json.dumps([_options_of(run), *trained])].append(run)
    found: Places = {}
    apart: dict[str, set[str]] = {}
    for base, members in alike.items():
        keys = _apart(members)
        for run in members:
            place = json.dumps([base, *(run.asked.exact.get(key) for key in sorted(keys))]) if keys else base
            found[run.name] = place
            apart[place] = keys
    return found, apart


def _apart(members: list[Run]) -> set[str]:
    """The keys in which runs of one seed differ, of runs that differ in keys that may change alone."""
    by_seed: dict[int, list[Run]] = defaultdict(list)
    for run in members:
        by_seed[run.seed].append(run)
    return {
        key
        for same in by_seed.values()
        if len(same) > 1
        for key in {key for run in same for key in run.asked.exact}
        if key != "seed" and len({run.asked.exact.get(key) for run in same}) > 1
    }


def _options_of(run: Run) -> list[str]:
    return [run.asked.choices[group] for group in GROUPS]


def _configuration(run: Run, prefix: str = "") -> str:
    """The configuration, or a block of it, but for the seed and keys that do not change what is trained."""
    items = run.asked.exact.items()
    return json.dumps(sorted(item for item in items if item[0].startswith(prefix) and item[0] != "seed"
                             and not changeable(item[0])))  # fmt: skip
