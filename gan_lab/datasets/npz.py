"""Samples in an .npz archive, as NumPy and many other tools write it."""

from gan_lab.datasets.dataset import Dataset, all_the_same, checksum, first, hold_out
from gan_lab.datasets.drawing import Drawing
from gan_lab.datasets.readers import read_archive, user_path


def npz(
    path: str,
    held_out: float = 0.2,
    max_samples: int | None = None,
    subset: float | None = None,
    flip: bool = False,
    dequantise: bool = False,
) -> Dataset:
    """The images ``[N, C, H, W]`` or points ``[N, D]`` in an archive; `read_archive` says what it may contain.

    Args:
        path: the file.
        held_out: share of the samples to hold out for evaluation, see `hold_out`.
        max_samples: number of samples to train on, the first ones; None for all.
        subset, flip, dequantise: see `Drawing`.

    Raises:
        ConfigError: for a file that is missing, damaged or holds something else, or whose samples are all the same.
        ValueError: for an argument out of range.
    """
    drawing = Drawing(subset, flip, dequantise)
    file = user_path("dataset.path", path)
    samples, labels = read_archive("dataset.path", file)
    if (samples == samples[0]).all():
        raise all_the_same(f"dataset.path={file}", len(samples))
    train, test = hold_out(held_out, len(samples), labels)
    train_labels, test_labels = (None if labels is None else labels[part] for part in (train, test))
    # of the samples and their split: the archive's name and compression do not matter
    raw = checksum(train, test, samples, *([] if labels is None else [labels]))
    kept = first(max_samples, samples[train], train_labels)
    return Dataset(*kept, samples[test], test_labels, raw, drawing=drawing)
