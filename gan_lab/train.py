"""``gan-lab``: Hydra composes the configuration, `gan_lab.training` does the rest.

torch and Lightning take seconds to import, so nothing here does before a run begins.
"""

import sys
import traceback

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from gan_lab.errors import USER_ERRORS, ConfigError, one_sentence, sentence
from gan_lab.run_folder import RunFolder
from gan_lab.schema import check


@hydra.main(config_path="pkg://gan_lab.conf", config_name="train", version_base="1.3")
def run(config: DictConfig) -> float:
    """One run, whose outcome is in its folder; returns the final value of its first metric.

    In a sweep a failure is recorded, and NaN returned, so that the sweep goes on. The exception is a folder that
    holds another run: there is nowhere to record it.
    """
    job = HydraConfig.get()
    folder = RunFolder(job.runtime.output_dir)
    names = {group: str(job.runtime.choices[group]) for group in ("loss", "model", "dataset", "protocol")}
    if folder.status_file.exists():
        raise ConfigError(f"{folder.path}: the folder already holds a run; give every run a folder of its own")
    try:
        with folder.recorded(config):
            check(config)
            from gan_lab.training import train

            return train(config, folder, names)
    except Exception as error:
        if job.mode == RunMode.RUN:
            raise  # `gan_lab.launch` says it
        if isinstance(error, USER_ERRORS):
            print(f"gan-lab: {folder.path.name}: {sentence(error)}", file=sys.stderr)
        else:
            traceback.print_exc()
        return float("nan")


def main() -> None:
    """The command."""
    one_sentence(run)
