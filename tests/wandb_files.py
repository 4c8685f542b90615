"""Reads the file of an offline run of Weights & Biases."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_FILE_HEADER, _BLOCK, _HEADER = 7, 2**15, 7  # LevelDB's log format behind W&B's header: crc32, length, kind of a chunk


def offline_history(logger: Path) -> list[dict[str, Any]]:
    """The rows of the history of the one offline run in a logger's folder."""
    from wandb.proto.wandb_internal_pb2 import Record  # it takes seconds

    (file,) = logger.glob("wandb/offline-run-*/run-*.wandb")
    found = (Record.FromString(record) for record in _records(file.read_bytes()))
    return [
        {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in one.history.item}
        for one in found
        if one.WhichOneof("record_type") == "history"
    ]


def _records(content: bytes) -> Iterator[bytes]:
    place, record = _FILE_HEADER, b""
    while place + _HEADER <= len(content):
        if _BLOCK - place % _BLOCK < _HEADER:  # what is left of a block is too short for a chunk
            place += _BLOCK - place % _BLOCK
            continue
        length, kind = int.from_bytes(content[place + 4 : place + 6], "little"), content[place + 6]
        record += content[place + _HEADER : place + _HEADER + length]
        place += _HEADER + length
        if kind in (1, 4):  # whole, or the last part
            yield record
            record = b""
