"""Runs with augmentations: none is as ever, p = 0 as none, state goes on, several processes agree."""

import csv
import functools
from itertools import combinations

import pytest
import torch
from configurations import options
from training_runs import SMALL, checkpoint, differences, killed, train_in, weights_of
from two_processes import half, in_two_processes

from gan_lab.augmentations import ADA, APA
from gan_lab.augmentations.draws import Draws
from gan_lab.config.checks import resolved
from gan_lab.datasets import Batch, Draw
from gan_lab.errors import ConfigError
from gan_lab.losses import FeatureMatching, Judge, LeCam, NonSaturating
from gan_lab.training.build import build_module

TINY = [*SMALL, "evaluation/extractor=pixels", "log_every=2"]


def curves(folder):
    with folder.metrics_file.open() as file:
        return list(csv.DictReader(file))


def rows_of(folder):
    """The points of metrics.csv but those of the augmentation."""
    lines = folder.metrics_file.read_text().splitlines()
    return [line for line in lines if "augmentation/" not in line]


@pytest.mark.parametrize("loss", ["wgan_gp", "rasgan"])
def test_p_of_0_is_none_to_the_byte(composed, tmp_path, loss):
    words = [*TINY, f"loss={loss}", "iterations=4"]
    none = train_in(tmp_path / "none", composed(*words))
    groups = "augmentation.groups=[blit,geometry,colour,filter,noise,cutout]"
    for name, extra in (("ada", [groups]), ("apa", []), ("flip", [])):
        zero = train_in(tmp_path / name, composed(*words, f"augmentation={name}", "augmentation.p=0", *extra))
        assert rows_of(zero) == none.metrics_file.read_text().splitlines()
        found = weights_of(zero)
        assert all(torch.equal(found[key], value) for key, value in weights_of(none).items())
        of_augmentation = {key.partition(".")[0] for key in found.keys() - weights_of(none).keys()}
        assert of_augmentation == ({"augmentation"} if name != "flip" else set())
        assert torch.equal(checkpoint(zero)["noise"][1], checkpoint(none)["noise"][1])


CLIMBING = "augmentation.speed=0.16"  # a step of p is 0.2


@pytest.mark.parametrize(
    "words",
    [
        ["augmentation=ada", CLIMBING, "augmentation.target=-0.9", "loss=rasgan_gp"],
        ["augmentation=apa", CLIMBING, "augmentation.target=-0.9", "penalty=[bcr,lecam]",
         "loss.penalties.lecam.start=3"],
        ["augmentation=diffaugment", "conditional=concat", "loss=nsgan_r1", "penalty=[r1,cr]"],
        ["augmentation=flip", "conditional=projection", "loss=rasgan"],
    ],
    ids=["ada", "apa_bcr_lecam", "diffaugment_cr_labels", "flip_labels"],
)  # fmt: skip
def test_a_run_that_was_killed_goes_on_to_the_bit(composed, tmp_path, words):
    words = [*TINY, *words, "iterations=11", "checkpoint.every=3", "n_critic=1"]
    calm = train_in(tmp_path / "calm", composed(*words))
    with killed(at=7):
        train_in(tmp_path / "killed", composed(*words))
    again = train_in(tmp_path / "killed", composed(*words), resume=True)
    assert differences(calm.path, again.path) == []
    first, second = weights_of(calm), weights_of(again)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert calm.metrics_file.read_bytes() == again.metrics_file.read_bytes()
    if CLIMBING not in words:
        return
    points = {(row["iteration"], row["name"]): float(row["value"]) for row in curves(calm)}  # it was killed in a climb
    climb = [points[str(step), "augmentation/p"] for step in (2, 4, 6, 8, 10)]
    assert climb == pytest.approx([0, 0, 0.2, 0.2, 0.4])  # means of two updates
    assert all(-1 <= points[str(step), "augmentation/r_t"] <= 1 for step in (2, 4, 6, 8, 10))


AUGMENTATIONS = [name for name in options("augmentation") if name != "none"]  # which test_pairwise.py covers
RECIPES = options("loss")
WAYS = ["none", "concat", "projection", "auxiliary", "per_class"]
CONSISTENCY = ["cr", "bcr", "lecam"]
ROWS = [
    (augmentation, loss, WAYS[(i + j) % len(WAYS)], CONSISTENCY[(i + j) % len(CONSISTENCY)])
    for i, augmentation in enumerate(AUGMENTATIONS)
    for j, loss in enumerate(RECIPES)
]


def test_every_pair_of_choices_is_in_a_row():
    """But those of recipe and way, which are in test_pairwise.py."""
    factors = [AUGMENTATIONS, RECIPES, WAYS, CONSISTENCY]
    for one, other in combinations(range(4), 2):
        if (one, other) != (1, 2):
            assert {(row[one], row[other]) for row in ROWS} == {(a, b) for a in factors[one] for b in factors[other]}


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_two_iterations_of_every_pair(composed, augmentation):
    """p = ½, samples of one channel, labels in every way: all curves are finite and both networks move."""
    moving = ["augmentation.p=0.5"] if augmentation in ("ada", "apa") else []
    for _, loss, way, penalty in (row for row in ROWS if row[0] == augmentation):
        if loss == "ragan_attention" and way != "concat":
            way = "none"  # its two heads leave no room for another way
        config = composed(
            "model=mlp", "model.generator.hidden=[8]", "model.discriminator.hidden=[16]", f"loss={loss}",
            f"conditional={way}", f"+penalty@loss.penalties.{penalty}={penalty}", "batch_size=4",
            f"augmentation={augmentation}", *moving, "n_critic=1",
        )  # fmt: skip
        module = build_module(config, (1, 8, 8), class_counts=[4, 4])
        start = {name: weight.detach().clone() for name, weight in module.named_parameters()}
        labels = torch.arange(4) % 2
        for seed in range(2):
            real = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1
            of_generator = Batch(real if module.generator_uses_real else real.new_empty(4, 0), labels)
            found = module.iterate(Draw(Batch(real, labels), of_generator))
            assert all(value.isfinite().all() for value in found.values()), (loss, way)
        assert f"loss/{penalty}" in found
        for player in ("generator", "discriminator"):
            moved = [
                n for n, one in module.named_parameters() if n.startswith(player) and not torch.equal(one, start[n])
            ]
            assert moved, (loss, way, player)


@pytest.mark.parametrize("augmentation", ["diffaugment", "ada"])
@pytest.mark.parametrize("model", ["dcgan", "sngan_cnn", "stylegan2", "progressive"])
def test_pictures_of_other_networks_are_augmented_too(composed, model, augmentation):
    narrow = [f"model.{role}.channels=4" for role in ("generator", "discriminator")]
    narrow += {"stylegan2": ["model.generator.style=4"]}.get(model, [])
    p = ["augmentation.p=0.9", "augmentation.most=1"] if augmentation == "ada" else []
    words = [f"model={model}", *narrow, "loss=nsgan_r1", "batch_size=4"]
    ends = []
    for of_augmentation in ([], [f"augmentation={augmentation}", *p]):
        module = build_module(resolved(composed(*words, *of_augmentation)), (3, 8, 8))
        real = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
        for _ in range(2):
            found = module.iterate(Draw(Batch(real), Batch(real.new_empty(4, 0))))
            assert all(value.isfinite().all() for value in found.values())
        ends.append(torch.cat([weight.detach().flatten() for weight in module.players["discriminator"].weights]))
    assert not torch.equal(*ends)


@pytest.mark.parametrize("loss", ["rsgan", "wgan_gp"])
def test_ada_hears_nothing_of_offsets_that_the_objective_does_not_see(composed, loss):
    """CycleGAN's two discriminators may be 10 apart, and all logits of one then lie above all of the other."""
    config = composed(*CYCLEGAN, "dataset=digits_mnist", "augmentation=ada", f"loss={loss}")
    module = build_module(config, (1, 16, 16), source_shape=(1, 16, 16))
    of_samples = module._centred(torch.tensor([6.0, 7.0]), torch.tensor([4.0, 5.0]))
    of_sources = module._centred(torch.tensor([-4.0, -3.0]), torch.tensor([-6.0, -5.0]))
    module.observe(*map(torch.cat, zip(of_samples, of_sources, strict=True)), samples=2)
    assert module.curves["augmentation/r_t"] == 1  # both tell real from translated without an error


def test_compiled_networks_see_the_same(composed, tmp_path, monkeypatch):
    torch._dynamo.reset()
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))  # captured, run as it is
    words = [*TINY, "augmentation=ada", "augmentation.p=0.5", "loss=rsgan", "penalty=r1", "iterations=2"]
    eager = train_in(tmp_path / "eager", composed(*words))
    compiled = train_in(tmp_path / "compiled", composed(*words, "compile=true"))
    first, second = weights_of(eager), weights_of(compiled)
    assert all(torch.equal(first[key], second[key]) for key in first)


def shown_in(part: slice) -> dict[str, torch.Tensor]:
    """What a process with this part of a batch of 8 makes of it, and its state afterwards."""
    samples, fake = torch.rand(2, 8, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    ada, apa = ADA(["blit", "geometry", "colour", "filter", "noise", "cutout"], p=0.7), APA((3, 8, 8), 8)
    shown = ada(samples[part], Draws(1))
    apa.keep(fake[part], torch.arange(8)[part] % 3)
    apa.probability.p.fill_(0.5)
    replaced = apa.as_real(samples[part], None, Draws(2))
    of_class = apa.as_real(samples[part], torch.arange(8)[part] % 4, Draws(2))
    lecam = LeCam(start=0)
    logits = torch.linspace(-1, 2, 8)[part], torch.linspace(-3, 2, 8)[part]
    penalty = lecam(Judge(None, real=logits[0], fake=logits[1]), samples[part], fake[part])
    for undecided in (0.0, None):
        apa.observe(*logits, undecided, len(samples[part]))
    state = {**apa.state_dict(), **{f"lecam {key}": value for key, value in lecam.state.state_dict().items()}}
    return {"shown": shown, "replaced": replaced, "of class": of_class, "penalty": penalty[None], "state": state}


def test_two_processes_do_what_one_does_and_have_the_same_state(tmp_path):
    whole = shown_in(slice(8))
    one, other = in_two_processes(tmp_path, lambda rank: shown_in(half(rank)))
    for key in ("shown", "replaced", "of class"):
        assert (torch.cat([one[key], other[key]]) - whole[key]).abs().max() < 1e-5, key
    assert ((one["penalty"] + other["penalty"]) / 2 - whole["penalty"]).abs() < 1e-6
    for key, value in whole["state"].items():
        assert torch.equal(one["state"][key], other["state"][key]), key
        assert torch.allclose(one["state"][key].double(), value.double(), atol=1e-6), key


UNET = ["model=unet", "model.generator.channels=8", "model.discriminator.channels=8"]
CYCLEGAN = ["model=cyclegan", "model.generator.channels=8", "model.discriminator.channels=8"]
MLP = ["model=mlp", "model.generator.hidden=[8]", "model.discriminator.hidden=[8]"]


class Mine(FeatureMatching):
    """Of features, so that it is computed in both domains, and with a state."""

    @property
    def state(self):
        return torch.nn.Identity()


class Counts(NonSaturating):
    state = Mine.state


@pytest.mark.parametrize(
    ("words", "shape", "source", "message"),
    [
        (["model=mlp_2d", "augmentation=flip"], (2,), None, "augmentation: Flip transforms images, and the samples "
         "are points of 2 numbers; expected none or apa"),
        (["model=mlp_2d", "augmentation=ada"], (2,), None, "augmentation: ADA transforms images, and the samples "
         "are points of 2 numbers; expected none or apa"),
        (["model=mlp_2d", "penalty=cr"], (2,), None, "loss.penalties.cr.transform: FlipShift transforms images, and "
         "the samples are points of 2 numbers; expected another penalty"),
        ([*MLP, "augmentation=ada"], (2, 8, 8), None, "augmentation: ADA.groups=[blit,geometry,colour]: "
         "expected no colour with samples of 2 channels"),
        ([*UNET, "augmentation=apa"], (1, 16, 16), (1, 16, 16), "augmentation: expected another than APA, or none, "
         "with Pix2Pix"),
        ([*UNET, "penalty=bcr"], (1, 16, 16), (1, 16, 16), "loss.penalties.bcr: expected none with Pix2Pix, as it "
         "would move samples alone"),
        ([*UNET, "algorithm=gan", "term=[]", "penalty=cr"], (1, 16, 16), (1, 16, 16), "loss.penalties.cr: expected "
         "none with GAN, as it would move samples alone"),
        ([*UNET, "algorithm=gan", "term=[]", "augmentation=apa"], (1, 16, 16), (1, 16, 16), "augmentation: expected "
         "another than APA, or none, with GAN"),
        ([*CYCLEGAN, "augmentation=apa"], (1, 16, 16), (1, 16, 16), "augmentation: expected another than APA, or none, "
         "with CycleGAN"),
        ([*CYCLEGAN, "penalty=lecam"], (1, 16, 16), (1, 16, 16), "loss.penalties.lecam: expected none with CycleGAN, "
         "whose two domains would share its state"),
        ([*CYCLEGAN, "allowed_targets=[test_augmented_runs]", "+loss.terms.mine={_target_:test_augmented_runs.Mine}"],
         (1, 16, 16), (1, 16, 16), "loss.terms.mine: expected none with CycleGAN, whose two domains would share its "
         "state"),
        ([*CYCLEGAN, "allowed_targets=[test_augmented_runs]", "loss.objective={_target_:test_augmented_runs.Counts}"],
         (1, 16, 16), (1, 16, 16), "loss.objective: expected one without a state with CycleGAN, whose two domains "
         "would share its state"),
        ([*CYCLEGAN, "augmentation=ada", "term=cycle"], (1, 16, 16), (2, 16, 16), "augmentation: "
         "ADA.groups=[blit,geometry,colour]: expected no colour with samples of 2 channels"),
        ([*MLP, "penalty=cr", "loss.penalties.cr.transform={_target_:torch.nn.Identity}"], (1, 8, 8), None,
         "loss.penalties.cr.transform: expected a gan_lab.augmentations.Augmentation, not Identity"),
    ],
)  # fmt: skip
def test_refused(composed, words, shape, source, message):
    with pytest.raises(ConfigError) as error:
        build_module(composed(*words), shape, source_shape=source)
    assert str(error.value) == message


def test_points_may_be_replaced(composed):
    build_module(composed("model=mlp_2d", "augmentation=apa", "penalty=lecam"), (2,))
