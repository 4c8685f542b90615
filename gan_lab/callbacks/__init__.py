"""Callbacks: what happens between iterations, such as curves, metrics, pictures, checkpoints and the progress bar."""

from gan_lab.callbacks.base import AfterIterations, AtStart, Callback
from gan_lab.callbacks.callback_curves import CallbackCurves
from gan_lab.callbacks.checkpoints import AtomicCheckpointIO, Checkpoints
from gan_lab.callbacks.clock import Deadline, Stopwatch
from gan_lab.callbacks.compiling import Compiling
from gan_lab.callbacks.evaluation import Evaluation
from gan_lab.callbacks.logger import Curves
from gan_lab.callbacks.overfitting import Overfitting
from gan_lab.callbacks.pictures import Pictures
from gan_lab.callbacks.progress import ProgressBar
from gan_lab.callbacks.rng_state import Randomness
from gan_lab.callbacks.selection import Selection
from gan_lab.callbacks.stop_signals import Signals

__all__ = [
    "AfterIterations",
    "AtStart",
    "AtomicCheckpointIO",
    "Callback",
    "CallbackCurves",
    "Checkpoints",
    "Compiling",
    "Curves",
    "Deadline",
    "Evaluation",
    "Overfitting",
    "Pictures",
    "ProgressBar",
    "Randomness",
    "Selection",
    "Signals",
    "Stopwatch",
]
