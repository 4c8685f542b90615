"""Tune every loss alike, then repeat its best settings on fresh seeds: the comparison of Lucic et al. 2018."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from gan_lab.config.resolvers import job_folder
from gan_lab.errors import ConfigError, shown
from gan_lab.metric_names import higher_is_better
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.sweep_folder import REPLICATES, TUNING, TUNING_RECORD
from gan_lab.storage.files import BrokenRecord, read_json, write_json
from gan_lab.sweeps.overrides import named_keys, sweep_overrides, sweep_values
from gan_lab.sweeps.search import search_of, validated
from gan_lab.validation import typed


@dataclass
class TunedSweeperConf:
    """The arguments of `TunedSweeper`; conf/protocol/tuned.yaml gives them."""

    _target_: str = "hydra_plugins.gan_lab.tuned_sweeper.TunedSweeper"
    trials: int = 8
    tuning_seeds: list[int] = field(default_factory=lambda: [1000])
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2, 3, 4])
    metric: str | None = None
    draw: int = 0
    space: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] | None = None


ConfigStore.instance().store(group="hydra/sweeper", name="tuned", node=TunedSweeperConf, provider="gan_lab")


class TunedSweeper(Sweeper):
    """For every combination of what the command line sweeps: a random search over one space, then fresh seeds.

    Every combination gets the same number of trials with the same settings, as far as it has such keys. The best trial,
    by the mean of the metric over the tuning seeds, is repeated with fresh seeds; a trial with a failed run counts as
    the worst. A combination all of whose trials failed is not repeated. What was chosen stays chosen once it has been
    repeated, even if a trial that had failed is made up for later. Tuning runs lie in ``tuning/``, the repetitions in
    ``replicates/``. ``tuning.json`` records what was tried and chosen, and what it cost.

    Args:
        settings: the fields of `gan_lab.sweeps.search.Search`, whose key ``penalty_weight`` in the space stands for all
            penalties that a recipe has; and ``params``, sweeps given in the configuration, as the basic sweeper's.

    References:
        Lucic et al. 2018, Are GANs Created Equal?, §5 (arXiv 1711.10337).
    """

    def __init__(self, **settings: Any) -> None:
        self.hydra_context: HydraContext | None = None
        self.config: DictConfig | None = None
        self.launcher: Launcher | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context = hydra_context
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        assert self.config is not None
        search = search_of(self.config.hydra.sweeper, [])  # checked before the sweep's folder was made
        assert search is not None
        folder, combinations = Path(self.config.hydra.sweep.dir), self._combinations()
        OmegaConf.save(self.config, folder / "multirun.yaml")
        trials = [[f"{key}={value}" for key, value in trial.items()] for trial in search.drawn()]

        tuning = [
            [*combination, *chosen, f"seed={seed}", self._into(TUNING, combination, f"trial={number}", seed)]
            for combination in combinations
            for number, chosen in enumerate(trials)
            for seed in search.tuning_seeds
        ]
        tuned = [_result(job) for job in self._launch(tuning, 0)]
        results = iter([validated(found) for found in tuned])
        scores = [[[next(results) for _ in search.tuning_seeds] for _ in trials] for _ in combinations]
        metric = search.metric or _ranking_metric(scores)
        before = _recorded(folder / TUNING_RECORD)
        best = [
            before[_key(combination)]["best"]
            if _key(combination) in before and self._is_repeated(combination, search.seeds)
            else _best(of_trials, metric)
            for combination, of_trials in zip(combinations, scores, strict=True)
        ]
        if best.count(None) == len(best):
            raise _nothing_to_choose_by(search.metric, metric, scores)
        made = {
            _key(combination): {
                "combination": combination,
                "best": chosen,
                "trials": [
                    {"settings": one, "values": [found.get(metric) for found in of_seeds]}
                    for one, of_seeds in zip(trials, of_trials, strict=True)
                ],
            }
            for combination, chosen, of_trials in zip(combinations, best, scores, strict=True)
        }
        record = {"metric": metric, "cost": _cost(folder / TUNING), "combinations": [*(before | made).values()]}
        write_json(folder / TUNING_RECORD, search.as_record() | record)

        replicates = [
            [*combination, *trials[chosen], f"seed={seed}", self._into(REPLICATES, combination, "", seed)]
            for combination, chosen in zip(combinations, best, strict=True)
            if chosen is not None
            for seed in search.seeds
        ]
        return [self._launch(replicates, len(tuning))]

    def _is_repeated(self, combination: list[str], seeds: list[int]) -> bool:
        """Whether a run with the chosen settings of a combination has begun."""
        assert self.config is not None
        sweep = Path(self.config.hydra.sweep.dir)
        folders = [sweep / self._folder(REPLICATES, combination, "", seed) for seed in seeds]
        return any(RunFolder(folder).status_file.exists() for folder in folders)

    def _launch(self, jobs: list[list[str]], first: int) -> Sequence[JobReturn]:
        """Run the jobs, and return what became of each.

        Raises:
            ConfigError: if one was refused, as its folder holds another run.
        """
        assert self.launcher is not None
        self.validate_batch_is_legal(jobs)
        done = self.launcher.launch(jobs, initial_job_idx=first)
        for job in done:
            _ = job.return_value  # raises what the job did
        return done

    def _combinations(self) -> list[list[str]]:
        """The overrides of every combination of what is swept, and of what is not."""
        assert self.config is not None
        choices = [
            [f"{one.get_key_element()}={value}" for value in sweep_values(one)] for one in sweep_overrides(self.config)
        ]
        return [list(combination) for combination in product(*choices)]

    def _into(self, part: str, combination: list[str], trial: str, seed: int) -> str:
        """The override that puts a run into its folder."""
        return f"hydra.sweep.subdir='{self._folder(part, combination, trial, seed)}'"

    def _folder(self, part: str, combination: list[str], trial: str, seed: int) -> str:
        """A run's folder in the sweep's, which is named after what is swept."""
        assert self.config is not None
        overrides = sweep_overrides(self.config)  # of which `_combinations` has made one word each
        named = named_keys(overrides)
        words = [word for one, word in zip(overrides, combination, strict=True) if one.get_key_element() in named]
        words = [*sorted(words), trial, f"seed={seed}"]  # whatever the order on the command line
        return f"{part}/{job_folder(0, ','.join(filter(None, words)))}"


def _result(job: JobReturn) -> dict[str, Any] | None:
    """What a run ended with, or None if it was lost."""
    assert job.hydra_cfg is not None
    return _result_of(RunFolder(job.hydra_cfg.hydra.runtime.output_dir))


def _result_of(run: RunFolder) -> dict[str, Any] | None:
    """The result of a run; None if there is none, or if it cannot be read: then the run is lost, and no other."""
    try:
        return run.result() if run.result_file.is_file() else None
    except BrokenRecord:
        return None


def _key(combination: list[str]) -> tuple[str, ...]:
    """What a combination is known by, whatever the order of its words on the command line."""
    return tuple(sorted(combination))


def _recorded(file: Path) -> dict[tuple[str, ...], dict[str, Any]]:
    """What an earlier line of the same search recorded, by the combination.

    Raises:
        ConfigError: if gan-lab did not write it.
    """
    try:
        found = read_json(file)["combinations"] if file.exists() else []
        _ = [one["best"] for one in found]  # read later, and missed now
        return {_key(one["combination"]): one for one in found}
    except (BrokenRecord, KeyError, TypeError) as error:
        raise ConfigError(f"{shown(file)}: it is no record of a search; remove it, or name another folder") from error


def _cost(folder: Path) -> dict[str, float]:
    """What all trials of a sweep have cost."""
    runs = [RunFolder(path) for path in sorted(folder.iterdir()) if path.is_dir()]
    results = [found for run in runs if (found := _result_of(run)) is not None]
    seconds = sum(found["budget"]["train_seconds"] for found in results)
    return {"runs": len(runs), "lost": len(runs) - len(results), "train_seconds": seconds}


def _ranking_metric(scores: list[list[list[dict[str, float]]]]) -> str:
    import gan_lab.storage.plotting  # noqa: F401  # before Lightning and matplotlib
    from gan_lab.report.leaderboard import primary_metric  # SciPy would slow every start of the command

    for found in (found for of_trials in scores for of_seeds in of_trials for found in of_seeds):
        if found and (metric := primary_metric(list(found))):
            return metric
    raise ConfigError("protocol=tuned: no trial came to an end, so there is nothing to choose from")


def _nothing_to_choose_by(asked: str | None, metric: str, scores: list[list[list[dict[str, float]]]]) -> ConfigError:
    """The refusal of a metric that no trial has."""
    measured = sorted({name for of_trials in scores for of_seeds in of_trials for one in of_seeds for name in one})
    expected = f"expected one of {', '.join(measured)}" if measured else "expected trials that end"
    return ConfigError(
        f"hydra.sweeper.metric={typed(asked)}: no trial has a finite value of {metric}, so there is nothing to choose "
        f"by; {expected}, and the same trials count"
    )


def _best(of_trials: list[list[dict[str, float]]], metric: str) -> int | None:
    """The trial with the best mean over seeds; one that lost a run is the worst. None if all have lost one."""

    def badness(of_seeds: list[dict[str, float]]) -> float:
        if not all(metric in found for found in of_seeds):
            return math.inf
        mean = statistics.fmean(found[metric] for found in of_seeds)
        worth = -mean if higher_is_better(metric) else mean
        return worth if math.isfinite(worth) else math.inf

    values = [badness(of_seeds) for of_seeds in of_trials]
    return values.index(min(values)) if min(values) < math.inf else None
