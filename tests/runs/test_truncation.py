"""Truncation of a run's latents: in samples, along the curve of metrics, and where it is refused."""

import json

import pytest
from omegaconf import OmegaConf
from PIL import Image
from scipy import stats
from torch import nn

from gan_lab.errors import ConfigError
from gan_lab.models import StyleGAN2Generator
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.sample import sample
from gan_lab.runs.truncation import check_truncation, with_truncation
from gan_lab.runs.truncation_curve import truncation_curve


@pytest.fixture
def ring(place) -> RunFolder:
    return RunFolder(place / "run")


def test_truncated_samples_are_less_varied_and_begin_alike(ring):
    plain, half, tenth = (sample(ring, 64, truncation=bound).values for bound in (None, 0.5, 0.1))
    assert plain.std(0).mean() > half.std(0).mean() > tenth.std(0).mean() > 0
    assert sample(ring, 3, truncation=0.5).values.equal(half[:3])


def test_the_curve_measures_each_truncation_and_records_nothing(ring):
    before = ring.result_file.read_bytes()
    asked = ["evaluation.metrics=[fd,prdc]", "evaluation.samples=60"]
    made = truncation_curve(ring, "auto", asked, [0.01, 30])
    assert [one["truncation"] for one in made["truncations"]] == [0.01, 30]
    narrow, wide = (one["metrics"] for one in made["truncations"])
    assert wide == pytest.approx(made["metrics"], rel=0.02)  # a bound that no latent reaches
    assert narrow["recall_points"] == 0  # all samples are nearly the same
    assert ring.result_file.read_bytes() == before
    json.dumps(made)
    with Image.open(made["picture"]) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 200


def test_a_uniform_prior_is_refused(ring):
    file = ring.path / ".hydra" / "config.yaml"
    config = OmegaConf.load(file)
    config.latent_prior = "uniform"
    OmegaConf.save(config, file)
    with pytest.raises(ConfigError, match=r"^truncation=0.5: latents of latent_prior=uniform have no tails; expected"):
        sample(ring, 4, truncation=0.5)


@pytest.mark.parametrize("value", [-0.1, 1.5, True])
def test_styles_stay_between_their_mean_and_themselves(composed, value):
    generator = StyleGAN2Generator(4, (1, 8, 8), channels=8)
    check_truncation(composed("latent_prior=uniform"), generator, 0)
    with pytest.raises(ConfigError, match=rf"^truncation={value}: expected a number from 0 to 1, as .* a mapping$"):
        check_truncation(composed(), generator, value)


def test_batchnorm_has_statistics_of_truncated_latents(composed, ring):
    """The variance of N(0, 1) given |z| ≤ ½ is 1 − 2 · ½ φ(½) / (2 Φ(½) − 1)."""
    config = composed("latent_dim=4")
    made = with_truncation(ring, config, nn.BatchNorm1d(4).eval(), 0.5, None)
    expected = 1 - stats.norm.pdf(0.5) / (2 * stats.norm.cdf(0.5) - 1)
    assert made.generator.running_var.mean().item() == pytest.approx(expected, rel=0.03)
    assert made.generator.running_mean.abs().max() < 0.02
    assert not made.training
