"""A report's page, its answers, its table and its first board."""

import csv
import re

from gan_lab.report.boards import boards
from gan_lab.report.collect import read
from gan_lab.report.leaderboard import Board
from gan_lab.report.render import write_report


def page(folder, **options) -> str:
    return write_report([folder], **options).read_text()


def answers(text: str) -> str:
    """The text of the answers, without markup."""
    return " ".join(re.findall(r'class="card answer">.*?<p>(.*?)</p>', text, re.DOTALL))


def rows(folder) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "report" / "table.csv").open()))


def board(folder) -> Board:
    """The first board of the runs in a folder."""
    return boards(read([folder]).runs, None)[0]
