"""The latent of a U-Net seeds its dropout."""

import copy
import warnings

import onnxruntime
import pytest
import torch

from gan_lab.models import UNetGenerator
from gan_lab.models.layers.latent_dropout import LatentDropout, splitmix64


def square(side: int, colours: int = 3) -> tuple[int, int, int]:
    return colours, side, side


def test_splitmix64_gives_its_published_numbers():
    """The first five of seed 1234567, as Rosetta Code's page on SplitMix64 lists them."""
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    seeds = torch.tensor([1234567, -5])
    assert [number % 2**64 for number in splitmix64(seeds, 5)[0].tolist()] == expected
    assert [number % 2**64 for number in splitmix64(seeds, 2, skipped=3)[0].tolist()] == expected[3:]


@pytest.mark.parametrize("probability", [0.2, 0.5])
def test_masks_of_the_latents_are_those_of_dropout(probability):
    """A feature is kept with 1 − p, whatever its neighbours do, and divided by 1 − p, as PyTorch's dropout does.

    Within five deviations of the mean of that many independent draws.
    """
    latents = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    layers = [LatentDropout(probability, number).eval() for number in (0, 1)]
    drawn = [layer(torch.ones(100, 10, 20), latents) for layer in layers]
    assert drawn[0].unique().tolist() == pytest.approx([0.0, 1 / (1 - probability)])
    kept = [(one > 0).double().flatten(1) - (1 - probability) for one in drawn]
    variance = probability * (1 - probability)
    assert kept[0].mean().item() == pytest.approx(0, abs=5 * (variance / 20_000) ** 0.5)
    for one, other in [
        (kept[0], kept[1]),  # layers
        (kept[0][1:], kept[0][:-1]),  # samples
        (kept[0][:, 1:], kept[0][:, :-1]),  # neighbours in a row
        (kept[0][:, 20:], kept[0][:, :-20]),  # in a column
    ]:
        assert (one * other).mean().item() == pytest.approx(0, abs=5 * variance / one.numel() ** 0.5)


def test_masks_see_the_last_bit_of_a_latent_and_the_order_of_its_numbers():
    latents = torch.tensor(
        [[1.0, 2.0], [2.0, 1.0], [1.0, 2.0000002], [1.0, -2.0], [0.0, 0.0], [0.0, -1e-11], [1.0, 2.0]]
    )
    drawn = LatentDropout(0.5, 0).eval()(torch.ones(7, 64), latents)
    assert torch.equal(drawn[0], drawn[6])
    assert len(drawn.unique(dim=0)) == 6


@pytest.fixture(scope="module")
def translator():
    torch.manual_seed(0)
    network = UNetGenerator(square(16, 2), square(16, 1), 2)
    with torch.no_grad():
        for weight in network.parameters():  # larger than the first ones, so that dropout is seen
            weight.add_(torch.randn_like(weight), alpha=0.2)
        network.train()(None, torch.randn(20, 1, 16, 16))  # running statistics
    return network.double().eval()


@torch.no_grad()
def test_a_translation_depends_on_its_own_latent_and_source_alone(translator):
    random = torch.Generator().manual_seed(0)
    latents = torch.randn(6, 5, dtype=torch.float64, generator=random)
    source = torch.randn(6, 1, 16, 16, dtype=torch.float64, generator=random)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    before = torch.get_rng_state()
    together = translator(latents, source)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert torch.equal(translator(latents, source), together)
    assert torch.allclose(translator(latents[order], source[order]), together[order], rtol=0, atol=1e-12)
    alone = torch.cat([translator(latents[i : i + 1], source[i : i + 1]) for i in range(6)])
    assert torch.allclose(alone, together, rtol=0, atol=1e-12)
    other = translator(latents.roll(1, 0), source)
    assert ((other - together).abs().amax((1, 2, 3)) > 1e-3).all()


@torch.no_grad()
def test_in_training_dropout_is_pytorchs_own_and_the_latent_does_not_matter(translator):
    network = copy.deepcopy(translator).train()
    source = torch.randn(4, 1, 16, 16, dtype=torch.float64)
    latents = torch.randn(2, 4, 5, dtype=torch.float64)
    drawn = []
    for seed, number in ((0, 0), (0, 1), (1, 0)):
        torch.manual_seed(seed)
        drawn.append(network(latents[number], source))
    assert torch.equal(drawn[0], drawn[1])
    assert (drawn[0] - drawn[2]).abs().max() > 1e-3


@pytest.mark.parametrize("mode", ["train", "eval"])
@torch.no_grad()
def test_without_dropout_the_latent_does_not_matter(mode):
    network = UNetGenerator(square(8, 1), square(8, 1), 2, dropout=0).train(mode == "train")
    source = torch.randn(2, 1, 8, 8)
    before = torch.get_rng_state()
    assert torch.equal(network(torch.zeros(2, 3), source), network(None, source))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("side", "dropped"), [(8, 2), (16, 3), (256, 3)])
def test_dropout_is_in_the_three_innermost_blocks_up(side, dropped):
    """pix2pix, appendix: CD512-CD512-CD512 begin the decoder."""
    with torch.device("meta"):
        network = UNetGenerator(square(side), square(side), 1)
    found = [layer.probability for layer in network.dropouts]
    assert found == [0.5] * dropped + [0.0] * (len(network.up) - dropped)
    assert len({layer.number for layer in network.dropouts}) == len(network.up)  # so their masks differ


def test_masks_of_the_latents_are_the_same_in_exported_files():
    """Of torch.export, and of ONNX, whose runtime adds and shifts integers in its own ways."""
    layer, features, latents = LatentDropout(0.5, 1).eval(), torch.ones(3, 50), torch.randn(3, 100)
    batch = torch.export.Dim("batch")
    program = torch.export.export(layer, (features, latents), dynamic_shapes=({0: batch}, {0: batch}))
    assert torch.equal(program.module()(features[:2], latents[:2]), layer(features, latents)[:2])
    with warnings.catch_warnings():  # of the converter's own code
        warnings.simplefilter("ignore")
        made = torch.onnx.export(program, dynamo=True, verbose=False, input_names=["features", "latents"])
    session = onnxruntime.InferenceSession(made.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (drawn,) = session.run(None, {"features": features.numpy(), "latents": latents.numpy()})
    assert torch.equal(torch.from_numpy(drawn), layer(features, latents))
