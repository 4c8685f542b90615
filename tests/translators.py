"""Small runs that translate pictures, or encode them."""

from pathlib import Path

from configurations import composed_of
from omegaconf import OmegaConf
from training_runs import train_in

from gan_lab.runs.folder import RunFolder

TINY = ["trainer=cpu", "batch_size=8", "iterations=2", "evaluation.every=2", "pictures.every=2", "pictures.samples=6",
        "evaluation/extractor=pixels", "evaluation.metrics=[fd]", "evaluation.samples=20",
        "model.generator.channels=4", "model.discriminator.channels=4"]  # fmt: skip


def trained(path: Path, *overrides: str) -> RunFolder:
    """A run of two iterations, with the configuration that Hydra writes."""
    config = composed_of(*overrides[:2], *TINY, *overrides[2:])
    folder = train_in(path, config)
    (path / ".hydra").mkdir()
    OmegaConf.save(config, path / ".hydra" / "config.yaml")
    return folder
