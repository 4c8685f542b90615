"""What happens between iterations: curves, metrics, pictures, checkpoints, the progress bar."""

from gan_lab.callbacks.callback import AfterIterations, Callback
from gan_lab.callbacks.checkpoints import AtomicCheckpointIO, Checkpoints
from gan_lab.callbacks.curves import Curves
from gan_lab.callbacks.deadline import Deadline
from gan_lab.callbacks.evaluation import Evaluation
from gan_lab.callbacks.pictures import Pictures
from gan_lab.callbacks.progress import ProgressBar
from gan_lab.callbacks.randomness import Randomness
from gan_lab.callbacks.signals import Signals
from gan_lab.callbacks.stopwatch import Stopwatch

__all__ = [
    "AfterIterations",
    "AtomicCheckpointIO",
    "Callback",
    "Checkpoints",
    "Curves",
    "Deadline",
    "Evaluation",
    "Pictures",
    "ProgressBar",
    "Randomness",
    "Signals",
    "Stopwatch",
]
