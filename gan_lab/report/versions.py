"""Runs of several versions beside each other, of which earlier ones lack keys that came later."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gan_lab.config.hashing import later_keys
from gan_lab.report.run import Asked, Run
from gan_lab.report.values import exact

Config = dict[str, Any]
"""The values of a configuration by dotted key."""

_LATER = [(key, f"{block}._target_", value) for key, block, value in later_keys()]
_LABELS, _GENERATOR = "model.generator.conditioning", "model.generator._target_"


def settings_of(asked: Asked) -> list[tuple[str, str]]:
    """All settings but the seed and those that mean the same as no such key: equal for a group's runs of any version.

    How a generator takes labels is none of a run without labels, as in `config_hash`.
    """
    idle = {key for key, _, value in _LATER if asked.exact.get(key) == exact(value)} | {"seed"}
    if _unlabelled(asked.config):
        idle.add(_LABELS)
    return sorted(item for item in asked.exact.items() if item[0] not in idle)


def lacking(configs: Sequence[Config]) -> list[Config]:
    """For each configuration what it lacks and others have, with values that mean the same as no such key.

    Of a part's keys only configurations with the same part have them.
    """
    whole = [dict(config) for config in configs]
    for key, part, value in _LATER:
        having = {exact(config.get(part)) for config in whole if key in config}
        for config in whole if having else ():
            if not config or key in config or exact(config.get(part)) not in having:
                continue
            if not any(one.startswith(f"{key}.") for one in config):  # null, or a block in its place
                config[key] = value
    without_labels = [config for config in whole if config and _unlabelled(config)]
    ways = {exact(config.get(_GENERATOR)): config[_LABELS] for config in without_labels if _LABELS in config}
    for config in without_labels:
        if (generator := exact(config.get(_GENERATOR))) in ways:
            config.setdefault(_LABELS, ways[generator])
    return [
        {key: value for key, value in after.items() if key not in before}
        for before, after in zip(configs, whole, strict=True)
    ]


def with_later_keys(runs: list[Run]) -> list[Run]:
    """The runs, where those of earlier versions lack keys that others have with what means the same as no such key."""
    added = lacking([run.asked.config for run in runs])
    return [
        replace(run, asked=replace(
            run.asked,
            config=run.asked.config | more,
            exact=run.asked.exact | {key: exact(value) for key, value in more.items()},
        ))
        for run, more in zip(runs, added, strict=True)
    ]  # fmt: skip


def _unlabelled(config: Config) -> bool:
    return bool(config.get("conditional", "none") == "none")
