"""Labels in networks: each way to take them by hand, and networks without labels as they ever were."""

import pytest
import torch
from torch import nn

from gan_lab.models import (
    BigGANDiscriminator,
    DCGANDiscriminator,
    DCGANGenerator,
    MeschederResNetDiscriminator,
    MLPDiscriminator,
    MLPGenerator,
    R3GANDiscriminator,
    SNGANDiscriminator,
    SNGANGenerator,
    SNGANResNetDiscriminator,
    SNGANResNetGenerator,
)
from gan_lab.models.conditions import DISCRIMINATOR_CONDITIONING, Judgement, some_conditions, takes_labels
from gan_lab.models.layers.heads import AuxiliaryClassifier, Logit, PerClassLogit, Projection
from gan_lab.models.layers.labelled import ConcatLabel, ConditionalBatchNorm

CLASSES = 3
GENERATORS = {
    "mlp": lambda **asked: MLPGenerator(4, (2,), [8], "batch", **asked),
    "dcgan": lambda **asked: DCGANGenerator(4, (1, 8, 8), 2, **asked),
    "sngan_cnn": lambda **asked: SNGANGenerator(4, (1, 8, 16), 2, **asked),
    "sngan_resnet": lambda **asked: SNGANResNetGenerator(4, (1, 32, 32), 2, **asked),
}
DISCRIMINATORS = {
    "mlp": (lambda **asked: MLPDiscriminator((2,), [8], **asked), (2,)),
    "dcgan": (lambda **asked: DCGANDiscriminator((1, 8, 8), 2, **asked), (1, 8, 8)),
    "sngan_cnn": (lambda **asked: SNGANDiscriminator((1, 8, 16), 2, **asked), (1, 8, 16)),
    "sngan_resnet": (lambda **asked: SNGANResNetDiscriminator((1, 32, 32), 2, **asked), (1, 32, 32)),
    "sagan": (lambda **asked: SNGANResNetDiscriminator((1, 32, 32), 2, True, attention=8, **asked), (1, 32, 32)),
    "biggan": (lambda **asked: BigGANDiscriminator((1, 32, 32), 2, 8, **asked), (1, 32, 32)),
    "mescheder_resnet": (lambda **asked: MeschederResNetDiscriminator((1, 8, 8), 2, **asked), (1, 8, 8)),
    "r3gan": (lambda **asked: R3GANDiscriminator((1, 8, 8), [4, 2], **asked), (1, 8, 8)),
}
LABELS = torch.tensor([0, 1, 2, 1])


def perturbed(network: nn.Module) -> nn.Module:
    """Its weights moved, so that all classes differ and no layer hides another."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.2)
    return network


@pytest.mark.parametrize("conditioning", ["concat", "batch_norm"])
@pytest.mark.parametrize("name", GENERATORS)
def test_a_sample_depends_on_its_own_label_alone(name, conditioning):
    """In eval mode, where BatchNorm couples no samples; every label's embedding gets gradients of its own samples."""
    network = perturbed(GENERATORS[name](conditioning=conditioning, classes=CLASSES)).eval()
    assert takes_labels(network)
    latents = torch.randn(4, 4)
    samples = network(latents, LABELS)
    changed = network(latents, torch.tensor([0, 2, 2, 1]))
    differs = (samples != changed).flatten(1).any(1)
    assert differs.tolist() == [False, True, False, False]
    network(latents[:1], LABELS[:1]).square().sum().backward()
    tables = [m.weight for m in network.modules() if isinstance(m, nn.Embedding)]
    assert len(tables) >= 1
    assert all(table.grad[0].any() and not table.grad[1:].any() for table in tables)


@pytest.mark.parametrize("conditioning", ["concat", "projection", "per_class"])
@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_logit_depends_on_its_own_label_alone(name, conditioning):
    make, shape = DISCRIMINATORS[name]
    network = perturbed(make(conditioning=conditioning, classes=CLASSES))
    assert takes_labels(network)
    samples = torch.randn(4, *shape)
    logits = network(samples, LABELS)
    assert logits.shape == (4,)
    changed = network(samples, torch.tensor([0, 2, 2, 1]))
    assert ((logits - changed).abs() > 1e-6).tolist() == [False, True, False, False]


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_an_auxiliary_classifier_looks_at_no_label(name):
    """AC-GAN's discriminator says which class it sees; what it is compared with is the losses' business."""
    make, shape = DISCRIMINATORS[name]
    network = make(conditioning="auxiliary", classes=CLASSES)
    assert not takes_labels(network)
    judgement = network(torch.randn(4, *shape))
    assert isinstance(judgement, Judgement)
    assert judgement.logits.shape == (4,)
    assert judgement.classes.shape == (4, CLASSES)


@pytest.mark.parametrize("name", DISCRIMINATORS)
@pytest.mark.parametrize("conditioning", DISCRIMINATOR_CONDITIONING)
def test_every_weight_gets_second_gradients(name, conditioning):
    """Penalties differentiate the gradient once more, with the sample's own label.

    Without any are biases, to which a concatenated embedding amounts, and what the logit does not depend on.
    """
    make, shape = DISCRIMINATORS[name]
    network = perturbed(make(conditioning=conditioning, classes=CLASSES)).double()
    samples = torch.randn(4, *shape, dtype=torch.float64, requires_grad=True)
    judged = network(samples, *([LABELS] if takes_labels(network) else []))
    logits = judged.logits if isinstance(judged, Judgement) else judged
    (gradients,) = torch.autograd.grad(logits.sum(), samples, create_graph=True)
    gradients.square().sum().backward()
    without = {key for key, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()}
    spared = ("bias", "classifier.weight", *(["0.embedding.weight", "1.embedding.weight"] * (conditioning == "concat")))
    assert all(key.endswith(spared) for key in without)


# ---- layers by hand ----


def test_conditional_batchnorm_by_hand():
    """(x − mean) / √(var + eps) · gain of the class + its offset; mean and variance over the batch: ±1 here."""
    layer = ConditionalBatchNorm(nn.BatchNorm1d(1, eps=1e-12, affine=False), 2)
    x, labels = torch.tensor([[1.0], [3.0]]), torch.tensor([1, 0])
    assert layer(x, labels).flatten().tolist() == pytest.approx([-1, 1])  # gains begin at 1, offsets at 0
    with torch.no_grad():
        layer.gain.weight.copy_(torch.tensor([[2.0], [5.0]]))
        layer.offset.weight.copy_(torch.tensor([[0.5], [-1.0]]))
    assert layer(x, labels).flatten().tolist() == pytest.approx([-6, 2.5])
    maps = ConditionalBatchNorm(nn.BatchNorm2d(3, affine=False), 4)
    images = torch.randn(5, 3, 2, 2)
    assert torch.equal(maps(images, torch.zeros(5, dtype=torch.long)), nn.BatchNorm2d(3, affine=False)(images))


def test_concatenated_labels_by_hand():
    layer = ConcatLabel(3, 2)
    with torch.no_grad():
        layer.embedding.weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    labels = torch.tensor([2, 0])
    assert layer(torch.tensor([[0.5], [0.25]]), labels).tolist() == [[0.5, 5, 6], [0.25, 1, 2]]
    maps = layer(torch.zeros(2, 1, 2, 3), labels)
    assert maps.shape == (2, 3, 2, 3)
    assert maps[0, 2].tolist() == [[6, 6, 6], [6, 6, 6]]
    assert [ConcatLabel(classes).width for classes in (10, 1000)] == [10, 64]


def test_heads_by_hand():
    """Features (1, 2) and (3, 4), classes 1 and 0."""
    features, labels = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1, 0])
    logit = Logit(2)
    projection, auxiliary, per_class = (
        Projection(logit, 2, 2),
        AuxiliaryClassifier(logit, 2, 2),
        PerClassLogit(2, 2),
    )
    table = torch.tensor([[0.5, -1.0], [2.0, 3.0]])
    with torch.no_grad():
        logit.logit.weight.copy_(torch.tensor([[1.0, 10.0]]))
        logit.logit.bias.fill_(0.25)
        projection.embedding.weight.copy_(table)
        for linear in (auxiliary.classifier, per_class.logits):
            linear.weight.copy_(table)
            linear.bias.copy_(torch.tensor([7.0, 9.0]))
    plain = [21.25, 43.25]
    assert projection(features, labels).tolist() == [plain[0] + 8, plain[1] - 2.5]
    assert auxiliary(features).logits.tolist() == plain
    assert auxiliary(features).classes.tolist() == [[5.5, 17.0], [4.5, 27.0]]
    assert per_class(features, labels).tolist() == [17.0, 4.5]


def test_first_values_of_embeddings():
    """N(0, 1) beside latents, which are N(0, 1); a projection's as the weights of its architecture."""
    torch.manual_seed(0)
    concat = SNGANGenerator(100, (1, 8, 8), 2, "concat", 50)[0]
    assert concat.embedding.weight.std().item() == pytest.approx(1, rel=0.03)
    expected = {"mlp": (3 * 1000) ** -0.5, "dcgan": 0.02, "sngan_cnn": 0.02}
    made = {
        "mlp": MLPDiscriminator((2,), [1000], conditioning="projection", classes=20),
        "dcgan": DCGANDiscriminator((1, 8, 8), 64, conditioning="projection", classes=20),
        "sngan_cnn": SNGANDiscriminator((1, 8, 8), 64, conditioning="projection", classes=20),
    }
    for name, network in made.items():
        assert network[-1].embedding.weight.std().item() == pytest.approx(expected[name], rel=0.03), name


# ---- without labels ----


@pytest.mark.parametrize("name", GENERATORS)
def test_networks_without_labels_ignore_how_they_would_take_them(name):
    """No labels asked for, no weights more: the same names and values whatever the conditioning."""
    made = []
    for conditioning in ("concat", "batch_norm"):
        torch.manual_seed(0)
        made.append(GENERATORS[name](conditioning=conditioning).state_dict())
        assert not takes_labels(GENERATORS[name](conditioning=conditioning))
    assert made[0].keys() == made[1].keys()
    assert all(torch.equal(made[0][key], made[1][key]) for key in made[0])
    assert some_conditions(GENERATORS[name](), 2) == {}


def test_unlabelled_weights_are_those_of_plain_layers():
    """Names and random draws as before labels were known: each layer draws its own weights, one after the other."""
    torch.manual_seed(0)
    networks = MLPGenerator(5, (2,), [7], "batch"), MLPDiscriminator((2,), [6])
    torch.manual_seed(0)
    plain = (
        {"0": nn.Linear(5, 7), "1": nn.BatchNorm1d(7), "3": nn.Linear(7, 2)},
        {"1": nn.Linear(2, 6), "4.first": nn.Linear(6, 1)},
    )
    for network, layers in zip(networks, plain, strict=True):
        expected = {f"{at}.{name}": value for at, layer in layers.items() for name, value in layer.state_dict().items()}
        found = network.state_dict()
        assert list(found) == list(expected)
        assert all(torch.equal(found[key], expected[key]) for key in found)
    names = list(DCGANDiscriminator((1, 8, 8), 2, "layer").state_dict())
    assert names == ["0.weight", "0.bias", "3.weight", "4.weight", "4.bias", "6.first.weight", "6.first.bias"]


# ---- wrong inputs ----


@pytest.mark.parametrize("name", GENERATORS)
def test_missing_labels_are_said(name):
    with pytest.raises(ValueError, match=r"Generator: labels are missing, expected the class of each sample"):
        GENERATORS[name](classes=CLASSES)(torch.randn(2, 4))
    make, shape = DISCRIMINATORS[name]
    with pytest.raises(ValueError, match=r"Discriminator: labels are missing, expected the class of each sample"):
        make(classes=CLASSES, conditioning="projection")(torch.randn(2, *shape))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MLPGenerator(4, (2,), [8], "layer", "batch_norm", 3), "conditioning=batch_norm: expected concat, or"),
        (lambda: DCGANGenerator(4, (1, 8, 8), 2, "projection"), "DCGANGenerator.conditioning='projection'"),
        (lambda: SNGANGenerator(4, (1, 8, 8), classes=0), "SNGANGenerator.classes=0: expected a whole number"),
        (lambda: SNGANResNetGenerator(4, (1, 32, 32), classes="ten"), "SNGANResNetGenerator.classes='ten'"),
        (lambda: MLPDiscriminator((2,), [8], conditioning="concat"), "expected none, or conditional="),
        (
            lambda: SNGANDiscriminator((1, 8, 8), conditioning="film", classes=3),
            "SNGANDiscriminator.conditioning='film'",
        ),
        (
            lambda: DCGANDiscriminator((1, 8, 8), 2, attention=True, conditioning="projection", classes=3),
            "conditioning=projection: expected none or concat with attention",
        ),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
