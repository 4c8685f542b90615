"""Pictures: their size, and what is in them. Other tests draw smaller ones (tests/conftest.py)."""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gan_lab.storage import pictures


@pytest.fixture(autouse=True)
def full_size(monkeypatch):
    monkeypatch.setattr(pictures, "_PIXELS", 640)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_grid_is_enlarged_to_about_640_pixels(channels):
    """8 columns of 8 pixels, each enlarged by 640 // 64 = 10, with 9 borders of 10 // 2 = 5 between and around."""
    images = torch.zeros(60, channels, 8, 8, dtype=torch.uint8)
    images[9] = 200  # in the second row and column
    picture = pictures.draw(images, images)
    assert (picture.shape, picture.dtype) == ((685, 685, 3), np.uint8)
    cells = [(picture[5 + 85 * row + 20 : 5 + 85 * row + 60, 5 + 85 * column + 20 : 5 + 85 * column + 60])
             for row in range(8) for column in range(8)]  # fmt: skip
    assert [int(cell.min()) for cell in cells] == [200 if i == 9 else 0 for i in range(60)] + 4 * [255]
    assert (picture[:5] == 255).all()


def test_large_images_are_not_made_smaller():
    picture = pictures.draw(torch.zeros(4, 3, 400, 400, dtype=torch.uint8), torch.empty(0))
    assert picture.shape == (2 * 400 + 3 * 2, 2 * 400 + 3 * 2, 3)


def test_groups_are_drawn_side_by_side():
    """Six groups of three make a row of one to one and a half: 6 / 3 = 2, whose root rounds to 1.

    640 // (3 · 8) = 26 times larger: 208 pixels a picture, 26 // 4 = 6 between two of them, 3 · 6 + 2 = 20 around.
    """
    grey = torch.full((6, 1, 8, 8), 50, dtype=torch.uint8)
    colour = torch.tensor([10, 20, 30], dtype=torch.uint8).view(1, 3, 1, 1).expand(6, 3, 8, 8)
    picture = pictures.draw_groups([grey, colour, grey + 100])
    assert picture.shape == (6 * (208 + 20) + 20, 3 * 208 + 2 * 6 + 2 * 20, 3)
    row = picture[20 + 100]
    wanted = [([255] * 3, 20), ([50] * 3, 208), ([255] * 3, 6), ([10, 20, 30], 208), ([255] * 3, 6), ([150] * 3, 208),
              ([255] * 3, 20)]  # fmt: skip
    assert row.tolist() == [colour for colour, width in wanted for _ in range(width)]
    assert (picture[20 + 208 : 40 + 208] == 255).all()
    # 64 groups: the root of 64 / 3 rounds to 5
    assert pictures.draw_groups([grey[:1].expand(64, 1, 8, 8)] * 3).shape[1] == 5 * (3 * 40 + 2 * 1 + 5) + 5


def test_groups_have_titles():
    """A line above the same picture, with ink over every part: 20 pixels around, 208 a picture and 6 between two."""
    grey = torch.full((6, 1, 8, 8), 50, dtype=torch.uint8)
    plain, titled = (pictures.draw_groups([grey] * 3, titles) for titles in ((), ("sample", "training", "held-out")))
    assert np.array_equal(titled[14:], plain)
    dark = [bool((titled[:14, start : start + 208] < 100).any()) for start in (20, 234, 448)]
    assert dark == [True] * 3
    assert not np.array_equal(titled[:14, 20:228], titled[:14, 234:442])
    assert (titled[:14, :18] == 255).all()


def test_points_are_drawn_over_real_ones():
    """640 pixels; both colours are there, the real points' grey and the generated ones' red."""
    points = torch.tensor([[0.5, 0.5], [-0.5, -0.5]])
    picture = pictures.draw(points, -points.flip(1) * torch.tensor([1.0, -1.0]))
    assert picture.shape == (640, 640, 3)
    assert (picture == [0xB0, 0xB0, 0xB0]).all(-1).any()
    red = picture.astype(int)
    assert ((red[..., 0] - red[..., 1]) > 80).any()


@pytest.mark.parametrize(("beyond", "title"), [(0, []), (2, ["2 of 5 generated samples lie beyond the axes"])])
def test_points_beyond_the_axes_are_counted(monkeypatch, beyond, title):
    """The axes reach 1.35 times as far as the real points."""
    titles = []
    monkeypatch.setattr("matplotlib.axes.Axes.set_title", lambda self, text, **_: titles.append(text))
    real = torch.tensor([[1.0, 0.0], [0.0, -1.0]])
    generated = torch.tensor([[1.3, 0.0]] * (5 - beyond) + [[1.4, 0.0], [0.0, -9.0]][:beyond])
    pictures.draw(generated, real)
    assert titles == title


def drawn_anew(samples, real, title):
    """The same plot as matplotlib draws all of it."""
    figure = Figure(figsize=(6.4, 6.4), dpi=100, layout="constrained")
    axes = figure.add_subplot(aspect="equal")
    axes.scatter(*real.T.numpy(), s=9, c="#b0b0b0", label="real", linewidths=0)
    axes.scatter(*samples.T.numpy(), s=5, c="#d1495b", label="generated", alpha=0.7, linewidths=0)
    axes.set_title(title, fontsize=10)
    extent = 1.35 * real.abs().max().item()
    axes.set(xlim=(-extent, extent), ylim=(-extent, extent))
    axes.legend(loc="upper right", markerscale=2)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def test_what_is_drawn_once_is_as_if_drawn_anew():
    """Points below the legend and the axes too, with a title and without, in turn."""
    generator = torch.Generator().manual_seed(0)
    real = torch.randn(50, 2, generator=generator) / 3
    for number, scale in ((200, 0.1), (90, 1.0), (200, 0.1), (70, 2.0)):
        samples = torch.randn(number, 2, generator=generator) * scale
        beyond = int((samples.abs() > 1.35 * real.abs().max()).any(1).sum())
        title = f"{beyond} of {number} generated samples lie beyond the axes" if beyond else ""
        assert np.array_equal(pictures.draw_points(samples, real), drawn_anew(samples, real, title))


def test_few_points_are_large_enough_to_be_seen():
    """The square around a dot has 40 square points: at 100 pixels an inch, π / 4 · 40 · (100 / 72)² = 60.6 pixels."""
    real = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    without, drawn = (
        pictures.draw_points(torch.tensor(points), real)
        for points in ([[5.0, 5.0]] * 4, [[0.5, 0.0], [-0.5, 0.0], [0.0, 0.5], [0.0, -0.5]])
    )
    middle = slice(200, 440)
    changed = (without[middle, middle] != drawn[middle, middle]).any(2).sum()
    assert 4 * 50 < changed < 4 * 75
