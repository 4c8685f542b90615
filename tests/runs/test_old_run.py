"""A run folder of the version before the packages were divided into rooms: every command still takes it.

``old_run`` was made by ``gan-lab dataset=ring8 loss=r3gan ema_decay=0.99 model.generator.hidden=[8]
model.discriminator.hidden=[8] iterations=20 checkpoint.every=10 evaluation.samples=100 evaluation.every=10
pictures.every=20 pictures.samples=50 trainer=cpu``. Paths of the machine are replaced; pictures, events, log and the
checkpoint of iteration 10 are left out.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest
from command_runs import ended
from hydra.utils import get_class, get_method

from gan_lab.cli.sample import main as sample
from gan_lab.cli.train import main
from gan_lab.config.leaves import leaves
from gan_lab.report.collect import read
from gan_lab.report.render import write_report
from gan_lab.runs.evaluate import evaluate_run
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.reader import read_settings

OLD = Path(__file__).parent / "old_run"


@pytest.fixture
def run(tmp_path) -> RunFolder:
    """A copy, for a command to change."""
    return RunFolder(shutil.copytree(OLD, tmp_path / "run", symlinks=True))


def test_every_target_still_leads_somewhere():
    config = read_settings(OLD / ".hydra" / "config.yaml")
    targets = {value for key, value in leaves(config) if key.endswith("_target_")}
    published = {target for target in targets if target.startswith("gan_lab.")}
    assert {target.split(".")[1] for target in published} == {"losses", "models", "datasets", "metrics"}
    for target in published:
        assert (get_method if target.rpartition(".")[2].islower() else get_class)(target)


def test_the_report_reads_it(run, tmp_path):
    (found,) = read([run.path]).runs
    assert (found.state, found.asked.choices["loss"], found.iteration) == ("done", "r3gan", 20)
    assert found.outcome.measurements[0].metrics == run.result()["metrics"]
    assert found.curves["metric/fd_points"][0].tolist() == [10, 20]
    assert "r3gan" in write_report([run.path], out=tmp_path / "report").read_text()


def test_its_generator_draws_samples(run, monkeypatch, tmp_path):
    assert ended(monkeypatch, tmp_path, sample, "gan-lab-sample", "run=run", "num=5", "out=five.npz") == 0
    with np.load(tmp_path / "five.npz") as archive:
        (samples,) = archive.values()
    assert samples.shape == (5, 2)
    assert np.isfinite(samples).all()


def test_its_metrics_are_measured_again_under_their_new_definition(run, tmp_path):
    """The same generator against as many held-out samples, now drawn at random; the report keeps the two apart."""
    before = run.result()
    again = evaluate_run(run, "auto", [])
    assert again["metrics"].keys() == before["metrics"].keys()
    assert again["metrics"]["high_quality"] == pytest.approx(before["metrics"]["high_quality"], rel=1e-5)
    assert again["fingerprint"] == before["fingerprint"] | {"definition": 2}
    assert run.result() == before | {"evaluations": [{key: again[key] for key in again if key != "run"}]}
    assert "evaluated again" in write_report([run.path], out=tmp_path / "report").read_text()


def test_it_goes_on(run, monkeypatch, tmp_path):
    rows, result = run.metrics_file.read_text(), run.result_file.read_text()
    assert ended(monkeypatch, tmp_path, main, "gan-lab", "resume=run", "iterations=25") == 0
    assert run.status()["state"] == "done"
    assert run.result()["budget"]["iterations"] == 25
    assert run.metrics_file.read_text().startswith(rows)
    assert sorted(run.curves()["metric/fd_points"]) == [10, 20, 25]
    assert (run.path / "result_0000020.json").read_text() == result


def test_it_goes_on_with_nothing_that_it_lacked(run, monkeypatch, tmp_path):
    """Keys of later versions count as what they mean when they are missing: only other values are changes."""
    said = ended(monkeypatch, tmp_path, main, "gan-lab", "resume=run", "iterations=25", "model.packing=2")
    assert f"resume={run.path}: model.packing was " in said
    assert " and is 2: expected what the run was begun with" in said
