"""`gan_lab.train`."""

from collections.abc import Sequence
from os import PathLike

from gan_lab.api.launch import launch
from gan_lab.api.run import Run


def train(
    *overrides: str,
    folder: str | PathLike[str] | None = None,
    config_dir: str | PathLike[str] | None = None,
    allowed_targets: Sequence[str] = (),
) -> Run:
    """Train a GAN, as the command ``gan-lab`` does with the same overrides.

    Ctrl-C, or a notebook's stop button, saves the run and raises KeyboardInterrupt; `Run.resume` goes on.

    Args:
        overrides: what a person would type after ``gan-lab``, such as ``"loss=wgan_gp", "dataset=ring8"``.
        folder: the run's; by default a new one in ``outputs/``, named by the time.
        config_dir: a folder with YAML files of your own.
        allowed_targets: packages of your own whose classes the configuration may name; ``["__main__"]`` for those of
            the notebook.

    Returns:
        The run, which is done.

    Raises:
        ConfigError: for bad input, in one sentence, before training begins.
        Diverged: if a loss, logit or gradient is no longer finite.
    """
    made, allowed = launch(overrides, folder, config_dir, allowed_targets)
    return Run(made, config_dir=config_dir, allowed_targets=allowed)
