"""``gan-lab``: Hydra composes the configuration, `gan_lab.training` does the rest.

torch and Lightning take seconds to import, so nothing here does before a run begins.
"""

import os
import sys
import traceback

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from gan_lab.errors import USER_ERRORS, Diverged, exit_with, one_sentence
from gan_lab.run_folder import RunFolder, config_hash
from gan_lab.schema import check


@hydra.main(config_path="pkg://gan_lab.conf", config_name="train", version_base="1.3")
def run(config: DictConfig) -> float:
    """One run, whose outcome is in its folder; returns the final Fréchet distance.

    In a sweep a failure is recorded and the sweep goes on: NaN is returned.
    """
    job = HydraConfig.get()
    folder = RunFolder(job.runtime.output_dir)
    names = {group: str(job.runtime.choices[group]) for group in ("loss", "model", "dataset", "protocol")}
    in_sweep = job.mode == RunMode.MULTIRUN
    try:
        with folder.recorded(config_hash(config)):
            check(config)
            from gan_lab.training import train

            return train(config, folder, names)
    except USER_ERRORS as error:
        if not in_sweep:
            if not isinstance(error, Diverged):
                folder.discard()
            exit_with(error)  # SystemExit passes through Hydra, which would print more
        print(f"gan-lab: {folder.path.name}: {error}", file=sys.stderr)
    except Exception:
        if not in_sweep:
            raise
        traceback.print_exc()
    return float("nan")


def main() -> None:
    """The command."""
    sys.path.append(os.getcwd())  # where users keep the classes that their own YAML names
    one_sentence(run)
