"""What varied across runs and what was held: the axes of a sweep, the groups that are its cells, and their names."""

from dataclasses import dataclass, field
from typing import Any

import yaml

from gan_lab.report.collect import Run

_GROUPS = ("loss", "model", "dataset", "protocol")
# asked of the machinery, not of the training
_NOT_AXES = ("seed", "resume", "sweep", "hydra", "name")
_ALLOWED_NAMELESS = ("loss", "model", "dataset")  # these options name themselves: `wgan_gp`, not `loss wgan_gp`


@dataclass
class Axes:
    """The axes, and each run's place on them.

    ``values[run.name][axis]`` is text, as a user would give it.
    """

    keys: list[str]
    values: dict[str, dict[str, str]]
    varied: dict[str, list[str]] = field(default_factory=dict)
    """Configuration keys that differ between runs, the consequences of the axes included, with their values."""
    held: dict[str, str] = field(default_factory=dict)
    """Configuration keys that all runs share."""

    def place(self, run: Run) -> tuple[str, ...]:
        """The run's group: its place on every axis."""
        return tuple(self.values[run.name][key] for key in self.keys)

    def label(self, run: Run, leave_out: tuple[str, ...] = ()) -> str:
        """The group's short name, such as ``wgan_gp · r1 weight 10``; without axes, the name of the loss."""
        keys = [key for key in self.keys if key not in leave_out]
        if not keys:
            return run.choices["loss"]
        return " · ".join(_named(key, self.values[run.name][key]) for key in keys)

    def numeric(self) -> str | None:
        """The axis of numbers, three or more, if there is just one such."""
        found = [key for key in self.keys if len(self.numbers(key)) >= 3]
        return found[0] if len(found) == 1 else None

    def numbers(self, key: str) -> list[float]:
        """The values of an axis in order, or none if one of them is not a number."""
        texts = {values[key] for values in self.values.values()}
        if not all(isinstance(_typed(text), int | float) and not isinstance(_typed(text), bool) for text in texts):
            return []
        return sorted(float(text) for text in texts)


def find(runs: list[Run]) -> Axes:
    """The axes of runs: the keys users gave (``loss``), not what followed from them (``optimizer.generator.lr``).

    A key that differs only where an earlier one does, such as a learning rate tuned for each loss, is no axis of its
    own. Where the overrides do not tell runs apart whose configurations differ, their groups' options do, or else the
    configuration keys themselves.
    """
    asked = {key for run in runs for key in run.overrides if key.partition(".")[0] not in _NOT_AXES}
    keys: list[str] = []
    for candidate in dict.fromkeys((*_ordered(asked), *_GROUPS, *_config_keys(runs))):
        if candidate.partition(".")[0] in _NOT_AXES:
            continue
        cells: dict[tuple[str, ...], set[str]] = {}
        for run in runs:
            known = run.choices[candidate] != "unknown" if candidate in _GROUPS else bool(run.config)
            if known or candidate in run.overrides:
                cells.setdefault(tuple(_value(run, key) for key in keys), set()).add(_value(run, candidate))
        if any(len(values) > 1 for values in cells.values()):
            keys.append(candidate)
    values = {run.name: {key: _value(run, key) for key in keys} for run in runs}
    axes = Axes(keys, values)
    for key in _config_keys(runs):
        if key.partition(".")[0] in _NOT_AXES:
            continue
        seen = sorted({_text(run.config.get(key, "(absent)")) for run in runs if run.config})
        if len(seen) > 1:
            axes.varied[key] = seen
        else:
            axes.held[key] = seen[0]
    return axes


def _config_keys(runs: list[Run]) -> list[str]:
    return sorted({key for run in runs for key in run.config}, key=lambda key: (key.count("."), key))


def _ordered(keys: set[str]) -> list[str]:
    """Groups first, as on the command line, then the rest by name."""
    return [key for key in _GROUPS if key in keys] + sorted(keys.difference(_GROUPS))


def _value(run: Run, key: str) -> str:
    if key in _GROUPS:
        return run.choices[key]
    if key in run.overrides:
        return _text(_typed(run.overrides[key]))
    return _text(run.config[key]) if key in run.config else "default"


def _typed(text: str) -> Any:
    """What YAML makes of a value, and numbers it does not know, such as 1e-4."""
    try:
        return float(text) if not text.lstrip("-").isdigit() else int(text)
    except ValueError:
        pass
    try:
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return text


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "+".join(map(str, value)) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "null" if value is None else str(value)


def _named(key: str, value: str) -> str:
    if key in _ALLOWED_NAMELESS:
        return value
    parts = [part for part in key.split(".") if part not in ("loss", "penalties")]
    return f"{' '.join(parts[-2:]).replace('_', ' ')} {value}"
