"""Tune every loss alike, then repeat its best settings on fresh seeds: the comparison of Lucic et al. 2018."""

import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from gan_lab.errors import ConfigError
from gan_lab.files import write_json
from gan_lab.launch import job_folder, sweep_overrides, sweep_values
from gan_lab.metric_names import higher_is_better, known
from gan_lab.run_folder import RunFolder

_PENALTIES = "penalty_weight"  # in the space, the weights of whatever penalties a recipe has


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
    """For every combination of what the line sweeps, a random search over the same space, then fresh seeds.

    Every combination gets the same number of trials, and in each trial the same settings, as far as it has them. The
    best trial, by the mean of the metric over the tuning seeds, is repeated with the seeds proper; a trial that was
    lost counts as the worst. Tuning runs lie in ``tuning/``, the repetitions in ``replicates/``, and ``tuning.json``
    says what was tried and chosen.

    Args:
        trials: settings tried for each combination.
        tuning_seeds: seeds that each trial runs with.
        seeds: seeds of the repetitions, none of them among the tuning seeds.
        metric: what to choose by; None for what a report ranks by.
        draw: seed of the random search.
        space: by key, ``interval(a, b)``, ``tag(log, interval(a, b))`` or ``choice(a, b, ...)``; the key
            ``penalty_weight`` stands for all penalties that a recipe has.
        params: sweeps given in the configuration, as the basic sweeper's.

    References:
        Lucic et al. 2018, Are GANs Created Equal?, §5 (arXiv 1711.10337).
    """

    def __init__(
        self,
        trials: int,
        tuning_seeds: list[int],
        seeds: list[int],
        metric: str | None,
        draw: int,
        space: dict[str, str],
        params: dict[str, str] | None,
    ) -> None:
        if trials < 1:
            raise ConfigError(f"hydra.sweeper.trials={trials}: expected a whole number of at least 1")
        if not tuning_seeds or not seeds or set(tuning_seeds) & set(seeds):
            raise ConfigError(
                f"hydra.sweeper.seeds={list(seeds)}: expected some, and none of tuning_seeds={list(tuning_seeds)}"
            )
        if metric is not None and not known(metric):
            raise ConfigError(f"hydra.sweeper.metric={metric}: there is no metric of this name")
        self.trials = trials
        self.tuning_seeds = tuning_seeds
        self.seeds = seeds
        self.metric = metric
        self.draw = draw
        self.space = space
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
        folder = Path(self.config.hydra.sweep.dir)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        combinations = self._combinations()
        trials = self._draw_trials()
        settings = [[self._fitting(combination, trial) for trial in trials] for combination in combinations]

        tuning = [
            [*combination, *chosen, f"seed={seed}", self._into("tuning", combination, f"trial={number}", seed)]
            for combination, tried in zip(combinations, settings, strict=True)
            for number, chosen in enumerate(tried)
            for seed in self.tuning_seeds
        ]
        results = iter([_metrics(job) for job in self._launch(tuning, 0)])
        scores = [[[next(results) for _ in self.tuning_seeds] for _ in trials] for _ in combinations]
        metric = self.metric or _ranking_metric(scores)
        best = [_best(of_trials, metric) for of_trials in scores]
        record = {
            "metric": metric,
            "seeds": list(self.tuning_seeds),
            "combinations": [
                {
                    "combination": combination,
                    "best": chosen,
                    "trials": [
                        {"settings": one, "values": [found.get(metric) for found in of_seeds]}
                        for one, of_seeds in zip(tried, of_trials, strict=True)
                    ],
                }
                for combination, chosen, tried, of_trials in zip(combinations, best, settings, scores, strict=True)
            ],
        }
        write_json(folder / "tuning.json", record)

        replicates = [
            [*combination, *tried[chosen], f"seed={seed}", self._into("replicates", combination, "", seed)]
            for combination, tried, chosen in zip(combinations, settings, best, strict=True)
            for seed in self.seeds
        ]
        return [self._launch(replicates, len(tuning))]

    def _launch(self, jobs: list[list[str]], first: int) -> Sequence[JobReturn]:
        assert self.launcher is not None
        self.validate_batch_is_legal(jobs)
        return self.launcher.launch(jobs, initial_job_idx=first)

    def _combinations(self) -> list[list[str]]:
        """The overrides of every combination of what is swept, and of what is not."""
        assert self.config is not None
        overrides = {one.get_key_element(): one for one in sweep_overrides(self.config)}
        if "seed" in overrides:
            raise ConfigError("seed: protocol=tuned has seeds of its own; expected hydra.sweeper.seeds=[...] instead")
        choices = [[f"{key}={value}" for value in sweep_values(one)] for key, one in overrides.items()]
        return [list(combination) for combination in product(*choices)]

    def _draw_trials(self) -> list[dict[str, str]]:
        """The settings of every trial, drawn independently and in the order of the space."""
        lines = [f"{key}={value}" for key, value in self.space.items()]
        sweeps = {one.key_or_group: one.value() for one in OverridesParser.create().parse_overrides(lines)}
        draw = random.Random(self.draw)
        return [{key: _drawn(key, sweep, draw) for key, sweep in sweeps.items()} for _ in range(self.trials)]

    def _into(self, part: str, combination: list[str], trial: str, seed: int) -> str:
        """The override that puts a run into its folder, which is named after what is swept."""
        assert self.config is not None
        swept = {one.get_key_element() for one in sweep_overrides(self.config) if one.is_sweep_override()}
        words = [word for word in combination if word.partition("=")[0] in swept] + [trial, f"seed={seed}"]
        return f"hydra.sweep.subdir='{part}/{job_folder(0, ','.join(filter(None, words)))}'"

    def _fitting(self, combination: list[str], trial: dict[str, str]) -> list[str]:
        """The trial's settings as overrides that the combination's recipe has."""
        assert self.config is not None
        assert self.hydra_context is not None
        if _PENALTIES not in trial:
            return [f"{key}={value}" for key, value in trial.items()]
        composed = self.hydra_context.config_loader.load_sweep_config(self.config, combination)
        weights = {f"loss.penalties.{name}.weight": trial[_PENALTIES] for name in composed.loss.penalties}
        return [f"{key}={value}" for key, value in (trial | weights).items() if key != _PENALTIES]


def _drawn(key: str, sweep: Any, draw: random.Random) -> str:
    if isinstance(sweep, ChoiceSweep):
        return str(draw.choice([_plain(value) for value in sweep.list]))
    if not isinstance(sweep, IntervalSweep) or not sweep.start or sweep.end is None:
        raise ConfigError(
            f"hydra.sweeper.space.{key}: expected interval(a, b), tag(log, interval(a, b)) or choice(a, b, ...)"
        )
    if "log" not in sweep.tags:
        return f"{draw.uniform(sweep.start, sweep.end):.6g}"
    return f"{math.exp(draw.uniform(math.log(sweep.start), math.log(sweep.end))):.6g}"


def _plain(value: Any) -> str:
    """A value as the command line has it, without the spaces that Python puts into lists."""
    return str(value).replace(" ", "")


def _metrics(job: JobReturn) -> dict[str, float]:
    """A run's final metrics, none if it was lost."""
    assert job.hydra_cfg is not None
    run = RunFolder(job.hydra_cfg.hydra.runtime.output_dir)
    return run.result()["metrics"] if run.result_file.is_file() else {}


def _ranking_metric(scores: list[list[list[dict[str, float]]]]) -> str:
    from gan_lab.report.comparison import primary_metric  # SciPy would slow every start of the command

    for found in (found for of_trials in scores for of_seeds in of_trials for found in of_seeds):
        if found and (metric := primary_metric(list(found))):
            return metric
    raise ConfigError("protocol=tuned: no trial came to an end, so there is nothing to choose from")


def _best(of_trials: list[list[dict[str, float]]], metric: str) -> int:
    """The trial with the best mean over seeds; one that lost a run is the worst."""

    def badness(of_seeds: list[dict[str, float]]) -> float:
        if not all(metric in found for found in of_seeds):
            return math.inf
        mean = statistics.fmean(found[metric] for found in of_seeds)
        return -mean if higher_is_better(metric) else mean

    return min(range(len(of_trials)), key=lambda number: badness(of_trials[number]))
