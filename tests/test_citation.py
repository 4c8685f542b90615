"""CITATION.cff: GitHub shows it, and it names the paper of every loss."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent


def test_it_has_the_version_and_the_papers():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert cited["version"] == project["version"]
    assert cited["abstract"] == project["description"]
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()  # what the format requires
    for paper in cited["references"]:
        assert paper.keys() >= {"type", "title", "authors", "year", "url"}
        assert all(author.keys() == {"given-names", "family-names"} for author in paper["authors"])
    losses = re.search(r"^## Losses$(.*?)^## ", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert losses
    linked = set(re.findall(r"\]\((https://arxiv\.org/abs/[\d.]+)\)", losses[1]))
    assert len(linked) > 8
    assert linked <= {paper["url"] for paper in cited["references"]}
