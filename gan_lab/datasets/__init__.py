"""Sources of real samples, one file each, and the stream of batches that training reads."""

from gan_lab.datasets.dataset import Dataset
from gan_lab.datasets.digits import digits
from gan_lab.datasets.mixtures import grid, ring
from gan_lab.datasets.mnist import fashion_mnist, mnist
from gan_lab.datasets.stream import BatchStream, InMemoryData

__all__ = ["BatchStream", "Dataset", "InMemoryData", "digits", "fashion_mnist", "grid", "mnist", "ring"]
