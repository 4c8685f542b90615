"""One run folder, as the report sees it: what was asked for, how it went, what came of it."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gan_lab.report.statistics import Array

SILENCE = 600.0
"""Seconds without a written byte after which a run that says it is running, and that no process holds, is killed."""

GROUPS = ("loss", "model", "dataset", "protocol")
"""The groups of configuration whose options a run is described by: runs of different options are never pooled."""

UNKNOWN = "unknown"
"""The option of a group that is recorded nowhere."""

Curve = tuple[Array, Array]
"""Iterations (or seconds), and the values there."""


@dataclass(frozen=True)
class Published:
    """A figure that others published for a run's setting: the metric's name, who says so, how it was measured."""

    metric: str
    value: float
    source: str
    protocol: str


@dataclass(frozen=True)
class Asked:
    """What a run was asked for. A run whose configuration cannot be read has an empty one."""

    config: dict[str, Any] = field(default_factory=dict)
    """By dotted key."""
    exact: dict[str, str] = field(default_factory=dict)
    """By dotted key, a text that is equal for equal values alone (`gan_lab.report.values.exact`)."""
    choices: dict[str, str] = field(default_factory=lambda: dict.fromkeys(GROUPS, UNKNOWN))
    """The options of groups; of `GROUPS` always, of others where Hydra recorded them."""
    named: frozenset[str] = frozenset()
    """The keys that the user named. They hint at the name of what varies, and are no source of values."""
    seed: int = 0
    published: tuple[Published, ...] = ()
    recorded_hash: str = ""
    """The hash of a configuration that holds interpolations, which tells it from others of the same text."""


@dataclass(frozen=True)
class Measurement:
    """Metric values, and the fingerprint of what else they depend on: only equal fingerprints can be compared."""

    fingerprint: dict[str, Any]
    metrics: dict[str, float]
    floor: dict[str, float]
    ceiling: dict[str, float]
    sampling: dict[str, float] = field(default_factory=dict)
    """The standard deviation of metrics over sets of latents, where that was measured."""

    def with_newer(self, other: "Measurement") -> "Measurement":
        """This and another one of the same fingerprint, whose values count."""
        return replace(
            other,
            metrics=self.metrics | other.metrics,
            floor=self.floor | other.floor,
            ceiling=self.ceiling | other.ceiling,
            sampling=self.sampling | other.sampling,
        )


@dataclass(frozen=True)
class Scores:
    """Classification accuracy scores of a run by name, and what they depend on: only equal settings can be compared."""

    values: dict[str, float]
    settings: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Outcome:
    """What came of a run that is done; empty for all others. ``best`` has each metric's best value during training."""

    measurements: list[Measurement] = field(default_factory=list)
    best: dict[str, float] = field(default_factory=dict)
    budget: dict[str, float] = field(default_factory=dict)
    signals: dict[str, float] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    verdict: str = ""
    rule: str = ""
    """Why the verdict was given."""
    stopped_early: bool = False
    usefulness: list[Scores] = field(default_factory=list)
    """What its samples are worth to a classifier, where that was measured."""


@dataclass(frozen=True)
class Gap:
    """Something in a run's folder that the report does without: a sentence, and how much of it, or an empty text."""

    sentence: str
    amount: str = ""


@dataclass(frozen=True)
class Run:
    """One run folder; ``name`` is its path below the folders that the report is on.

    ``state`` is ``done``, ``diverged``, ``failed``, ``interrupted``, ``killed`` (says running, but no process holds it,
    and nothing has been written for `SILENCE`), ``running``, ``waiting`` (has recorded nothing yet)
    or ``unreadable``. All texts in it are harmless to show.
    """

    path: Path
    name: str
    state: str
    reason: str
    iteration: int = 0
    started: str = ""
    asked: Asked = field(default_factory=Asked)
    outcome: Outcome = field(default_factory=Outcome)
    curves: dict[str, Curve] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()

    @property
    def seed(self) -> int:
        return self.asked.seed

    @property
    def dataset(self) -> str:
        return self.asked.choices["dataset"]

    @property
    def done(self) -> bool:
        return self.state == "done"

    @property
    def lost(self) -> bool:
        """Whether the run ended without a result. An interrupted run can be resumed, so it is not lost."""
        return self.state in ("diverged", "failed", "killed")

    @property
    def known(self) -> bool:
        """Whether its configuration could be read: otherwise it belongs to no group."""
        return bool(self.asked.config)

    @property
    def verdict(self) -> str:
        return self.outcome.verdict if self.done else self.state

    @property
    def machine(self) -> str:
        """What seconds were spent on, such as ``cpu, AMD EPYC 7763, x86_64``; empty if that is not recorded."""
        environment = self.outcome.environment
        return ", ".join(str(environment[key]) for key in ("device", "processor", "machine") if environment.get(key))

    def picture(self, name: str) -> Path:
        """A picture, such as ``final.png``; it need not be there."""
        return self.path / "samples" / name
