"""``gan-lab-export``: a run's generator in one file for other programs."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from gan_lab.cli.arguments import parse, with_equals
from gan_lab.config.targets import let_in
from gan_lab.errors import shown
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.terminal import one_sentence


@dataclass
class ExportArguments:
    """Write a run's generator to a file that needs no gan_lab, once it has drawn the same samples as the run's."""

    run: str = field(metadata={"help": "the run's folder"})
    out: str = field(
        metadata={
            "help": "NAME.pt2: a torch.export program; NAME.onnx: an ONNX model; NAME.safetensors: the weights, with "
            "the configuration in the metadata"
        }
    )
    weights: str = field(
        default="auto",
        metadata={
            "help": "generator, ema (its moving average), best (with checkpoint.best), or auto (ema if there is one)"
        },
    )
    back: bool = field(
        default=False,
        metadata={"help": "of a run of cyclegan: the translator of its samples into its sources"},
    )
    allowed_targets: list[str] = field(
        default_factory=list, metadata={"help": "packages besides gan_lab, torch.nn and torch.optim that may be named"}
    )


def main() -> None:
    """The command."""
    one_sentence(_export)


def _export() -> None:
    arguments = parse("gan-lab-export", ExportArguments, with_equals(sys.argv[1:], ExportArguments))
    let_in(arguments.allowed_targets)
    folder = RunFolder.existing(arguments.run)

    import gan_lab.training.libraries  # noqa: F401  # all at once, which saves a second
    from gan_lab.runs.export import export

    out = export(folder, Path(arguments.out), arguments.weights, arguments.allowed_targets, arguments.back)
    print(f"the generator of {shown(folder.path)} in {shown(out)}")
