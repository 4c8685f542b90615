"""Architectures: shapes for every size, initialisation, sentences for what they cannot do."""

import math

import pytest
import torch
from torch import nn

from gan_lab.models import DCGANDiscriminator, DCGANGenerator, MLPDiscriminator, MLPGenerator
from gan_lab.models.layers.attention import SelfAttention


@pytest.mark.parametrize("side", [8, 16, 28, 32, 64])
@pytest.mark.parametrize("colours", [1, 3])
def test_dcgan_shapes(side, colours):
    shape = (colours, side, side)
    generator, discriminator = DCGANGenerator(5, shape, 4), DCGANDiscriminator(shape, 4, "none")
    samples = generator(torch.randn(3, 5))
    assert samples.shape == (3, *shape)
    assert samples.abs().max() <= 1
    assert discriminator(samples).shape == (3,)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 8, 8), (2,)])
def test_mlp_shapes(shape):
    samples = MLPGenerator(5, shape, [7, 6])(torch.randn(3, 5))
    assert samples.shape == (3, *shape)
    assert MLPDiscriminator(shape, [6, 7])(samples).shape == (3,)


def test_mlp_widths_of_the_source_articles():
    generator, discriminator = (
        MLPGenerator(100, (1, 28, 28), [256, 512, 1024]),
        MLPDiscriminator((1, 28, 28), [512, 256]),
    )
    widths = [
        [layer.out_features for layer in net.modules() if isinstance(layer, nn.Linear)]
        for net in (generator, discriminator)
    ]
    assert widths == [[256, 512, 1024, 784], [512, 256, 1]]


def test_points_are_not_squashed():
    generator = MLPGenerator(2, (2,), [4])
    with torch.no_grad():
        generator[-1].bias.fill_(5.0)
    assert generator(torch.zeros(1, 2)).min() > 1


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "instance"])
def test_dcgan_norms_and_independence_of_samples(norm):
    torch.manual_seed(0)
    net = DCGANDiscriminator((1, 16, 16), 4, norm)
    samples = torch.randn(4, 1, 16, 16)
    together, alone = net(samples), torch.cat([net(sample[None].repeat(2, 1, 1, 1))[:1] for sample in samples])
    assert torch.allclose(together, alone, atol=1e-5) == (norm != "batch")


def test_dcgan_initialisation():
    """Radford et al. 2015, §4: weights from N(0, 0.02)."""
    torch.manual_seed(0)
    weights = torch.cat([p.flatten() for p in DCGANGenerator(100, (3, 32, 32), 32).parameters() if p.ndim == 4])
    assert weights.std().item() == pytest.approx(0.02, rel=0.02)
    assert weights.mean().item() == pytest.approx(0, abs=2e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DCGANGenerator(5, (2,), 4), r"not samples of shape \[2\]: use model=mlp"),
        (lambda: DCGANGenerator(5, (1, 30, 30), 4), "cannot draw images of 30x30 pixels"),
        (lambda: DCGANDiscriminator((1, 28, 32), 4), "cannot draw images of 28x32 pixels"),
        (lambda: DCGANGenerator(5, (1, 8, 8), 0), "DCGANGenerator.channels=0"),
        (lambda: DCGANDiscriminator((1, 8, 8), 4, "spectral"), "DCGANDiscriminator.norm='spectral'"),
        (lambda: MLPGenerator(5, (2,), []), r"MLPGenerator.hidden=\[\]"),
        (lambda: MLPDiscriminator((2,), [4, -1]), "MLPDiscriminator.hidden="),
        (lambda: MLPDiscriminator((2,), 5), "MLPDiscriminator.hidden=5"),
        (lambda: MLPDiscriminator((2,), 2.5), "MLPDiscriminator.hidden=2.5: expected a list of widths"),
        (lambda: MLPDiscriminator((2,), [4], ["layer"]), r"MLPDiscriminator.norm=\[layer\]: expected one of none, "),
        (lambda: MLPDiscriminator((2,), [4], "instance"), "MLPDiscriminator.norm='instance'"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (2,)])
def test_attention_adds_a_logit_and_starts_as_the_identity(shape):
    """Without attention and with it: same weights from the same seed, same first logit; SAGAN's γ starts at 0."""

    def make(attention):
        torch.manual_seed(0)
        if len(shape) == 3:
            return DCGANDiscriminator(shape, 8, "layer", attention)
        return MLPDiscriminator(shape, [32, 16], "none", attention)

    plain, attending = make(False), make(True)
    samples = torch.randn(5, *shape)
    assert attending(samples).shape == (5, 2)
    assert torch.allclose(attending(samples)[:, 0], plain(samples), atol=1e-6)
    shared = {name: p for name, p in attending.named_parameters() if name in dict(plain.named_parameters())}
    assert shared.keys() == dict(plain.named_parameters()).keys()
    assert all(torch.equal(p, shared[name]) for name, p in plain.named_parameters())


def test_self_attention_by_hand():
    """SAGAN, equations 1 to 3, for two positions of one feature: y = x + γ · w_o · Σ_j softmax_j(q_i k_j) v_j."""
    block = SelfAttention(1)
    with torch.no_grad():
        for layer, value in ((block.query, 2.0), (block.key, 3.0), (block.value, 5.0), (block.out, 7.0)):
            layer.weight.fill_(value)
        block.gamma.fill_(0.5)
    x = [0.1, -0.4]
    expected = []
    for asking in x:
        weights = [math.exp(2 * asking * 3 * asked) for asked in x]
        attended = sum(w * 5 * asked for w, asked in zip(weights, x, strict=True)) / sum(weights)
        expected.append(asking + 0.5 * 7 * attended)
    assert block(torch.tensor([[x]])).flatten().tolist() == pytest.approx(expected, rel=1e-5)


def test_attention_takes_second_gradients():
    """Penalties differentiate the gradient once more."""
    net = DCGANDiscriminator((1, 8, 8), 8, "layer", True)
    samples = torch.randn(3, 1, 8, 8, requires_grad=True)
    (gradients,) = torch.autograd.grad(net(samples)[:, 0].sum(), samples, create_graph=True)
    gradients.square().sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


def test_tokens_need_a_width_that_splits():
    with pytest.raises(ValueError, match=r"the last hidden width, 7, is odd and does not split in tokens"):
        MLPDiscriminator((2,), [8, 7], "none", True)
