"""``gan-lab``: Hydra composes the configuration, `gan_lab.training` does the rest.

torch and Lightning take seconds to import, so nothing here does before a run begins.
"""

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from gan_lab.errors import one_sentence
from gan_lab.run_folder import RunFolder
from gan_lab.schema import check
from gan_lab.summary import print_summary
from gan_lab.sweep import SweepFolder


@hydra.main(config_path="pkg://gan_lab.conf", config_name="train", version_base="1.3")
def run(config: DictConfig) -> float:
    """One run, whose outcome is in its folder; returns the final value of its first metric.

    In a sweep a failure is recorded, and NaN returned, so that the sweep goes on.
    """
    job = HydraConfig.get()
    folder = RunFolder(job.runtime.output_dir)
    names = {group: str(job.runtime.choices[group]) for group in ("loss", "model", "dataset", "protocol")}
    if job.mode == RunMode.RUN:
        value = execute(config, folder, names)
        print_summary(folder.result(), folder)
        return value
    from gan_lab.sweep_job import run_apart

    logs = OmegaConf.to_container(job.job_logging, resolve=True)
    return run_apart(config, folder, names, SweepFolder(job.sweep.dir), logs)


def execute(config: DictConfig, folder: RunFolder, names: dict[str, str], resume: bool = False) -> float:
    """Train as configured, with status.json kept true of it."""
    with folder.recorded(config):
        check(config)
        from gan_lab.training import train

        return train(config, folder, names)


def main() -> None:
    """The command."""
    one_sentence(run)
