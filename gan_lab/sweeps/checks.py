"""A sweep is checked before its first run: what no run of it could do refuses all of it."""

from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import InterpolationResolutionError

from gan_lab.config.hydra_nodes import check_subdir
from gan_lab.config.messages import USER_ERRORS, sentence
from gan_lab.config.stackable import check_stackable
from gan_lab.distributed.forkserver import forkserver
from gan_lab.errors import ConfigError
from gan_lab.sweeps.search import Search
from gan_lab.sweeps.stacks import LAUNCHER
from gan_lab.training.run import checked_job


def check_jobs(config: DictConfig, overrides: list[Override], search: Search | None) -> None:
    """Raise ConfigError for the first combination with a key, range, class or optimizer's argument that is wrong.

    What needs data or networks to be known costs its run alone. Of combinations that differ in the seed alone one is
    looked at, and every seed once. What a search draws from intervals is not known yet.

    Args:
        config: the sweep's, with Hydra's own keys.
        overrides: of the command line and of the sweeper.
        search: the sweep's search, if it is tuned; each of its trials is looked at once.
    """
    if not all(one.is_discrete_sweep() or not one.is_sweep_override() for one in overrides):
        return
    loader = GlobalHydra.instance().config_loader()
    jobs = _different(BasicSweeper.split_arguments(overrides, None)[0])
    if search:
        settings = [[f"{key}={value}" for key, value in one.items()] for one in search.drawn()]
        jobs += [[*jobs[0], *words] for words in settings]
    checked = []
    for words in jobs:
        try:
            job = loader.load_sweep_config(config, words)
            with open_dict(job.hydra.job):
                job.hydra.job.num, job.hydra.job.id = 0, "0"
            check_subdir(job.hydra)
            checked.append(checked_job(job, Path(config.hydra.sweep.dir)))
            if search and not checked[-1].evaluation.validation:
                raise ConfigError(
                    "evaluation.validation=false: expected true with protocol=tuned, as validation samples choose"
                )
            if config.hydra.launcher.get("_target_") == LAUNCHER:
                check_stackable(checked[-1])
        except InterpolationResolutionError as error:
            raise ConfigError(sentence(error)) from error
    _try_in_child(checked, search.metric if search else None)


def _different(jobs: list[list[str]]) -> list[list[str]]:
    """The jobs with the first seed, and the first job with each other seed."""

    def seed(words: list[str]) -> str:
        return next((word for word in words if word.startswith("seed=")), "")

    first_with = {seed(words): words for words in reversed(jobs)}
    return [words for words in jobs if seed(words) == seed(jobs[0]) or words is first_with[seed(words)]]


def _try_in_child(configs: list[DictConfig], metric: str | None) -> None:
    """Try the parts of configurations in a process that has torch; this one, which only starts runs, never needs it.

    Args:
        configs: of the runs.
        metric: what a search chooses by, if it says.

    Raises:
        ConfigError: for the first that cannot be made, or that cannot have the metric.
        RuntimeError: if the process ends without a word, as a user's module may.
    """
    context = forkserver()
    heard, told = context.Pipe(duplex=False)
    child = context.Process(target=_try, args=([OmegaConf.to_container(one) for one in configs], metric, told))
    child.start()
    told.close()
    try:
        wrong = heard.recv()
    except EOFError as error:
        child.join()
        raise RuntimeError(f"the process that checks the sweep ended with status {child.exitcode}") from error
    child.join()
    if wrong:
        raise ConfigError(wrong)


def _try(configs: list[Any], metric: str | None, told: Connection) -> None:
    import gan_lab.storage.plotting  # noqa: F401  # before Lightning and matplotlib
    from gan_lab.config.targets import let_in
    from gan_lab.runs.building import try_parts
    from gan_lab.runs.measuring import check_metric, check_selecting

    wrong = ""
    try:
        for one in map(DictConfig, configs):
            let_in(one.allowed_targets)
            try_parts(one)
            check_selecting(one)
            if metric is not None:
                check_metric(one, metric, "hydra.sweeper.metric")
    except USER_ERRORS as error:
        wrong = sentence(error)
    with suppress(BrokenPipeError):  # of a sweep that was killed meanwhile
        told.send(wrong)
