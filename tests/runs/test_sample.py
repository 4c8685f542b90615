"""Paths through the latents."""

import pytest
import torch

from gan_lab.runs.sample import _paths


def test_paths_keep_to_the_prior():
    start, end = torch.randn(2, 50, 100, generator=torch.Generator().manual_seed(0))
    arcs = _paths(start, end, 7, "normal").reshape(50, 7, 100)
    lines = _paths(start, end, 7, "uniform").reshape(50, 7, 100)
    for paths in (arcs, lines):
        assert torch.allclose(paths[:, 0], start, atol=1e-5)
        assert torch.allclose(paths[:, -1], end, atol=1e-5)
    # halfway, independent normal latents of n dimensions average to a length of √(n/2); the arc stays near √n
    assert arcs[:, 3].norm(dim=1).mean().item() == pytest.approx(10, rel=0.03)
    assert lines[:, 3].norm(dim=1).mean().item() == pytest.approx(50**0.5, rel=0.03)


@pytest.mark.parametrize("end", [-2.0, 1.0, 3.0])
def test_opposite_and_equal_latents_are_joined_by_a_line(end):
    path = _paths(torch.ones(1, 1), torch.full((1, 1), end), 5, "normal").flatten()
    assert path.tolist() == pytest.approx([1 + (end - 1) * i / 4 for i in range(5)])
