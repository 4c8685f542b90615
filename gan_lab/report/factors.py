"""What varies in a comparison: its axes, the names of its groups, and their settings."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from gan_lab.report.formatting import listed
from gan_lab.report.groups import Places, changeable
from gan_lab.report.run import GROUPS, UNKNOWN, Run
from gan_lab.report.values import ABSENT, written
from gan_lab.runs.reader import as_number

_OTHER_GROUPS = (
    "optimizer",
    "constraint",
    "top_k",
    "penalty",
    "augmentation",
    "evaluation/extractor",
)  # their options name many keys at once
_NAMELESS = ("loss", "model")  # their options need no key beside them: `wgan_gp`, not `loss wgan_gp`
_COMPLETE = 2  # further axes up to which a name tells all of them
_LONGEST = 60  # letters of a name
_NO = "no "  # begins the part of a name that tells of an absent key


@dataclass
class Axes:
    """The axes of a comparison, and each group's place on them."""

    keys: list[str] = field(default_factory=list)
    along: list[str] = field(default_factory=list)
    """Keys that users named and that differ only where an axis does."""
    values: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    """By the group's place and the axis, its values: one, but for keys that do not change what is trained."""
    labels: dict[str, str] = field(default_factory=dict)
    """By the group's place, its name: short, and unique within the comparison."""
    _parts: dict[str, dict[str, str]] = field(default_factory=dict)

    def settings(self, place: str, key: str) -> str:
        """A group's value of an axis, as a user would write it."""
        return listed(sorted({_shown(value) for value in self.values[place][key]}))

    def numeric(self) -> list[list[str]]:
        """The axes that have three or more numbers; those of one name, such as penalties' weights, together."""
        found: dict[str, list[str]] = defaultdict(list)
        for key in self.keys:
            if self.numbers(key):
                found[key.rpartition(".")[2]].append(key)
        return [keys for keys in found.values() if len({one for key in keys for one in self.numbers(key)}) >= 3]

    def numbers(self, key: str) -> list[float]:
        """The values of an axis in order; empty if a group that has the key has something else than one number."""
        values = [value for place in self.values for value in self.values[place][key] if value is not ABSENT]
        one_each = all(len(self.values[place][key]) == 1 for place in self.values)
        numbers = {as_number(value) for value in values}
        return sorted(numbers) if one_each and all(map(math.isfinite, numbers)) else []

    def number(self, place: str, key: str) -> float | None:
        """A group's value of an axis of numbers, or None if it does not have the key."""
        (value,) = self.values[place][key]
        return None if value is ABSENT else float(value)

    def rest(self, place: str, key: str) -> str:
        """A group's name without one axis."""
        parts = self._parts[place].items()
        return " · ".join(part for other, part in parts if other != key and not part.startswith(_NO))


@dataclass(frozen=True)
class Overview:
    """Over everything that was found: the configuration keys that differ, with their values, and those that do not."""

    varied: dict[str, list[str]]
    held: dict[str, str]


def overview(runs: Iterable[Run]) -> Overview:
    """What varied in all runs and what was held."""
    known = [run for run in runs if run.known]
    seen: dict[str, list[str]] = {}
    for key in _keys(known):
        values = {run.asked.exact.get(key): run.asked.config.get(key, ABSENT) for run in known}
        seen[key] = sorted(_shown(value) for value in values.values())
    return Overview(
        varied={key: values for key, values in seen.items() if len(values) > 1},
        held={key: values[0] for key, values in seen.items() if len(values) == 1},
    )


def find(runs: list[Run], places: Places, apart: dict[str, set[str]], leading: tuple[str, ...] = ()) -> Axes:
    """The axes of runs and the names of their groups.

    A key that differs only where an earlier one does, such as a learning rate that a recipe brings along, is no axis of
    its own. Options of groups come first, then the keys that users named.

    Args:
        runs: those of one comparison, each with a configuration.
        places: `gan_lab.report.groups.places`. apart: the keys that set a place apart, of the same.
        leading: groups that come before all axes, and are in no name: what follows from their options is no axis, and
            groups that differ in them alone have one name.
    """
    keys: list[str] = []
    candidates, named = _candidates(runs, places, apart)
    for key in candidates:
        cells: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for run in runs:
            if (value := _place_on(run, key)) != UNKNOWN or key not in GROUPS:
                cells[tuple(_place_on(run, other) for other in (*leading, *keys))].add(value)
        if key not in leading and any(len(values) > 1 for values in cells.values()):
            keys.append(key)
    members: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        members[places[run.name]].append(run)
    if not leading:
        return _named_groups(Axes(keys, [key for key in named if key not in keys]), members, apart)
    on = {place: json.dumps([_place_on(group[0], key) for key in keys]) for place, group in members.items()}
    merged: dict[str, list[Run]] = defaultdict(list)
    for place, group in members.items():
        merged[on[place]] += group
    axes = _named_groups(Axes(keys), merged, {on[place]: apart[place] for place in members})
    return Axes(keys, labels={place: axes.labels[on[place]] for place in members})


def _named_groups(axes: Axes, members: dict[str, list[Run]], apart: dict[str, set[str]]) -> Axes:
    """The axes with the values and names of groups.

    A name tells an axis only where groups of the same loss differ on it, or where a user named it: that `r3gan` has R1
    follows from its name, though `rsgan` is there with and without. Of what is no axis it tells a class that a user put
    in the place of an option's own, such as another generator under `model=dcgan`.
    """
    of_loss: dict[str, list[str]] = defaultdict(list)
    for place, group in members.items():
        axes.values[place] = {key: _values(group, key) for key in (*axes.keys, *axes.along)}
        of_loss[axes.settings(place, "loss") if "loss" in axes.keys else ""].append(place)
    for alike in of_loss.values():
        varied = {key for key in axes.keys if len({axes.settings(place, key) for place in alike}) > 1}
        for place in alike:
            named = {word for run in members[place] for word in run.asked.named}
            keys = [key for key in axes.keys if not changeable(key) or key in apart[place]]
            keys += [key for key in axes.along if key in named and key.endswith("._target_")]
            axes._parts[place] = {
                key: _named(key, axes.values[place][key][0], axes.keys)
                for key in keys
                if key in {"loss", *varied, *named} or _within(key, named - {*GROUPS})
            }
    axes.labels = _labels(axes, {place: group[0].asked.choices["loss"] for place, group in members.items()})
    return axes


def _within(key: str, words: set[str]) -> bool:
    """Whether one of the words names a key, or a block that it is in."""
    return any(key == word or key.startswith(f"{word}.") for word in words)


def _candidates(runs: list[Run], places: Places, apart: dict[str, set[str]]) -> tuple[list[str], list[str]]:
    """What can be an axis, in order; and the configuration keys among it that users named."""
    may_differ = {key for run in runs for key in apart.get(places[run.name], ())}
    keys = [key for key in _keys(runs) if not changeable(key) or key in may_differ]
    keys = [key for key in keys if len({run.asked.exact.get(key) for run in runs}) > 1]
    words = {word for run in runs for word in run.asked.named}
    named = [key for key in keys if _within(key, words)]
    groups = [group for group in _OTHER_GROUPS if _follows(runs, places, group)]
    given = [group for group in groups if group in words]
    first = [group for group in GROUPS if group in words]
    return list(dict.fromkeys((*first, *GROUPS, *given, *named, *groups, *keys))), named


def _follows(runs: list[Run], places: Places, group: str) -> bool:
    """Whether the options of a group are known, and equal in each place: they then split none."""
    options: dict[str, set[str | None]] = defaultdict(set)
    for run in runs:
        options[places[run.name]].add(run.asked.choices.get(group))
    return all(len(of_place) == 1 and None not in of_place for of_place in options.values())


def _keys(runs: Iterable[Run]) -> list[str]:
    """All configuration keys but the seed, those of outer blocks first."""
    return sorted({key for run in runs for key in run.asked.exact} - {"seed"}, key=lambda key: (key.count("."), key))


def _place_on(run: Run, key: str) -> str:
    if key in GROUPS or key in _OTHER_GROUPS:
        return run.asked.choices.get(key, UNKNOWN)
    return run.asked.exact.get(key, ABSENT)


def _values(group: list[Run], key: str) -> list[Any]:
    """The different values of an axis in a group."""
    if key in GROUPS or key in _OTHER_GROUPS:
        return list(dict.fromkeys(_place_on(run, key) for run in group))
    return list({_place_on(run, key): run.asked.config.get(key, ABSENT) for run in group}.values())


def _shown(value: Any) -> str:
    return ABSENT if value is ABSENT else written(value)


def _named(key: str, value: Any, keys: list[str]) -> str:
    """The part of a name that tells an axis."""
    if key in _NAMELESS:
        return str(value)
    short = _short_key(key)
    if sum(_short_key(other) == short for other in keys) > 1:
        short = key
    if value is ABSENT:
        return f"{_NO}{short}"
    if not key.endswith("_target_"):
        return f"{short} {_shown(value)}"
    name = _shown(value).rpartition(".")[2]
    return name if name.lower() == short.replace(" ", "").lower() else f"{short} {name}"  # `R1`, not `r1 R1`


def _short_key(key: str) -> str:
    if key in _OTHER_GROUPS:
        return key.replace("/", " ")
    parts = [part for part in key.split(".") if part not in ("loss", "penalties", "_target_")]
    return " ".join(parts[-2:]).replace("_", " ") or key


def _labels(axes: Axes, losses: dict[str, str]) -> dict[str, str]:
    """The names of all groups: of what differs, with many axes only of what differs from the most common values."""
    further = [key for key in axes.keys if key not in _NAMELESS]
    common = {}
    if len(further) > _COMPLETE:
        for key in further:
            common[key] = Counter(axes.settings(place, key) for place in axes.values).most_common(1)[0][0]
    lead = bool(common) and "loss" not in axes.keys
    told = {
        place: [losses[place]] * lead
        + [part for key, part in parts.items() if common.get(key) != axes.settings(place, key)]
        for place, parts in axes._parts.items()
    }
    labels = {place: [part for part in parts if not part.startswith(_NO)] for place, parts in told.items()}
    counts = Counter(map(tuple, labels.values()))  # that a group lacks a key is told where it is all that tells it
    short = {place: told[place] if counts[tuple(parts)] > 1 else parts for place, parts in labels.items()}
    return _unique({place: " · ".join(parts) or losses[place] for place, parts in short.items()})


def _unique(labels: dict[str, str]) -> dict[str, str]:
    """The names, each once and of at most `_LONGEST` letters: others are cut and numbered."""
    counts = Counter(labels.values())
    numbered = {place: number for number, place in enumerate(labels, 1)}
    made = {}
    for place, label in labels.items():
        number = f" ({numbered[place]})"
        if len(label) > _LONGEST:
            made[place] = f"{label[: _LONGEST - len(number) - 1].rstrip(' ·')}…{number}"
        else:
            made[place] = f"{label}{number}" if counts[label] > 1 else label
    return made
