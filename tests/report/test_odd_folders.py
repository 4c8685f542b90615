"""Folders that no gan-lab wrote, or only half: each is listed with why, and none costs the others their report."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from gan_lab.report import render
from gan_lab.report.collect import read
from gan_lab.report.render import write_report

ODD: list[Any] = [None, "x", "²", "\ud800<b>\n|$", [], [1], {}, {"a": []}, True, 0, -1, 1.5, 1e308, 10**400]


def places(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path to every entry of nested mappings."""
    for key, entry in value.items():
        yield (*path, key)
        if isinstance(entry, dict):
            yield from places(entry, (*path, key))


def changed(value: dict[str, Any], path: tuple[str, ...], odd: Any) -> dict[str, Any]:
    value = copy.deepcopy(value)
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = odd
    return value


@pytest.mark.parametrize(
    "odd",  # only text can be odd to draw
    [pytest.param(odd, marks=pytest.mark.figures) if str(odd).startswith("\ud800") else odd for odd in ODD],
    ids=lambda odd: repr(odd)[:12],
)
def test_an_odd_value_anywhere_costs_no_other_run_its_place(tmp_path, run, odd, monkeypatch):
    """Each run has it at another place of result.json, of status.json, or of an evaluation added later."""
    encode = render.encode  # what is drawn as svg is drawn as png
    monkeypatch.setattr(render, "encode", lambda figure, kind: encode(figure, kind) if kind == "svg" else b"")
    again = {"fingerprint": {"extractor": "x"}, "metrics": {"fid": 3.0}, "floor": {}, "ceiling": {}}
    model = run(tmp_path / "model", {"loss": "lsgan"}, result={"evaluations": [again], "ceiling": {"modes": 8.0}})
    files = [model / "result.json", model / "status.json"]
    jobs = [(file.name, path) for file in files for path in places(json.loads(file.read_text()))]
    jobs += [("evaluations", path) for path in places(again)]
    for seed, (name, path) in enumerate(jobs, 1):
        folder = run(tmp_path / f"{seed:03d}", {"loss": "lsgan", "seed": seed}, result={"evaluations": [again]})
        file = folder / ("status.json" if name == "status.json" else "result.json")
        record = json.loads(file.read_text())
        record["ceiling"] = {"modes": 8.0}
        target = {"evaluations": [changed(again, path, odd)]} if name == "evaluations" else {}
        file.write_text(json.dumps(record | target if target else changed(record, path, odd)))
    for seed in range(3):
        run(tmp_path / f"rsgan{seed}", {"loss": "rsgan", "seed": seed})
    text = write_report([tmp_path]).read_text()
    assert "rsgan" in text
    found = read([tmp_path])
    assert len(found.runs) + len(found.skipped) == len(jobs) + 4
    assert all(entry.reason for entry in found.runs if entry.state == "unreadable")


CURVES = ["nan,metric/reverse_kl,1", "1,metric/reverse_kl,1e308", "1e400,metric/reverse_kl,1", ",,", "1,metric/x,y,z"]


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("result.json", "[" * 100_000, "result.json cannot be read: it is nested too deeply"),
        (".hydra/config.yaml", "a: &a\n  b: *a", ".hydra/config.yaml cannot be read as a configuration"),
        (".hydra/config.yaml", "[" * 100_000, ".hydra/config.yaml cannot be read as a configuration"),
        (".hydra/config.yaml", "a: [1", ".hydra/config.yaml cannot be read as a configuration"),
        (".hydra/config.yaml", "1: 2\ntrue: 3\nd: 2020-01-01", ".hydra/config.yaml is not this run's"),
        (".hydra/overrides.yaml", "a: &a\n  b: *a", ""),
        pytest.param(
            "metrics.csv",
            "\n".join(["iteration,name,value", *CURVES, "20,metric/reverse_kl,0.5", ""]),
            "",
            marks=pytest.mark.figures,
        ),
        pytest.param("times.csv", "iteration,name,value\n1,time/train_seconds,nan\n", "", marks=pytest.mark.figures),
    ],
)
def test_an_odd_file(tmp_path, sweep, file, text, reason):
    runs = sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, 3)
    (runs[0] / file).write_text(text)
    page = write_report([tmp_path]).read_text()
    assert reason.replace("'", "&#39;") in page
    entry = next(entry for entry in read([tmp_path]).runs if entry.path == runs[0])
    assert entry.state == ("unreadable" if reason else "done")


def test_the_configuration_of_another_run_is_noticed(tmp_path, sweep):
    """As Hydra would leave it, were a finished run's line given again with other settings."""
    runs = sweep(tmp_path, {"lsgan": 0.5}, 3)
    config = runs[0] / ".hydra" / "config.yaml"
    config.write_text(config.read_text().replace("batch_size: 64", "batch_size: 65"))
    entry = read([tmp_path]).runs[0]
    assert entry.state == "unreadable"
    assert entry.reason.startswith(".hydra/config.yaml is not this run's: its hash is ")
    config.write_text(config.read_text().replace("batch_size: 65", "batch_size: ${half:128}"))
    assert read([tmp_path]).runs[0].done  # what it resolves to is not known here


def test_a_folder_name_that_is_no_text(tmp_path, sweep):
    runs = sweep(tmp_path, {"lsgan": 0.5}, 2)
    runs[0].rename(tmp_path / "half\udcff")
    write_report([tmp_path])
    assert [entry.name for entry in read([tmp_path]).runs] == ["001_loss=lsgan,seed=1", "half\\xff"]
