"""Every protocol as the command that a user gives, and what a tuned sweep searches."""

import json
import math

import pytest
from command_runs import ended, refusal
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from gan_lab.cli.train import main
from gan_lab.errors import ConfigError
from gan_lab.hydra_plugin import tuned_sweeper
from gan_lab.hydra_plugin.tuned_sweeper import TunedSweeper, _recorded, _result_of
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.sweep_folder import SweepFolder
from gan_lab.sweeps.search import Search, objective, validated
from gan_lab.sweeps.worker import Job, concluded

TINY = ["dataset=ring8", "trainer=cpu", "threads=1", "iterations=12", "evaluation.every=12", "evaluation.samples=100"]
TINY += ["pictures.samples=4", "log_every=12"]
SEARCH = {"trials": 3, "tuning_seeds": [9], "seeds": [0], "metric": None, "draw": 0}


def budget(run):
    spent = run.result()["budget"]
    return spent["discriminator_updates"], spent["generator_updates"]


def test_every_protocol_sweeps(monkeypatch, tmp_path):
    """Discriminator and generator updates, by hand from n_critic: 1 for lsgan, 5 for wgan_gp."""
    line = ["gan-lab", "-m", *TINY, "hydra.sweep.dir=sweep", "protocol=paper,matched,equal_compute", "loss=wgan_gp"]
    assert ended(monkeypatch, tmp_path, main, *line) == 0
    line[-3:] = ["hydra.sweep.dir=timed", "protocol=equal_compute", "budget.updates=null", "budget.seconds=1e-6"]
    assert ended(monkeypatch, tmp_path, main, *line, "loss=lsgan,wgan_gp") == 0
    for run, protocol, updates in (
        ("sweep/loss=wgan_gp,protocol=paper", "paper", (60, 12)),
        ("sweep/loss=wgan_gp,protocol=matched", "matched", (12, 12)),
        ("sweep/loss=wgan_gp,protocol=equal_compute", "equal_compute", (20, 4)),  # 24 in all
        ("timed/loss=lsgan", "equal_compute", (1, 1)),
        ("timed/loss=wgan_gp", "equal_compute", (5, 1)),
    ):
        assert budget(RunFolder(tmp_path / run)) == updates
        assert RunFolder(tmp_path / run).result()["protocol"] == protocol


def trials_of_every_loss(sweep, record):
    """What the record of a tuned sweep says of lsgan and nsgan_r1: the same trials, of which the best are repeated."""
    assert (record["metric"], record["tuning_seeds"], record["seeds"]) == ("reverse_kl", [7], [0])
    assert (record["cost"]["runs"], record["cost"]["lost"]) == (4, 0)
    lsgan, r1 = record["combinations"]
    for trial, with_penalty in zip(lsgan["trials"], r1["trials"], strict=True):
        assert trial["settings"] == with_penalty["settings"]
        weight = trial["settings"][-1]
        assert weight.startswith("penalty_weight=")
        assert 0.1 <= float(weight.partition("=")[2]) <= 10
    assert lsgan["trials"][0]["settings"] != lsgan["trials"][1]["settings"]
    for entry, loss in ((lsgan, "lsgan"), (r1, "nsgan_r1")):
        means = [sum(trial["values"]) for trial in entry["trials"]]
        assert entry["best"] == means.index(min(means))
        chosen = entry["trials"][entry["best"]]["settings"]
        words = (sweep / "replicates" / f"loss={loss},seed=0" / ".hydra" / "overrides.yaml").read_text()
        assert set(chosen) <= set(words.replace("- ", "").splitlines())
        for number, trial in enumerate(entry["trials"]):
            run = RunFolder(sweep / "tuning" / f"loss={loss},trial={number},seed=7")
            assert [run.result()["metrics"]["reverse_kl"]] == trial["values"]


def test_tuning_gives_every_loss_the_same_trials_and_fresh_seeds(monkeypatch, tmp_path):
    line = ["gan-lab", "-m", "protocol=tuned", *TINY, "hydra.sweep.dir=sweep", "hydra.sweeper.trials=2"]
    line += ["hydra.sweeper.tuning_seeds=[7]"]
    sweep, first = tmp_path / "sweep", [*line, "loss=lsgan,nsgan_r1", "hydra.sweeper.seeds=[0]"]
    assert ended(monkeypatch, tmp_path, main, *first) == 0
    record = json.loads((sweep / "tuning.json").read_text())
    trials_of_every_loss(sweep, record)
    page = (sweep / "report" / "report.md").read_text()
    assert page.startswith("# sweep\n")
    assert "2 runs: 2 done · protocol tuned" in page
    assert "2 trials for each of 2 groups, drawn at random from one space (draw 0), on seed 7, chosen by" in page
    assert "That cost 4 runs and " in page
    assert "optimizer.generator.lr tag(log, interval(1e-5, 1e-3))" in page
    assert "tuning/" not in page
    assert "| 1 | lsgan |" in page or "| 1 | nsgan\\_r1 |" in page
    before = contents(sweep)
    assert refusal(monkeypatch, tmp_path, main, *first, "hydra.sweeper.draw=1") == (
        "gan-lab: hydra.sweep.dir=sweep: the sweep in it has hydra.sweeper.draw=0, and this one hydra.sweeper.draw=1; "
        "name another folder"
    )
    assert contents(sweep) == before

    # what was chosen stays chosen, even if another trial is better by now; it is repeated with more seeds, and nothing
    # is made again; a line with a part of the losses keeps the others' record
    lsgan = record["combinations"][0]
    other = 1 - lsgan["best"]
    late = RunFolder(sweep / "tuning" / f"loss=lsgan,trial={other},seed=7")
    result = late.result()
    result["validation"]["metrics"]["reverse_kl"] = -1.0
    late.result_file.write_text(json.dumps(result))
    before = {file: content for file, content in contents(sweep).items() if file.name == "result.json"}
    assert ended(monkeypatch, tmp_path, main, *line, "loss=lsgan", "hydra.sweeper.seeds=[0,1]") == 0
    after = {file: content for file, content in contents(sweep).items() if file.name == "result.json"}
    repeated = sweep / "replicates" / "loss=lsgan,seed=1"
    assert after == before | {repeated / "result.json": after[repeated / "result.json"]}
    words = (repeated / ".hydra" / "overrides.yaml").read_text().replace("- ", "").splitlines()
    assert set(lsgan["trials"][lsgan["best"]]["settings"]) <= set(words)
    lsgan["trials"][other]["values"] = [-1.0]
    assert json.loads((sweep / "tuning.json").read_text()) == record | {"seeds": [0, 1]}
    assert "repeated with seeds 0 and 1; these" in (sweep / "report" / "report.md").read_text()
    # a replicate is a run of its own, which can go on
    assert ended(monkeypatch, tmp_path, main, "gan-lab", "resume=sweep/replicates/loss=lsgan,seed=0") == 0


def test_a_metric_that_no_trial_has_may_be_mended(monkeypatch, tmp_path, capfd):
    """The trials are made by then, and count."""
    line = ["gan-lab", "-m", "protocol=tuned", *TINY, "loss=lsgan", "hydra.sweep.dir=sweep"]
    line += ["hydra.sweeper.trials=1", "hydra.sweeper.seeds=[0]"]
    said = refusal(monkeypatch, tmp_path, main, *line, "hydra.sweeper.metric=intra_fd_points")
    assert "hydra.sweeper.metric=intra_fd_points: no trial has a finite value of intra_fd_points, so there" in said
    assert ", reverse_kl, and the same trials count" in said
    trial = next((tmp_path / "sweep" / "tuning").rglob("result.json"))
    before = trial.stat().st_mtime_ns
    assert ended(monkeypatch, tmp_path, main, *line, "hydra.sweeper.metric=reverse_kl") == 0
    assert trial.stat().st_mtime_ns == before


def contents(folder):
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file() and file.name != "gan-lab.log"}


@pytest.mark.parametrize("words", [["protocol=tuned"], ["-m", "protocol=paper,tuned"], ["-m", "protocol=tuned,tuned"]])
def test_what_was_not_tuned_is_not_called_so(monkeypatch, tmp_path, words):
    line = ["gan-lab", *words, *TINY, "hydra.sweep.dir=sweep", "hydra.run.dir=run"]
    sentence = refusal(monkeypatch, tmp_path, main, *line)
    assert sentence == (
        f"gan-lab: {words[-1]}: tuned is a sweep of its own, and no run by itself; "
        "expected gan-lab -m protocol=tuned, with what is to be tuned"
    )
    assert not list(tmp_path.iterdir())


def test_an_experiment_cannot_call_itself_tuned_either(monkeypatch, tmp_path):
    (tmp_path / "own" / "experiment").mkdir(parents=True)
    for name, protocol in (("one", "tuned"), ("two", "paper")):
        file = tmp_path / "own" / "experiment" / f"{name}.yaml"
        file.write_text(f"# @package _global_\ndefaults:\n  - override /protocol: {protocol}\n")
    line = ["gan-lab", "--config-dir", "own", "-m", "experiment=one,two", *TINY, "hydra.sweep.dir=sweep"]
    assert "tuned is a sweep of its own" in refusal(monkeypatch, tmp_path, main, *line)
    assert [run.path.name for run in SweepFolder(tmp_path / "sweep").runs()] == ["experiment=two"]


def test_a_refused_search_makes_no_folder(monkeypatch, tmp_path):
    line = ["gan-lab", "-m", "protocol=tuned", *TINY, "loss=lsgan,rsgan", "hydra.sweep.dir=sweep"]
    assert "seed: protocol=tuned has seeds" in refusal(monkeypatch, tmp_path, main, *line, "seed=0,1")
    assert "trials=0" in refusal(monkeypatch, tmp_path, main, *line, "hydra.sweeper.trials=0")
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize(
    ("distribution", "allowed", "different"),
    [
        ("interval(0, 1)", lambda text: 0 <= float(text) <= 1, 200),
        ("interval(-1, 0)", lambda text: -1 <= float(text) <= 0, 200),
        ("int(interval(1, 3))", lambda text: text in ("1", "2", "3"), 3),
        ("int(tag(log, interval(1, 3)))", lambda text: text in ("1", "2", "3"), 3),
        ("tag(log, interval(1e-5, 1e-3))", lambda text: 1e-5 <= float(text) <= 1e-3, 200),
        ("choice([0.0,0.9],[0.5,0.999])", lambda text: text in ("[0.0,0.9]", "[0.5,0.999]"), 2),
    ],
)
def test_what_is_drawn_is_what_the_space_allows(distribution, allowed, different):
    """Of 200 draws with six digits from 10^5 and more values, few if any are alike."""
    drawn = [trial["key"] for trial in Search(**SEARCH | {"trials": 200}, space={"key": distribution}).drawn()]
    assert all(map(allowed, drawn))
    assert different - 5 <= len(set(drawn)) <= different
    assert different > 3 or len(set(drawn)) == different


@pytest.mark.parametrize("distribution", ["3", "interval(1, 0)", "tag(log, interval(0, 1))", "range(1, 5)", "choice("])
def test_a_space_that_is_none_is_refused(distribution):
    with pytest.raises(ConfigError, match=r"^hydra\.sweeper\.space\.key"):
        Search(**SEARCH, space={"key": distribution})


def test_the_record_of_a_search_is_json(tmp_path):
    search = Search(**SEARCH, space={"key": "interval(0, 1)"})
    assert Search(**json.loads(json.dumps(search.as_record()))) == search


def test_a_runs_folder_does_not_depend_on_the_order_of_words(monkeypatch):
    parsed = OverridesParser.create().parse_overrides
    monkeypatch.setattr(tuned_sweeper, "sweep_overrides", lambda config: parsed(list(config.words)))
    folders = []
    for words in (["loss=lsgan,rsgan", "latent_dim=2,4"], ["latent_dim=2,4", "loss=lsgan,rsgan"]):
        sweeper = TunedSweeper()
        sweeper.config = OmegaConf.create({"words": words})
        folders.append({sweeper._folder("tuning", one, "trial=0", 9) for one in sweeper._combinations()})
    assert folders[0] == folders[1]
    assert "tuning/latent_dim=4,loss=rsgan,trial=0,seed=9" in folders[0]


@pytest.mark.parametrize("content", ["{}", '{"combinations": [{"combination": ["loss=lsgan"]}]}', "[1"])
def test_a_damaged_record_of_a_search_is_a_sentence(tmp_path, content):
    (tmp_path / "tuning.json").write_text(content)
    with pytest.raises(ConfigError, match=r"tuning.json: it is no record of a search; remove it, or name"):
        _recorded(tmp_path / "tuning.json")


def test_a_trial_whose_result_cannot_be_read_or_has_no_validation_is_lost(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    run.result_file.write_text("{")
    assert _result_of(run) is None
    assert validated(None) == validated({}) == validated({"validation": {"metrics": None}}) == {}
    assert validated({"validation": {"metrics": {"fd": 1.0, "kid": None}}}) == {"fd": 1.0}


@pytest.mark.parametrize(
    ("metrics", "validation", "minimised"),
    [
        ({"modes": 1.0}, {"modes": 3.0}, -3.0),  # more modes are better
        ({"fd_points": 5.0, "modes": 1.0, "reverse_kl": 0.1}, {"fd_points": 7.0, "modes": 3.0, "reverse_kl": 0.4}, 0.4),
        ({"fd_points": 5.0, "modes": 1.0, "reverse_kl": 0.1}, {"fd_points": 7.0, "reverse_kl": None}, math.inf),
        ({"fd_points": 5.0}, None, math.inf),  # the test part never chooses
    ],
)
def test_a_guided_search_minimises_the_ranking_metric_of_validation_samples(metrics, validation, minimised):
    result = {"metrics": metrics} | ({} if validation is None else {"validation": {"metrics": validation}})
    assert objective(result) == minimised


def test_a_guided_search_takes_a_lost_run_for_the_worst(tmp_path):
    """A NaN, which Optuna refuses, ended the search."""
    run, sweep = RunFolder(tmp_path / "lr=1"), SweepFolder(tmp_path)
    sweep.open([], {"lr": ["1"]}, 1, {})
    run.path.mkdir()
    run.update_status(state="diverged", error="planted")
    assert concluded(Job(run, sweep, None, None)) == math.inf
    assert concluded(Job(run, sweep, None, None, left=True)) == math.inf


def test_a_guided_search_without_validation_samples_or_for_a_maximum_is_refused(monkeypatch, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    line = ["gan-lab", "-m", "hydra/sweeper=optuna", "optimizer.generator.lr=interval(1e-4,1e-3)", *TINY]
    assert refusal(monkeypatch, tmp_path, main, *line, "hydra.sweep.dir=sweep") == (
        "gan-lab: evaluation.validation=false: expected true with hydra/sweeper=optuna, as validation samples choose"
    )
    words = ["evaluation.validation=true", "hydra.sweeper.direction=maximize", "hydra.sweep.dir=sweep"]
    assert refusal(monkeypatch, tmp_path, main, *line, *words) == (
        "gan-lab: hydra.sweeper.direction=maximize: expected minimize, as a metric of which more is better counts as "
        "its negative"
    )
    assert not list(tmp_path.iterdir())
