"""The command line of ``gan-lab`` as Hydra's own objects, and what ``resume=`` stands for."""

import re
import sys
from argparse import ArgumentError, Namespace
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from importlib.resources import files
from pathlib import Path

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override
from hydra.errors import HydraException

from gan_lab.config.lightning_parts import harmless
from gan_lab.config.schema import TrainConfig
from gan_lab.config.targets import check_allowed
from gan_lab.errors import ConfigError, shown
from gan_lab.runs.folder import RunFolder
from gan_lab.sweeps.overrides import quoted

_LISTS = ("penalty", "term", "logger", "callbacks", "experiment")
"""Groups of which several options can be chosen."""
_BROUGHT = ("model", "loss", "evaluation/extractor")  # the groups of which a dataset chooses
_TYPED_AGAIN = ("allowed_targets", "dataset.download")
"""Keys that let code in and write files: a person must type them whenever a run goes on."""
_KEYS = {entry.name for entry in fields(TrainConfig)}
_NAME = r"[\w-][\w. -]*(/[\w-][\w. -]*)*"  # of an option, in folders of the group; no part begins with a dot
_AS_LISTED = "expected a name as the group lists it, such as wgan_gp"
_LONGEST = 200  # letters of an option's name; file systems allow 255 bytes


@dataclass(frozen=True)
class CommandLine:
    """Hydra's options and overrides, in the order in which they were typed.

    Args:
        options: what Hydra's parser makes of the options, such as ``config_dir`` and ``multirun``.
        overrides: ``key=value`` and the like.
        recorded: how many of the overrides, which come first, were read from the folder of a run that goes on.
    """

    options: Namespace
    overrides: tuple[Override, ...]
    recorded: int = 0

    @property
    def typed(self) -> tuple[Override, ...]:
        """The overrides that a person has typed."""
        return self.overrides[self.recorded :]

    @classmethod
    def parse(cls, words: Sequence[str]) -> "CommandLine":
        """Read the words after the command; options may stand between overrides.

        Raises:
            ConfigError: for an option that Hydra does not have, that would run code from a file, or that names no
                folder.
            OverrideParseException: for a word that is no override.
        """
        parser = get_args_parser()
        parser.exit_on_error = False
        try:
            options, unknown = parser.parse_known_intermixed_args(words)
        except ArgumentError as error:
            raise ConfigError(f"{error}; gan-lab --hydra-help lists Hydra's options") from error
        if unknown:
            raise ConfigError(f"{unknown[0]}: there is no such option; expected key=value, or what --hydra-help lists")
        if options.experimental_rerun is not None:
            raise ConfigError("--experimental-rerun: expected resume=FOLDER instead, as a pickle may run any code")
        if options.config_name is not None and len(options.config_name) > _LONGEST:
            raise ConfigError(f"--config-name: expected a name of at most {_LONGEST} letters")
        if options.config_dir is not None and not Path(options.config_dir).is_dir():
            raise ConfigError(f"--config-dir {options.config_dir}: there is no such folder")
        overrides = tuple(parse_overrides(options.overrides))
        for one in overrides:
            check_options(one)
        return cls(options, overrides)

    def find(self, key: str) -> Override | None:
        """The last override of a key; it is the one that counts."""
        return next((one for one in reversed(self.overrides) if one.key_or_group == key), None)

    def text(self, key: str) -> str | None:
        """The value that a key is given, as text; None if it is given none."""
        if (override := self.find(key)) is None or override.value() is None:
            return None
        return override.get_value_string() if override.is_sweep_override() else str(override.value())

    def allowed_targets(self) -> list[str]:
        """The packages that the user allows by typing ``allowed_targets=[…]``.

        Raises:
            ConfigError: if that is no list of packages.
        """
        if (override := self.find("allowed_targets")) is None or override.is_delete():
            return []
        names = override.value()
        if not isinstance(names, list):
            raise ConfigError(f"allowed_targets={override.get_value_string()}: expected a list, such as [my_package]")
        allowed = [str(name) for name in names]
        check_allowed(allowed)
        return allowed

    def lines(self) -> list[str]:
        """The overrides as words."""
        return [one.input_line or "" for one in self.overrides]


def parse_overrides(words: Iterable[str]) -> list[Override]:
    """Hydra's objects for overrides.

    ``resume=`` may name a folder without the quotes that Hydra asks for: the runs of a sweep have ``=`` and ``,`` in
    their names.
    """
    return OverridesParser.create().parse_overrides([_with_quotes(word) for word in words])


def check_options(override: Override) -> None:
    """Raise ConfigError for what is no name of an option.

    At some of it Hydra would fail with a traceback. At ``../x`` it would read a file outside the group, and the run's
    record, which may come from anyone, must not: such a run could not go on.
    """
    key = override.key_or_group
    if len(key) > _LONGEST:
        raise ConfigError(f"a key of {len(key)} letters: expected one of at most {_LONGEST}")
    if not _may_be_group(key) or override.is_delete():
        return
    value = override.value()
    group = key.startswith("hydra/") or files("gan_lab.conf").joinpath(key).is_dir()
    if group and isinstance(value, list) and not all(isinstance(one, str) for one in value):
        raise ConfigError(f"{override.input_line}: expected a list of names, such as [r1,r2]")
    if isinstance(value, list) and group and not key.startswith("hydra/") and key not in _LISTS:
        raise ConfigError(f"{override.input_line}: expected one option of the group; -m {key}=a,b sweeps several")
    if group and value is None and key != "experiment":
        raise ConfigError(f"{key}=null: expected the name of an option")
    if any(len(one) > _LONGEST for one in _options_of(override)):
        raise ConfigError(f"{key}: expected a name of at most {_LONGEST} letters")
    if not all(re.fullmatch(_NAME, one) for one in _options_of(override)):
        raise ConfigError(f"{override.input_line}: {_AS_LISTED}")


def _may_be_group(key: str) -> bool:
    """Whether a key may be that of a group: any may that has no dot, but those of ``train.yaml`` that are no folder."""
    return "." not in key and (key not in _KEYS or files("gan_lab.conf").joinpath(key).is_dir())


def _options_of(override: Override) -> list[str]:
    """The options of a group that an override names; of a sweep, those of all runs."""
    value = override.value()
    runs = value.list if isinstance(value, ChoiceSweep) else [value]
    names = [name for one in runs for name in (one if isinstance(one, list) else [one])]
    return [name for name in names if isinstance(name, str)]


def _with_quotes(word: str) -> str:
    """An override; the value of ``resume`` in quotes if it names a folder, or if Hydra cannot read it without."""
    name = word.removeprefix("resume=")
    if name == word:
        return word
    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        return quoted("resume", name)
    return quoted("resume", name) if Path(name).is_dir() else word


def _is_plain(override: Override) -> bool:
    """Whether an override gives no option but by its plain name, and puts it nowhere but into keys of gan-lab's own."""
    key, package = override.key_or_group, override.package
    if package is not None and package.partition(".")[0] not in _KEYS:
        return False
    if override.is_sweep_override() or not re.fullmatch(r"[\w./-]+", key):
        return False
    if "." in key or override.is_delete():
        return True
    if not _may_be_group(key):
        return not override.is_add()  # which a user's own folder may have as a group after all
    return all(re.fullmatch(_NAME, one) for one in _options_of(override))


def resumed(line: CommandLine) -> CommandLine:
    """The command line with what ``resume=`` stands for: the run's own overrides first, then those given now.

    Hydra is told to put its output where the run is, and to leave the run's ``.hydra`` folder as it is.

    Raises:
        ConfigError: if there is no such run, or if it is not clear which is meant.
    """
    resume, folder = line.text("resume"), line.text("hydra.run.dir")
    if resume is None:
        return line
    if line.options.multirun:
        if resume != "auto":
            raise ConfigError(f"resume={resume}: a sweep goes on with resume=auto hydra.sweep.dir=FOLDER")
        return line
    if resume == "auto":
        if folder is None:
            raise ConfigError("resume=auto: expected hydra.run.dir=FOLDER with it, the folder of the run")
        if not RunFolder(folder).status_file.exists():
            return line
        run = RunFolder.existing(folder, key="hydra.run.dir")
    else:
        run = RunFolder.existing(resume, key="resume")
        if folder is not None:
            raise ConfigError(f"resume={resume}: the run goes on in its own folder; leave out hydra.run.dir")
    own = [one for one in line.overrides if one.key_or_group not in ("resume", "hydra.run.dir")]
    given = {one.key_or_group for one in line.overrides}
    recorded = _recorded(run, given)
    for one in recorded:
        if not harmless(one):
            word = f"resume={shown(run.path)}: {shown(one.input_line)}"
            print(f"gan-lab: warning: {word}: it counts only where it is typed, and is left out", file=sys.stderr)
    recorded = [one for one in recorded if harmless(one)]
    recorded += _brought(run, given | {one.key_or_group for one in recorded})
    if (begun_with := run.configuration.config_folder()) and line.options.config_dir is None:
        raise ConfigError(  # the folder's YAML says what Hydra does, and the run's folder may come from anyone
            f"resume={run.path}: the run was begun with --config-dir {begun_with}; expected it on this command line too"
        )
    where = [quoted("resume", str(run.path)), quoted("hydra.run.dir", str(run.path)), "hydra.output_subdir=null"]
    return replace(line, overrides=(*recorded, *own, *parse_overrides(where)), recorded=len(recorded))


def _brought(run: RunFolder, said: set[str]) -> list[Override]:
    """What the run's dataset brought, as overrides, but for groups that are said; it may bring others by now."""
    choices = run.configuration.choices()
    brought = {group: str(choices[group]) for group in _BROUGHT if group in choices and group not in said}
    return parse_overrides([f"{group}={option}" for group, option in brought.items() if re.fullmatch(_NAME, option)])


def _recorded(run: RunFolder, given: set[str]) -> list[Override]:
    """The overrides that the run was made with, but for those of keys that are given now, and for `_TYPED_AGAIN`.

    Raises:
        ConfigError: for a key of Hydra's, which gan-lab does not record, or an option that is no plain name: the folder
            may come from anyone, and ``experiment=../x`` would read a YAML file beside it, for any part of Hydra.
    """
    overrides = []
    for word in run.configuration.overrides():
        where = f"resume={run.path}: '{word}' in its overrides.yaml"
        override = None if word.startswith("-") else parse_overrides([word])[0]
        if override is None or override.key_or_group.partition(".")[0].partition("/")[0] in ("", "hydra"):
            raise ConfigError(f"{where}: expected keys of gan-lab's own")
        if override.key_or_group in (*given, *_TYPED_AGAIN):
            continue
        if not _is_plain(override):
            raise ConfigError(f"{where}: {_AS_LISTED}")
        check_options(override)
        overrides.append(override)
    return overrides
