"""The figures that others published for a run's setting, which the report sets beside the run's own."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan_lab.errors import ConfigError, shown
from gan_lab.metric_names import known
from gan_lab.validation import is_number, typed

KEYS = ("metric", "value", "source", "protocol")
"""Of an entry: the metric's name as in result.json, its value, who published it, and how it was measured there."""


def check_published(config: DictConfig) -> None:
    """Raise ConfigError unless every entry of ``published`` is whole: nothing but these keys, and each of its kind."""
    entries: Any = OmegaConf.to_container(config.published) if OmegaConf.is_config(config.published) else None
    if not isinstance(entries, list):
        raise ConfigError(f"published={typed(config.published)}: expected a list of entries with {', '.join(KEYS)}")
    for number, entry in enumerate(entries):
        if problem := fault_of(entry):
            raise ConfigError(f"published.{number}{problem}")


def fault_of(entry: Any) -> str:
    """What is wrong with an entry: the end of its key, the value and what is allowed; an empty string for nothing."""
    if not isinstance(entry, dict) or set(entry) != set(KEYS):
        return f"={shown(entry)}: expected an entry with {', '.join(KEYS)}"
    if not isinstance(entry["metric"], str) or not known(entry["metric"]):
        return f".metric={shown(typed(entry['metric']))}: expected the name of a metric, such as fid or fd_classifier"
    if not is_number(entry["value"]):
        return f".value={shown(typed(entry['value']))}: expected a finite number"
    for key in ("source", "protocol"):
        if not isinstance(entry[key], str) or not entry[key].strip():
            return f".{key}={shown(typed(entry[key]))}: expected some words"
    return ""
