"""gan-lab-evaluate: finished runs measured again, and any two sets of samples."""

import json

import numpy as np
import pytest
import torch
from command_runs import refusal
from omegaconf import OmegaConf
from PIL import Image
from training_runs import SMALL, train_in

from gan_lab.cli.evaluate import main
from gan_lab.datasets import digits
from gan_lab.errors import ConfigError
from gan_lab.runs.evaluate import evaluate_files, evaluate_run


@pytest.fixture
def run(composed, tmp_path):
    config = composed(*SMALL, "iterations=3", "ema_decay=0.5")
    folder = train_in(tmp_path / "run", config)
    (folder.path / ".hydra").mkdir()
    OmegaConf.save(config, folder.path / ".hydra" / "config.yaml")
    return folder


def test_metrics_are_added_and_nothing_is_touched(run):
    before = run.result()
    assert before["evaluations"] == []
    same = evaluate_run(run, "auto", [])
    assert same["metrics"] == pytest.approx(before["metrics"], rel=1e-9)
    assert run.result() == before
    evaluate_run(run, "auto", ["evaluation/extractor=pixels", "evaluation.samples=60", "evaluation.k=3"])
    evaluate_run(run, "generator", [])
    evaluate_run(run, "generator", [])
    after = run.result()
    pixels, plain = after.pop("evaluations")
    assert after | {"evaluations": []} == before
    assert pixels["metrics"].keys() == pixels["floor"].keys()
    assert pixels["metrics"].keys() == {
        "fd_pixels", "kid_pixels", "precision_pixels", "recall_pixels", "density_pixels", "coverage_pixels",
    }  # fmt: skip
    assert pixels["fingerprint"] == {
        "extractor": "pixels", "weights": None, "resize": None, "definition": 2, "samples": 60, "reference": "test",
        "reference_samples": 60, "data": before["fingerprint"]["data"], "k": 3, "kid_subsets": 5,
        "kid_subset_size": 50, "ema": True,
    }  # fmt: skip
    assert plain["fingerprint"] == before["fingerprint"] | {"ema": False}
    assert plain["metrics"] != before["metrics"]


def test_an_unfinished_run_is_measured_but_not_recorded(run, caplog):
    run.result_file.unlink()
    assert evaluate_run(run, "auto", ["evaluation.metrics=[fd]"])["metrics"].keys() == {"fd_classifier"}
    assert "not recorded, as the run is not finished" in caplog.text
    assert not run.result_file.exists()


def test_the_command_takes_folders_sweeps_and_files(run, monkeypatch, tmp_path, capsys):
    np.savez(tmp_path / "a.npz", samples=np.random.RandomState(0).randint(0, 256, (80, 8, 8, 1)).astype(np.uint8))
    for words in (["run"], ["."], ["run=run"], ["real=a.npz", "fake=a.npz", "evaluation.kid_subset_size=20"]):
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            patch.setattr("sys.argv", ["gan-lab-evaluate", *words])
            main()
        found = json.loads(capsys.readouterr().out)
        assert found["metrics"].keys() == found["floor"].keys()
    assert "fd_whitened_conv" in found["metrics"]
    assert found["fingerprint"]["samples"] == 20  # a quarter: it learns from half
    for words, sentence in [
        (["nowhere"], "run=nowhere: not a run folder"),
        ([], "expected folders of runs, or real=... and fake=..."),
        (["run", "real=a.npz", "fake=a.npz"], "expected folders of runs, or real=... and fake=..."),
        (["real=a.npz"], "expected folders of runs, or real=... and fake=..."),
        (
            ["run", "weights=best"],
            "run=run: it has no checkpoints/best.ckpt yet; expected a run with",
        ),
        (["run", "wieghts=ema"], "wieghts: there is no such key; did you mean 'weights'"),
        (["run", "evaluation.foo=1"], "evaluation.foo: there is no key 'foo' in evaluation; Allowed: every, extractor"),
        (["run", "evaluation.k=x"], "evaluation.k=x: expected a whole number"),
        (["run", "evaluation.k=0"], "evaluation.k=0: expected a whole number of at least 1"),
        (
            ["run", "evaluation.k=100"],
            "evaluation.k=100: expected less than the number of held-out samples compared",
        ),
        (["run", "evaluation/extractor=pixel"], "evaluation/extractor=pixel: there is no such file in the group; did"),
        (["run", "evaluation/extractor=points"], "evaluation/extractor=points: the dataset's samples are of shape"),
        (["run", "evaluation/extractor=inception"], "evaluation/extractor=inception: the weights are not at "),
        (["run", "evaluation.metrics=[is]"], "evaluation.metrics: there is no metric 'is'"),
        (["real=a.npz", "fake=b.npz"], "fake=b.npz: there is no such file or folder"),
        (
            ["real=a.npz", "fake=a.npz", "evaluation.samples=3"],
            "evaluation.samples: as many are compared as the files allow",
        ),
        (["real=a.npz", "fake=a.npz", "evaluation/extractor=classifier"], "evaluation/extractor=classifier: it learns"),
    ]:
        assert refusal(monkeypatch, tmp_path, main, "gan-lab-evaluate", *words).startswith(f"gan-lab: {sentence}"), (
            words
        )


def test_two_sets_of_files(tmp_path):
    """Folder against archive, thirty against thirty; the floor is one half of the real samples against the other."""
    pixels = np.random.RandomState(0).randint(0, 256, (60, 9, 7, 3)).astype(np.uint8)
    (tmp_path / "real").mkdir()
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / "real" / f"{number:03d}.png")
    np.savez(tmp_path / "fake.npz", pixels // 2)
    small = ["evaluation/extractor=pixels", "evaluation.kid_subset_size=20"]
    found = evaluate_files(tmp_path / "real", tmp_path / "fake.npz", small)
    from gan_lab.metrics import Moments, frechet_distance

    features = torch.from_numpy(pixels.transpose(0, 3, 1, 2).reshape(60, -1).copy()).double() / 255
    halved = torch.from_numpy((pixels // 2).transpose(0, 3, 1, 2).reshape(60, -1).copy()).double() / 255
    one, other = torch.randperm(60, generator=torch.Generator().manual_seed(0)).split(30)
    expected = frechet_distance(Moments.of(features[one]), Moments.of(halved[one]))
    floor = frechet_distance(Moments.of(features[one]), Moments.of(features[other]))
    assert (found["fingerprint"]["samples"], found["fingerprint"]["reference_samples"]) == (30, 30)
    assert found["metrics"]["fd_pixels"] == pytest.approx(expected, rel=1e-9)
    assert found["floor"]["fd_pixels"] == pytest.approx(floor, rel=1e-9)
    np.savez(tmp_path / "points.npz", np.random.RandomState(0).randn(50, 2))
    points = evaluate_files(tmp_path / "points.npz", tmp_path / "points.npz", ["evaluation.k=3"])
    assert points["metrics"]["precision_points"] == 1
    np.savez(tmp_path / "labelled.npz", images=pixels, labels=np.arange(60) % 3)
    short = ["evaluation/extractor=classifier", "evaluation.extractor.steps=2", "evaluation.kid_subset_size=20"]
    judged = evaluate_files(tmp_path / "labelled.npz", tmp_path / "fake.npz", short)
    assert 1 <= judged["metrics"]["classes"] <= 3


def test_real_and_generated_samples_of_unequal_numbers(tmp_path):
    """The issue: 200 fakes that are 200 of 4 000 real points scored 0.444 beside a floor of 0.091, of 2 000."""
    points = np.random.RandomState(0).randn(4000, 8)
    np.savez(tmp_path / "real.npz", points)
    np.savez(tmp_path / "few.npz", points[:200])
    np.savez(tmp_path / "many.npz", np.random.RandomState(1).randn(4000, 8))
    few, many = (evaluate_files(tmp_path / "real.npz", tmp_path / f"{name}.npz", []) for name in ("few", "many"))
    assert few["fingerprint"]["samples"] == few["fingerprint"]["reference_samples"] == 200
    assert many["fingerprint"]["samples"] == many["fingerprint"]["reference_samples"] == 2000
    for found in (few, many):  # one distribution: value and floor differ by chance alone
        assert found["metrics"]["fd_points"] == pytest.approx(found["floor"]["fd_points"], rel=0.6)
        assert found["metrics"]["coverage_points"] == pytest.approx(found["floor"]["coverage_points"], abs=0.06)


def test_a_classifier_of_files_is_judged_by_what_it_has_not_seen(tmp_path):
    """Half of the real samples are learned from; a quarter is compared, and a quarter is for the floor."""
    data = digits()
    images = data.train.permute(0, 2, 3, 1).numpy()
    np.savez(tmp_path / "real.npz", images=images, labels=data.train_labels.numpy())
    np.savez(tmp_path / "fake.npz", data.test.permute(0, 2, 3, 1).numpy())
    words = ["evaluation/extractor=classifier", "evaluation.extractor.steps=150", "evaluation.metrics=[fd,prdc]"]
    found = evaluate_files(tmp_path / "real.npz", tmp_path / "fake.npz", words)
    assert found["fingerprint"]["samples"] == len(images) // 4
    for name in ("recall_classifier", "density_classifier"):  # unseen real pictures score as the floor does
        assert found["metrics"][name] == pytest.approx(found["floor"][name], abs=0.12), name


def test_a_run_without_a_checkpoint_does_not_keep_a_sweep_from_being_measured(run, monkeypatch, tmp_path, capsys):
    (tmp_path / "a_lost").mkdir()
    (tmp_path / "a_lost" / "status.json").write_text('{"state": "diverged"}')
    sentence = refusal(monkeypatch, tmp_path, main, "gan-lab-evaluate", ".", "evaluation.metrics=[fd]")
    assert sentence == "gan-lab: 1 of 2 runs could not be measured"
    found = capsys.readouterr()
    assert json.loads(found.out)["run"] == "run"
    assert found.err.startswith("gan-lab: a_lost: run=a_lost: it has no checkpoints/last.ckpt yet")


def test_a_users_extractor_on_a_finished_run(run, caplog):
    own = "evaluation.extractor={_target_: torch.nn.Flatten}"
    found = evaluate_run(run, "auto", [own, "evaluation.metrics=[fd]", "evaluation.samples=100000"])
    assert found["metrics"].keys() == {"fd_flatten"}
    assert found["fingerprint"]["settings"] == '{"_target_": "torch.nn.Flatten"}'
    assert "evaluation.samples=100000: as many as are held out, 500, are compared" in caplog.text


def test_samples_that_are_all_alike_are_no_reference(tmp_path):
    np.savez(tmp_path / "x.npz", np.ones((60, 2)))
    with pytest.raises(ConfigError, match=r"the features of all held-out samples are the same"):
        evaluate_files(tmp_path / "x.npz", tmp_path / "x.npz", [])
