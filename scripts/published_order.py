"""Whether a study puts the losses in the order of Lucic et al. 2018 (arXiv 1711.10337): the rank correlation.

uv run python scripts/published_order.py mnist docs/studies/mnist_losses/results.csv
uv run python scripts/published_order.py fashion_mnist docs/studies/fashion_losses/results.csv

Theirs are Fréchet Inception distances with the best settings of a large search, means of 50 seeds. Ours are the Fréchet
distances of the study. The interval is that of our seeds: they are drawn again with replacement, the same ones for
every loss; the published order is taken as exact. With six losses a correlation of 0.83 or less in size can be chance
(two-sided, 5 %), whatever the interval. A seed counts if every loss finished with it.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

PUBLISHED = {
    "mnist": {"minimax": 9.8, "non_saturating": 6.8, "lsgan": 7.8, "wgan": 6.7, "wgan_gp": 20.3, "dragan": 7.6},
    "fashion_mnist": {
        "minimax": 29.6, "non_saturating": 26.5, "lsgan": 30.7, "wgan": 21.5, "wgan_gp": 24.5, "dragan": 27.7,
    },
}  # fmt: skip
_DRAWS = 10_000


def distances(results: Path, dataset: str, losses: list[str]) -> NDArray[np.float64]:
    """The final distance of each loss with each seed, [losses, seeds], of the seeds that all losses have.

    Raises:
        SystemExit: if a loss has not run or is several groups, or no seed is common to all.
    """
    beside = results.with_name("common.csv")
    common = {row["column"]: row["value"] for row in _rows(beside)} if beside.exists() else {}
    every = [common | row for row in _rows(results)]
    rows = [row for row in every if row["state"] == "done" and row["option.dataset"] == dataset]
    found: dict[str, dict[str, str]] = {loss: {} for loss in losses}
    groups: dict[str, set[str]] = {loss: set() for loss in losses}
    for row in rows:
        if row["option.loss"] in found:  # a group's name tells whatever else differs
            found[row["option.loss"]][row["seed"]] = row["metric.fd_classifier"]
            groups[row["option.loss"]].add(row["group"])
    if several := next((loss for loss in losses if len(groups[loss]) > 1), None):
        raise SystemExit(
            f"{results}: {several} is several groups ({', '.join(sorted(groups[several]))}); expected one a loss"
        )
    if missing := [loss for loss, values in found.items() if not values]:
        raise SystemExit(
            f"{results}: no finished run on {dataset} of {', '.join(missing)}; expected all of {', '.join(losses)}"
        )
    seeds = sorted(set.intersection(*(set(values) for values in found.values())))
    if not seeds:
        raise SystemExit(f"{results}: no seed that all of {', '.join(losses)} finished; expected at least one")
    return np.array([[float(found[loss][seed]) for seed in seeds] for loss in losses])


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


def rank_correlation(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spearman's, of each row of ours [rows, losses] with theirs [losses]."""
    one, other = rankdata(ours, axis=1), rankdata(theirs)
    one, other = one - one.mean(1, keepdims=True), other - other.mean()
    found: NDArray[np.float64] = one @ other / np.sqrt((one**2).sum(1) * (other**2).sum())
    return found


def drawn_again(values: NDArray[np.float64], draws: int, seed: int = 0) -> NDArray[np.float64]:
    """Mean distances [draws, losses] of seeds drawn with replacement from values [losses, seeds]."""
    count = values.shape[1]
    means: NDArray[np.float64] = values[:, np.random.default_rng(seed).integers(count, size=(draws, count))].mean(-1).T
    return means


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=PUBLISHED)
    parser.add_argument("results", type=Path, help="results.csv of a study")
    arguments = parser.parse_args()
    losses, theirs = zip(*sorted(PUBLISHED[arguments.dataset].items(), key=lambda one: one[1]), strict=True)
    values = distances(arguments.results, arguments.dataset, list(losses))
    print(f"{'loss':<16}{'theirs':>8}{'ours':>8}")
    for loss, published, mean in zip(losses, theirs, values.mean(1), strict=True):
        print(f"{loss:<16}{published:>8.1f}{mean:>8.2f}")
    (found,) = rank_correlation(values.mean(1)[None], np.array(theirs))
    low, high = np.quantile(rank_correlation(drawn_again(values, _DRAWS), np.array(theirs)), [0.025, 0.975])
    print(f"rank correlation {found:.2f} [{low:.2f}, {high:.2f}], {values.shape[1]} seeds")


if __name__ == "__main__":
    main()
