"""Scatter plots of points: of plots that differ in the generated points alone, all else is made once."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

_AREA = 5  # of a dot, in square points, where there are many


class ScatterPlot:
    """A plot into which generated points are drawn, over real ones; every pixel is as if it had been made anew.

    What lies below the generated points is kept as pixels. What lies above them (axes, title, legend) is drawn over
    them each time, at the places that it got at first: to find these takes longer than to draw.

    Args:
        real: real points ``[M, 2]``, drawn below; or None.
        extent: of both axes, from zero.
        pixels: the side of the picture.
        title: of the first picture; None for pictures without one.
    """

    def __init__(self, real: Tensor | None, extent: float, pixels: int, title: str | None) -> None:
        # matplotlib's object interface: pyplot would keep every figure, and set a backend for the whole process
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.real, self.of = real, (extent, pixels, title is not None)
        figure = Figure(figsize=(6.4, 6.4), dpi=pixels / 6.4, layout="constrained")
        self.canvas = FigureCanvasAgg(figure)
        self.axes = figure.add_subplot(aspect="equal")
        if real is not None:
            x, y = real.T.numpy()
            self.axes.scatter(x, y, s=9, c="#b0b0b0", label="real", linewidths=0)
        self.points = self.axes.scatter([0], [0], s=_AREA, c="#d1495b", label="generated", alpha=0.7, linewidths=0)
        if title is not None:
            self.axes.set_title(title, fontsize=10)
        self.axes.set(xlim=(-extent, extent), ylim=(-extent, extent))
        self.axes.legend(loc="upper right", markerscale=2)
        self.canvas.draw()  # which finds the places
        figure.set_layout_engine("none")
        drawn = [one for one in self.axes.get_children() if one is not self.axes.patch and one.get_visible()]
        drawn.sort(key=lambda one: one.get_zorder())
        place = drawn.index(self.points)
        self.above, renderer = drawn[place:], self.canvas.get_renderer()
        renderer.clear()
        for one in (figure.patch, self.axes.patch, *drawn[:place]):
            one.draw(renderer)
        self.below = self.canvas.copy_from_bbox(figure.bbox)

    def fits(self, real: Tensor | None, extent: float, pixels: int, title: str | None) -> bool:
        """Whether a plot of these arguments is this one."""
        if self.of != (extent, pixels, title is not None) or (real is None) != (self.real is None):
            return False
        return real is None or self.real is None or torch.equal(real, self.real)

    def draw(self, samples: Tensor, title: str | None) -> np.ndarray:
        """The picture of generated points ``[N, 2]``, uint8 ``[H, W, 3]``."""
        self.points.set_offsets(samples.numpy())
        self.points.set_sizes([_AREA * min(8, max(1, 64 / max(1, len(samples))))])  # four dots have to be seen, too
        if title is not None:
            self.axes.title.set_text(title)
        self.canvas.restore_region(self.below)
        for one in self.above:
            one.draw(self.canvas.get_renderer())
        return np.asarray(self.canvas.buffer_rgba())[..., :3].copy()


_kept: Sequence[ScatterPlot] = ()  # the last two, such as that with a title and that without


def scatter_plot(samples: Tensor, real: Tensor | None, extent: float, pixels: int, title: str | None) -> np.ndarray:
    """A picture of generated points ``[N, 2]``, uint8 ``[H, W, 3]``; the other arguments are those of `ScatterPlot`."""
    global _kept
    plot = next((one for one in _kept if one.fits(real, extent, pixels, title)), None)
    if plot is None:
        plot = ScatterPlot(real, extent, pixels, title)
        _kept = (*_kept[-1:], plot)
    return plot.draw(samples, title)
