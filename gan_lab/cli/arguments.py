"""``key=value`` arguments of the commands that need no composed configuration."""

import sys
from collections.abc import Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import ValidationError

from gan_lab import __version__
from gan_lab.errors import ConfigError, closest
from gan_lab.validation import quoted

Arguments = TypeVar("Arguments")


def folders_and_rest(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words that name folders, and the others, ``key=value`` and ``--option``.

    A word that is a folder on the disk counts as one even with an equals sign in it, as the runs of a sweep have.
    """
    rest = [word for word in words if word.startswith("-") or ("=" in word and not Path(word).is_dir())]
    return [word for word in words if word not in rest], rest


def print_version() -> None:
    """Print the version of gan_lab that is installed."""
    print(f"gan-lab {__version__}")


def with_equals(words: Sequence[str], schema: type[Any]) -> list[str]:
    """The words with ``--key value`` and ``--key=value``, as other tools take them, turned into ``key=value``."""
    names = {_spelled(entry) for entry in fields(schema)}
    turned: list[str] = []
    rest = iter(words)
    for word in rest:
        name, equals, value = word.removeprefix("--").partition("=")
        if word.startswith("--") and name in names:
            turned.append(f"{name}={value if equals else next(rest, '')}")
        else:
            turned.append(word)
    return turned


def parse(command: str, schema: type[Arguments], words: Sequence[str]) -> Arguments:
    """The words of the command line as an instance of the command's dataclass, whose fields carry a ``help`` text.

    ``--help`` prints them and ends the program, and ``--version`` the version.

    Raises:
        ConfigError: for an unknown key, a value of the wrong type, or a missing one.
    """
    if "--version" in words:
        print_version()
        sys.exit(0)
    if "--help" in words or "-h" in words:
        _print_help(command, schema)
        sys.exit(0)
    names = {_spelled(entry): entry.name for entry in fields(schema)}  # type: ignore[arg-type]
    required = [_spelled(entry) for entry in fields(schema) if _required(entry)]  # type: ignore[arg-type]
    given = {word.partition("=")[0] for word in words}
    for word in words:
        if "=" not in word:
            raise ConfigError(f"'{word}': expected key=value; keys: {', '.join(names)}")
    keys = [word.partition("=")[0] for word in words]
    if twice := next((key for key in names if keys.count(key) > 1), None):
        values = " and ".join(quoted(word.partition("=")[2]) for word in words if word.startswith(f"{twice}="))
        raise ConfigError(f"{twice}: expected it once; the line has {values}")
    for key in given.difference(names):
        raise ConfigError(f"{key}: there is no such key; {closest(key, names)}")
    for name in required:
        if name not in given:
            raise ConfigError(f"{name}=...: missing; {command} --help explains it")
    texts = {entry.name for entry in fields(schema) if entry.type in (str, str | None)}  # type: ignore[arg-type]
    entries = {entry.name: entry for entry in fields(schema)}  # type: ignore[arg-type]
    lists = {name for name, entry in entries.items() if "list" in str(entry.type)}
    arguments = OmegaConf.structured(schema)
    for name, _, value in (word.partition("=") for word in words):
        if not value:
            raise ConfigError(f"{name}=: the value is missing; leave the key out for its default")
        known = names[name]
        try:
            given_value = value if known in texts else _read(value)
            if entries[known].type is bool and not isinstance(given_value, bool):
                raise ConfigError(f"{name}={value}: expected true or false")
            one_of_list = known in lists and isinstance(given_value, str) and entries[known].type != list[str]
            arguments[known] = [given_value] if one_of_list else given_value
        except (yaml.YAMLError, ValidationError) as error:
            raise ConfigError(f"{name}={value}: expected {_wanted(entries[known])}") from error
    return OmegaConf.to_object(arguments)  # type: ignore[return-value]


class _Words(yaml.SafeLoader):
    """YAML whose numbers stay text, which the fields turn into theirs: to YAML 1.1 is 010 eight and 1:30 ninety."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in known if tag.rpartition(":")[2] not in ("int", "float", "timestamp")]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _read(value: str) -> Any:
    """A value as YAML reads it, but for numbers."""
    try:
        return yaml.load(value, _Words)
    except (ValueError, AttributeError, LookupError) as error:  # a number of thousands of digits, or a tag: !!int
        raise yaml.YAMLError from error


def _print_help(command: str, schema: type) -> None:
    print(f"{command} key=value ...\n\n{schema.__doc__}\n")
    for entry in fields(schema):
        default = "required" if _required(entry) else f"default {_default(entry)}"
        print(f"  {_spelled(entry):<12} {entry.metadata['help']} ({default})")


def _wanted(entry: Field[Any]) -> str:
    """What a value of the field is, in words."""
    kind = str(entry.type)
    if entry.type == list[str]:
        return "a list, such as [a,b]"
    if "list" in kind:
        return "numbers, such as [0.5,1]" if "float" in kind else "a whole number, or a list such as [0,1]"
    return "a number" if entry.type in (float, float | None) else "a whole number"


def _spelled(entry: Field[Any]) -> str:
    """The key of a field, which may be a word that Python keeps for itself: ``class_`` is the key ``class``."""
    return entry.name.rstrip("_")


def _required(entry: Field[Any]) -> bool:
    return entry.default is MISSING and entry.default_factory is MISSING


def _default(entry: Field[Any]) -> Any:
    return entry.default if entry.default_factory is MISSING else entry.default_factory()
