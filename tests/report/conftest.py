"""Builds run folders as gan-lab writes them, in any state, with values that a test chooses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from gan_lab.config.hashing import hash_of

FINGERPRINT = {
    "extractor": "points",
    "weights": None,
    "samples": 2500,
    "reference": "test",
    "data": "abc",
    "ema": False,
}
NO_RESULT = ("failed", "diverged", "interrupted", "running")


def write_run(
    folder: Path,
    overrides: dict[str, Any],
    metrics: dict[str, float] | None = None,
    *,
    state: str = "done",
    error: str | None = None,
    verdict: str = "healthy",
    fingerprint: dict[str, Any] | None = None,
    result: dict[str, Any] | None = None,
    train_seconds: float = 10.0,
    clock: bool = True,
    points: int = 10,
    config: dict[str, Any] | None = None,
    picture: bool = False,
) -> Path:
    """One run folder; ``result`` changes entries of result.json, ``config`` the configuration's, by dotted key.

    ``clock`` writes time/train_seconds.
    """
    consequences = config or {}
    metrics = metrics or {"fd_points": 0.5, "modes": 8.0, "high_quality": 0.9, "reverse_kl": 0.1}
    choices = {"loss": "non_saturating", "model": "mlp_2d", "dataset": "ring8", "protocol": "paper"}
    choices |= {key: str(overrides[key]) for key in choices if key in overrides}
    seed = int(overrides.get("seed", 0))
    config = {
        "seed": seed,
        "iterations": 1000,
        "batch_size": 64,
        "dataset": {"_target_": choices["dataset"]},
    }
    config["loss"] = {"objective": {"_target_": f"gan_lab.losses.{choices['loss']}"}, "penalties": {}}
    for key, value in overrides.items():
        if key not in choices:
            _set(config, key, value)
    for key, value in consequences.items():
        _set(config, key, value)
    hydra = folder / ".hydra"
    hydra.mkdir(parents=True)
    (hydra / "config.yaml").write_text(yaml.safe_dump(config))
    (hydra / "overrides.yaml").write_text(yaml.safe_dump([f"{key}={value}" for key, value in overrides.items()]))
    (hydra / "hydra.yaml").write_text(yaml.safe_dump({"hydra": {"runtime": {"choices": choices}}}))
    status = {
        "state": state,
        "config_hash": hash_of(config),
        "iteration": 1000,
        "error": error,
        "started": "2026-01-01T00:00:00+00:00",
    }
    (folder / "status.json").write_text(json.dumps(status | {"ended": None}))
    lines, times = ["iteration,name,value"], ["iteration,name,value"]
    for step in range(1, points + 1):
        iteration = 1000 * step // points
        lines += [f"{iteration},metric/{name},{value * (1 + points - step)!r}" for name, value in metrics.items()]
        lines.append(f"{iteration},loss/discriminator,0.5")
        if clock:
            times.append(f"{iteration},time/train_seconds,{train_seconds * step / points!r}")
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
    (folder / "times.csv").write_text("\n".join(times) + "\n")
    if picture:
        (folder / "samples").mkdir()
        pixels = np.random.default_rng(seed).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "samples" / "final.png")
    if state in NO_RESULT:
        return folder
    made = {
        "schema": 1,
        "config_hash": hash_of(config),
        **choices,
        "seed": seed,
        "budget": {"iterations": 1000, "discriminator_updates": 1000, "generator_updates": 1000, "real_images": 64000,
                   "train_seconds": train_seconds},
        "metrics": metrics,
        "best": {name: {"value": value, "iteration": 900} for name, value in metrics.items()},
        "floor": {name: 8.0 if name == "modes" else 0.001 for name in metrics},
        "ceiling": {},
        "signals": {"diversity": 0.9, "duplicates": 0.0, "realistic": 1.0},
        "verdict": {"verdict": verdict, "rule": "8 of 8 modes reached"},
        "fingerprint": fingerprint or FINGERPRINT,
        "evaluations": [],
        "environment": {"python": "3.11", "torch": "2.15", "device": "cpu", "threads": 1},
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(made | (result or {})))
    return folder


def _set(config: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        config = config.setdefault(parent, {})
    config[last] = value


def write_sweep(folder: Path, losses: dict[str, float], seeds: int, spread: float = 0.02, **options: Any) -> list[Path]:
    """Runs of losses around a reverse KL of their own, ``spread`` apart from seed to seed."""
    runs = []
    for loss, level in losses.items():
        for seed in range(seeds):
            kl = level + spread * (seed - (seeds - 1) / 2)
            metrics = {"fd_points": kl / 10, "modes": 8.0, "high_quality": 0.9, "reverse_kl": kl}
            name = f"{len(runs):03d}_loss={loss},seed={seed}"
            runs.append(write_run(folder / name, {"loss": loss, "seed": seed}, metrics, **options))
    return runs


@pytest.fixture(scope="session")
def run() -> Callable[..., Path]:
    return write_run


@pytest.fixture(scope="session")
def sweep() -> Callable[..., list[Path]]:
    return write_sweep
