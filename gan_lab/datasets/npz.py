"""An .npz archive of anyone's samples, as NumPy and many tools write it."""

from gan_lab.datasets.dataset import Dataset, all_the_same, checksum, first, hold_out
from gan_lab.datasets.readers import read_archive, user_path


def npz(path: str, held_out: float = 0.2, max_samples: int | None = None) -> Dataset:
    """The images or points in an archive; what may be in it, `read_archive` says.

    Args:
        path: the file.
        held_out: share of the samples to hold out for evaluation, see `hold_out`.
        max_samples: train on so many only; None for all.

    Raises:
        ConfigError: for a file that is missing, broken, or holds something else, or the same sample throughout.
        ValueError: for an argument out of range.
    """
    file = user_path("dataset.path", path)
    samples, labels = read_archive("dataset.path", file)
    if (samples == samples[0]).all():
        raise all_the_same(f"dataset.path={file}", len(samples))
    train, test = hold_out(held_out, len(samples), labels)
    train_labels, test_labels = (None if labels is None else labels[part] for part in (train, test))
    # what is trained on and what it is measured against, whatever the archive's name and compression
    raw = checksum(train, test, samples, *([] if labels is None else [labels]))
    return Dataset(*first(max_samples, samples[train], train_labels), samples[test], test_labels, raw)
