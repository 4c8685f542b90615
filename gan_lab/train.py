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
from gan_lab.resuming import changes_since, goes_on, is_done, resumed_words
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
    resume = goes_on(config, folder)
    if folder.status_file.exists() and not resume:
        raise ConfigError(f"{folder.path}: the folder already holds a run; give every run a folder of its own")
    config.resume = None  # how this process began is no part of what is run
    try:
        changes = changes_since(folder, config) if resume else {}
        if resume and is_done(folder, config):
            print(f"{folder.path}: the run is done, nothing is left to do")
            return next(iter(folder.result()["metrics"].values()))
        with folder.recorded(config):
            check(config)
            if changes:
                folder.change_config(config, [word for word in job.overrides.task if not word.startswith("resume=")])
            from gan_lab.training import train

            return train(config, folder, names, resume)
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
    one_sentence(_run)


def _run() -> None:
    sys.argv[1:] = resumed_words(sys.argv[1:])
    run()
