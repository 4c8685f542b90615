"""gan-lab-evaluate cas=STEPS: which samples of a run the classifiers get."""

from omegaconf import OmegaConf
from training_runs import SMALL, train_in

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
