"""Processes of one run that torchrun or SLURM's srun has started, on one machine or on several.

The first is the run. The others assist it (`gan_lab.distributed.launcher`): they compose the same configuration, train
on their part of each batch, and write nothing.
"""

import os

from hydra import compose, initialize_config_module

from gan_lab.cli.command_line import CommandLine
from gan_lab.config.checks import check
from gan_lab.errors import ConfigError
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.request import RunRequest, chosen_options
from gan_lab.runs.resume import Start


def check_folder_is_named(line: CommandLine) -> None:
    """Raise ConfigError unless the command line, which is the same in all processes, names the run's folder."""
    if line.text("hydra.run.dir") is None:
        raise ConfigError("hydra.run.dir: expected hydra.run.dir=FOLDER, as the processes of the run must agree on one")


def assist_the_first(line: CommandLine) -> None:
    """Take part in the run that the first process makes of the same command line.

    Raises:
        ConfigError: for an option of Hydra's, such as a folder of configurations, which is not composed here.
    """
    given = [name for name, value in vars(line.options).items() if value and name != "overrides"]
    if given:
        option = f"--{given[0].replace('_', '-')}"
        raise ConfigError(f"{option}: not with processes that torchrun or srun starts; expected key=value alone")
    words = [one.input_line or "" for one in line.overrides if not one.is_hydra_override()]
    with initialize_config_module("gan_lab.conf", version_base="1.3"):
        composed = compose("train", words, return_hydra_config=True)
    names = chosen_options(composed.hydra.runtime.choices)
    config = check(composed)
    resumes, config.resume = config.resume is not None, None

    import torch

    from gan_lab.runs.checkpoints import newest_checkpoint
    from gan_lab.training.run import assist

    if config.trainer.accelerator != "cpu" and torch.cuda.is_available():
        # Lightning does this only when training begins; the evaluator is built before, and would use the first GPU
        torch.cuda.set_device(int(os.environ["LOCAL_RANK" if "RANK" in os.environ else "SLURM_LOCALID"]))
    folder = RunFolder(line.text("hydra.run.dir") or "")
    resumes = resumes and folder.status_file.exists()
    start = newest_checkpoint(folder)[0] if resumes else Start()
    assist(RunRequest(config, folder, names), start)
