"""The sample pictures of runs, as data in the page."""

import base64
import io
import struct
import warnings
import zlib
from typing import Any

from PIL import Image

from gan_lab.report.run import Run

_LARGEST = 480  # pixels a side of an embedded picture
_MOST = 24
_MOST_PIXELS = 4096 * 4096  # of a picture that is read

BROKEN = (OSError, SyntaxError, ValueError, EOFError, OverflowError, MemoryError, struct.error, zlib.error)
"""What Pillow raises for a broken picture."""


def embedded(pictures: list[tuple[str, Run]]) -> list[dict[str, str]]:
    """The first pictures as data, or a note for one that cannot be read."""
    made = []
    for label, run in pictures[:_MOST]:
        uri, note, kind = "", "", ""
        try:
            data, small = _smaller(run)
            uri, kind = f"data:image/png;base64,{base64.b64encode(data).decode()}", "pixels" if small else ""
        except Image.DecompressionBombError:
            note = _too_large("more than 100,000,000")
        except _TooLarge as error:
            note = _too_large(str(error))
        except BROKEN:
            note = "samples/final.png cannot be read as a PNG picture."
        made.append({"label": label, "uri": uri, "note": note, "kind": kind})
    return made


class _TooLarge(Exception):
    """A picture has more pixels than are read. The text is its size."""


def _too_large(size: str) -> str:
    return f"samples/final.png has {size} pixels: at most {_MOST_PIXELS:,} are shown."


def _smaller(run: Run) -> tuple[bytes, bool]:
    """The picture as PNG, at most `_LARGEST` a side, and whether it is so small that its pixels shall be seen.

    Only a PNG is taken: some other formats, under whatever name, are given to programs outside.
    """
    options: Any = {"formats": ("PNG",)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(run.picture, **options) as picture:
            width, height = picture.size
            if width * height > _MOST_PIXELS:
                raise _TooLarge(f"{width:,} × {height:,}")
            small = max(width, height) <= _LARGEST // 2
            picture.thumbnail((_LARGEST, _LARGEST))
            buffer = io.BytesIO()
            picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue(), small
