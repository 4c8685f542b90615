"""How much metrics move with other latents: measured, recorded, told by the report."""

import numpy as np
import pytest
from configurations import composed_of
from omegaconf import OmegaConf
from training_runs import SMALL, train_in

from gan_lab.errors import ConfigError
from gan_lab.report.collect import read
from gan_lab.runs.latents import fixed_request
from gan_lab.runs.sampling_error import sampling_error


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    config = composed_of(*SMALL, "iterations=2", "evaluation.metrics=[fd]")
    folder = train_in(tmp_path_factory.mktemp("sampling") / "run", config)
    (folder.path / ".hydra").mkdir()
    OmegaConf.save(config, folder.path / ".hydra" / "config.yaml")
    return folder, config


def test_it_is_measured_and_recorded_once(trained):
    folder, _ = trained
    before = folder.result()
    found = sampling_error(folder, "auto", 3)
    assert 0 < found["std"]["fd_classifier"] < before["metrics"]["fd_classifier"]
    assert sampling_error(folder, "auto", 3)["std"] == found["std"]
    (recorded,) = (after := folder.result()).pop("sampling")
    assert recorded == {key: found[key] for key in ("fingerprint", "draws", "std")}
    assert recorded["fingerprint"] == before["fingerprint"]
    assert after == before
    (run,) = read([folder.path]).runs
    assert run.outcome.measurements[0].sampling == found["std"]


def test_the_sets_of_latents_differ_and_have_their_prior(trained):
    _, config = trained
    purposes = ("evaluation", "evaluation/0", "evaluation/1")
    drawn = [fixed_request(config, purpose, 500).latents.numpy() for purpose in purposes]
    for one in drawn:
        assert abs(one.std() - 1) < 0.05  # of 500 · latent_dim standard normal numbers
    for one, other in ((0, 1), (1, 2)):
        assert abs(np.corrcoef(drawn[one].ravel(), drawn[other].ravel())[0, 1]) < 0.05


@pytest.mark.parametrize(("weights", "draws", "sentence"), [
    ("auto", 1, "draws=1: expected at least 2 sets of latents, such as 10"),
    ("best", 3, "weights=best: with draws= expected generator, ema or auto"),
])  # fmt: skip
def test_what_cannot_be_measured(trained, weights, draws, sentence):
    with pytest.raises(ConfigError) as caught:
        sampling_error(trained[0], weights, draws)
    assert str(caught.value) == sentence
