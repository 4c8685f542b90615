"""The figures of the comparison over several datasets."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gan_lab.report.across_datasets import Across
from gan_lab.report.canvas import FAINT, MARKERS, PAPER, Numbers, canvas, colour, legend, line_style, styled, upright

CAPTIONS = {
    "ranks": "The mean rank (marker), the rank on each dataset (circles, in the table's order), and the ranks that the "
    "report's claims leave open: of the mean (thick bar) and on each dataset (thin bars). All bars hold together with "
    "95 %.",
    "profiles": "Performance profiles: the share of runs, averaged over datasets, that are at most so many times worse "
    "than the best group's mean on their dataset. Bands: pointwise 95 % bootstrap. Higher is better; lost runs are "
    "worse than all. At most six groups.",
}
_BARS = 60  # the most groups in the ranks' figure
_LINES = 6  # the most groups in one figure of profiles


def figures_across(across: Across) -> dict[str, Figure]:
    """The figures by name."""
    made = {"ranks": _ranks(across)}
    if across.profiles:
        made["profiles"] = _profiles(across)
    return made


def _ranks(across: Across) -> Figure:
    """Mean ranks with what claims leave open, the best on top."""
    with styled():
        shown = across.groups[:_BARS]
        many = len(across.datasets)
        figure, (panel,) = canvas(1.0 + (0.3 + 0.06 * many) * len(shown))
        for place, group in enumerate(shown):
            shade = colour(group.row.colour)
            panel.plot(group.mean_span, [place, place], color=shade, lw=4, alpha=0.3, solid_capstyle="butt")
            for track, (rank, span) in enumerate(zip(group.ranks, group.spans, strict=True)):
                height = place + 0.6 * ((track + 0.5) / many - 0.5)
                panel.plot(span, [height, height], color=shade, lw=1, solid_capstyle="butt")
                panel.plot([rank], [height], "o", ms=3.5, mfc=PAPER, mec=shade, mew=1)
            marker = MARKERS[group.row.colour % len(MARKERS)]
            panel.plot([group.mean_rank], [place], marker, ms=8.5, color=shade, mec=PAPER)
        panel.set_yticks(range(len(shown)), [upright(group.label) for group in shown])
        panel.set_ylim(len(shown) - 0.4, -0.6)
        panel.set_xlim(0.5, len(across.groups) + 0.5)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(axis="y", visible=False)
        panel.tick_params(axis="y", length=0)
        panel.set_xlabel("rank (1 is best)")
        return figure


def _profiles(across: Across) -> Figure:
    """A line for each of the first groups."""
    with styled():
        figure, (panel,) = canvas(3.6)
        for group, profile in list(zip(across.groups, across.profiles, strict=True))[:_LINES]:
            look = line_style(group.row.colour)
            every = max(1, len(profile.x) // 8)
            panel.fill_between(profile.x, profile.low, profile.high, color=look["color"], alpha=0.09, lw=0, step="post")
            panel.step(profile.x, profile.share, **look, lw=1.7, where="post", label=group.label, markevery=every)
        panel.set_xscale("log")
        panel.xaxis.set_major_formatter(Numbers())
        panel.xaxis.set_minor_formatter(Numbers())
        panel.axvline(1, color=FAINT, lw=1.1, dashes=(4, 3), zorder=1)
        panel.set_xlim(float(np.min(across.profiles[0].x)), float(np.max(across.profiles[0].x)))
        panel.set_ylim(-0.03, 1.03)
        panel.set_xlabel("times worse than the best group's mean")
        panel.set_ylabel("share of runs")
        legend(figure, panel)
        return figure
