"""What the fuzzer does to a file: each damages it, or its folder, and says so in a few words."""

import json
import os
import random
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from yaml import YAMLError

VALUES: list[Any] = [
    None, True, -1, 0, 1.5, 1e308, -1e308, 10**400, "", "x", "\x1b]0;x\x07", "\u202ex", "\ud800", "<script>|$\\",
    "../x", "a" * 5000, [], [[]], {}, {"a": {}}, float("nan"), float("inf"),
]  # fmt: skip


def cut(draw: random.Random, file: Path, outside: Path) -> str:
    content = file.read_bytes()
    file.write_bytes(content[: draw.randrange(len(content) + 1)])
    return "cut"


def flip(draw: random.Random, file: Path, outside: Path) -> str:
    content = bytearray(file.read_bytes() or b"x")
    for _ in range(draw.choice([1, 3, 20])):
        content[draw.randrange(len(content))] = draw.randrange(256)
    file.write_bytes(content)
    return "flipped"


def empty(draw: random.Random, file: Path, outside: Path) -> str:
    file.write_bytes(b"")
    return "emptied"


def noise(draw: random.Random, file: Path, outside: Path) -> str:
    file.write_bytes(draw.choice([draw.randbytes(300), b"\xff\xfe\x00", b"[" * 5000, b"{}", b"&a [*a]", b"\x1b[31m"]))
    return "noise"


def pipe(draw: random.Random, file: Path, outside: Path) -> str:
    file.unlink()
    os.mkfifo(file)
    return "a pipe"


def folder(draw: random.Random, file: Path, outside: Path) -> str:
    file.unlink()
    file.mkdir()
    return "a folder"


def link_out(draw: random.Random, file: Path, outside: Path) -> str:
    place = draw.choice([file, file if file.parent.name == "folder" else file.parent])
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
        place.symlink_to(outside)
    else:
        place.unlink()
        place.symlink_to(outside / "precious.png")
    return f"{place.name} leads out"


def loop(draw: random.Random, file: Path, outside: Path) -> str:
    file.unlink()
    file.symlink_to(file.name)
    return "leads to itself"


def remove(draw: random.Random, file: Path, outside: Path) -> str:
    file.unlink()
    return "removed"


def edit(draw: random.Random, file: Path, outside: Path) -> str:
    """Change one entry of a record to an odd value, in the record's own form."""
    edits: dict[str, Callable[[random.Random, Path], str]] = {
        ".json": _edit_json, ".yaml": _edit_yaml, ".csv": _edit_csv, ".ckpt": _edit_checkpoint, ".png": _edit_picture
    }  # fmt: skip
    edit = edits.get(file.suffix)
    try:
        return edit(draw, file) if edit else flip(draw, file, outside)
    except (ValueError, EOFError, RuntimeError, UnpicklingError, YAMLError):  # an earlier damage has taken its form
        return flip(draw, file, outside)


def _edit_json(draw: random.Random, file: Path) -> str:
    record = json.loads(file.read_text())
    told = _edited(draw, record)
    file.write_text(json.dumps(record))
    return told


def _edit_yaml(draw: random.Random, file: Path) -> str:
    import yaml

    record = yaml.safe_load(file.read_text())
    told = _edited(draw, record)
    file.write_text(yaml.safe_dump(record))
    return told


def _edited(draw: random.Random, record: Any) -> str:
    """Change, remove or add one entry somewhere in nested containers; what was done, in words."""
    where = []
    while isinstance(record, dict | list) and record:
        keys = list(record) if isinstance(record, dict) else list(range(len(record)))
        key = draw.choice(keys)
        where.append(str(key))
        if not isinstance(record[key], dict | list) or not record[key] or draw.random() < 0.25:
            if draw.random() < 0.2:
                del record[key]
                return f"{'.'.join(where)} removed"
            record[key] = value = draw.choice(VALUES)
            return f"{'.'.join(where)} = {str(value)[:20]!r}"
        record = record[key]
    return "nothing"


def _edit_csv(draw: random.Random, file: Path) -> str:
    lines = file.read_bytes().splitlines(keepends=True)
    row = draw.randrange(len(lines))
    lines[row] = draw.choice([
        b",metric/fd_points,1.0\n", b"x\n", b"\n", b"1,metric/fd_points,\n", b"1,metric/fd_points,1e400\n",
        b"99999999999999999999,a,1\n", b"1,a\x00b,1.0\n", b"1,metric/\x1b[31m,1.0\n", lines[row] * 2, b"1,a,1.0",
        b"-3,metric/fd_points,1.0\n", b"1,metric/fd_points,nan\n",
    ])  # fmt: skip
    file.write_bytes(b"".join(lines))
    return f"row {row} = {lines[row][:20]!r}"


def _edit_checkpoint(draw: random.Random, file: Path) -> str:
    import torch

    checkpoint = torch.load(file, weights_only=True)
    odd = [*VALUES, torch.zeros(3).to_sparse(), torch.zeros(0), torch.full((8, 2), float("nan")), torch.ones(3).int()]
    where: list[str] = []
    record: Any = checkpoint
    while isinstance(record, dict | list) and record:
        key = draw.choice(list(record) if isinstance(record, dict) else list(range(len(record))))
        where.append(str(key))
        if not isinstance(record[key], dict | list) or not record[key] or draw.random() < 0.15:
            if draw.random() < 0.2:
                del record[key]
            else:
                record[key] = draw.choice(odd)
            break
        record = record[key]
    torch.save(checkpoint, file.resolve())
    return f"{'.'.join(where)} odd"


def _edit_picture(draw: random.Random, file: Path) -> str:
    """A picture that says it is huge, or is of another format."""
    if draw.random() < 0.5:
        header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
        chunk = b"IHDR" + header
        file.write_bytes(
            b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + b"\0" * 50
        )
        return "a picture of 20 000 x 20 000"
    file.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(precious) (w) file\n%%EOF\n")
    return "an EPS"


DAMAGES = (cut, flip, empty, noise, pipe, folder, link_out, loop, remove, edit, edit, edit)
READABLE = (cut, flip, remove, edit)
"""Those after which a file may hold valid, wrong values."""
