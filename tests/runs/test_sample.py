"""Samples from a run's generator: the same first ones however many are drawn, and paths through the latents."""

import numpy as np
import pytest
import torch
from command_runs import ended, refusal
from PIL import Image
from training_runs import SMALL, train_in

from gan_lab.cli.sample import main
from gan_lab.models.latents import Prior
from gan_lab.runs.latents import paths
from gan_lab.runs.sample import Samples, sample, write


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of a DCGAN, whose convolutions may round by the size of a batch."""
    from configurations import composed_of
    from omegaconf import OmegaConf

    config = composed_of(*SMALL[3:], "model.generator.channels=8", "model.discriminator.channels=8", "iterations=2",
                         "evaluation/extractor=pixels")  # fmt: skip
    folder = train_in(tmp_path_factory.mktemp("trained") / "run", config)
    (folder.path / ".hydra").mkdir()
    OmegaConf.save(config, folder.path / ".hydra" / "config.yaml")
    return folder


@pytest.mark.parametrize("kind", ["normal", "uniform"])
@pytest.mark.parametrize("dim", [1, 2, 7, 100])
def test_the_first_latents_do_not_depend_on_how_many_are_drawn(kind, dim):
    prior = Prior(kind, dim)
    many = prior.first(500, 3)
    assert many.unique(dim=0).shape == (500, dim)
    for count in (1, 2, 9, 15, 16, 17, 64, 200):
        assert torch.equal(prior.first(count, 3), many[:count])


def test_the_first_samples_do_not_depend_on_how_many_are_drawn(trained):
    many = sample(trained, 200, 0, "auto", 5).values
    assert len(many) == 200
    for count in (1, 9, 64, 65):
        assert torch.equal(sample(trained, count, 0, "auto", 5).values, many[:count])
    paths = sample(trained, 9, 5, "auto", 5).values
    assert len(paths) == 45
    assert torch.equal(sample(trained, 2, 5, "auto", 5).values, paths[:10])
    assert not torch.equal(sample(trained, 9, 0, "auto", 6).values, many[:9])


def test_pictures_of_every_kind(trained, monkeypatch, tmp_path):
    run = f"run={trained.path}"
    for out in ("a.png", "a.jpg", "a.jpeg"):
        assert ended(monkeypatch, tmp_path, main, "gan-lab-sample", run, "num=4", f"out={out}") == 0
    pictures = [np.asarray(Image.open(tmp_path / name)).astype(int) for name in ("a.png", "a.jpg")]
    assert Image.open(tmp_path / "a.jpg").format == "JPEG"
    assert np.abs(pictures[0] - pictures[1]).mean() == pytest.approx(2, abs=2)  # JPEG loses a little
    line = ["gan-lab-sample", run, "num=3", "interpolate=5", "out=a.gif"]
    assert ended(monkeypatch, tmp_path, main, *line) == 0
    animation = Image.open(tmp_path / "a.gif")
    assert (animation.format, animation.n_frames, animation.info["loop"]) == ("GIF", 5 + 3, 0)  # there and back
    said = refusal(monkeypatch, tmp_path, main, "gan-lab-sample", run, "out=b.gif")
    assert said == "gan-lab: out=b.gif: an animation needs steps to show; expected interpolate=N with it, such as 30"


def test_paths_keep_to_the_prior():
    start, end = torch.randn(2, 50, 100, generator=torch.Generator().manual_seed(0))
    arcs = paths(start, end, 7, "normal").reshape(50, 7, 100)
    lines = paths(start, end, 7, "uniform").reshape(50, 7, 100)
    for ways in (arcs, lines):
        assert torch.allclose(ways[:, 0], start, atol=1e-5)
        assert torch.allclose(ways[:, -1], end, atol=1e-5)
    # halfway, independent normal latents of n dimensions average to a length of √(n/2); the arc stays near √n
    assert arcs[:, 3].norm(dim=1).mean().item() == pytest.approx(10, rel=0.03)
    assert lines[:, 3].norm(dim=1).mean().item() == pytest.approx(50**0.5, rel=0.03)


@pytest.mark.parametrize("end", [-2.0, 1.0, 3.0])
def test_opposite_and_equal_latents_are_joined_by_a_line(end):
    path = paths(torch.ones(1, 1), torch.full((1, 1), end), 5, "normal").flatten()
    assert path.tolist() == pytest.approx([1 + (end - 1) * i / 4 for i in range(5)])


def test_a_picture_has_a_row_for_each_class(tmp_path):
    """Classes 0 and 1 in turn, the last class with one image fewer: its cell is white."""
    images = torch.arange(5, dtype=torch.uint8)[:, None, None, None].expand(5, 1, 320, 320) * 10
    write(Samples(images, torch.tensor([0, 1, 0, 1, 0])), tmp_path / "x.png", None)
    picture = np.asarray(Image.open(tmp_path / "x.png"))
    cells = [[int(picture[160 + 322 * row, 160 + 322 * column, 0]) for column in range(3)] for row in range(2)]
    assert cells == [[0, 20, 40], [10, 30, 255]]
    write(Samples(images, torch.tensor([0, 1, 0, 1, 0])), tmp_path / "x.npz", None)
    with np.load(tmp_path / "x.npz") as arrays:
        assert arrays["labels"].tolist() == [0, 1, 0, 1, 0]
        assert arrays["samples"].shape == (5, 320, 320, 1)
    write(Samples(images[:4], torch.arange(4)), tmp_path / "one_each.png", None)
    assert Image.open(tmp_path / "one_each.png").size[0] == Image.open(tmp_path / "one_each.png").size[1]
