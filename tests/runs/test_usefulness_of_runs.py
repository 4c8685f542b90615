"""gan-lab-evaluate cas=STEPS: which samples of a run the classifiers get."""

import pytest
from command_runs import ended
from omegaconf import OmegaConf
from training_runs import SMALL, train_in

from gan_lab.cli import evaluate
from gan_lab.runs import usefulness as scores
from gan_lab.runs.components import build_dataset
from gan_lab.runs.usefulness import usefulness_of


def test_the_real_samples_are_those_that_were_trained_on(composed, tmp_path, monkeypatch):
    config = composed("dataset=digits", *SMALL, "iterations=1", "conditional=projection", "dataset.subset=0.1")
    folder = train_in(tmp_path / "run", config)
    (folder.path / ".hydra").mkdir()
    OmegaConf.save(config, folder.path / ".hydra" / "config.yaml")
    given = []
    measure = scores.usefulness
    monkeypatch.setattr(scores, "usefulness", lambda *parts: given.extend(parts[:3]) or measure(*parts))
    told = usefulness_of(folder, "auto", 2)
    dataset = build_dataset(config)
    real, made, held_out = given
    assert (real.images == dataset.train[dataset.chosen]).all()
    assert (real.labels == dataset.train_labels[dataset.chosen]).all()
    assert (made.labels == real.labels).all()
    assert told["training_samples"] == told["generated_samples"] == len(dataset.chosen) < len(dataset.train) / 5
    assert told["held_out_samples"] == len(held_out.images) == len(dataset.test)


@pytest.mark.parametrize(("other", "pooled"), [("seed=1", True), ("batch_size=32", False)])
def test_means_are_of_runs_that_differ_in_their_seeds_alone(composed, tmp_path, monkeypatch, capsys, other, pooled):
    for name, word in (("a", "seed=0"), ("b", other)):
        (tmp_path / name / ".hydra").mkdir(parents=True)
        (tmp_path / name / "status.json").write_text("{}")
        OmegaConf.save(composed("dataset=digits", word), tmp_path / name / ".hydra" / "config.yaml")
    cas = dict.fromkeys(("real", "fake", "real_and_fake", "tested_on_fake"), 0.5)
    monkeypatch.setattr(evaluate, "_measured", lambda run, *rest: {"run": run.path.name, "cas": cas})
    assert ended(monkeypatch, tmp_path, evaluate.main, "gan-lab-evaluate", str(tmp_path), "cas=2") == 0
    said = capsys.readouterr()
    assert said.out.count('"cas"') == (3 if pooled else 2)
    assert ("differ in more than their seeds" in said.err) is not pooled
