"""The words of the command line: Hydra's options first, and what resume= stands for."""

import re
from argparse import ArgumentError

from hydra._internal.utils import get_args_parser

from gan_lab.errors import ConfigError
from gan_lab.runs.folder import RunFolder


def options_first(words: list[str]) -> list[str]:
    """The words with Hydra's options before the overrides: those between overrides Hydra's parser does not find.

    Raises:
        ConfigError: for an option that Hydra does not have, or that would run what lies in a file.
    """
    parser = get_args_parser()
    parser.exit_on_error = False
    try:
        given, unknown = parser.parse_known_intermixed_args(words)
    except ArgumentError as error:
        raise ConfigError(f"{error}; gan-lab --hydra-help lists Hydra's options") from error
    if unknown:
        raise ConfigError(f"{unknown[0]}: there is no such option; expected key=value, or what --hydra-help lists")
    if given.experimental_rerun is not None:
        raise ConfigError("--experimental-rerun: expected resume=FOLDER instead, as a pickle may run any code")
    overrides = list(given.overrides)
    options = [word for word in words if not (overrides and word == overrides[0] and overrides.pop(0))]
    return [*options, *given.overrides]


def resumed_words(words: list[str]) -> list[str]:
    """The command line with what ``resume=`` stands for: the run's own overrides first, then those given now.

    Hydra then puts the output where the run is, and writes nothing to its ``.hydra`` folder.

    Args:
        words: the command line, without the command.

    Raises:
        ConfigError: if there is no such run, or no telling which.
    """
    given = {_key(word): word.partition("=")[2].strip("'\"") for word in words}
    resume = given.get("resume", "null")
    if resume == "null":
        return words
    if "-m" in words or "--multirun" in words:
        if resume != "auto":
            raise ConfigError(f"resume={resume}: a sweep goes on with resume=auto hydra.sweep.dir=FOLDER")
        return words
    if resume == "auto":
        if "hydra.run.dir" not in given:
            raise ConfigError("resume=auto: expected hydra.run.dir=FOLDER with it, the folder of the run")
        if not RunFolder(given["hydra.run.dir"]).status_file.exists():
            return words
        run = RunFolder.existing(given["hydra.run.dir"], key="hydra.run.dir")
    else:
        run = RunFolder.existing(resume, key="resume")
        if "hydra.run.dir" in given:
            raise ConfigError(f"resume={resume}: the run goes on in its own folder; leave out hydra.run.dir")
    own = [word for word in words if _key(word) not in ("resume", "hydra.run.dir")]
    recorded = [word for word in _recorded(run) if _key(word) not in given]
    if (folder := run.configuration.config_folder()) and not any(
        word.startswith(("--config-dir", "-cd")) for word in words
    ):
        raise ConfigError(  # its YAML says what Hydra does, and the folder may be anybody's
            f"resume={run.path}: the run was begun with --config-dir {folder}; expected it on this command line too"
        )
    path = "'" + str(run.path).replace("\\", "\\\\").replace("'", "\\'") + "'"
    return [*recorded, *own, f"resume={path}", f"hydra.run.dir={path}", "hydra.output_subdir=null"]


def _recorded(run: RunFolder) -> list[str]:
    """The overrides that the run was made with, less what it was allowed: that is for whoever resumes it to say.

    Raises:
        ConfigError: for one that no record of gan-lab holds; the folder may be anybody's, and Hydra does what it says.
    """
    words = run.configuration.overrides()
    for word in words:
        if not re.match(r"[+~]*[a-zA-Z_]", word) or re.match(r"[+~]*hydra\b", word):
            raise ConfigError(f"resume={run.path}: '{word}' in its overrides.yaml: expected keys of gan-lab's own")
    return [word for word in words if _key(word) != "allowed_targets"]


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]
