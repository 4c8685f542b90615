"""``gan-lab``: Hydra composes the configuration, `gan_lab.training` does the rest.

torch and Lightning take seconds to import, so nothing here does before a run begins.
"""

import sys
from argparse import ArgumentError

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from gan_lab.cluster import assist_the_first, check_folder_is_named, rank
from gan_lab.errors import ConfigError, one_sentence
from gan_lab.launch import unbegun_sweep_taken_back
from gan_lab.recording import recorded
from gan_lab.resuming import changes_since, check_has_checkpoints, goes_on, is_done, resumed_words
from gan_lab.run_folder import RunFolder
from gan_lab.schema import check
from gan_lab.stopping import ended_by_interrupt
from gan_lab.summary import print_summary
from gan_lab.sweep import SweepFolder
from gan_lab.targets import guarded_composition, let_in
from gan_lab.tuning import refuse_untuned


@hydra.main(config_path="pkg://gan_lab.conf", config_name="train", version_base="1.3")
def run(config: DictConfig) -> float:
    """One run, whose outcome is in its folder; returns the final value of its first metric.

    In a sweep a failure is recorded, and NaN returned, so that the sweep goes on.
    """
    let_in(config.allowed_targets)  # a launcher may have begun this process
    job = HydraConfig.get()
    folder = RunFolder(job.runtime.output_dir)
    names = {group: str(job.runtime.choices[group]) for group in ("loss", "model", "dataset", "protocol")}
    if job.mode == RunMode.MULTIRUN:
        from gan_lab.sweep_job import run_apart

        refuse_untuned(names["protocol"], folder)
        config.resume = None  # the runs of a sweep go on by themselves
        logs = OmegaConf.to_container(job.job_logging, resolve=True)
        return run_apart(config, folder, names, SweepFolder(job.sweep.dir), logs)
    resume = goes_on(config, folder)
    if resume:
        check_has_checkpoints(folder)
    config.resume = None  # how this process began is no part of what is run
    changed = bool(resume and changes_since(folder, config))
    if resume and is_done(folder, config):
        print(f"{folder.path}: the run is done, nothing is left to do")
        return next(iter(folder.result()["metrics"].values()))
    words = [word for word in job.overrides.task if not word.startswith("resume=")]
    value = execute(config, folder, names, resume, words if changed else None)
    print_summary(folder.result(), folder)
    return value


def execute(
    config: DictConfig,
    folder: RunFolder,
    names: dict[str, str],
    resume: bool = False,
    changed: list[str] | None = None,
) -> float:
    """Train as configured, with status.json kept true of it.

    Args:
        config: the composed configuration.
        folder: the run's.
        names: the options chosen in the groups.
        resume: go on from the last checkpoint.
        changed: the overrides that make the configuration, if a resumed run's is another than it was.
    """
    with recorded(folder, config, resume) as stop:
        check(config)
        from gan_lab.training import train

        return train(config, folder, names, stop, resume, changed)


def main() -> None:
    """The command."""
    one_sentence(_run)


@ended_by_interrupt()
def _run() -> None:
    words = sys.argv[1:]
    sys.argv[1:] = words = _options_first(resumed_words(_options_first(words)))
    if rank() is not None:
        check_folder_is_named(words)
    if rank():
        assist_the_first(words)
        return
    with guarded_composition(words), unbegun_sweep_taken_back():
        run()


def _options_first(words: list[str]) -> list[str]:
    """The words with Hydra's options before the overrides: those between overrides Hydra's parser does not find.

    Raises:
        ConfigError: for an option that Hydra does not have, or that would run what lies in a file.
    """
    parser = get_args_parser()
    parser.exit_on_error = False
    try:
        given, unknown = parser.parse_known_intermixed_args(words)
    except ArgumentError as error:
        raise ConfigError(f"{error}; gan-lab --hydra-help lists Hydra's options") from error
    if unknown:
        raise ConfigError(f"{unknown[0]}: there is no such option; expected key=value, or what --hydra-help lists")
    if given.experimental_rerun is not None:
        raise ConfigError("--experimental-rerun: expected resume=FOLDER instead, as a pickle may run any code")
    overrides = list(given.overrides)
    options = [word for word in words if not (overrides and word == overrides[0] and overrides.pop(0))]
    return [*options, *given.overrides]
