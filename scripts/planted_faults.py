"""Plant faults in real pictures and print what the metrics of an extractor make of them, as a Markdown table.

uv run python scripts/planted_faults.py digits                          # bundled: 500 pictures, the default extractor
uv run python scripts/planted_faults.py FILE.npz --extractor random_conv --count 1000
uv run python scripts/planted_faults.py digits --extractor classifier   # also pixels; whitened_conv is the default

The pictures of an archive are an array `images`, uint8 [N, H, W, C], perhaps with `labels`. Under each table stand the
metrics that can be trusted: every gross fault scores worse than blur and shift, and these worse than real pictures. The
others are named with the faults that fool them.
"""

import argparse
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, conv2d, interpolate, pad

from gan_lab.datasets import Dataset, digits, npz
from gan_lab.metric_names import higher_is_better
from gan_lab.metrics import (
    Classifier,
    Comparison,
    Extractor,
    Measures,
    Pixels,
    RandomConv,
    RealSets,
    Side,
    WhitenedConv,
    frechet_distance,
    signals,
)
from gan_lab.metrics.frechet import frechet_distance_of_few

EXTRACTORS: dict[str, Callable[[], Extractor]] = {
    made.name: made for made in (WhitenedConv, RandomConv, Pixels, Classifier)
}
GROSS = (
    "noise",
    "blobs",
    "soft blobs",
    "checkerboards",
    "fine checkerboards",
    "faint checkerboards",
    "grey",
    "smear",
    "mean picture",
)
MILD = ("blur", "shift")
SHOWN = ("fd", "kid", "precision", "recall", "density", "coverage", "realistic", "diversity", "duplicates")

Scores = dict[str, dict[str, float]]
"""Metrics and signals by fault; the first is that of real pictures."""


class Pictures(NamedTuple):
    """Real pictures that faults are planted in, uint8 ``[N, C, H, W]``."""

    others: Tensor
    of_half: Tensor | None
    """As many as the others, of one half of the classes; None without classes."""


def planted(real: Pictures, seed: int = 0) -> dict[str, Tensor]:
    """The real pictures, uint8 ``[N, C, H, W]``, and as many with each fault.

    The gross faults: noise of all colours; 4x4 blobs of colour with hard and with soft edges; near-identical
    checkerboards, coarse, fine and faint; grey and the mean picture with a little noise; smeared colours of real ones.
    """
    others = real.others
    count, channels, height, width = others.shape
    draw = torch.Generator().manual_seed(seed)
    size = (height, width)

    def noise(deviation: float) -> Tensor:
        return deviation * torch.randn(others.shape, generator=draw)

    cells = 255 * torch.rand(count, channels, 4, 4, generator=draw)
    side = max(2, height // 8)
    colours = adaptive_avg_pool2d(others.float(), side)
    middle = others.float().mean()
    found = {
        "real": others,
        "noise": 255 * torch.rand(others.shape, generator=draw),
        "blobs": interpolate(cells, size),
        "soft blobs": interpolate(cells, size, mode="bilinear"),
        "checkerboards": middle + 100 * _checkerboard(side, size) + noise(6),
        "fine checkerboards": middle + 100 * _checkerboard(1, size) + noise(6),
        "faint checkerboards": middle + 15 * _checkerboard(side, size) + noise(6),
        "grey": middle + noise(4),
        "smear": interpolate(colours, size, mode="bilinear") + noise(4),
        "mean picture": others.float().mean(0) + noise(8),
        "blur": _blurred(others),
        "shift": _shifted(others, height / (16 if height > 8 else 32)),
        "JPEG at quality 5": torch.stack([_compressed(picture) for picture in others]),
    }
    if real.of_half is not None:
        found["half of the classes"] = real.of_half
    found["100 copies"] = others[:100].repeat(math.ceil(count / 100), 1, 1, 1)[:count]
    found = {name: pictures.round().clamp(0, 255).to(torch.uint8) for name, pictures in found.items()}
    for name in ("noise", "blobs", "checkerboards", "grey"):
        found[f"10 % {name}"] = torch.cat([found[name][: count // 10], others[count // 10 :]])
    return found


def _checkerboard(side: int, size: Sequence[int]) -> Tensor:
    rows, columns = (torch.arange(length) // side for length in size)
    return 2.0 * ((rows[:, None] + columns) % 2) - 1


def _blurred(pictures: Tensor) -> Tensor:
    """By a binomial kernel of 3x3; one of less width for pictures of a few pixels."""
    centre = 2.0 if pictures.shape[2] > 8 else 6.0
    line = torch.tensor([1.0, centre, 1.0]) / (2 + centre)
    kernel = torch.outer(line, line).expand(pictures.shape[1], 1, 3, 3)
    return conv2d(pad(pictures.float(), (1, 1, 1, 1), mode="replicate"), kernel, groups=pictures.shape[1])


def _shifted(pictures: Tensor, by: float) -> Tensor:
    """To the right and down by so many pixels, linearly interpolated; the edge is repeated."""
    whole, part = int(by), by % 1
    height, width = pictures.shape[2:]
    larger = pad(pictures.float(), (whole + 1, 0, whole + 1, 0), mode="replicate")
    for _ in range(2):  # rows, then columns
        larger = ((1 - part) * larger[:, :, 1:] + part * larger[:, :, :-1]).transpose(2, 3)
    return larger[:, :, :height, :width]


def _compressed(picture: Tensor) -> Tensor:
    pixels, file = picture.permute(1, 2, 0).numpy(), io.BytesIO()
    Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0]).save(file, "JPEG", quality=5)
    return torch.from_numpy(np.array(Image.open(file))).view(*pixels.shape).permute(2, 0, 1).float()


def scores(dataset: Dataset, extractor: Extractor, count: int, seed: int = 0) -> Scores:
    """Metrics of each fault against ``count`` held-out pictures, or fewer if there are no more."""
    real = RealSets.of(dataset, count, extractor.learns)
    count = len(real.reference)
    measures = Measures(("kid", "prdc"), 5, 1, count)
    comparison = Comparison(real.learned, extractor, measures, torch.device("cpu"), count)
    reference = comparison.look(real.reference)
    found = {}
    for fault, pictures in planted(Pictures(real.others, _of_half(dataset, count)), seed).items():
        side = comparison.look(pictures)
        metrics = {"fd": _distance(reference, side)} | comparison.compare(reference, side)
        metrics |= signals(reference.features, side.features)
        found[fault] = {name.removesuffix(f"_{extractor.name}"): value for name, value in metrics.items()}
    return found


def _distance(first: Side, second: Side) -> float:
    """The Fréchet distance, by whichever way is the quicker one."""
    if len(first.features) < first.features.shape[1]:
        return frechet_distance_of_few(first.features, second.features)
    return frechet_distance(first.moments, second.moments)


def _of_half(dataset: Dataset, count: int) -> Tensor | None:
    """``count`` training pictures of the lower half of the classes, fewer if there are no more."""
    labels = dataset.train_labels
    if labels is None:
        return None
    return dataset.train[labels < (int(labels.max()) + 1) / 2][-count:]


def fooled(found: Scores) -> dict[str, list[str]]:
    """For each metric the faults that it is fooled by: gross ones that score no worse than a mild one, and mild ones
    that score no worse than real pictures. Empty for a metric that can be trusted."""
    wrong: dict[str, list[str]] = {}
    for metric in ("fd", "kid", "precision", "recall", "density", "coverage", "realistic"):
        sign = 1 if metric == "realistic" or higher_is_better(metric) else -1
        worth = {fault: sign * metrics[metric] for fault, metrics in found.items()}
        worst = min(worth[fault] for fault in MILD)
        wrong[metric] = [fault for fault in GROSS if worth[fault] >= worst]
        wrong[metric] += [fault for fault in MILD if worth[fault] >= worth["real"] and metric != "realistic"]
    return wrong


def table(found: Scores) -> str:
    """The table and what follows from it, in Markdown."""
    lines = [f"| fault | {' | '.join(SHOWN)} |", f"| --- {'| ---: ' * len(SHOWN)}|"]
    for fault, metrics in found.items():
        lines.append(f"| {fault} | {' | '.join(f'{metrics[name]:.3g}' for name in SHOWN)} |")
    wrong = fooled(found)
    trusted = [metric for metric, faults in wrong.items() if not faults]
    lines += ["", f"Trusted: {', '.join(trusted) or 'none'}."]
    lines += [f"{metric} is fooled by {', '.join(faults)}." for metric, faults in wrong.items() if faults]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", help="digits, or an .npz archive")
    parser.add_argument("--extractor", choices=sorted(EXTRACTORS), default="whitened_conv")
    parser.add_argument("--count", type=int, default=1000, help="pictures compared; fewer if no more are held out")
    parser.add_argument("--seed", type=int, default=0, help="of the faults")
    arguments = parser.parse_args()
    dataset = digits() if arguments.pictures == "digits" else npz(str(Path(arguments.pictures)))
    found = scores(dataset, EXTRACTORS[arguments.extractor](), arguments.count, arguments.seed)
    print(f"{arguments.pictures}, {arguments.extractor}:\n\n{table(found)}")


if __name__ == "__main__":
    main()
