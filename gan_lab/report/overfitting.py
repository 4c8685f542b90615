"""A figure of what the discriminator knows by heart, of runs with the curves ``overfitting/…``."""

from matplotlib.figure import Figure

from gan_lab.report.canvas import FAINT, TOGETHER, WIDTH, colour, legend, styled
from gan_lab.report.leaderboard import Board
from gan_lab.report.learning_curves import group_curves

CAPTION = (
    "What the discriminator knows by heart, means over seeds. Above, where held-out samples lie between training "
    "samples (0) and generated ones (1): r_v of Karras et al. 2020. Below, its mean logit of training samples (solid), "
    "held-out ones (dashed) and generated ones (dotted): as it overfits, dashes leave the solid line."
)
_SETS = {"training": "-", "held_out": "--", "generated": ":"}


def overfitting(board: Board) -> Figure | None:
    """The figure of the first groups that have such curves; None if none has."""
    logits = {name: group_curves(board, "iterations", TOGETHER, f"overfitting/{name}") for name in _SETS}
    if board.again or not any(logits.values()):
        return None
    with styled():
        figure = Figure((WIDTH, 5.2), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        for one in group_curves(board, "iterations", TOGETHER, "overfitting/share"):
            above.plot(one.x, one.mean, color=colour(one.row.colour), lw=1.7)
        above.axhline(0, color=FAINT, lw=0.8)
        above.set_ylim(-0.55, 1.05)  # far below 0 held-out samples are rated higher than training ones, by chance
        above.set_ylabel("r_v of held-out samples")
        for name, dashes in _SETS.items():
            for one in logits[name]:
                label = one.row.label if name == "training" else None
                below.plot(one.x, one.mean, color=colour(one.row.colour), ls=dashes, lw=1.7, label=label)
        below.set_ylabel("mean logit")
        below.set_xlabel("iterations")
        legend(figure, below)
        return figure
