"""What varied across runs and what was held: the axes of a sweep, its groups, and their names."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import yaml

from gan_lab.report.run import GROUPS, Run

_NOT_AXES = ("seed", "resume", "sweep", "hydra", "name")  # keys that do not change what is trained
_NAMELESS = ("loss", "model", "dataset")  # their options need no key beside them: `wgan_gp`, not `loss wgan_gp`


@dataclass
class Axes:
    """The axes, and each run's place on them."""

    keys: list[str]
    values: dict[str, dict[str, str]]
    """By the run's name and the axis, as a user would write it."""
    varied: dict[str, list[str]]
    """All configuration keys that differ between runs, with their values; what follows from the axes is among them."""
    held: dict[str, str]
    """The configuration keys that all runs share."""

    def label(self, run: Run, leave_out: tuple[str, ...] = ()) -> str:
        """The group's short name, such as ``wgan_gp · r1 weight 10``; without axes, the name of the loss."""
        keys = [key for key in self.keys if key not in leave_out]
        if not keys:
            return run.asked.choices["loss"]
        return " · ".join(_named(key, self.values[run.name][key]) for key in keys)

    def numeric(self) -> str | None:
        """The axis that has three or more numbers, if there is exactly one."""
        found = [key for key in self.keys if len(self.numbers(key)) >= 3]
        return found[0] if len(found) == 1 else None

    def numbers(self, key: str) -> list[float]:
        """The values of an axis in order; empty if one of them is not a number."""
        texts = {values[key] for values in self.values.values()}
        if not all(isinstance(value := _typed(text), int | float) and not isinstance(value, bool) for text in texts):
            return []
        return sorted(float(text) for text in texts)


def find(runs: list[Run]) -> Axes:
    """The axes of runs: the keys users gave (``loss``), not what followed from them (``optimizer.generator.lr``).

    A key that differs only where an earlier one does, such as a learning rate tuned for each loss, is not an axis of
    its own. Where overrides do not tell runs apart although their configurations differ, the options of groups do, or
    else the configuration keys.
    """
    config_keys = sorted({key for run in runs for key in run.asked.config}, key=lambda key: (key.count("."), key))
    config_keys = [key for key in config_keys if _may_vary(key)]
    given = {key for run in runs for key in run.asked.overrides if _may_vary(key)}
    given_groups = [key for key in GROUPS if key in given]  # first, as on the command line
    keys: list[str] = []
    for candidate in dict.fromkeys((*given_groups, *sorted(given.difference(GROUPS)), *GROUPS, *config_keys)):
        cells: dict[tuple[str, ...], set[str]] = {}
        for run in runs:
            choices = run.asked.choices
            known = choices[candidate] != "unknown" if candidate in GROUPS else bool(run.asked.config)
            if known or candidate in run.asked.overrides:
                cells.setdefault(tuple(_value(run, key) for key in keys), set()).add(_value(run, candidate))
        if any(len(values) > 1 for values in cells.values()):
            keys.append(candidate)
    configs = [run.asked.config for run in runs if run.asked.config]
    seen = {key: sorted({_text(config.get(key, "(absent)")) for config in configs}) for key in config_keys}
    return Axes(
        keys,
        values={run.name: {key: _value(run, key) for key in keys} for run in runs},
        varied={key: values for key, values in seen.items() if len(values) > 1},
        held={key: values[0] for key, values in seen.items() if len(values) == 1},
    )


def _may_vary(key: str) -> bool:
    return key.partition(".")[0] not in _NOT_AXES


def _value(run: Run, key: str) -> str:
    asked = run.asked
    if key in GROUPS:
        return asked.choices[key]
    if key in asked.overrides:
        return _text(_typed(asked.overrides[key]))
    return _text(asked.config[key]) if key in asked.config else "default"


def _typed(text: str) -> Any:
    """The value that YAML reads, or a number that it does not know, such as 1e-4."""
    with suppress(ValueError):
        return float(text) if not text.lstrip("-").isdigit() else int(text)
    with suppress(yaml.YAMLError):
        return yaml.load(text, Loader=yaml.CSafeLoader)
    return text


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "+".join(map(str, value)) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "null" if value is None else str(value)


def _named(key: str, value: str) -> str:
    if key in _NAMELESS:
        return value
    parts = [part for part in key.split(".") if part not in ("loss", "penalties")]
    return f"{' '.join(parts[-2:]).replace('_', ' ')} {value}"
