"""Folders made with intent: what they say takes over no page, table or terminal, and nothing outside is touched."""

import csv
import io
import json
import os
import re
import shutil
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from gan_lab.config.hashing import hash_of
from gan_lab.errors import ConfigError
from gan_lab.report.render import markdown, write_report
from gan_lab.report.tables import tex

EVIL = "\x1b]0;x\x07<script>alert(1)</script>|a\r\nb\u202ec\ud800*d*[e](f)`g`\x00\x9b\u2028h"
TEXT = EVIL.replace("\ud800", "")  # that UTF-8 can hold
NAME = "\x1b]0;x\x07<script>|\r\u202e"  # of a folder: no slash, no null byte


class Parsed(HTMLParser):
    """The tags of a page, their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.words.append(data)


def evil(value, text):
    """The value with intent in each of its texts."""
    if isinstance(value, dict):
        return {key: evil(entry, text) for key, entry in value.items()} | {f"{text}key": text}
    if isinstance(value, list):
        return [*(evil(entry, text) for entry in value), text]
    return f"{value}{text}" if isinstance(value, str) else value


def hostile(folder: Path, run, seed: int, **options) -> Path:
    """A run whose every text is hostile, and whose hash is that of its configuration."""
    metrics = {"reverse_kl": 0.1 + seed, "modes": 7.0, f"fd_{TEXT}": 1.0, f"precision_{TEXT}": 0.9, TEXT: 2.0}
    run(folder, {"loss": "lsgan", "seed": seed}, metrics, picture=True, **options)
    config = evil(yaml.safe_load((folder / ".hydra" / "config.yaml").read_text()), TEXT)
    config |= {"odd": [TEXT, {TEXT: TEXT}], f"{TEXT}of": seed % 2}
    text = yaml.safe_dump(config, allow_unicode=False)
    (folder / ".hydra" / "config.yaml").write_text(text)
    config = yaml.safe_load(text)
    choices = {"loss": f"={seed % 2}{TEXT}", "model": f"{TEXT}m", "dataset": f"\t=ring{TEXT}", "protocol": f" +p{TEXT}"}
    words = [f"{TEXT}={TEXT}", f"+odd={TEXT}", f"loss={TEXT}"]
    (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(words))
    (folder / ".hydra" / "hydra.yaml").write_text(yaml.safe_dump({"hydra": {"runtime": {"choices": choices}}}))
    status = json.loads((folder / "status.json").read_text())
    status |= {"config_hash": hash_of(config), "started": EVIL, "error": f"x\n{EVIL}" if status["error"] else None}
    (folder / "status.json").write_text(json.dumps(status))
    if (folder / "result.json").exists():
        result = json.loads((folder / "result.json").read_text())
        kept = {key: result[key] for key in ("metrics", "budget", "seed", "schema")}
        result = evil(result, EVIL) | kept | choices | {"config_hash": hash_of(config), "evaluations": []}
        result["verdict"] = {"verdict": f"-{EVIL}", "rule": EVIL}
        (folder / "result.json").write_text(json.dumps(result))
    return folder


@pytest.fixture
def sweep_of_a_stranger(tmp_path, run) -> Path:
    folder = tmp_path / f"sweep{NAME}"
    for seed in range(3):
        hostile(folder / "replicates" / f"{seed}{NAME}", run, seed)
    hostile(folder / "replicates" / f"lost{NAME}", run, 3, state="failed", error="x")
    hostile(folder / "replicates" / f"none{NAME}", run, 4, state=EVIL)
    broken = hostile(folder / "replicates" / f"broken{NAME}", run, 5)
    (broken / ".hydra" / "config.yaml").write_text(f"a: [{NAME}")
    (broken / f"l{NAME}").symlink_to("/etc/passwd")
    (folder / "replicates" / f"empty{NAME}").mkdir()
    (folder / "tuning").mkdir()
    trial = {"settings": [EVIL], "values": [0.1]}
    record = {"combinations": [{"combination": [EVIL], "trials": [trial], "best": 0}], "metric": EVIL, "trials": 1,
              "draw": EVIL, "tuning_seeds": [EVIL], "seeds": [1], "cost": {"lost": 0, "runs": 1, "train_seconds": 1},
              "space": {EVIL: EVIL}}  # fmt: skip
    (folder / "tuning.json").write_text(json.dumps(record))
    return folder


def no_control(text: str) -> bool:
    """Whether a text has line feeds and printable characters alone."""
    return all(one == "\n" or one.isprintable() for one in text)


@pytest.mark.figures
@pytest.mark.filterwarnings("ignore:Glyph")
def test_no_text_of_a_stranger_takes_anything_over(sweep_of_a_stranger):
    page = write_report([sweep_of_a_stranger])
    out = page.parent
    ours = Parsed((Path(__file__).parents[2] / "gan_lab/report/templates/index.html").read_text())
    text = page.read_bytes().decode()
    assert no_control(text)
    found = Parsed(text)
    assert found.tags <= ours.tags
    assert found.attributes <= ours.attributes
    assert "script" not in found.tags
    words = " ".join(found.words)
    assert words.count(r"\x1b]0;x\x07<script>alert(1)</script>|a\r\nb\u202ec") > 20  # it is there, and harmless
    assert "(absent)" not in words
    markdown_page = (out / "report.md").read_bytes().decode()
    assert no_control(markdown_page)
    assert "<" not in markdown_page
    assert not re.search(r"(?<!\\)\[e(?<!\\)\]", markdown_page)
    assert "[e\\](f)" in markdown_page
    tables = [line for line in markdown_page.splitlines() if line.startswith("|")]
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in tables]
    rules = [place for place, line in enumerate(tables) if set(line) <= set("| -")]
    assert rules
    assert all(widths[place] == widths[place - 1] == widths[place + 1] for place in rules)
    drawings = list((out / "figures").glob("*.svg"))
    assert len(drawings) >= 3
    for drawing in drawings:
        tree = ET.parse(drawing)
        assert not [node for node in tree.iter() if node.tag.endswith(("script", "foreignObject", "image"))]
    table = (out / "table.csv").read_bytes().decode()
    assert no_control(table)
    cells = [cell for row in csv.reader(io.StringIO(table)) for cell in row]
    assert not [cell for cell in cells if cell.strip()[:1] in set("=+@") or cell[:1] in set("\t\r -") - set(cell[1:2])]
    assert any(cell.startswith("'=0") for cell in cells)
    assert no_control((out / "table.tex").read_bytes().decode())
    assert "passwd" not in text + markdown_page


@pytest.mark.parametrize("cell", ["\t=1", "\r=1", "  =1", "=1", "+1", "-1", "@x", "\uff1d1", "\t1", "\u00a0=1"])
def test_no_cell_is_a_formula(cell):
    from gan_lab.report.tables import _spreadsheet

    assert _spreadsheet(cell) == f"'{cell}"
    assert _spreadsheet(f"a{cell}") == f"a{cell}"
    assert _spreadsheet(-1.5) == -1.5


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("# a", r"\# a"),
        ("- a", r"\- a"),
        ("1. a", r"1\. a"),
        ("12) a", r"12\) a"),
        ("1.5", "1.5"),
        ("a\r\nb", "a  b"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("`[a](b)`|~$", r"\`\[a\](b)\`\|\~\$"),
        ("\\|", r"\\\|"),
    ],
)
def test_markdown(text, escaped):
    assert markdown(text) == escaped


def test_a_name_that_begins_with_a_bracket_is_no_option_of_latex():
    r"""After ``\\`` LaTeX takes ``[…]`` for a length and ``*`` for an option."""
    assert tex("[0.5]*") == "{[}0.5{]}{*}"


def planted(folder: Path) -> dict[str, bytes]:
    """A folder of somebody's pictures."""
    folder.mkdir()
    for name in ("a.png", "b.svg", "ranking.png", "ranking.svg"):
        (folder / name).write_bytes(b"mine")
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("place", ["report", "report/figures", "report/figures/ranking.svg", "report/index.html"])
@pytest.mark.parametrize("made", [False, True], ids=["new", "over a report"])
def test_nothing_is_written_or_deleted_through_a_link(tmp_path, sweep, place, made):
    sweep(tmp_path / "sweep", {"lsgan": 0.5, "rsgan": 0.2}, 2)
    pictures = tmp_path / "pictures"
    before = planted(pictures)
    if made:
        write_report([tmp_path / "sweep"])
        (tmp_path / "sweep" / "report" / "files.json").write_text(json.dumps({"figures": list(before)}))
    link = tmp_path / "sweep" / place
    if link.is_dir():
        shutil.rmtree(link)
    elif link.exists():
        link.unlink()
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(pictures if link.suffix == "" else pictures / "a.png")
    with pytest.raises(ConfigError, match=r"^out=.*/sweep/report: .*link.*: expected [^\n]*$"):
        write_report([tmp_path / "sweep"])
    assert {file.name: file.read_bytes() for file in pictures.iterdir()} == before


def test_a_link_to_the_report_itself_is_no_folder_of_figures(tmp_path, sweep):
    sweep(tmp_path, {"lsgan": 0.5}, 1)
    write_report([tmp_path])
    shutil.rmtree(tmp_path / "report" / "figures")
    (tmp_path / "report" / "figures").symlink_to(".")
    with pytest.raises(ConfigError, match="figures: a link: expected"):
        write_report([tmp_path])


def test_a_typed_folder_may_be_a_link(tmp_path, sweep):
    sweep(tmp_path / "sweep", {"lsgan": 0.5}, 1)
    (tmp_path / "goal").mkdir()
    (tmp_path / "out").symlink_to("goal")
    write_report([tmp_path / "sweep"], out=tmp_path / "out")
    assert (tmp_path / "goal" / "index.html").is_file()
    write_report([tmp_path / "sweep"], out=tmp_path / "out")


def test_a_report_that_was_killed_does_not_stand_in_the_way_of_the_next(tmp_path, sweep, monkeypatch):
    """As at the end of a sweep that was interrupted there and goes on."""
    sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, 2)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("gan_lab.report.render.remove_old_figures", killed)
        with pytest.raises(KeyboardInterrupt):
            write_report([tmp_path])
    assert not (tmp_path / "report" / "index.html").exists()
    assert write_report([tmp_path]).is_file()


def test_a_pipe_in_the_folder_of_the_report(tmp_path, sweep):
    sweep(tmp_path, {"lsgan": 0.5}, 1)
    write_report([tmp_path])
    (tmp_path / "report" / "files.json").unlink()
    os.mkfifo(tmp_path / "report" / "files.json")
    with pytest.raises(ConfigError, match=r"files.json: neither a file nor a folder: expected"):
        write_report([tmp_path])
