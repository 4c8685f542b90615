"""``gan-lab-translate``: a folder of pictures translated by a run's generator."""

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


@dataclass
class TranslateArguments:
    """Translate the pictures in a folder with a run's generator (pix2pix, CycleGAN)."""

    run: str = _argument("the run's folder")
    in_: str = _argument(
        "the folder of pictures; each gets the size and the channels that the run was trained on, its middle is kept"
    )
    out: str = _argument("a new folder, of a PNG for each picture, under its name")
    back: bool = _argument("of a run of cyclegan: translate its samples into its sources", default=False)
    weights: str = _argument(
        "generator, ema (its moving average), best (on validation samples, of a run with checkpoint.best), or auto "
        "(ema if there is one)",
        default="auto",
    )
    seed: int = _argument("of the latents, where the generator's dropout is noise", default=0)
    allowed_targets: list[str] = field(
        default_factory=list, metadata={"help": "packages besides gan_lab, torch.nn and torch.optim that may be named"}
    )


def main() -> None:
    """The command."""
    one_sentence(_translate)


def _translate() -> None:
    arguments = parse("gan-lab-translate", TranslateArguments, with_equals(sys.argv[1:], TranslateArguments))
    let_in(arguments.allowed_targets)
    folder, out = RunFolder.existing(arguments.run), Path(arguments.out)
    if not 0 <= arguments.seed < 2**32:
        raise ConfigError(f"seed={arguments.seed}: expected a whole number from 0 to {2**32 - 1}")

    import gan_lab.training.libraries  # noqa: F401  # all at once, which saves a second
    from gan_lab.datasets.folders import Folder
    from gan_lab.runs.translate import Translator, translate_files

    translator = Translator(folder, arguments.back, arguments.seed, arguments.weights, arguments.allowed_targets)
    count = translate_files(translator, Folder.named("in", arguments.in_), out)
    print(f"{count} translations by {shown(folder.path)} in {shown(out)}")
