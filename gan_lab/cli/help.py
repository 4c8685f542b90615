"""What ``gan-lab --help`` prints of the configuration: every key with its value, and the comment that explains it."""

import re
import shutil
import textwrap
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from omegaconf import DictConfig, OmegaConf

_COLUMN = 34  # where comments begin
_LINE = re.compile(r"( *)([\w-]+):(?: [^#]*)?(?:# (.*))?")
_PACKAGE = re.compile(r"# @package (\S+)")


def explained(config: DictConfig, choices: dict[str, Any]) -> str:
    """The resolved configuration as YAML, with the comments of its files, wrapped to fit the terminal.

    Args:
        config: without Hydra's own keys.
        choices: the option chosen of each group.
    """
    comments = dict(_comments("train.yaml", ""))
    # Hydra records no choice of a list
    lists: dict[str, Any] = {"penalty": list(config.loss.penalties), "term": list(config.loss.terms)}
    lists |= {"logger": list(config.logger), "callbacks": list(config.callbacks)}
    for group, option in (choices | lists).items():
        for name in re.findall(r"[\w-]+", str(option)):
            if not group.startswith("hydra"):
                comments |= _comments(f"{group}/{name}.yaml", group.replace("/", "."))
    room = max(30, shutil.get_terminal_size().columns - _COLUMN - 4)
    lines = []
    for key, line in _keys(OmegaConf.to_yaml(config, resolve=True).splitlines()):
        words = textwrap.wrap(comments.get(key, ""), room)
        if len(line) >= _COLUMN and words:
            lines.append(line)
            line = ""
        lines += [f"{line:{_COLUMN}} # {words[0]}"] if words else [line]
        lines += [f"{'':{_COLUMN}} # {more}" for more in words[1:]]
    return "\n".join(lines)


def _comments(file: str, package: str) -> Iterator[tuple[str, str]]:
    """The comments in a YAML file of gan_lab's, by dotted key; none if it is no file of ours."""
    path = files("gan_lab.conf").joinpath(file)
    if not path.is_file():
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    if header := _PACKAGE.match(lines[0]):
        package = "" if header[1] == "_global_" else header[1]
    for key, line in _keys(lines):
        if key and (found := _LINE.fullmatch(line)) and found[3]:
            yield f"{package}.{key}".lstrip("."), found[3]


def _keys(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Every line of a YAML text, with the dotted key that it gives a value to; an empty one if it gives none."""
    above: list[tuple[int, str]] = []
    for line in lines:
        if not (found := _LINE.match(line)):
            yield "", line
            continue
        indent = len(found[1])
        above = [*(one for one in above if one[0] < indent), (indent, found[2])]
        yield ".".join(name for _, name in above), line
