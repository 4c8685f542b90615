"""What a notebook shows of runs and sweeps that come from anyone."""

import json
import re
from html.parser import HTMLParser

import pytest

import gan_lab


class _Tags(HTMLParser):
    """The tags of a page, and whether all that are opened are closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.names.add(tag)
        if tag not in ("br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


OURS = {"div", "p", "b", "br", "code", "img", "table", "thead", "tbody", "tr", "th", "td"}


def test_what_a_notebook_shows_of_a_foreign_run_is_harmless(tmp_path, run):
    evil = "<script>alert(1)</script>\x1b[2J"
    folder = run(tmp_path / f"{evil[:8]}&", {"loss": "wgan_gp"}, picture=True)
    result = json.loads((folder / "result.json").read_text())
    result["loss"] = result["verdict"]["verdict"] = evil
    for key in ("metrics", "floor"):
        result[key] |= {evil: 1.0}
    (folder / "result.json").write_text(json.dumps(result))
    lost = run(tmp_path / "lost", {"loss": "rsgan"}, state="failed", error=evil)
    (folder / "samples" / "final.png").write_bytes(b"no picture")
    shown = [thing._repr_html_() for thing in (gan_lab.Run(folder), gan_lab.Run(lost), gan_lab.Sweep(tmp_path))]
    shown.append(gan_lab.Sweep(tmp_path).table()._repr_html_())
    for page in shown:
        tags = _Tags(page)
        assert tags.names <= OURS
        assert tags.open == []
        assert page.isprintable()
        assert not re.search(r'(src|href)="(?!data:image/png;base64,)', page)
    assert "&lt;script&gt;alert(1)" in shown[1]
    assert "cannot be read as a PNG picture" in shown[0]
    for made in (gan_lab.Run(folder), gan_lab.Run(lost), gan_lab.Sweep(tmp_path)):
        assert repr(made).isprintable()
    with pytest.raises(gan_lab.ConfigError, match="it cannot be read as a PNG picture"):
        _ = gan_lab.Run(folder).picture
