"""Datasets, one file each, and the stream of batches that training reads.

`gan_lab.datasets.data_module` is not imported here: it needs Lightning, whose import takes seconds.
"""

from gan_lab.datasets.batch import Batch, Draw, Request
from gan_lab.datasets.dataset import Dataset, Mixture
from gan_lab.datasets.digits import digits
from gan_lab.datasets.digits_edges import digits_edges
from gan_lab.datasets.digits_mnist import digits_mnist
from gan_lab.datasets.grey_to_colour import grey_to_colour
from gan_lab.datasets.image_folder import image_folder
from gan_lab.datasets.mixtures import grid, ring
from gan_lab.datasets.mnist import fashion_mnist, mnist
from gan_lab.datasets.npz import npz
from gan_lab.datasets.pairs import pairs
from gan_lab.datasets.source import Source
from gan_lab.datasets.stacked_mnist import stacked_mnist
from gan_lab.datasets.stream import BatchStream
from gan_lab.datasets.torchvision_sets import cifar10, torchvision_set
from gan_lab.datasets.unpaired import unpaired

__all__ = [
    "Batch",
    "BatchStream",
    "Dataset",
    "Draw",
    "Mixture",
    "Request",
    "Source",
    "cifar10",
    "digits",
    "digits_edges",
    "digits_mnist",
    "fashion_mnist",
    "grey_to_colour",
    "grid",
    "image_folder",
    "mnist",
    "npz",
    "pairs",
    "ring",
    "stacked_mnist",
    "torchvision_set",
    "unpaired",
]
