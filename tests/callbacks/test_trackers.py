"""Trackers have what metrics.csv has, each point once, and leave the run as it would be without them."""

import csv
import logging
import math
import random
import sqlite3
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from configurations import composed_of
from omegaconf import OmegaConf
from pytorch_lightning.loggers import CSVLogger, WandbLogger
from training_runs import checkpoint as last_checkpoint
from training_runs import killed, train_in, unequal
from wandb_files import offline_history

from gan_lab.callbacks.clock import Stopwatch
from gan_lab.callbacks.trackers import LocalTracker, Tracker, Trackers
from gan_lab.config.checks import check
from gan_lab.runs.folder import RunFolder
from gan_lab.storage.pictures import save_picture
from gan_lab.training.lightning_parts import build_trackers

TINY = [
    "dataset=ring8",
    "trainer=cpu",
    "model.generator.hidden=[8]",
    "model.discriminator.hidden=[8]",
    "batch_size=16",
    "evaluation.samples=40",
    "pictures.samples=4",
    "iterations=11",
    "log_every=2",
    "checkpoint.every=3",
    "evaluation.every=5",
    "pictures.every=4",
    "loss=wgan_gp",  # its penalty draws from the global random generator
]
ALL = ["logger=[csv,wandb,mlflow]", "callbacks=[lr_monitor]"]
FULL = "gan-lab: warning: logger.csv: [Errno 28] No space left on device; the run goes on without it"


def trackers_of(path: Path, *trackers: Tracker) -> Trackers:
    return Trackers(RunFolder(path), trackers, Stopwatch())


def use(trackers: Trackers, **parameters: float) -> None:
    trackers.open({"seed": 0, **parameters})
    trackers.points(3, {"a/b": math.nan})
    trackers.save()
    trackers.close()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if "logger." in one.getMessage()]


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> RunFolder:
    return train_in(tmp_path_factory.mktemp("plain") / "run", composed_of(*TINY))


@pytest.fixture(scope="module")
def tracked(tmp_path_factory) -> tuple[RunFolder, str]:
    """The same run with all trackers, killed in its ninth iteration and resumed; MLflow's record of the killed part."""
    import wandb  # seconds, for those alone who run these tests

    path = tmp_path_factory.mktemp("tracked") / "run"
    config = composed_of(*TINY, *ALL)
    with pytest.MonkeyPatch.context() as patch:
        # it imports all that W&B needs to launch runs of its own, which takes longer than both trainings
        patch.setattr("wandb.sdk.wandb_run.Run._detect_and_apply_job_inputs", lambda _: None)
        with patch.context() as inner, killed(8):
            inner.setattr(Trackers, "on_exception", lambda *_: None)  # SIGKILL leaves no time to close anything
            train_in(path, config)
        wandb.finish()
        begun = (path / "loggers" / "mlflow" / "run.json").read_text()
        return train_in(path, config, resume=True), begun


def mlflow_client(loggers: Path):
    """Reads what MLFlow has in a folder of loggers."""
    from mlflow.tracking import MlflowClient

    return MlflowClient(f"sqlite:///{loggers / 'mlflow' / 'mlflow.db'}")


def written(folder: RunFolder) -> dict[tuple[str, int], float]:
    """Every point of metrics.csv, times.csv and callbacks.csv."""
    points = folder.points()
    assert len({(one.name, one.iteration) for one in points}) == len(points)
    return {(one.name, one.iteration): one.value for one in points}


def test_a_run_with_trackers_is_the_run_without(plain, tracked):
    folder, _ = tracked
    assert folder.metrics_file.read_bytes() == plain.metrics_file.read_bytes()
    one, other = last_checkpoint(plain), last_checkpoint(folder)
    kept = ["state_dict", "optimizer_states", "lr_schedulers", "noise", "updates"]
    assert not unequal(*({key: each[key] for key in kept} for each in (one, other)))
    assert not unequal(*(each["callbacks"]["Randomness"] for each in (one, other)))


def test_wandb_has_every_point_once(tracked):
    folder, _ = tracked
    found = {}
    for row in offline_history(folder.loggers / "wandb"):
        assert row["trainer/global_step"] == row["_step"]
        for name, value in row.items():
            if "/" in name and not name.startswith(("trainer/", "final/")):
                assert (name, row["_step"]) not in found
                found[name, row["_step"]] = value
    assert found == written(folder)


def test_mlflow_has_every_point_once_in_one_run(tracked):
    folder, begun = tracked
    assert (folder.loggers / "mlflow" / "run.json").read_text() == begun
    client = mlflow_client(folder.loggers)
    (experiment,) = [one for one in client.search_experiments() if one.name != "Default"]
    (run,) = client.search_runs([experiment.experiment_id])
    assert (experiment.name, run.info.run_name, run.info.status) == ("gan_lab", "run", "FINISHED")
    assert run.info.run_id in begun
    points = [one for key in run.data.metrics for one in client.get_metric_history(run.info.run_id, key)]
    counted = Counter((one.key, one.step) for one in points)
    assert set(counted.values()) == {1}
    expected = written(folder)
    found = {(one.key, one.step): one.value for one in points if not one.key.startswith("final/")}
    assert found.keys() == expected.keys()
    # seconds that the killed part had sent after its checkpoint stay, as no point is sent twice
    assert {at[0] for at in found if found[at] != expected[at]} <= {"time/train_seconds", "time/iterations_per_second"}
    final = folder.result()["metrics"]
    assert {key: run.data.metrics[f"final/{key}"] for key in final} == final
    assert run.data.params["loss"] == "some_loss"
    assert [one.path for one in client.list_artifacts(run.info.run_id, "samples")] == [
        f"samples/iteration_{at:07d}.png" for at in (4, 8, 11)
    ]


def test_the_csv_has_every_point_once(tracked):
    folder, _ = tracked
    with (folder.loggers / "csv" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    points = [
        (name, int(row["step"]), float(value))
        for row in rows
        for name, value in row.items()
        if value and "/" in name and not name.startswith("final/")
    ]
    expected = written(folder)
    assert len(points) == len(expected)
    assert {(name, at): value for name, at, value in points} == expected


def test_pictures_reach_wandb(tracked):
    folder, _ = tracked
    rows = offline_history(folder.loggers / "wandb")
    assert [row["_step"] for row in rows if "samples.path" in row] == [4, 8, 11]


def test_callbacks_curves_lie_beside_metrics(tracked):
    folder, _ = tracked
    rates = {at: value for (name, at), value in written(folder).items() if name == "lr/generator"}
    assert rates == dict.fromkeys((2, 4, 6, 8, 10), 1e-4)  # WGAN-GP's, at every second iteration
    assert not [name for name in folder.curves() if name.startswith("lr/")]


def test_no_link_leads_out_of_the_run(tracked):
    folder, _ = tracked
    links = [path for path in folder.path.rglob("*") if path.is_symlink()]
    assert links == [folder.last_checkpoint]


def test_a_tracker_that_fails_costs_one_warning(plain, tmp_path, monkeypatch, caplog):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CSVLogger, "log_metrics", fail)
    with caplog.at_level(logging.WARNING):
        folder = train_in(tmp_path / "run", composed_of(*TINY, "logger=csv"))
    assert folder.status()["state"] == "done"
    assert folder.metrics_file.read_bytes() == plain.metrics_file.read_bytes()
    assert warnings(caplog) == [FULL]


@pytest.mark.parametrize("method", ["__init__", "log_hyperparams", "save", "finalize"])
def test_a_tracker_may_fail_anywhere(tmp_path, monkeypatch, caplog, method):
    class Failing(CSVLogger):
        pass

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Failing, method, fail)
    state = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    trackers = trackers_of(tmp_path, LocalTracker("csv", tmp_path / "loggers" / "csv", Failing))
    with caplog.at_level(logging.WARNING):
        use(trackers)
    assert warnings(caplog) == [FULL]
    now = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    assert not unequal(list(state), list(now))


def test_a_tracker_that_draws_random_numbers_shifts_none(tmp_path):
    class Drawing(CSVLogger):
        def log_metrics(self, *arguments, **keywords):
            random.random(), np.random.rand(), torch.rand(1)

    state = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    use(trackers_of(tmp_path, LocalTracker("csv", tmp_path / "loggers" / "csv", Drawing)))
    now = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    assert not unequal(list(state), list(now))


def test_wandb_online_without_a_key_costs_one_warning(tmp_path, monkeypatch, caplog):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    config = composed_of(*TINY, "iterations=2", "logger=wandb", "logger.wandb.offline=false")
    with caplog.at_level(logging.WARNING):
        assert train_in(tmp_path / "run", config).status()["state"] == "done"
    assert warnings(caplog) == [
        "gan-lab: warning: logger.wandb: there is no API key for W&B; expected one from `wandb login`, or "
        "offline=true; the run goes on without it"
    ]


def test_what_wandb_has_not_sent_survives_a_resume_that_cannot_open_it(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    config = composed_of(*TINY, "logger=wandb", "logger.wandb.offline=false")
    unsent = tmp_path / "run" / "loggers" / "wandb" / "wandb" / "offline-run-1" / "run.wandb"
    unsent.parent.mkdir(parents=True)
    unsent.write_text("points")
    use(build_trackers(check(config), RunFolder(tmp_path / "run"), Stopwatch()))
    assert unsent.read_text() == "points"
    assert [path.name for path in unsent.parents[2].iterdir()] == ["wandb"]


def test_runs_of_a_sweep_share_an_experiment(tmp_path, caplog):
    sweep = tmp_path / "my_sweep"
    for name in ("a", "b"):
        (sweep / name).mkdir(parents=True)
        (sweep / "sweep.json").write_text("{}")
        use(build_trackers(check(composed_of("logger=mlflow")), RunFolder(sweep / name), Stopwatch()))
    client = mlflow_client(sweep / "loggers")
    experiment = client.get_experiment_by_name("my_sweep")
    assert sorted(run.info.run_name for run in client.search_runs([experiment.experiment_id])) == ["a", "b"]

    # a database that names another place for pictures gets none
    with sqlite3.connect(sweep / "loggers" / "mlflow" / "mlflow.db") as database:
        database.execute("UPDATE runs SET artifact_uri = ?", [(tmp_path / "elsewhere").as_uri()])
    save_picture(sweep / "a" / "samples" / "iteration_0000001.png", np.zeros((4, 4, 3), np.uint8))
    with caplog.at_level(logging.WARNING):
        use(build_trackers(check(composed_of("logger=mlflow")), RunFolder(sweep / "a"), Stopwatch()), seed=1, lr=0.5)
    (run,) = client.search_runs([experiment.experiment_id], "attributes.run_name = 'a'")
    assert (run.data.params, run.data.tags["now.seed"]) == ({"seed": "0", "lr": "0.5"}, "1")
    assert run.info.status == "FINISHED"
    assert not (tmp_path / "elsewhere").exists()
    assert [text for text in warnings(caplog) if "no pictures, as the database puts them into" in text]


@pytest.mark.parametrize("linked", ["loggers", "loggers/mlflow"])
def test_a_link_in_a_strangers_sweep_leads_nobody_out_of_it(tmp_path, caplog, linked):
    victim, run = tmp_path / "victim", tmp_path / "sweep" / "a"
    run.mkdir(parents=True)
    victim.mkdir()
    (tmp_path / "sweep" / "sweep.json").write_text("{}")
    (tmp_path / "sweep" / linked).parent.mkdir(exist_ok=True)
    (tmp_path / "sweep" / linked).symlink_to(victim)
    with caplog.at_level(logging.WARNING):
        use(build_trackers(check(composed_of("logger=mlflow")), RunFolder(run), Stopwatch()))
    assert not any(victim.iterdir())
    assert "expected a path that is no link" in warnings(caplog)[0]


@pytest.fixture
def given(tmp_path, monkeypatch):
    """What W&B's logger is made with, by the trackers of a configuration, in a run of a sweep."""
    found = {}

    def remember(self, **arguments):
        found.update(arguments)
        raise OSError("enough")

    monkeypatch.setattr(WandbLogger, "__init__", remember)
    (tmp_path / "my_sweep" / "seed=0").mkdir(parents=True)
    (tmp_path / "my_sweep" / "sweep.json").write_text("{}")

    def of(config):
        build_trackers(check(config), RunFolder(tmp_path / "my_sweep" / "seed=0"), Stopwatch()).open({})
        return found

    return of


def test_wandb_groups_the_runs_of_a_sweep(given):
    found = given(composed_of("logger=wandb"))
    assert (found["group"], found["name"], found["project"]) == ("my_sweep", "seed=0", "gan_lab")
    assert (found["offline"], found["mode"]) == (True, "offline")


def test_a_block_without_offline_stays_offline(given):
    config = composed_of()
    config.logger = OmegaConf.create({"mine": {"_target_": "pytorch_lightning.loggers.WandbLogger"}})
    found = given(config)
    assert (found["offline"], found["mode"]) == (True, "offline")


def test_a_tracker_added_later_gets_what_was_written_before(plain, tmp_path):
    path = tmp_path / "run"
    with killed(8):
        train_in(path, composed_of(*TINY))
    train_in(path, composed_of(*TINY, "logger=csv"), resume=True)
    with (path / "loggers" / "csv" / "metrics.csv").open() as file:
        steps = [int(row["step"]) for row in csv.DictReader(file) if row["loss/generator"]]
    assert steps == [2, 4, 6, 8, 10, 11]


def test_not_a_number_reaches_the_trackers(tmp_path):
    use(trackers_of(tmp_path, LocalTracker("csv", tmp_path / "loggers" / "csv", CSVLogger)))
    (row,) = csv.DictReader((tmp_path / "loggers" / "csv" / "metrics.csv").read_text().splitlines())
    assert (row["step"], row["a/b"]) == ("3", "nan")
