"""The ranking as CSV and as LaTeX."""

import csv
import io
import math
import re

from gan_lab.metric_names import title
from gan_lab.report.formatting import number
from gan_lab.report.leaderboard import BUDGET, Board, Row
from gan_lab.report.sections import Content

_TEX = str.maketrans({
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "[": "{[}", "]": "{]}", "*": "{*}",  # after a row's end they would be its option
    "·": r"\textperiodcentered{}", "–": "--", "−": "$-$",
})  # fmt: skip

# with blanks before them, and in their full width too
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")

_COLUMNS = ("table", "dataset", "rank", "group", "metric", "ranked_by", "mean", "low", "high", "iqm", "best",
            "runs", "finished", "lost", "unfinished", "verdicts", "floor", "ceiling")  # fmt: skip


def table_rows(content: Content) -> list[dict[str, object]]:
    """A row for each table, group and metric, by column, with full precision; missing values are None."""
    columns = (*_COLUMNS, *BUDGET, "settings")
    return [
        dict(zip(columns, _cells(table, section.board, rank, row, metric), strict=True))
        for table, section in enumerate(content.sections, 1)
        for rank, row in enumerate(section.board.rows, 1)
        for metric in (section.board.primary, *section.board.others)
    ]


def table_csv(content: Content) -> str:
    """`table_rows` as CSV; missing values are empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*_COLUMNS, *BUDGET, "settings"])
    writer.writerows(map(_spreadsheet, row.values()) for row in table_rows(content))
    return buffer.getvalue()


def _cells(table: int, board: Board, rank: int, row: Row, metric: str) -> list[object]:
    mean = board.mean(row, metric)
    low, high = mean.interval if mean and mean.interval else (None, None)
    primary = metric == board.primary
    budget = [spent[0] if (spent := board.budget(row, key)) else None for key in BUDGET]
    return [
        table, board.dataset, rank if board.losses(row) else None, row.label, metric, primary,
        mean.value if mean else None, low, high, row.interquartile_mean(metric),
        row.mean_best if primary else None,
        len(row.runs), len(row.finished), len(row.lost), len(row.unfinished),
        "; ".join(f"{verdict} {count}" for verdict, count in row.verdicts.most_common()),
        _finite(board.floor.get(metric)), _finite(board.ceiling.get(metric)), *budget,
        "; ".join(f"{key}={board.axes.settings(row.place, key)}" for key in (*board.axes.keys, *board.axes.along)),
    ]  # fmt: skip


def _spreadsheet(cell: object) -> object:
    """The cell, with an apostrophe before text that a spreadsheet would take for a formula."""
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def table_tex(content: Content) -> str:
    r"""One ``tabular`` for each table; needs ``\usepackage{booktabs}``."""
    lines = [r"% written by gan-lab-report; needs \usepackage{booktabs}"]
    for section in content.sections:
        board = section.board
        names = [board.primary, *board.others]
        titles = [tex(title(name)) for name in names]
        lines += [
            f"% {tex(section.heading)}: mean and 95\\,\\% interval over finished seeds",
            r"\begin{tabular}{l" + "r" * (len(names) + 2) + "}",
            r"\toprule",
            " & ".join(["group", *titles, "finished", "lost"]) + r" \\",
            r"\midrule",
        ]
        for row in board.rows:
            cells = [_tex_estimate(board, row, name) for name in names]
            lines.append(" & ".join([tex(row.label), *cells, str(len(row.finished)), str(len(row.lost))]) + r" \\")
        for name, values in section.references:
            lines.append(" & ".join([rf"\emph{{{name}}}", *(tex(value) for value in values), "", ""]) + r" \\")
        lines += [r"\bottomrule", r"\end{tabular}", ""]
    return "\n".join(lines)


def _tex_estimate(board: Board, row: Row, name: str) -> str:
    mean = board.mean(row, name)
    if mean is None:
        return "--"
    ends = mean.interval
    return tex(number(mean.value)) + (rf" {{\small [{tex(number(ends[0]))}, {tex(number(ends[1]))}]}}" if ends else "")


def tex(text: str) -> str:
    """Text with LaTeX's special characters escaped, on one line: a line break would end a LaTeX comment."""
    return " ".join(text.split()).translate(_TEX)
