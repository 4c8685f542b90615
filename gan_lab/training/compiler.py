"""Whether this machine can compile as configured."""

import inspect

import torch
from omegaconf import DictConfig
from torch import nn

from gan_lab.config.compilation import check_graph
from gan_lab.errors import ConfigError
from gan_lab.losses import Recipe

_WITH_PENALTIES = "2.15"  # the PyTorch that compiles gradients of gradients; 2.11 cannot, those between are untried


def records_graph(config: DictConfig) -> bool:
    """Whether iterations become a CUDA graph."""
    on_gpu = config.trainer.accelerator != "cpu" and torch.cuda.is_available()
    return config.compile == "cudagraph" or (config.compile == "iteration" and on_gpu)


def check_compiler(config: DictConfig) -> None:
    """Raise ConfigError for ``compile=iteration`` where losses cannot be compiled.

    On a CPU that takes a C++ compiler. On a GPU iterations become a CUDA graph too, which refuses further keys.
    """
    if config.compile != "iteration":
        return
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


def check_parts(config: DictConfig, loss: Recipe, discriminator: nn.Module) -> None:
    """Raise ConfigError for a part of the loss that cannot be compiled.

    A term may find features by hooks, which a compiled loss cannot set; older versions of PyTorch cannot compile
    penalties and terms of gradients.
    """
    if config.compile != "iteration":
        return
    for name, term in loss.terms.items():
        if term.looks_at_features and not inspect.ismethod(getattr(discriminator, "features", None)):
            raise ConfigError(
                f"loss.terms.{name}: with compile=iteration it needs a discriminator with a method features; "
                f"{type(discriminator).__name__} has none"
            )
    twice = [f"loss.penalties.{name}" for name in loss.gradient_penalties]
    twice += [f"loss.terms.{name}" for name, term in loss.terms.items() if term.looks_at_styles]
    if twice and torch.__version__ < _WITH_PENALTIES:
        raise ConfigError(
            f"{twice[0]}: expected PyTorch {_WITH_PENALTIES} or newer, not {torch.__version__}, with compile=iteration"
        )
