"""Sides measured side by side, and what is claimed of their ratio."""

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    Args:
        repeats: measurements of each side.
        quick: as little as will run: to see that everything does, not how fast.
        device: ``cpu`` or ``cuda``.
        threads: of the CPU.
        data: folder that holds ``MNIST/raw``.
        peers: folder of the peers' programs.
        case: a part of the names of the cases that are measured, where there are several; all names have the empty one.
    """

    repeats: int
    quick: bool
    device: str
    threads: int
    data: str
    peers: str = ""
    case: str = ""

    def chosen(self, cases: Mapping[str, T]) -> dict[str, T]:
        """Those of the cases that are measured; SystemExit if there are none."""
        chosen = {name: case for name, case in cases.items() if self.case in name}
        if not chosen:
            raise SystemExit(f"--case {self.case}: expected a part of one of these names: {'; '.join(cases)}")
        return chosen

    def of(self, much: int, little: int = 4) -> int:
        """The one or the other."""
        return little if self.quick else much

    def run_of(self, iterations: int) -> list[str]:
        """Overrides for a run of so many iterations; a quick one needs points of its curves in the middle as well."""
        return ["iterations=4", "log_every=2"] if self.quick else [f"iterations={iterations}"]


@dataclass(frozen=True)
class Claim:
    """A ratio of two sides, and the bounds it is claimed to keep.

    It is the median of the ratios of what was measured side by side: the machine may have been slower at other times.

    Args:
        name: what is compared.
        sides: of the ratio, in that order, with as many measurements of each.
        unit: of the measurements.
        at_most: largest ratio claimed, or None.
        at_least: smallest ratio claimed, or None.
    """

    name: str
    sides: Mapping[str, Sequence[float]]
    unit: str = "ms"
    at_most: float | None = None
    at_least: float | None = None

    @property
    def medians(self) -> dict[str, float]:
        """Of each side."""
        return {name: statistics.median(values) for name, values in self.sides.items()}

    @property
    def ratio(self) -> float:
        return statistics.median(first / second for first, second in zip(*self.sides.values(), strict=True))

    @property
    def claimed(self) -> str:
        """The bounds in words."""
        if self.at_most is not None:
            return f"<= {self.at_most:g}"
        return "" if self.at_least is None else f">= {self.at_least:g}"

    @property
    def holds(self) -> bool | None:
        """Whether the ratio keeps its bounds; None where nothing is claimed."""
        if self.at_most is not None:
            return self.ratio <= self.at_most
        return None if self.at_least is None else self.ratio >= self.at_least


def as_markdown(claims: Sequence[Claim]) -> str:
    """A table with a row for each thing that is measured and a column for each side, with its ratio in brackets.

    Args:
        claims: of the name "what: side / reference".
    """
    rows: dict[str, dict[str, str]] = {}
    for claim in claims:
        what, _, _ = claim.name.partition(": ")
        (side, value), (reference, other) = claim.medians.items()
        row = rows.setdefault(what, {})
        row.setdefault(reference, f"{_written(other)} {claim.unit}")
        row[side] = f"{_written(value)} ({claim.ratio:.2f})"
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    lines += [[what, *(row.get(column, "") for column in columns)] for what, row in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _written(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def in_turn(sides: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Measurements of each side: A B A B …, so that what disturbs the machine disturbs all alike."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for repeat in range(repeats):
        for name, side in sides.items():
            taken[name].append(side())
        tell(repeat, repeats, taken)
    return taken


def tell(repeat: int, repeats: int, taken: Mapping[str, Sequence[float]]) -> None:
    """Say on stderr what was measured last."""
    said = ", ".join(f"{name} {values[-1]:.4g}" for name, values in taken.items())
    print(f"  {repeat + 1} of {repeats}: {said}", file=sys.stderr, flush=True)
