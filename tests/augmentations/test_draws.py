"""The random numbers of a batch."""

import pytest
import torch

from gan_lab.augmentations.draws import Draws


@pytest.mark.parametrize("kind", [Draws.uniform, Draws.normal])
def test_they_do_not_depend_on_the_precision(kind):
    """Lightning makes float64 the default type in the steps of ``trainer.precision=64-true``."""
    single = kind(Draws(0), torch.zeros(4, 1, 2, 2), 3)
    torch.set_default_dtype(torch.float64)
    try:
        double = kind(Draws(0), torch.zeros(4, 1, 2, 2), 3)
    finally:
        torch.set_default_dtype(torch.float32)
    assert double.dtype == torch.float64
    assert torch.equal(double, single.double())
