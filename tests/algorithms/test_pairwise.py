"""A pairwise cover of network × recipe × conditional × precision: three iterations move every weight, or a refusal."""

from itertools import combinations, product

import pytest
import torch
from configurations import options

from gan_lab.datasets import Batch, Draw
from gan_lab.errors import ConfigError
from gan_lab.training.build import build_module

NARROW = ["model.generator.channels=2", "model.discriminator.channels=2"]
FOUR = ["model.generator.channels=4", "model.discriminator.channels=4"]
HIDDEN = ["model.generator.hidden=[8]", "model.discriminator.hidden=[16]"]
NETWORKS = {
    "dcgan": ((1, 8, 8), NARROW), "mlp": ((1, 8, 8), HIDDEN), "mlp_2d": ((2,), HIDDEN),
    "sngan_cnn": ((1, 8, 8), FOUR), "sngan_resnet": ((1, 32, 32), NARROW), "infogan": ((1, 4, 4), []),
    "pacgan_mlp": ((2,), HIDDEN), "stylegan2": ((1, 8, 8), [*FOUR, "model.generator.style=4"]),
    # some taps of 5×5 kernels never touch a smaller image, and oneDNN leaves NaN in their gradients in bfloat16
    "pacgan_dcgan": ((1, 28, 28), NARROW),
}  # fmt: skip
LABELLED = ("dcgan", "mlp", "mlp_2d", "sngan_cnn", "sngan_resnet", "stylegan2")
ATTENTIVE = ("dcgan", "mlp", "mlp_2d")
WAYS = ["none", "concat", "projection", "auxiliary", "per_class"]
PRECISIONS = ["32-true", "64-true", "bf16-mixed"]


def _rows():
    for (i, network), (j, loss) in product(enumerate(NETWORKS), enumerate(options("loss"))):
        way = WAYS[(i + j) % len(WAYS)]
        if network not in LABELLED and way != "projection":  # one way is refused like another
            way = "none"
        packing = 1 + (i + j) % 2 if way == "none" else 1  # a pack has no class
        yield network, loss, way, PRECISIONS[(i + 2 * j) % len(PRECISIONS)], packing


ROWS = list(_rows())


def test_every_pair_of_choices_is_in_a_row():
    factors = [list(NETWORKS), options("loss"), WAYS, PRECISIONS]
    for one, other in combinations(range(4), 2):
        wanted = set(product(factors[one], factors[other]))
        if {one, other} == {0, 2}:
            wanted = {(network, way) for network, way in wanted if network in LABELLED or way in ("none", "projection")}
        assert {(row[one], row[other]) for row in ROWS} == wanted


def allowed(network, loss, way):
    attention = loss == "ragan_attention"
    return (way == "none" or network in LABELLED) and (
        not attention or (network in ATTENTIVE and way in ("none", "concat"))
    )


@pytest.mark.parametrize(("network", "loss", "way", "precision", "packing"), ROWS)
def test_three_iterations(composed, network, loss, way, precision, packing):
    """Some parameters have no gradient, and rightly so.

    A bias of the last layer, or before BatchNorm, cancels out of many losses. SAGAN's γ begins at 0 and hides the rest
    of its block. Where the hinge of relativistic averages is met the gradient is 0, and clipped weights of so narrow
    networks let none through that RMSprop's ε would not swallow.
    """
    shape, widths = NETWORKS[network]
    config = composed(f"model={network}", *widths, f"loss={loss}", f"conditional={way}", "latent_dim=3", "batch_size=4",
                      f"trainer.precision={precision}", f"model.packing={packing}")  # fmt: skip
    if not allowed(network, loss, way):
        with pytest.raises(ConfigError, match=r"^model\.discriminator|^conditional=|^model\.generator"):
            build_module(config, shape, class_counts=[4, 4])
        return
    module = build_module(config, shape, class_counts=[4, 4])
    kind = torch.float64 if precision == "64-true" else torch.float32
    module.to(kind)
    for player in module.players.values():
        player.half = torch.bfloat16 if precision == "bf16-mixed" else None
    start = {name: weight.detach().clone() for name, weight in module.named_parameters()}
    labels = torch.arange(4 * packing * config.n_critic) % 2
    for seed in range(3):
        draw = torch.Generator().manual_seed(seed)
        real = torch.randn(len(labels), *shape, generator=draw, dtype=kind).clamp(-1, 1)
        generators = real[: 4 * packing] if module.generator_uses_real else real.new_empty(4 * packing, 0)
        curves = module.iterate(Draw(Batch(real, labels), Batch(generators, labels[: 4 * packing])))
        assert all(value.isfinite().all() for value in curves.values())
    assert curves["logits/real"].shape == (4,)
    end = dict(module.named_parameters())
    assert all(weight.isfinite().all() for weight in end.values())
    still = [key for key in start if torch.equal(start[key], end[key]) and "attention" not in key and "bias" not in key]
    assert loss in ("wgan", "rahinge") or still == []
