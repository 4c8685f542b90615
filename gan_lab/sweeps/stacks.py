"""Which jobs of a sweep train as one program: those that differ in their seed alone."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from omegaconf import OmegaConf

from gan_lab.sweeps.worker import Job

LAUNCHER = "hydra_plugins.gan_lab.vectorized_launcher.VectorizedLauncher"


def stacks(jobs: Sequence[Job]) -> list[list[Job]]:
    """The jobs in groups that train together, in the order of their first jobs; those without work are groups of one.

    Runs of a group that were interrupted go on from the newest iteration of which all of them have a checkpoint, if
    there is one: a process that is killed may have saved some of them and not the others.
    """
    groups: dict[str, list[Job]] = {}
    for number, job in enumerate(jobs):
        key = str(number) if job.request is None else _without_seed(job)
        groups.setdefault(key, []).append(job)
    return [_together(group) for group in groups.values()]


def _without_seed(job: Job) -> str:
    assert job.request is not None
    settings: Any = OmegaConf.to_container(job.request.config)
    return json.dumps([{**settings, "seed": None}, job.request.names], sort_keys=True)


def _together(group: list[Job]) -> list[Job]:
    saved = [set(job.folder.saved_iterations()) for job in group if job.request is not None]
    common = set.intersection(*filter(None, saved)) if any(saved) else set()
    if not common:
        return group
    for job in group:
        if job.request is not None:
            job.request = replace(job.request, latest_start=max(common))
    return group
