"""``gan-lab``: Hydra composes the configuration, `gan_lab.training.run` makes the run.

torch and Lightning take seconds to import, so nothing here does before a run begins.
"""

import sys

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from gan_lab.cli.assistant import assist_the_first, check_folder_is_named
from gan_lab.cli.hydra_app import run_hydra
from gan_lab.cli.options import CommandLine, resumed
from gan_lab.cli.summary import print_summary
from gan_lab.config.messages import one_sentence
from gan_lab.config.targets import let_in
from gan_lab.distributed.environment import rank
from gan_lab.runs.resume import is_done
from gan_lab.runs.stop_signals import ended_by_interrupt
from gan_lab.sweeps.hydra_callback import checked_request, unbegun_sweep_taken_back
from gan_lab.sweeps.worker import run_job
from gan_lab.training.run import execute


def run(config: DictConfig) -> float:
    """One run; returns the final value of its first metric.

    In a sweep a failure is recorded and NaN returned, so that the sweep goes on.
    """
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        let_in(config.allowed_targets)  # a launcher may have started this process
        return run_job(config)
    request = checked_request()
    folder = request.folder
    if request.resume and is_done(folder, request.config):
        print(f"{folder.path}: the run is done, nothing is left to do")
        return next(iter(folder.result()["metrics"].values()))
    value = execute(request)
    print_summary(folder.result(), folder)
    return value


def main() -> None:
    """The command."""
    one_sentence(_main)


@ended_by_interrupt()
def _main() -> None:
    line = resumed(CommandLine.parse(sys.argv[1:]))
    let_in(line.allowed_targets())
    if rank() is not None:
        check_folder_is_named(line)
    if rank():
        assist_the_first(line)
        return
    with unbegun_sweep_taken_back():
        run_hydra(line, run)
