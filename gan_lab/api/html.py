"""Runs and sweeps as a notebook shows them. All foreign text passes through here, escaped."""

from collections.abc import Sequence
from html import escape

from gan_lab.errors import shown
from gan_lab.metric_names import in_order
from gan_lab.report.formatting import number
from gan_lab.report.run import Run
from gan_lab.report.sample_pictures import embedded
from gan_lab.report.sections import Section, with_direction

_CELL = "white-space:nowrap;padding:2px 8px;text-align:"


def text(words: object) -> str:
    """Foreign text on one line, as HTML."""
    return escape(shown(words))


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column is text, and the others numbers."""
    head, body = _row("th", headings), "".join(_row("td", row) for row in rows)
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


def _row(kind: str, cells: Sequence[str]) -> str:
    aligned = ("right" if place else "left" for place in range(len(cells)))
    made = (f'<{kind} style="{_CELL}{side}">{text(one)}</{kind}>' for one, side in zip(cells, aligned, strict=True))
    return f"<tr>{''.join(made)}</tr>"


def scrolled(html: str) -> str:
    """What may be wider than the page."""
    return f'<div style="overflow-x:auto">{html}</div>'


def of_run(run: Run) -> str:
    """A run's name and state, its final picture, and its metrics beside those of real data.

    Args:
        run: as the report reads it.
    """
    asked = run.asked.choices
    heading = f"{asked['loss']} on {run.dataset}, {asked['model']}, seed {run.seed}: {run.verdict.replace('_', ' ')}"
    picture = embedded([(heading, run)], "final.png")[0] if run.done and run.picture("final.png").is_file() else None
    parts = [f"<p><b>{text(heading)}</b><br><code>{text(run.path)}</code></p>"]
    if not run.done:
        parts.append(f"<p>{text(run.reason)}</p>")
    if picture:
        image = f'<img alt="samples" style="max-width:320px" src="{escape(picture["uri"])}">'
        parts.append(image if picture["uri"] else f"<p>{text(picture['note'])}</p>")
    if run.outcome.measurements:
        parts.append(_metrics(run))
    return scrolled("".join(parts))


def _metrics(run: Run) -> str:
    """Metrics in the order and with the columns of the table that the command ends with."""
    first = run.outcome.measurements[0]
    columns = {"final": first.metrics, "best": run.outcome.best, "real data": first.floor}
    if first.ceiling:
        columns["perfect sampler"] = first.ceiling
    rows = [
        [with_direction(name), *(number(values.get(name)) for values in columns.values())]
        for name in in_order(first.metrics)
    ]
    return table(["metric", *columns], rows)


def of_sections(sections: Sequence[Section], without: str) -> str:
    """The answer and the ranking of each of a report's comparisons.

    Args:
        sections: the comparisons.
        without: what to say if there is none.
    """
    parts = [] if sections else [f"<p>{text(without)}</p>"]
    for section in sections:
        board = section.board
        parts.append(f"<p><b>{text(section.heading)}, by {text(board.title)}</b><br>{text(section.answer)}</p>")
        headings = ["group", with_direction(board.primary), "95 % interval", "finished", "lost", "verdicts"]
        rows = [
            [row.group.label, row.value.text, row.value.note, str(len(row.group.finished)), row.lost.text, row.verdicts]
            for row in section.rows
        ]
        parts.append(table(headings, rows))
    return scrolled("".join(parts))
