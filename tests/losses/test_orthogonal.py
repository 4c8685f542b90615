"""Orthogonal regularisation against its definition (Brock et al. 2019, equation 3; the author's code has the half)."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from gan_lab.losses import Orthogonal


def value_of(network):
    return Orthogonal()(SimpleNamespace(fake=torch.zeros(1, dtype=torch.float64), networks={"generator": network}))


def test_it_is_half_the_squared_products_of_different_filters():
    """Rows (1, 2) and (3, 4): their product, 11, stands twice. Biases, BatchNorm and embeddings are left out."""
    linear = nn.Linear(2, 2).double()
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    network = nn.Sequential(linear, nn.BatchNorm1d(2), nn.Embedding(3, 2)).double()
    assert value_of(network).item() == pytest.approx(0.5 * 2 * 11**2)
    assert value_of(nn.Embedding(3, 2)).item() == 0


def test_the_filters_of_convolutions():
    """Of a transposed one, filters are along the second axis; orthogonal filters cost nothing."""
    convolution, transposed = nn.Conv2d(3, 4, 3).double(), nn.ConvTranspose2d(3, 4, 3).double()
    for layer, rows in ((convolution, convolution.weight), (transposed, transposed.weight.transpose(0, 1))):
        rows = rows.reshape(4, -1)
        expected = sum((rows[i] @ rows[j]) ** 2 for i in range(4) for j in range(i))
        assert value_of(layer).item() == pytest.approx(expected.item())
    nn.init.orthogonal_(convolution.weight)
    assert value_of(convolution).item() == pytest.approx(0, abs=1e-20)


@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_the_groups_of_a_convolution_are_as_two_convolutions(kind):
    both = kind(4, 6, 3, groups=2).double()
    parts = [kind(2, 3, 3).double() for _ in range(2)]
    with torch.no_grad():
        for part, weight in zip(parts, both.weight.chunk(2), strict=True):
            part.weight.copy_(weight)
    assert value_of(both).item() == pytest.approx(sum(value_of(part).item() for part in parts))


def test_its_gradient_is_the_one_that_the_authors_code_adds():
    """2 (W Wᵀ ∘ (1 − I)) W of the trained weight, which spectral norm divides only afterwards."""
    layer = spectral_norm(nn.Linear(5, 3).double())
    weight = layer.parametrizations.weight.original
    value_of(layer).backward()
    products = weight @ weight.T
    assert torch.allclose(weight.grad, 2 * (products * (1 - torch.eye(3))) @ weight)


def test_what_it_needs():
    assert not Orthogonal.uses_real
    assert Orthogonal().weight == 1e-4
