"""Datasets, one file each, and the stream of batches that training reads.

`gan_lab.datasets.data_module` is not imported here: it needs Lightning, whose import takes seconds.
"""

from gan_lab.datasets.batch import Batch, Draw, Request
from gan_lab.datasets.dataset import Dataset
from gan_lab.datasets.digits import digits
from gan_lab.datasets.image_folder import image_folder
from gan_lab.datasets.mixtures import grid, ring
from gan_lab.datasets.mnist import fashion_mnist, mnist
from gan_lab.datasets.npz import npz
from gan_lab.datasets.stacked_mnist import stacked_mnist
from gan_lab.datasets.stream import BatchStream
from gan_lab.datasets.torchvision_sets import cifar10, torchvision_set

__all__ = [
    "Batch",
    "BatchStream",
    "Dataset",
    "Draw",
    "Request",
    "cifar10",
    "digits",
    "fashion_mnist",
    "grid",
    "image_folder",
    "mnist",
    "npz",
    "ring",
    "stacked_mnist",
    "torchvision_set",
]
