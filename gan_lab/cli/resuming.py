"""What ``resume=`` on the command line stands for."""

import re
import sys
from dataclasses import replace

from hydra.core.override_parser.types import Override

from gan_lab.cli.command_line import (
    AS_LISTED,
    KEYS,
    NAME,
    CommandLine,
    check_options,
    may_be_group,
    options_of,
    parse_overrides,
)
from gan_lab.config.lightning_parts import harmless
from gan_lab.errors import ConfigError, shown
from gan_lab.runs.folder import RunFolder
from gan_lab.sweeps.overrides import quoted

_BROUGHT = ("model", "loss", "evaluation/extractor")  # the groups of which a dataset chooses
_TYPED_AGAIN = ("allowed_targets", "dataset.download")
"""Keys that let code in and write files: a person must type them whenever a run goes on."""


def resumed(line: CommandLine) -> CommandLine:
    """The whole command line of a run that goes on: its own overrides first, then those given now.

    Hydra is told to put its output where the run is, and to leave the run's ``.hydra`` folder as it is.

    Raises:
        ConfigError: if there is no such run, or if it is not clear which is meant.
    """
    resume, folder = line.text("resume"), line.text("hydra.run.dir")
    assert resume is not None
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
    return parse_overrides([f"{group}={option}" for group, option in brought.items() if re.fullmatch(NAME, option)])


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
            raise ConfigError(f"{where}: {AS_LISTED}")
        check_options(override)
        overrides.append(override)
    return overrides


def _is_plain(override: Override) -> bool:
    """Whether an override gives no option but by its plain name, and puts it nowhere but into keys of gan-lab's own."""
    key, package = override.key_or_group, override.package
    if package is not None and package.partition(".")[0] not in KEYS:
        return False
    if override.is_sweep_override() or not re.fullmatch(r"[\w./-]+", key):
        return False
    if "." in key or override.is_delete():
        return True
    if not may_be_group(key):
        return not override.is_add()  # which a user's own folder may have as a group after all
    return all(re.fullmatch(NAME, one) for one in options_of(override))
