"""``gan-lab``: Hydra composes the configuration, `gan_lab.training.run` does the rest.

torch and Lightning take seconds to import, so nothing here does before a run begins.
"""

import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from gan_lab.cli.assistant import assist_the_first, check_folder_is_named
from gan_lab.cli.options import options_first, resumed_words
from gan_lab.cli.summary import print_summary
from gan_lab.config.messages import one_sentence
from gan_lab.config.targets import guarded_composition, let_in
from gan_lab.distributed.environment import rank
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.resume import changes_since, check_has_checkpoints, goes_on, is_done
from gan_lab.runs.stop_signals import ended_by_interrupt
from gan_lab.runs.sweep_folder import SweepFolder
from gan_lab.sweeps.hydra_callback import unbegun_sweep_taken_back
from gan_lab.sweeps.search import refuse_untuned


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
        from gan_lab.sweeps.worker import run_apart

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
    from gan_lab.training.run import execute

    value = execute(config, folder, names, resume, words if changed else None)
    print_summary(folder.result(), folder)
    return value


def main() -> None:
    """The command."""
    one_sentence(_run)


@ended_by_interrupt()
def _run() -> None:
    words = sys.argv[1:]
    sys.argv[1:] = words = options_first(resumed_words(options_first(words)))
    if rank() is not None:
        check_folder_is_named(words)
    if rank():
        assist_the_first(words)
        return
    with guarded_composition(words), unbegun_sweep_taken_back():
        run()
