"""gan_lab: train GANs under interchangeable losses and find out, honestly, which loss is better."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gan_lab.errors import ConfigError, Diverged

if TYPE_CHECKING:
    from gan_lab.api.run import Run
    from gan_lab.api.sweep import Sweep
    from gan_lab.api.train import train

    __version__: str

__all__ = ["ConfigError", "Diverged", "Run", "Sweep", "train"]

_PLACES = {"Run": "run", "Sweep": "sweep", "train": "train"}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: Hydra takes a second, and torch several."""
    if name in _PLACES:
        return getattr(import_module(f"gan_lab.api.{_PLACES[name]}"), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("gan-loss-lab")
    raise AttributeError(f"module 'gan_lab' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
