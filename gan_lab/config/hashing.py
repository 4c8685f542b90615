"""The hash of a configuration: equal hashes are the same run."""

import copy
import hashlib
import json
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan_lab.config.leaves import leaves
from gan_lab.config.schema import ALGORITHM, NO_AUGMENTATION

_PENALTIES = (
    "r1",
    "r2",
    "gradient_penalty",
    "lipschitz_penalty",
    "dragan",
    "zero_centered",
    "cr",
    "bcr",
    "lecam",
)
"""Penalties whose files in ``conf/penalty`` did not always have ``final_weight`` and ``until``."""

# keys that came after runs had been hashed, and the value that means the same as no such key: hashes stay as they were
_LATER: dict[tuple[str, ...], Any] = {
    ("loss", "terms"): {},
    ("evaluation", "verdict", "coverage"): 0.1,
    ("dataset", "subset"): None,
    ("dataset", "flip"): False,
    ("dataset", "dequantise"): False,
    ("model", "packing"): 1,
    ("algorithm",): ALGORITHM,
    ("augmentation",): NO_AUGMENTATION,
    ("model", "encoder"): None,
    ("optimizer", "encoder"): None,
    ("clip_grad", "encoder"): None,
    ("conditional",): "none",
    ("ema", "rise"): None,  # before the whole block: without it that is as it was
    ("ema",): {"half_life": None, "ramp": None},
    ("generator_batch_factor",): 1,
    ("micro_batch",): None,
    ("init_from",): None,
    ("init_players",): ["generator", "discriminator"],
    ("init_strict",): True,
    ("checkpoint", "best"): None,
    ("stop_early",): {"metric": None, "patience": 5, "minimum_change": 0.0},
    ("evaluation", "validation"): False,
    ("dataset", "validation"): 0.1,
    ("model", "discriminator", "conditioning"): "none",
    ("model", "generator", "attention"): None,
    ("model", "discriminator", "attention"): None,
    ("model", "generator", "spectral_norm"): False,
    ("lr_hold",): 0,
    ("lr_final",): 0.0,
    ("lr_iterations",): None,
    ("beta2_final",): None,
    **{("loss", "penalties", name, key): None for name in _PENALTIES for key in ("final_weight", "until")},
    ("published",): [],
    ("loss", "top_k"): None,
}


BESIDE = ("resume", "allowed_targets", "logger", "callbacks", "published", "penalty_weight")
"""Keys that do not decide what is trained, and ``penalty_weight``, which does so in each penalty's own ``weight``."""


def config_hash(config: DictConfig) -> str:
    """A hash of the resolved configuration: equal hashes are the same run."""
    asked = OmegaConf.to_container(config, resolve=True)
    assert isinstance(asked, dict)
    return hash_of(asked)


def without_later(asked: dict[Any, Any]) -> dict[Any, Any]:
    """A copy of plain containers without the keys that earlier versions lacked, where these mean the same as none."""
    run = copy.deepcopy(asked)
    for (*parents, last), absent in _LATER.items():
        node: Any = run
        for key in parents:
            node = node.get(key) if isinstance(node, dict) else None
        if isinstance(node, dict) and last in node and node[last] == absent:
            del node[last]
    generator = model.get("generator") if isinstance(model := run.get("model"), dict) else None
    if run.get("conditional", "none") == "none" and isinstance(generator, dict):
        generator.pop("conditioning", None)  # how it would take labels, which it is not given
    return run


def later_keys() -> Iterator[tuple[str, str, Any]]:
    """Each key that earlier versions lacked, the block that it or its own block came into, and a value.

    The value means the same as no such key.
    """
    for path, absent in sorted(_LATER.items(), key=lambda entry: len(entry[0])):
        for key, value in leaves(absent, ".".join(path)):
            yield key, ".".join(path[:-1]), value


def hash_of(asked: dict[Any, Any]) -> str:
    """`config_hash` of a configuration as plain, resolved containers."""
    run = without_later({key: value for key, value in asked.items() if key not in BESIDE})
    return hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:16]
