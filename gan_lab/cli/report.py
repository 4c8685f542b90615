"""``gan-lab-report``: the page that says which is better here."""

import sys
from dataclasses import dataclass, field

from gan_lab.cli.arguments import folders_and_rest, parse, with_equals
from gan_lab.errors import ConfigError, shown
from gan_lab.runs.terminal import one_sentence


@dataclass
class ReportArguments:
    """Report on the runs at or below the folders (named before the keys): page, Markdown, CSV, LaTeX, figures.

    In the place of a folder may stand the results.csv of a published study.
    """

    metric: str | None = field(
        default=None, metadata={"help": "what to rank by, as in result.json; without it, chosen by the kind of data"}
    )
    out: str | None = field(default=None, metadata={"help": "where to write; without it, FOLDER/report"})
    publish: str | None = field(
        default=None, metadata={"help": "a study's folder: add the runs to its results.csv, and make its README.md"}
    )
    quality: float | None = field(
        default=None,
        metadata={"help": "the value whose time to reach is told; without it, the final mean of the second group"},
    )


def main() -> None:
    """The command."""
    one_sentence(_report)


def _report() -> None:
    folders, named = folders_and_rest(with_equals(sys.argv[1:], ReportArguments))
    if unknown := [word for word in named if word.startswith("-") and word not in ("--help", "-h", "--version")]:
        raise ConfigError(f"{unknown[0]}: there is no such option; gan-lab-report --help lists what there is")
    arguments = parse("gan-lab-report FOLDER...", ReportArguments, named)
    if not folders:
        raise ConfigError("FOLDER: missing; name a run, a sweep, or a folder that holds some")

    import gan_lab.storage.plotting  # noqa: F401  # before Lightning and matplotlib
    from gan_lab.report.render import write_report
    from gan_lab.report.study import publish

    if arguments.publish is not None:
        if arguments.out is not None:
            raise ConfigError(
                f"out={shown(arguments.out)}: with publish= there is no other folder to write to; drop one"
            )
        if arguments.quality is not None:
            raise ConfigError(f"quality={arguments.quality}: a study holds no curves to tell the time from; drop it")
        page, counts = publish(folders, arguments.publish, metric=arguments.metric)
        told = (
            f"{counts.new} new, {counts.replaced} replaced, {counts.kept} kept, {counts.left_out} unfinished left out"
        )
        print(f"study   {shown(page)} ({told})")
        return
    page = write_report(folders, out=arguments.out, metric=arguments.metric, quality=arguments.quality)
    print(f"report  {shown(page)}")
