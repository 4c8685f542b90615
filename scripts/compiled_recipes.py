"""Whether ``compile=iteration``, or a stack of seeds, trains what an eager run does.

The cases are every recipe, and what else changes a loss.

uv run python scripts/compiled_recipes.py                # compiled: a minute each, unless the cache holds it
uv run python scripts/compiled_recipes.py --graphs       # as whole graphs that are captured but not compiled: seconds
uv run python scripts/compiled_recipes.py --stacked      # two seeds as one program, instead of compiling
uv run python scripts/compiled_recipes.py --both         # two seeds as one program that is compiled
uv run python scripts/compiled_recipes.py wgan_gp unet   # these alone

Each case trains small networks in float64 for 20 iterations, eagerly and in the other way. All weights and buffers must
agree to 1e-9; bf16 rounds to 3 digits, and there they must agree to 0.05. A configuration that is refused is printed
with its sentence. Recipes must not be refused. Exit status 1 if one fails.
"""

import argparse
import io
import logging
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path

import torch
from hydra import compose, initialize_config_module
from omegaconf import DictConfig
from torch._dynamo.utils import counters

from gan_lab import conf
from gan_lab.config.checks import check, within_budget
from gan_lab.config.stackable import check_stackable
from gan_lab.datasets.data_module import InMemoryData
from gan_lab.errors import ConfigError
from gan_lab.runs.components import build_dataset
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.request import RunRequest
from gan_lab.training.build import build_module, build_trainer
from gan_lab.training.compiler import check_compiler
from gan_lab.training.run import execute
from gan_lab.training.runtime import library_settings
from gan_lab.training.stacked import execute_stacked

_RING = "dataset=ring8 model.generator.hidden=[16] model.discriminator.hidden=[16]"
_NARROW = "model.generator.channels=4 model.discriminator.channels=4"
_DIGITS = "dataset=digits loss=non_saturating model=mlp model.generator.hidden=[16] model.discriminator.hidden=[16]"
_RECIPES = [path.stem for path in sorted(Path(conf.__file__).parent.glob("loss/*.yaml"))]
CASES = {
    **{name: f"loss={name} {_RING}" for name in _RECIPES},
    **{f"penalty {name}": f"penalty=[{name}] {_RING}" for name in ("r1_lazy", "r2", "zero_centered", "lecam")},
    **{f"penalty {name}": f"penalty=[{name}] {_DIGITS}" for name in ("cr", "bcr")},
    **{f"conditional {name}": f"conditional={name} {_DIGITS}" for name in ("concat", "projection", "auxiliary")},
    "conditional per_class": f"conditional=per_class {_DIGITS}",
    **{f"term {name}": f"term=[{name}] {_DIGITS}" for name in ("feature_matching", "orthogonal")},
    "several updates": f"n_critic=3 n_generator=2 {_RING} ema_decay=0.9 clip_grad.discriminator=0.1",
    "moving numbers": f"lr_schedule=cosine lr_warmup=5 beta2_final=0.9 on_divergence=skip_update {_RING}",
    "top_k": f"top_k=decaying {_RING}",
    "spectral norm": f"constraint=spectral_norm {_RING}",
    "weight clip": f"constraint=weight_clip {_RING}",
    "diffaugment": f"augmentation=diffaugment {_DIGITS}",
    "ada": f"augmentation=ada {_DIGITS}",
    "apa": f"augmentation=apa augmentation.p=0.5 {_DIGITS}",
    "batch norm": f"model.generator.norm=batch model.discriminator.norm=batch {_RING}",
    "pacgan": "dataset=ring8 model=pacgan_mlp model.packing=2",
    "dcgan": f"dataset=digits loss=non_saturating model=dcgan {_NARROW}",
    "sngan_cnn": f"dataset=digits model=sngan_cnn loss=sngan {_NARROW}",
    "infogan": "dataset=digits loss=non_saturating model=infogan",
    "stylegan2 networks": f"dataset=digits model=stylegan2 loss=stylegan2 {_NARROW} model.generator.style=4",
    "progressive": f"dataset=digits loss=non_saturating model=progressive {_NARROW}",
    "r3gan networks": "dataset=digits model=r3gan_small loss=r3gan model.generator.widths=[8,4]"
    " model.discriminator.widths=[8,4]",
    "vae_gan": f"dataset=digits loss=non_saturating model=vae_gan {_NARROW} model.encoder.channels=2",
    "unet": f"dataset=digits_edges model=unet {_NARROW}",
    "cyclegan": "dataset=digits_edges model=cyclegan model.generator.blocks=1",
    "bf16": f"trainer.precision=bf16-mixed {_RING}",
}
"""What is trained, by name."""


def main(words: list[str] | None = None) -> None:
    """The command; ``words`` are its arguments, those of the process if None."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(CASES)}")
    parser.add_argument("--graphs", action="store_true", help="capture graphs, and run them without compiling them")
    others = parser.add_mutually_exclusive_group()
    others.add_argument("--stacked", action="store_true", help="stack two seeds instead of compiling")
    others.add_argument("--both", action="store_true", help="stack two seeds and compile")
    arguments = parser.parse_args(words)
    if arguments.graphs and arguments.stacked:
        parser.error("--graphs: expected without --stacked, which compiles nothing")
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    if arguments.graphs:
        torch.compile = partial(torch.compile, backend=lambda graph, inputs, **options: graph)  # type: ignore[assignment]
    ways = (alone, together) if arguments.stacked else (alone, both) if arguments.both else (trained, compiled)
    good = True
    for name in arguments.names or CASES:
        precision = [] if name == "bf16" else ["trainer.precision=64-true"]
        told, holds = compared(ways, [*CASES[name].split(), *precision], 5e-2 if name == "bf16" else 1e-9)
        print(f"{name}: {told}", flush=True)
        good &= holds and not (name in _RECIPES and told.startswith("refused"))
    sys.exit(0 if good else 1)


Training = Callable[[list[str]], Mapping[str, torch.Tensor]]
"""From the words of a command line to the weights and buffers at the end."""


def compared(ways: tuple[Training, Training], words: list[str], tolerance: float) -> tuple[str, bool]:
    """What came of a configuration in both ways, in words, and whether that is as it must be."""
    usual, other = ways
    try:
        expected, found = usual(words), other(words)
    except ConfigError as error:
        return f"refused: {error}", True
    except Exception as error:
        return f"FAILED: {type(error).__name__}: {str(error).splitlines()[0]}", False
    numbers = [key for key, value in expected.items() if value.is_floating_point()]
    worst = max((found[key] - expected[key]).abs().max().item() for key in numbers)
    largest = max(expected[key].abs().max().item() for key in numbers)
    holds = worst <= tolerance
    return f"{'equal' if holds else 'FAILED'}: {worst:.1e} of up to {largest:.1e}", holds


def composed(words: list[str]) -> DictConfig:
    """The configuration of a short training."""
    usual = ["batch_size=8", "iterations=20", "trainer=cpu", "threads=1", "evaluation.samples=100"]
    with initialize_config_module("gan_lab.conf", version_base="1.3"):
        return within_budget(check(compose("train", [*usual, *words])))


def trained(words: list[str]) -> dict[str, torch.Tensor]:
    """Eagerly, without all that a run does beside training."""
    config = composed(words)
    with library_settings(config.trainer, config.threads, config.matmul_precision):
        return _trained(config)


def compiled(words: list[str]) -> Mapping[str, torch.Tensor]:
    """The same with ``compile=iteration``."""
    return _compiling(trained, words)


def _compiling(training: Training, words: list[str]) -> Mapping[str, torch.Tensor]:
    counters.clear()
    weights = training([*words, "compile=iteration"])
    if not counters["stats"]["unique_graphs"]:
        raise RuntimeError("nothing was compiled")
    return weights


def alone(words: list[str]) -> Mapping[str, torch.Tensor]:
    """A run of seed 0."""
    return _first_of(words, (0,))


def together(words: list[str]) -> Mapping[str, torch.Tensor]:
    """The same run in a stack with that of seed 1."""
    return _first_of(words, (0, 1))


def both(words: list[str]) -> Mapping[str, torch.Tensor]:
    """The same, compiled."""
    return _compiling(together, words)


def _first_of(words: list[str], seeds: Sequence[int]) -> Mapping[str, torch.Tensor]:
    with tempfile.TemporaryDirectory() as place, redirect_stderr(io.StringIO()):
        requests = []
        for seed in seeds:
            config, folder = composed([*words, f"seed={seed}"]), RunFolder(Path(place) / f"{seed}")
            check_stackable(config)
            folder.create()
            requests.append(RunRequest(config, folder, dict.fromkeys(("loss", "model", "dataset", "protocol"), "")))
        if len(requests) == 1:
            execute(requests[0])
        else:
            for error in filter(None, execute_stacked(requests)):
                raise error
        weights = torch.load(requests[0].folder.last_checkpoint, weights_only=True)["state_dict"]
    assert isinstance(weights, Mapping)
    return weights


def _trained(config: DictConfig) -> dict[str, torch.Tensor]:
    check_compiler(config)
    dataset = build_dataset(config)
    module = build_module(config, dataset.sample_shape, 1, dataset.class_counts, dataset.source_shape)
    data = InMemoryData(
        dataset,
        config.batch_size * config.model.packing,
        config.n_critic,
        config.n_generator,
        config.iterations,
        config.seed,
        module.generator_uses_real,
        config.generator_batch_factor,
        keeps_pairs=not module.translates_back,
    )
    trainer = build_trainer(config, [], logger=False)
    trainer.precision_plugin.convert_module(module)
    trainer.fit(module, data)
    return module.state_dict()


if __name__ == "__main__":
    main()
