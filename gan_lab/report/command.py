"""``gan-lab-report``: the page that says which is better here."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from gan_lab.command_line import parse
from gan_lab.errors import ConfigError, one_sentence


@dataclass
class ReportArguments:
    """Report on the runs at or below the folders (named before the keys): page, Markdown, CSV, LaTeX, figures."""

    metric: str | None = field(
        default=None, metadata={"help": "what to rank by, as in result.json; without it, chosen by the kind of data"}
    )
    out: str | None = field(default=None, metadata={"help": "where to write; without it, FOLDER/report"})


def main() -> None:
    """The command."""
    one_sentence(_report)


def _report() -> None:
    words = sys.argv[1:]
    keys = ("metric", "out", "--help", "-h")
    # a folder of a sweep may well hold an equals sign: what is no key of ours is a folder if there is one of its name
    named = [word for word in words if word.partition("=")[0] in keys or ("=" in word and not Path(word).is_dir())]
    folders = [word for word in words if word not in named]
    sys.argv[1:] = named
    if empty := [word for word in named if word in ("out=", "metric=")]:
        raise ConfigError(f"{empty[0]}: the value is missing; leave the key out for its default")
    arguments = parse("gan-lab-report FOLDER...", ReportArguments)
    if not folders:
        raise ConfigError("FOLDER: missing; name a run, a sweep, or a folder that holds some")
    if unknown := [folder for folder in folders if folder.startswith("-")]:
        raise ConfigError(f"{unknown[0]}: there is no such option; gan-lab-report --help lists what there is")

    from gan_lab.report.writing import write_report  # matplotlib takes a second, which --help need not wait for

    page = write_report(folders, out=arguments.out, metric=arguments.metric)
    print(f"report  {page}")
