"""What a tuned sweep did before its comparison: the settings of the search, its cost, and what it chose."""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from statistics import fmean
from typing import Any

from omegaconf import OmegaConf

from gan_lab.metric_names import title
from gan_lab.report.formatting import listed, number
from gan_lab.report.values import fault, harmless
from gan_lab.runs.reader import as_number
from gan_lab.storage.files import BrokenRecord, read_json
from gan_lab.validation import is_whole


@dataclass(frozen=True)
class Searched:
    """A tuned sweep's search, in words.

    ``space`` holds pairs of key and distribution. ``chosen`` has a row for each group: its name, its settings, and the
    mean of the metric that they were chosen by.
    """

    sentence: str
    space: list[tuple[str, str]]
    chosen: list[tuple[str, str, str]]


def read_search(file: Path) -> Searched:
    """The search that a tuned sweep's record tells of.

    Raises:
        BrokenRecord: if gan-lab did not write it.
    """
    if file.is_symlink() or (os.path.lexists(file) and not os.path.isfile(file)):
        raise BrokenRecord("is no record of a search: it is a link, or neither a file nor a folder; expected a file")
    try:
        record = read_json(file)
        if problem := fault(record):
            raise BrokenRecord(problem)
        return _searched(harmless(record))
    except (BrokenRecord, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        reason = str(error).replace(str(file), file.name)
        raise BrokenRecord(f"is no record of a search: {reason}") from error


def search_words(search: dict[str, Any]) -> list[str]:
    """The overrides of a tuned sweep's search, by its record: what differs from ``protocol=tuned`` as it is shipped."""
    if not search:
        return []
    shipped = OmegaConf.create(files("gan_lab.conf").joinpath("protocol", "tuned.yaml").read_text(encoding="utf-8"))
    usual: Any = OmegaConf.to_container(shipped.hydra.sweeper)
    if gone := usual["space"].keys() - search["space"].keys():
        raise KeyError(f"no override takes {', '.join(gone)} out of a space")
    space = {key: value for key, value in search["space"].items() if value != usual["space"].get(key)}
    words = [f"{key}={_word(value)}" for key, value in search.items() if key != "space" and value != usual[key]]
    added = [f"{key}:{json.dumps(value)}" for key, value in space.items()]
    drawn = [f"++hydra.sweeper.space={{{','.join(added)}}}"] if added else []  # keys may be new in it
    return [*(f"hydra.sweeper.{word}" for word in words), *drawn]


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _searched(record: dict[str, Any]) -> Searched:
    combinations = record["combinations"]
    cost, count = record["cost"], len(combinations)
    lost = f", {cost['lost']} of them lost," if cost["lost"] else ""
    spent = f"{_counted(cost['runs'], 'run')}{lost} and {number(float(cost['train_seconds']))} s of training"
    sentence = (
        f"Tuned before the comparison: {_counted(record['trials'], 'trial')} for {'each of ' if count > 1 else ''}"
        f"{_counted(count, 'group')}, drawn at random from one space (draw {record['draw']}), on "
        f"{_seeds(record['tuning_seeds'])}, chosen by {title(record['metric'])}. That cost {spent}. The best trial of "
        f"each was repeated with {_seeds(record['seeds'])}; these runs alone are compared here."
    )
    shared = set.intersection(*(set(one["combination"]) for one in combinations)) if count > 1 else set()
    chosen = []
    for one in combinations:
        name = ", ".join(word for word in one["combination"] if word not in shared) or "all"
        if one["best"] is None:
            chosen.append((name, "none, as every trial was lost", "lost"))
            continue
        if not is_whole(one["best"]) or one["best"] < 0:
            raise ValueError(f"'best' is {one['best']}")
        best = one["trials"][one["best"]]
        given = [value for value in best["values"] if value is not None]
        values = [value for value in map(as_number, given) if math.isfinite(value)]
        if len(values) < len(given):
            raise ValueError(f"'values' are {given}")
        gone = len(best["values"]) - len(values)
        short = f" ({gone} of {len(best['values'])} lost)" if gone else ""
        chosen.append((name, ", ".join(best["settings"]), number(fmean(values)) + short if values else "lost"))
    return Searched(sentence, [(str(key), str(value)) for key, value in record["space"].items()], chosen)


def _counted(many: int, what: str) -> str:
    return f"{many:,} {what}{'' if many == 1 else 's'}"


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'' if len(seeds) == 1 else 's'} {listed([str(seed) for seed in seeds])}"
