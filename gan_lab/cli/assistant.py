"""Processes of one run that torchrun or SLURM's srun has started, on one machine or on several.

The first is the run. The others assist it (`gan_lab.distributed.launcher`): they compose the same configuration and
leave the run's folder alone.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from gan_lab.config.targets import allowed_by, let_in
from gan_lab.errors import ConfigError
from gan_lab.runs.folder import RunFolder

_FOLDER = "hydra.run.dir="


def check_folder_is_named(words: list[str]) -> None:
    """Raise ConfigError unless the processes' common command line says where the run is."""
    if not any(word.startswith(_FOLDER) for word in words):
        raise ConfigError("hydra.run.dir: expected hydra.run.dir=FOLDER, as the processes of the run must agree on one")


def assist_the_first(words: list[str]) -> None:
    """Take part in the run that the first process makes of the same words.

    Raises:
        ConfigError: for a folder of configurations, which cannot be composed here.
    """
    if options := [word for word in words if word.startswith("-")]:
        raise ConfigError(f"{options[0]}: not with processes that torchrun or srun starts; expected key=value alone")
    let_in(allowed_by(words))
    path = next(word for word in words if word.startswith(_FOLDER)).removeprefix(_FOLDER).strip("'\"")
    with initialize_config_module("gan_lab.conf", version_base="1.3"):
        config = compose("train", [word for word in words if not word.startswith("hydra.")], return_hydra_config=True)
    names = {group: str(config.hydra.runtime.choices[group]) for group in ("loss", "model", "dataset", "protocol")}
    resumes, config.resume = config.resume is not None, None
    OmegaConf.set_struct(config, False)
    del config["hydra"]

    import torch

    from gan_lab.runs.checkpoints import newest_checkpoint
    from gan_lab.training.run import assist

    if config.trainer.accelerator != "cpu" and torch.cuda.is_available():
        # Lightning does so only as training begins, and the evaluator is built before; the first one's is cuda:0 anyway
        torch.cuda.set_device(int(os.environ["LOCAL_RANK" if "RANK" in os.environ else "SLURM_LOCALID"]))
    folder = RunFolder(Path(path))
    start = newest_checkpoint(folder) if resumes and folder.status_file.exists() else None
    checkpoint = None if start in (None, -1) else folder.checkpoint(start)
    with TemporaryDirectory() as scratch:
        assist(f"{scratch}/run", OmegaConf.to_yaml(config, resolve=True), names, start, checkpoint)
