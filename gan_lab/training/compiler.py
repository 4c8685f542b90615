"""Whether this machine can compile as configured."""

import inspect

import torch
from omegaconf import DictConfig
from torch import nn

from gan_lab.config.compilation import check_graph
from gan_lab.errors import ConfigError
from gan_lab.losses import Recipe

_OLDEST = (2, 15)  # 2.11 cannot; those between have not been tried


def records_graph(config: DictConfig) -> bool:
    """Whether iterations become a CUDA graph."""
    on_gpu = config.trainer.accelerator != "cpu" and torch.cuda.is_available()
    return config.compile == "cudagraph" or (config.compile == "iteration" and on_gpu)


def check_compiler(config: DictConfig) -> None:
    """Raise ConfigError for ``compile=iteration`` where losses cannot be compiled.

    On a CPU that takes a C++ compiler. On a GPU iterations become a CUDA graph too, with which fewer keys go.
    """
    if config.compile != "iteration":
        return
    if torch.__version__ < _OLDEST:
        wanted = ".".join(map(str, _OLDEST))
        raise ConfigError(
            f"compile=iteration: expected PyTorch {wanted} or newer, which compiles gradients, not {torch.__version__}"
        )
    if records_graph(config):
        check_graph(config)
        return
    if config.trainer.accelerator != "cpu" and torch.backends.mps.is_available():
        raise ConfigError("compile=iteration: expected a CPU or a CUDA GPU to train on, such as with trainer=cpu")
    from torch._inductor.cpp_builder import get_cpp_compiler  # here: importing it takes a second
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler as error:
        raise ConfigError(
            "compile=iteration: there is no C++ compiler here; expected one such as g++, or that CXX names"
        ) from error


def check_features(config: DictConfig, loss: Recipe, discriminator: nn.Module) -> None:
    """Raise ConfigError for a term that finds features by hooks, which a compiled loss cannot set."""
    if config.compile != "iteration" or inspect.ismethod(getattr(discriminator, "features", None)):
        return
    for name, term in loss.terms.items():
        if term.looks_at_features:
            raise ConfigError(
                f"loss.terms.{name}: expected a model.discriminator with a method features with compile=iteration"
            )
