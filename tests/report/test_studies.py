"""A study's CSV files say what its runs' folders say, and its page is made of them alone."""

import csv
import json
import math
import re
import shlex
from contextlib import nullcontext
from pathlib import Path

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from gan_lab.errors import ConfigError
from gan_lab.report.collect import read
from gan_lab.report.render import write_report
from gan_lab.report.results_file import read_lines
from gan_lab.report.sections import content
from gan_lab.report.study import page_of, publish
from gan_lab.report.tables import table_csv, table_tex

STUDIES = Path(__file__).parents[2] / "docs" / "studies"
OWN_WORDS = re.compile(r"<!-- (?:question|limits): .*?<!-- end of (?:question|limits) -->", re.DOTALL)
LATER = {
    "fingerprint": {"extractor": "points", "samples": 99},
    "metrics": {"fd_points": 0.7},
    "floor": {"fd_points": 0.1},
}


@pytest.fixture(autouse=True)
def quick_figures(request, monkeypatch):
    """Pages tell a figure's kind, which depends on its size; what is in it is looked at where a test says so."""
    if not request.node.get_closest_marker("figures"):
        monkeypatch.setattr("gan_lab.report.study.encode", lambda *_: b"<svg></svg>")


@pytest.fixture
def everything(run, sweep, tmp_path):
    """Two datasets, an axis of numbers, lost runs, a value that is none, a later evaluation, verdicts, odd texts."""
    folder = tmp_path / "sweep"
    sweep(folder, {"wgan": 0.1, "lsgan": 0.4}, seeds=4)
    for weight in (0.1, 1.0, 10.0):
        for seed in range(3):
            words = {"loss": "wgan_gp", "loss.penalties.gp.weight": weight, "seed": seed}
            metrics = {"fd_points": 0.5, "modes": 8.0, "high_quality": 0.9, "reverse_kl": 0.2 + weight / 50 + seed / 97}
            run(folder / f"gp{weight}{seed}", words, metrics, verdict="collapsed" if seed else "healthy")
    run(folder / "lost", {"loss": "lsgan", "seed": 9}, state="diverged", error="Diverged: /home/me/runs/x is nan")
    blank = {"metrics": {"fd_conv": 3.0, "kid_conv": None}}
    run(folder / "digits0", {"loss": "wgan", "dataset": "digits"}, {"fd_conv": 3.0}, result=blank)
    odd = {"loss": "=1+1", "dataset": "digits", "dataset.root": "/home/me/data"}
    run(folder / "digits1", odd, {"fd_conv": 2.5, "kid_conv": 0.1})
    run(folder / "again", {"loss": "wgan", "seed": 7}, result={"evaluations": [LATER]})
    return folder


def said(place):
    """All tables, answers and warnings."""
    found = content(read([place]), None)
    sections = [
        (
            *(one.heading, one.answer, one.axes, one.references),
            *([cells for _, cells in rows] for rows in (one.map, one.matrix, one.ranks, one.differences)),
            [
                (row.rank, row.value, row.lost, row.verdicts, row.standing, row.budget, row.span, row.open)
                for row in one.rows
            ],
        )
        for one in found.sections
    ]
    return table_csv(found), table_tex(found), sections, found.across, found.counts, found.environment


def test_the_file_gives_every_table_that_the_folders_give(everything, tmp_path):
    page, counts = publish([everything], tmp_path / "study")
    assert (counts.new, counts.replaced, counts.kept, counts.left_out) == (21, 0, 0, 0)
    assert repr(said(page.parent / "results.csv")) == repr(said(everything)).replace("/home/me/runs/", "…/")
    assert "again" in said(everything)[2][-1][0]  # the later evaluation has a table of its own
    assert write_report([page.parent / "results.csv"], out=tmp_path / "report").is_file()


@pytest.mark.figures
def test_the_page_is_made_of_the_files_alone(everything, tmp_path):
    page, _ = publish([everything], tmp_path / "study")
    assert page_of(tmp_path / "study" / "results.csv") == page.read_text()
    cells = list(csv.DictReader((tmp_path / "study" / "results.csv").open()))
    ours = next(one for one in cells if one["run"] == "000_loss=wgan,seed=0")
    assert float(ours["metric.reverse_kl"]) == pytest.approx(0.07, abs=1e-12)
    assert (ours["seed"], ours["state"], ours["verdict"]) == ("0", "done", "healthy")
    assert ours["group"].startswith("wgan")


def test_every_published_page_is_that_of_its_file():
    for file in STUDIES.glob("*/results.csv"):
        assert page_of(file) == (file.parent / "README.md").read_text(), file.parent.name
        for one in file.parent.iterdir():
            assert one.stat().st_size <= 300 * 1024, one


def decimals(text):
    return set(re.findall(r"(?<![\d.])\d+\.\d+(?!\.?\d)", re.sub(r"\(http[^)]*\)|`[^`]*`", "", text)))


def strangers(words, page):
    """Decimals in someone's words that the tables of a study's page do not have."""
    return decimals(words) - decimals(OWN_WORDS.sub("", page))


def test_figures_in_words_are_those_of_the_tables():
    pages = {file.parent.name: (file.parent / "README.md").read_text() for file in STUDIES.glob("*/results.csv")}
    for name, page in pages.items():
        assert not strangers("".join(OWN_WORDS.findall(page)), page), name
    index = (STUDIES / "README.md").read_text()
    for line in index.splitlines():
        named = [name for name in re.findall(r"\]\((\w+)/README\.md\)", line) if name in pages]
        assert not strangers(line, "".join(pages[name] for name in named)), line
    rows = [line for line in index.splitlines() if line.startswith("| [")]
    assert sorted(re.findall(r"\| \[\w+\]\((\w+)/README.md\)", "\n".join(rows))) == sorted(pages)
    for row in rows:
        name = row[3 : row.index("]")]
        assert not strangers(row, pages[name]), name
    page = next(iter(pages.values()))
    assert strangers("0.9871 is no figure of it, nor is 0.9872.", page) == {"0.9871", "0.9872"}


def test_a_study_grows_and_keeps_its_owners_words(sweep, tmp_path):
    study = tmp_path / "study"
    page, _ = publish(sweep(tmp_path / "monday", {"wgan": 0.1, "lsgan": 0.4}, seeds=3), study, metric="fd_points")
    written = page.read_text().replace("*Write here what the study asks.*", "Is wgan *better*?\n\nOn the ring.")
    page.write_text(written)
    both = sweep(tmp_path / "tuesday", {"wgan": 0.1, "lsgan": 0.4, "hinge": 0.7}, seeds=3)
    _, counts = publish(both, study)
    assert (counts.new, counts.replaced, counts.kept) == (3, 0, 6)
    text = page.read_text()
    assert "Is wgan *better*?\n\nOn the ring." in text
    assert text.startswith("<!-- made by gan-lab-report with publish= metric=fd_points -->")
    assert "| 3 | hinge |" in text
    before = {file.name: file.read_bytes() for file in study.iterdir()}
    _, counts = publish(both, study)
    assert counts.kept == 9
    assert {file.name: file.read_bytes() for file in study.iterdir()} == before
    page.write_text(text.replace(" metric=fd_points -->", " -->"))
    publish(both, study)
    assert "## ring8: ranking by Reverse KL" in page.read_text()


def test_the_command_of_a_sweep_that_grew_by_a_second_line(run, tmp_path):
    """sweep.json knows the last line; that a run of loss=hinge was asked for and did not end is not told.

    What is no product of losses and seeds is told by several lines. Hydra writes a run's `true` as `True`.
    """
    for loss, seeds in {"wgan": range(9, 11), "lsgan": range(9, 11), "rsgan": range(3)}.items():
        for seed in seeds:
            run(tmp_path / "sweep" / f"{loss}{seed}", {"loss": loss, "seed": seed, "x": True, "y": seed > 9})
    swept = {"loss": ["wgan", "hinge"], "seed": ["10"], "y": ["true"]}
    last = {"held": ["dataset=ring8", "x=true"], "swept": swept}
    (tmp_path / "sweep" / "sweep.json").write_text(json.dumps(last))
    page, _ = publish([tmp_path / "sweep"], tmp_path / "study")
    lines = [line for line in page.read_text().splitlines() if line.startswith("gan-lab ")]
    held = "gan-lab -m dataset=ring8 x=true"
    assert lines == [
        f"{held} loss=rsgan seed=0,1,2 y=false",
        f"{held} loss=wgan,lsgan seed=10 y=true",
        f"{held} loss=wgan,lsgan seed=9 y=false",
    ]


def test_the_command_of_a_sweep_that_grew_by_a_line_with_one_loss(run, tmp_path):
    for loss in ("lsgan", "wgan"):
        run(tmp_path / "sweep" / loss, {"loss": loss, "seed": 0})
    last = {"held": ["loss=wgan", "~logger", "dataset=ring8", "+trainer.x=true"], "swept": {"seed": ["0"]}}
    (tmp_path / "sweep" / "sweep.json").write_text(json.dumps(last))
    page, _ = publish([tmp_path / "sweep"], tmp_path / "study")
    assert "\ngan-lab -m loss=wgan,lsgan dataset=ring8 +trainer.x=true seed=0 '~logger'\n" in page.read_text()


def test_the_command_names_the_folder_of_ones_own_configurations(run, tmp_path):
    """By its name alone: where it lies is a machine's."""
    folder = run(tmp_path / "run", {"loss": "cubic", "seed": 0})
    hydra = yaml.safe_load((folder / ".hydra" / "hydra.yaml").read_text())
    sources = [{"path": "gan_lab.conf", "provider": "main"}, {"path": "/home/me/my_conf", "provider": "command-line"}]
    hydra["hydra"]["runtime"]["config_sources"] = sources
    (folder / ".hydra" / "hydra.yaml").write_text(yaml.safe_dump(hydra))
    page, _ = publish([folder], tmp_path / "study")
    assert "\ngan-lab --config-dir my_conf loss=cubic seed=0\n" in page.read_text()


def test_the_command_of_a_tuned_sweep_names_its_search(run, tmp_path):
    run(tmp_path / "sweep" / "replicates" / "wgan", {"loss": "wgan", "seed": 0})
    shipped = OmegaConf.load(Path(__file__).parents[2] / "conf" / "protocol" / "tuned.yaml").hydra.sweeper
    search = OmegaConf.to_container(shipped) | {"trials": 16, "seeds": [0, 1]}
    search["space"]["optimizer.generator.lr"] = "tag(log, interval(1e-5, 1e-2))"
    last = {"held": ["protocol=tuned"], "swept": {"loss": ["wgan"]}, "search": search}
    (tmp_path / "sweep" / "sweep.json").write_text(json.dumps(last))
    page, _ = publish([tmp_path / "sweep"], tmp_path / "study")
    line = next(line for line in page.read_text().splitlines() if line.startswith("gan-lab -m"))
    assert shlex.split(line)[2:] == [
        *("protocol=tuned", "loss=wgan", "hydra.sweeper.trials=16", "hydra.sweeper.seeds=[0,1]"),
        '++hydra.sweeper.space={optimizer.generator.lr:"tag(log, interval(1e-5, 1e-2))"}',
    ]
    composed = OverridesParser.create().parse_override(shlex.split(line)[-1]).value()
    assert composed == {"optimizer.generator.lr": "tag(log, interval(1e-5, 1e-2))"}


def test_a_run_that_is_there(run, tmp_path):
    """Lost runs make way, later evaluations come in; a finished run is neither lost again nor changed."""
    study, words = tmp_path / "study", {"loss": "wgan", "seed": 3}

    def again(name, **options):
        _, counts = publish([run(tmp_path / name, words, **options)], study)
        (line,) = read_lines(study / "results.csv")
        return (counts.new, counts.replaced, counts.kept), line

    assert again("killed", state="failed", error="power cut")[0] == (1, 0, 0)
    assert again("done")[0] == (0, 1, 0)
    counts, line = again("lost", state="failed", error="power cut")
    assert (counts, line["state"]) == ((0, 0, 1), "done")
    counts, line = again("evaluated", result={"evaluations": [LATER]})
    assert counts == (0, 1, 0)
    assert '"fd_points": 0.7' in line["evaluations"]
    other = LATER | {"fingerprint": {"extractor": "points", "samples": 77}}
    counts, line = again("evaluated elsewhere", result={"evaluations": [other]})
    assert [one["fingerprint"]["samples"] for one in json.loads(line["evaluations"])] == [99, 77]
    assert again("not evaluated") == ((0, 0, 1), line)
    for name, options in {
        "other": {"metrics": {"fd_points": 0.6, "reverse_kl": 0.1}},
        "nan": {"state": "diverged"},
    }.items():
        with pytest.raises(ConfigError, match=r"settings [0-9a-f]{16} and seed 3 had .* and has .*: remove its line"):
            again(name, **options)


def test_what_all_runs_have_in_common_stands_once(run, tmp_path):
    """Until a run comes that has another value. A key that one run alone has is not common either."""
    study = tmp_path / "study"

    def of_all(name, **options):
        publish([run(tmp_path / name, {"loss": "wgan", "seed": len(name)}, **options)], study)
        columns = next(csv.reader((study / "results.csv").open()))
        shared = {row["column"]: row["value"] for row in csv.DictReader((study / "common.csv").open())}
        assert not shared.keys() & {*columns}
        assert {"seed", "state", "verdict", "metric.reverse_kl", "budget.iterations", "run", "machine"} <= {*columns}
        return {key: shared.get(key) for key in ("config.batch_size", "option.loss", "config.lr_schedule")}

    assert of_all("a") == {"config.batch_size": "64", "option.loss": "wgan", "config.lr_schedule": None}
    assert of_all("bb", config={"batch_size": 32})["config.batch_size"] is None
    assert of_all("ccc", config={"batch_size": 64, "lr_schedule": "cosine"})["config.lr_schedule"] is None
    sizes = [line.get("config.batch_size") for line in read_lines(study / "results.csv")]
    schedules = [line.get("config.lr_schedule") for line in read_lines(study / "results.csv")]
    assert (sorted(sizes), schedules.count("cosine")) == (["32", "64", "64"], 1)


def test_a_study_stays_whole_wherever_writing_it_stops(sweep, tmp_path, monkeypatch):
    """After each of its files: what was published before is never lost, nor is what comes in once it is written."""
    sweep(tmp_path / "one", {"wgan": 0.1}, seeds=2)
    sweep(tmp_path / "two", {"wgan": 0.1}, seeds=3, config={"batch_size": 32})
    told = []
    for stop in (0, 1, 2, 3, 9):  # after 9 files, that is not at all
        study = tmp_path / f"stopped{stop}"
        file = publish([tmp_path / "one"], study)[0].parent / "results.csv"
        before = read_lines(file)
        written = iter(range(9))

        def put(path, data, stop=stop, written=written):
            if next(written) == stop:
                raise InterruptedError
            path.write_bytes(data)

        with monkeypatch.context() as patch:
            patch.setattr("gan_lab.report.study.encode", lambda *_: bytes(400 * 1024))  # no figure is small enough
            patch.setattr("gan_lab.report.study.put", put)
            with nullcontext() if stop == 9 else pytest.raises(ConfigError, match="it cannot be written"):
                publish([tmp_path / "two"], study)
        told.append(read_lines(file))
    assert told == [before, *[told[-1]] * 4]
    assert len(told[-1]) == len(before) + 3


def test_a_large_figure_is_of_pixels_and_a_small_one_is_drawn_once(sweep, tmp_path, monkeypatch):
    drawn = []
    for limit, kinds in ((400 * 1024, ["svg", "png"]), (10, ["svg"])):
        drawn.clear()
        sizes = {"svg": limit, "png": 10}
        monkeypatch.setattr(
            "gan_lab.report.study.encode", lambda _, kind, sizes=sizes: (drawn.append(kind), bytes(sizes[kind]))[1]
        )
        page, _ = publish(
            sweep(tmp_path / f"{limit}", {"wgan": 0.1, "lsgan": 0.4}, seeds=2), tmp_path / f"study{limit}"
        )
        assert drawn[: len(kinds)] == kinds
        assert {*drawn} == {*kinds}
        assert {file.suffix[1:] for file in page.parent.iterdir()} - {"csv", "md"} == {kinds[-1]}


def test_unfinished_runs_are_left_out(run, sweep, tmp_path):
    sweep(tmp_path / "sweep", {"wgan": 0.1}, seeds=2)
    run(tmp_path / "sweep" / "open", {"loss": "wgan", "seed": 5}, state="interrupted")
    _, counts = publish([tmp_path / "sweep"], tmp_path / "study")
    assert (counts.new, counts.left_out) == (2, 1)


@pytest.mark.figures
def test_what_tells_of_a_machine_is_left_out(everything, tmp_path):
    page, _ = publish([everything], tmp_path / "study")
    for file in page.parent.iterdir():
        assert "/home/me" not in file.read_text(), file.name
        assert str(tmp_path) not in file.read_text(), file.name
    assert "…/x is nan" in (page.parent / "results.csv").read_text()


def test_no_cell_is_a_formula(everything, tmp_path):
    page, _ = publish([everything], tmp_path / "study")
    cells = [cell for row in csv.reader((page.parent / "results.csv").open()) for cell in row]
    assert not [cell for cell in cells if re.match(r"\s*[=+@]|-(?![\d.]+(e|$))", cell)]
    assert '"=1+1"' in cells


def test_seconds_of_several_machines_are_not_compared(sweep, tmp_path):
    for place, processor in (("here", "A 1"), ("there", "B 2")):
        loss = {"wgan": 0.1} if place == "here" else {"lsgan": 0.4}
        sweep(tmp_path / place, loss, seeds=3, result={"environment": {"device": "cpu", "processor": processor}})
    page, _ = publish([tmp_path / "here"], tmp_path / "study")
    assert " s of training" not in page.read_text()  # there is nothing to compare
    assert re.search(r"\| wgan \| 1,000 .* \| 10 \|", page.read_text())
    page, _ = publish([tmp_path / "there"], tmp_path / "study")
    text = page.read_text()
    assert "Runs were made on 2 machines (cpu, A 1 and cpu, B 2): their seconds are not compared." in text
    assert re.search(r"\| wgan \| 1,000 .* \| – \|", text)
    assert not re.search(r"s of training|Budgets differ", text)


def test_a_run_in_a_folder_and_in_the_file_counts_once(sweep, tmp_path):
    sweep(tmp_path / "sweep", {"wgan": 0.1, "lsgan": 0.4}, seeds=3, config={"dataset.root": "/data/of/mine"})
    publish([tmp_path / "sweep"], tmp_path / "study")
    found = read([tmp_path / "sweep", tmp_path / "study" / "results.csv"])
    assert (len(found.runs), len(found.skipped)) == (6, 6)
    assert math.isclose(content(found, None).sections[0].board.rows[0].key[1], 0.1, rel_tol=1e-9)


def test_seeds_of_one_folder_name_stay_runs_of_their_own(run, tmp_path):
    study = tmp_path / "study"
    for loss, seed in (("lsgan", 0), ("lsgan", 1), ("hinge", 0), ("hinge", 1)):
        name = "run" if loss == "lsgan" else "7"
        run(tmp_path / f"{loss}{seed}" / name, {"loss": loss, "seed": seed}, {"fd_points": 0.1 + seed})
        page, _ = publish([tmp_path / f"{loss}{seed}"], study)
    names = [one.name for one in read([study / "results.csv"]).runs]
    assert sorted(names) == ["7", "7 (2)", "run", "run (2)"]
    assert "count as lost" not in page.read_text()


def test_a_part_of_a_sweep_leaves_the_command_of_the_whole(run, tmp_path):
    for loss in ("lsgan", "wgan"):
        run(tmp_path / "sweep" / loss, {"loss": loss, "seed": 0})
    whole = {"held": ["dataset=ring8"], "swept": {"loss": ["lsgan", "wgan"], "seed": ["0"]}}
    (tmp_path / "sweep" / "sweep.json").write_text(json.dumps(whole))
    page, _ = publish([tmp_path / "sweep"], tmp_path / "study")
    before = page.read_text()
    publish([tmp_path / "sweep" / "wgan"], tmp_path / "study")
    assert page.read_text() == before


@pytest.mark.parametrize("mark", ["sweep.json", "status.json"])
def test_no_study_is_made_in_a_sweep_or_a_run(run, tmp_path, mark):
    run(tmp_path / "sweep" / "wgan", {"loss": "wgan", "seed": 0})
    (tmp_path / "sweep" / mark).write_text("{}")
    with pytest.raises(ConfigError, match="it is the folder of a sweep or a run; expected one for the study"):
        publish([tmp_path / "sweep" / "wgan"], tmp_path / "sweep")
