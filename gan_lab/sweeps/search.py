"""What a tuned sweep searches: how many trials, over what space, with which seeds (Lucic et al. 2018)."""

import math
import random
from dataclasses import asdict, dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from gan_lab.config.messages import sentence
from gan_lab.errors import ConfigError
from gan_lab.metric_names import higher_is_better, known
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.sweep_folder import REPLICATES, TUNING
from gan_lab.validation import is_number, is_whole


@dataclass(frozen=True)
class Search:
    """A random search, the same for each combination that is tuned.

    Args:
        trials: settings tried for each combination of what is swept.
        tuning_seeds: seeds that each trial runs with.
        seeds: seeds of the repetitions, none of them among the tuning seeds.
        metric: the metric to choose by; None for the one a report ranks by.
        draw: seed of the random draws.
        space: by key, ``interval(a, b)``, ``int(interval(a, b))``, ``tag(log, interval(a, b))`` or
            ``choice(a, b, ...)``.

    Raises:
        ConfigError: for any other value.
    """

    trials: int
    tuning_seeds: list[int]
    seeds: list[int]
    metric: str | None
    draw: int
    space: dict[str, str]

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise ConfigError(f"hydra.sweeper.trials={self.trials}: expected a whole number of at least 1")
        for name in ("tuning_seeds", "seeds"):
            seeds = getattr(self, name)
            if len({*seeds}) < len(seeds) or not all(is_whole(seed) and 0 <= seed < 2**32 for seed in seeds):
                raise ConfigError(
                    f"hydra.sweeper.{name}={seeds}: expected different whole numbers from 0 to below 2**32"
                )
        if not self.tuning_seeds or not self.seeds or set(self.tuning_seeds) & set(self.seeds):
            raise ConfigError(
                f"hydra.sweeper.seeds={self.seeds}: expected some, and none of tuning_seeds={self.tuning_seeds}"
            )
        if self.metric is not None and not known(self.metric):
            raise ConfigError(f"hydra.sweeper.metric={self.metric}: there is no metric of this name")
        self.drawn()

    def drawn(self) -> list[dict[str, str]]:
        """The settings of every trial, drawn independently and in the order of the space."""
        sweeps = {key: _parsed(key, value) for key, value in self.space.items()}
        draw = random.Random(self.draw)
        return [{key: _drawn(sweep, draw) for key, sweep in sweeps.items()} for _ in range(self.trials)]

    def as_record(self) -> dict[str, Any]:
        return asdict(self)


def search_of(sweeper: DictConfig, keys: list[str]) -> Search | None:
    """The search that a sweeper is configured with, or None if it is not the tuned one.

    Args:
        sweeper: ``hydra.sweeper``.
        keys: the keys on the command line.

    Raises:
        ConfigError: for a setting that is refused.
    """
    if "tuning_seeds" not in sweeper:
        return None
    if "seed" in keys:
        raise ConfigError("seed: protocol=tuned has seeds of its own; expected hydra.sweeper.seeds=[...] instead")
    settings = OmegaConf.to_container(sweeper, resolve=True)
    assert isinstance(settings, dict)
    if drawn := [key for key in keys if key.lstrip("+") in settings["space"]]:
        raise ConfigError(
            f"{drawn[0]}: protocol=tuned draws it for each trial; expected "
            f"hydra.sweeper.space={{{drawn[0].lstrip('+')}:'choice(...)'}} instead"
        )
    return Search(**{key: settings[key] for key in Search.__dataclass_fields__})


def check_guided(config: DictConfig) -> None:
    """Raise ConfigError if a search that runs guide, which is Optuna's, cannot be guided by validation samples.

    Args:
        config: the sweep's, with Hydra's own keys.
    """
    sweeper = config.hydra.sweeper
    if "n_trials" not in sweeper:
        return
    if not config.evaluation.validation:
        raise ConfigError(
            "evaluation.validation=false: expected true with hydra/sweeper=optuna, as validation samples choose"
        )
    direction = getattr(sweeper.direction, "name", sweeper.direction)  # Optuna's default is a member of its enumeration
    if direction != "minimize":
        raise ConfigError(
            f"hydra.sweeper.direction={direction}: expected minimize, as a metric of which more is better counts "
            "as its negative"
        )


def draw_alike(sweeper: DictConfig) -> None:
    """Give Optuna's sampler a seed if it has none: only the same trials again can go on with those in the folder."""
    sampler = sweeper.get("sampler")
    if sampler is not None and sampler.get("seed", 0) is None:
        sampler.seed = 0


def validated(result: dict[str, Any] | None) -> dict[str, float]:
    """The metrics of validation samples that a run ended with; none of a lost one."""
    found = (result or {}).get("validation")
    metrics = found.get("metrics") if isinstance(found, dict) else None
    return {name: value for name, value in metrics.items() if is_number(value)} if isinstance(metrics, dict) else {}


def objective(result: dict[str, Any]) -> float:
    """What a search minimises: the metric of validation samples that a report ranks by, negated if more is better.

    Infinite if the run has no number for it: Optuna takes no NaN.
    """
    if not (found := validated(result)):
        return math.inf
    import gan_lab.storage.plotting  # noqa: F401  # before Lightning and matplotlib
    from gan_lab.report.leaderboard import primary_metric  # SciPy would slow every start of the command

    metric = primary_metric(list(result["metrics"]))
    if metric is None or metric not in found:
        return math.inf
    return -found[metric] if higher_is_better(metric) else found[metric]


def refuse_untuned(protocol: str, folder: RunFolder | None = None) -> None:
    """Raise ConfigError if a run has protocol=tuned and its settings do not come from a search.

    Args:
        protocol: the run's, or those that are swept, separated by commas.
        folder: the run's, if it is one of a sweep.
    """
    chosen = folder is not None and folder.path.parent.name in (TUNING, REPLICATES)
    if "tuned" in protocol.split(",") and not chosen:
        raise ConfigError(
            f"protocol={protocol}: tuned is a sweep of its own, and no run by itself; "
            "expected gan-lab -m protocol=tuned, with what is to be tuned"
        )


def _parsed(key: str, value: str) -> ChoiceSweep | IntervalSweep:
    try:
        sweep = OverridesParser.create().parse_override(f"{key}={value}").value()
    except HydraException as error:
        raise ConfigError(f"hydra.sweeper.space.{key}: {sentence(error)}") from error
    if isinstance(sweep, ChoiceSweep):
        return sweep
    if isinstance(sweep, IntervalSweep):
        low, high = _ends(sweep)
        if (0 if "log" in sweep.tags else -math.inf) < low < high < math.inf:
            return sweep
    raise ConfigError(
        f"hydra.sweeper.space.{key}={value}: expected interval(a, b), tag(log, interval(a, b)) or "
        "choice(a, b, ...), with a below b, and above 0 if log"
    )


def _ends(sweep: IntervalSweep) -> tuple[float, float]:
    low, high = sweep.start, sweep.end
    assert low is not None  # only a sweep that is not parsed has none
    assert high is not None
    return low, high


def _drawn(sweep: ChoiceSweep | IntervalSweep, draw: random.Random) -> str:
    if isinstance(sweep, ChoiceSweep):
        return draw.choice([_plain(value) for value in sweep.list])
    low, high = _ends(sweep)
    whole = isinstance(low, int) and isinstance(high, int)  # int(interval(1, 5)): both ends are drawn
    if "log" in sweep.tags:
        value = math.exp(draw.uniform(math.log(low), math.log(high + whole)))
    else:
        value = draw.uniform(low, high + whole)
    return str(min(int(value), int(high))) if whole else f"{value:.6g}"


def _plain(value: Any) -> str:
    """A value as on the command line: lists without Python's spaces."""
    return str(value).replace(" ", "")
