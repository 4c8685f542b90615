"""The sample pictures of runs, as data in the page."""

import base64
import io
import math
import os
import struct
import warnings
import zlib
from collections import defaultdict
from pathlib import Path
from typing import Any

from PIL import Image

from gan_lab.report.formatting import number
from gan_lab.report.leaderboard import Board, Row
from gan_lab.report.run import Run

_MOST = 24
_MOST_PIXELS = 4096 * 4096  # of a picture that is read

PICTURES = {"final.png": 480, "interpolations.png": 480, "closest.png": 480, "truncation.png": 1200}
"""The pictures that the page shows of a run, and the pixels a side that each has there at most."""

BROKEN = (OSError, SyntaxError, ValueError, EOFError, OverflowError, MemoryError, struct.error, zlib.error)
"""What Pillow raises for a broken picture."""


def of_one_seed(board: Board, name: str) -> list[tuple[str, Run]]:
    """Labels and runs of the seed for which most groups have a picture of that name, in order of rank."""
    by_seed: dict[int, list[tuple[str, Run]]] = defaultdict(list)
    for row in board.rows:
        for run in _with_picture(row, name):
            by_seed[run.seed].append((row.label, run))
    return by_seed[min(by_seed, key=lambda seed: (-len(by_seed[seed]), seed))] if by_seed else []


def best_to_worst(board: Board) -> list[tuple[str, Run]]:
    """The best, the median and the worst finished run of the first groups that have three with a picture of samples.

    Of an even number of runs the better one of the two in the middle is the median.
    """
    made: list[tuple[str, Run]] = []
    for row in board.rows:
        values = row.values[board.primary]
        runs = [run for run in _with_picture(row, "final.png") if math.isfinite(values.get(run.name, math.nan))]
        runs.sort(key=lambda run: (values[run.name] * (-1 if board.higher else 1), run.seed))
        if len(runs) >= 3 and len(made) + 3 <= _MOST:
            chosen = {"best": runs[0], "median": runs[(len(runs) - 1) // 2], "worst": runs[-1]}
            made += [
                (f"{row.label}: {which}, seed {run.seed}, {number(values[run.name])}", run)
                for which, run in chosen.items()
            ]
    return made


def _with_picture(row: Row, name: str) -> list[Run]:
    return [run for run in row.finished if os.path.isfile(run.picture(name))]


def embedded(runs: list[tuple[str, Run]], name: str) -> list[dict[str, str]]:
    """The first pictures of that name as data, or a note for one that cannot be read.

    Args:
        runs: with the labels of the pictures.
        name: one of `PICTURES`.
    """
    made = []
    for label, run in runs[:_MOST]:
        uri, note, kind = "", "", ""
        try:
            data, small = _smaller(run.picture(name), PICTURES[name])
            uri, kind = f"data:image/png;base64,{base64.b64encode(data).decode()}", "pixels" if small else ""
        except Image.DecompressionBombError:
            note = _too_large(name, "more than 100,000,000")
        except _TooLarge as error:
            note = _too_large(name, str(error))
        except BROKEN:
            note = f"samples/{name} cannot be read as a PNG picture."
        made.append({"label": label, "uri": uri, "note": note, "kind": kind})
    return made


class _TooLarge(Exception):
    """A picture has more pixels than are read. The text is its size."""


def _too_large(name: str, size: str) -> str:
    return f"samples/{name} has {size} pixels: at most {_MOST_PIXELS:,} are shown."


def _smaller(file: Path, largest: int) -> tuple[bytes, bool]:
    """The picture as PNG, at most so large a side, and whether it is so small that its pixels shall be seen.

    Only a PNG is taken: some other formats, under whatever name, are given to programs outside.
    """
    options: Any = {"formats": ("PNG",)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(file, **options) as picture:
            width, height = picture.size
            if width * height > _MOST_PIXELS:
                raise _TooLarge(f"{width:,} × {height:,}")
            small = max(width, height) <= largest // 2
            picture.thumbnail((largest, largest))
            buffer = io.BytesIO()
            picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue(), small
