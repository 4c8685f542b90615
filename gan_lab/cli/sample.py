"""``gan-lab-sample``: samples from a run's generator, as pictures or as an array."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan_lab.cli.arguments import parse, with_equals
from gan_lab.config.targets import let_in
from gan_lab.errors import ConfigError, shown
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.terminal import one_sentence


def _argument(help: str, **default: Any) -> Any:
    return field(metadata={"help": help}, **default)


MOST = 10_000_000
"""Samples in memory at once."""


@dataclass
class SampleArguments:
    """Draw samples from a run's generator, or a path through its latents."""

    run: str = _argument("the run's folder")
    num: int = _argument("samples, or with interpolate the number of paths", default=64)
    out: str = _argument(
        "NAME.png or NAME.jpg: one picture of all; NAME.gif: an animation of the paths; NAME.npz: the array 'samples', "
        "and 'labels' if there are any; NAME: a folder of one PNG each",
        default="generated.png",
    )
    interpolate: int = _argument("steps between two latents, a row of the picture each path; 0: none", default=0)
    weights: str = _argument(
        "generator, ema (its moving average), best (on validation samples, of a run with checkpoint.best), or auto "
        "(ema if there is one)",
        default="auto",
    )
    seed: int = _argument("of the latents", default=0)
    truncation: float | None = _argument(
        "less variety, fewer failures: the bound of latents drawn from the normal prior, such as 0.5; of a generator "
        "with a mapping, such as model=stylegan2, how far styles stay from their mean, 0 to 1",
        default=None,
    )
    class_: list[int] | None = field(
        default=None,
        metadata={"help": "of a run with labels: the class to draw, or several in turn, such as 3 or [0,1]"},
    )
    allowed_targets: list[str] = field(
        default_factory=list, metadata={"help": "packages besides gan_lab, torch.nn and torch.optim that may be named"}
    )


def main() -> None:
    """The command."""
    one_sentence(_sample)


def _sample() -> None:
    arguments = parse("gan-lab-sample", SampleArguments, with_equals(sys.argv[1:], SampleArguments))
    let_in(arguments.allowed_targets)
    out = Path(arguments.out)
    kind = out.suffix.lower()
    folder = RunFolder.existing(arguments.run)
    if not 1 <= arguments.num * max(1, arguments.interpolate) <= MOST:
        raise ConfigError(f"num={arguments.num}: expected a whole number from 1 to {MOST:,}, steps between counted")
    if arguments.interpolate < 0 or arguments.interpolate == 1:
        raise ConfigError(f"interpolate={arguments.interpolate}: expected 0, or a whole number of at least 2")
    if not 0 <= arguments.seed < 2**32:
        raise ConfigError(f"seed={arguments.seed}: expected a whole number from 0 to {2**32 - 1}")
    if kind not in (".png", ".jpg", ".jpeg", ".gif", ".npz", ""):
        raise ConfigError(f"out={out}: expected NAME.png, NAME.jpg, NAME.gif, NAME.npz or NAME, a folder")
    if kind == ".gif" and not arguments.interpolate:
        raise ConfigError(f"out={out}: an animation needs steps to show; expected interpolate=N with it, such as 30")
    if out.exists():
        raise ConfigError(f"out={out}: it exists; name another")

    import gan_lab.storage.plotting  # noqa: F401  # before matplotlib
    from gan_lab.runs.sample import sample, write

    samples = sample(
        folder,
        arguments.num,
        arguments.interpolate,
        arguments.weights,
        arguments.seed,
        arguments.allowed_targets,
        arguments.class_,
        arguments.truncation,
    )
    write(samples, out, columns=arguments.interpolate or None)
    print(f"{len(samples.values)} samples of {shown(folder.path)} in {shown(out)}")
