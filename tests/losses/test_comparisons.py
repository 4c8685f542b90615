"""Terms that compare what is made with what is wanted, against formulas written out here."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from gan_lab.losses import BCE, KL, L1, MSE, Cycle, FeatureReconstruction, GeneratorStep, Identity, Judge

MADE = torch.tensor([[0.5, -1.0], [0.25, 1.0]])
WANTED = torch.tensor([[0.0, -1.0], [1.0, -0.5]])
PAIRS = [(MADE, WANTED), (torch.full((2, 3), 2.0), torch.full((2, 3), -1.0))]


def step_of(**compares):
    """A step of the generator that compares these."""
    made = {name: (lambda pairs=pairs: pairs) for name, pairs in compares.items()}
    return GeneratorStep(None, None, MADE, Judge(nn.Identity()), {}, made)


def q(value):
    """A pixel of [−1, 1] as a probability."""
    return (value + 1) / 2


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (L1(), (0.5 + 0 + 0.75 + 1.5) / 4),
        (MSE(), (0.5**2 + 0 + 0.75**2 + 1.5**2) / 4),
        (
            BCE(),  # of (made, wanted); a made pixel of ±1 has probability 1 or 0, whose logarithm is bounded by −100
            -(
                q(0) * math.log(q(0.5))
                + q(0) * math.log(1 - q(0.5))
                + 0  # made and wanted are both −1
                + math.log(q(0.25))
                + 0.25 * 0
                + 0.75 * -100
            )
            / 4,
        ),
    ],
)
def test_a_reconstruction_is_a_mean_over_all_numbers(term, expected):
    assert term(step_of(reconstruction=[(MADE, WANTED)])).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("term", "name"), [(Cycle(), "cycle"), (Identity(), "identity"), (L1(), "reconstruction")])
def test_pairs_of_both_domains_are_added(term, name):
    """The mean of |made − wanted| in each domain: 2.75 / 4 in the first, 3 in the second."""
    assert term(step_of(**{name: PAIRS})).item() == pytest.approx(2.75 / 4 + 3, rel=1e-6)


def test_kl_is_that_of_torch_from_the_standard_normal_distribution():
    """Summed over the latent, averaged over the batch."""
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    posterior = Normal(mean, (log_variance / 2).exp())
    expected = kl_divergence(posterior, Normal(torch.zeros_like(mean), torch.ones_like(mean))).sum(1).mean()
    assert KL()(step_of(posterior=[(mean, log_variance)])).item() == pytest.approx(expected.item(), rel=1e-9)


@pytest.mark.parametrize(
    ("term", "weight", "compared"),
    [
        (L1, 1.0, "reconstruction"),
        (MSE, 1.0, "reconstruction"),
        (BCE, 1.0, "reconstruction"),
        (FeatureReconstruction, 1.0, "reconstruction"),
        (KL, 1.0, "posterior"),
        (Cycle, 10.0, "cycle"),  # the weights of CycleGAN's paper
        (Identity, 5.0, "identity"),
    ],
)
def test_what_is_compared_and_how_much_it_counts(term, weight, compared):
    assert (term().weight, term().every, term.compared) == (weight, 1, compared)
    assert term.uses_real


@pytest.mark.parametrize("term", [L1, MSE, BCE])
def test_the_gradient_reaches_what_is_made(term):
    """∇ of the mean over four numbers; bce's is (q − p) / (q (1 − q)) · ½."""
    made = torch.tensor([[0.5, 0.0], [0.25, -0.5]], requires_grad=True)
    wanted = torch.tensor([[0.0, 0.5], [1.0, -1.0]])
    (found,) = torch.autograd.grad(term()(step_of(reconstruction=[(made, wanted)])), made)
    with torch.no_grad():
        p, r = q(made), q(wanted)
        expected = {
            L1: (made - wanted).sign() / 4,
            MSE: 2 * (made - wanted) / 4,
            BCE: (p - r) / (p * (1 - p)) / 2 / 4,
        }[term]
    assert torch.allclose(found, expected, rtol=1e-5)


def test_pixels_beyond_the_range_count_as_its_ends():
    """Dequantised pixels may lie a little outside."""
    made, wanted = torch.tensor([[0.5, 1.2, -1.5]]), torch.tensor([[1.3, 1.0, -1.1]])
    inside = BCE()(step_of(reconstruction=[(made.clamp(-1, 1), wanted.clamp(-1, 1))]))
    assert BCE()(step_of(reconstruction=[(made, wanted)])).item() == pytest.approx(inside.item(), rel=1e-6)
    assert inside.item() == pytest.approx(-math.log(q(0.5)) / 3, rel=1e-6)
