"""Progressive growing: when, what is renewed, and a run that goes on in the middle of a fade."""

import functools

import pytest
import torch
from omegaconf import OmegaConf
from training_runs import SMALL, checkpoint, differences, killed, train_in

from gan_lab.algorithms.progressive import Growth, Phase, Progressive
from gan_lab.config.checks import resolved, within_budget
from gan_lab.datasets import Batch, Draw
from gan_lab.errors import ConfigError
from gan_lab.runs.checkpoints import load_generator
from gan_lab.runs.export import export
from gan_lab.runs.sample import sample
from gan_lab.training.build import build_module

NARROW = [
    *(f"model.{player}.{key}" for player in ("generator", "discriminator") for key in ("capacity=32", "channels=4")),
    "latent_dim=3",
    *(word for word in SMALL if not word.startswith("model")),
    "evaluation/extractor=pixels",
    "evaluation.metrics=[prdc]",
]
STYLE = {"stylegan2": ["model.generator.style=4"], "progressive": []}
OFTEN = ["iterations=11", "log_every=4", "checkpoint.every=3", "evaluation.every=11", "pictures.every=4"]
GROWING = ["model=progressive", *NARROW]


def resolved_of(composed, *overrides):
    """A configuration as a run gets it: how long pictures grow is computed from other keys."""
    return resolved(composed(*overrides))


def same(composed, tmp_path, overrides, *iterations):
    """A run that nobody stopped, and one that was stopped after these iterations: no file differs."""
    config = composed(*overrides)
    calm = train_in(tmp_path / "calm", config)
    for number, at in enumerate(iterations):
        torch.manual_seed(100 + number)  # what else a process may have drawn
        with killed(at):
            train_in(tmp_path / "broken", config, resume=number > 0)
    broken = train_in(tmp_path / "broken", config, resume=True)
    assert differences(calm.path, broken.path) == []
    return calm, broken


def test_the_papers_schedule():
    """600 thousand images of 4×4, then 600 of each fade and 600 of each size."""
    growth = Growth(16, 600e3, 600e3)
    expected = {
        0: (4, 1.0), 599_999: (4, 1.0), 600_000: (8, 0.0), 900_000: (8, 0.5), 1_199_999: (8, 599_999 / 600_000),
        1_200_000: (8, 1.0), 1_799_999: (8, 1.0), 1_800_000: (16, 0.0), 2_250_000: (16, 0.75), 2_400_000: (16, 1.0),
        10**9: (16, 1.0),
    }  # fmt: skip
    assert {seen: tuple(growth.at(seen)) for seen in expected} == expected
    assert Growth(16, 0, 0).at(0) == Phase(16, 1.0)
    assert Growth(8, 100, 0).at(100) == Phase(8, 1.0)


def test_by_default_it_grows_in_the_first_half(composed):
    """Of 80 iterations of 8 images at 16 pixels: four phases of 10 iterations."""
    module = build_module(resolved_of(composed, *GROWING, "iterations=80"), (1, 16, 16))
    assert [module.phase(done) for done in (0, 9, 10, 15, 20, 30, 39, 40, 79)] == [
        (4, 1.0), (4, 1.0), (8, 0.0), (8, 0.5), (8, 1.0), (16, 0.0), (16, 0.9), (16, 1.0), (16, 1.0),
    ]  # fmt: skip
    halved = within_budget(resolved_of(composed, *GROWING, "iterations=80", "budget.updates=80"))
    module = build_module(halved, (1, 16, 16))
    assert [module.phase(done) for done in (4, 5, 20, 39)] == [(4, 1.0), (8, 0.0), (16, 1.0), (16, 1.0)]
    given = composed(*GROWING, "algorithm.stable=0.04", "algorithm.fade=0.08", "n_critic=2", "iterations=80")
    module = build_module(resolved(given), (1, 16, 16))
    assert [module.phase(done) for done in (2, 3, 7, 8)] == [(4, 1.0), (8, 0.1), (8, 0.9), (8, 1.0)]


def test_both_networks_and_the_average_grow_and_optimizers_forget(composed):
    module = build_module(resolved_of(composed, *GROWING, "ema_decay=0.9", "iterations=80"), (1, 16, 16))
    networks = [module.players["generator"].network, module.players["discriminator"].network, module.ema]
    batch = Draw(Batch(torch.randn(8, 1, 16, 16)), Batch(torch.empty(8, 0)))
    for done in (9, 10, 11, 30):
        module.grow(done)
        states = [len(player.optimizer.state) for player in module.players.values()]
        assert (states == [0, 0]) == (done in (9, 10, 30))
        module.iterate(batch)
        phase = module.phase(done)
        assert {(n.now, n.fades, int(n.side), round(n.alpha.item(), 4)) for n in networks} == {
            (phase.side, phase.alpha < 1, phase.side, phase.alpha)
        }


def test_real_pictures_are_as_sharp_as_generated_ones(composed):
    module, seen = build_module(resolved_of(composed, *GROWING, "iterations=80"), (1, 16, 16)), []
    module.update_discriminator = lambda batch: seen.append(batch.samples)
    module.update_generator = lambda batch: seen.append(batch.samples)
    pictures = torch.randn(8, 1, 16, 16)
    for done in (0, 35, 79):
        module.grow(done)
        module.iterate(Draw(Batch(pictures), Batch(torch.empty(8, 0))))
    stable, _, fading, empty, last, _ = seen
    assert torch.equal(stable, pictures)
    assert torch.equal(last, pictures)
    assert empty.shape == (8, 0)
    assert torch.allclose(fading, (pictures + blocks(pictures, 2)) / 2, atol=1e-6)


def blocks(pictures, size):
    """Pictures whose blocks of so many pixels a side are of one colour, the mean."""
    means = torch.nn.functional.avg_pool2d(pictures, size)
    return means.repeat_interleave(size, 2).repeat_interleave(size, 3)


def test_an_augmentation_moves_real_pictures_that_are_as_coarse_as_generated_ones(composed):
    """Moved by less than a block, a sharper picture would have other means of blocks than any that is generated."""
    module = build_module(resolved_of(composed, *GROWING, "iterations=80", "augmentation=diffaugment"), (1, 16, 16))
    pictures = torch.randn(8, 1, 16, 16)
    for done, size in ((0, 4), (25, 2), (79, 1)):
        module.grow(done)
        assert torch.allclose(module.as_trained_on(pictures), blocks(pictures, size), atol=1e-6)


def test_compiled_forms_are_renewed_in_each_phase(composed, monkeypatch):
    module, compiled = build_module(resolved_of(composed, *GROWING, "iterations=80"), (1, 16, 16)), []
    module.compile_mode = True
    monkeypatch.setattr(torch.compiler, "reset", lambda: compiled.append("reset"))
    for name, player in module.players.items():
        monkeypatch.setattr(player, "compile", lambda name=name: compiled.append(name))
    renewed = []
    for done in range(80):
        compiled.clear()
        module.grow(done)
        if compiled:
            assert compiled == ["reset", "generator", "discriminator"]
            renewed.append(done)
    assert renewed == [10, 20, 30, 40]


def test_compiled_losses_and_recorded_iterations_are_renewed_in_each_phase(composed, monkeypatch):
    words = [*GROWING, "iterations=80", "compile=iteration", "trainer=cpu"]
    module, forgotten, recorded = build_module(resolved_of(composed, *words), (1, 16, 16)), [], []
    monkeypatch.setattr(module.compiled, "forget", lambda: forgotten.append(done))

    class Recorded:  # a CUDA graph, for which there must be a GPU
        def __init__(self, iterate, noise):
            self.iterate = iterate

    monkeypatch.setattr("gan_lab.algorithms.progressive.GraphedIteration", Recorded)
    module.noise = torch.Generator()
    module.iteration = Recorded(module.iterate, module.noise)
    for done in range(80):
        before = module.iteration
        module.grow(done)
        if module.iteration is not before:
            recorded.append(done)
    assert forgotten == recorded == [10, 20, 30, 40]


@pytest.mark.parametrize(("model", "forms"), [("stylegan2", 1), ("progressive", 3)])
def test_compiled_networks_train_as_ever(composed, tmp_path, monkeypatch, model, forms):
    """As in tests/training/test_compiled.py: what TorchDynamo captures is run as it is; each phase has a form."""
    graphs = []
    torch._dynamo.reset()

    def counted(graph, inputs, **options):
        graphs.append(graph)
        return graph

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=counted))
    words = [f"model={model}", *NARROW, *STYLE[model], "loss=stylegan2", "iterations=6", "trainer.precision=64-true"]
    eager = train_in(tmp_path / "eager", composed(*words))
    assert not graphs
    compiled = train_in(tmp_path / "compiled", composed(*words, "compile=true"))
    assert len(graphs) >= 2 * forms  # of generator and discriminator
    found = checkpoint(compiled)["state_dict"]
    for key, value in checkpoint(eager)["state_dict"].items():
        assert torch.allclose(found[key], value, rtol=1e-9, atol=1e-12), key


def test_a_run_grows_and_goes_on_in_the_middle_of_a_fade(composed, tmp_path):
    """8×8 fades in from iteration 3, where the optimizers forget, over 8 iterations; it stops at 4 and 10."""
    overrides = [*GROWING, *OFTEN, "log_every=2", "ema_decay=0.9", "algorithm.stable=0.024", "algorithm.fade=0.08"]
    calm, broken = same(composed, tmp_path, overrides, 4, 10)
    curves = [line.split(",") for line in calm.metrics_file.read_text().splitlines()]
    found = {
        tag: [float(value) for at, name, value in curves if name == tag] for tag in ("progress/size", "progress/alpha")
    }
    # at iterations 2, 4, … 10 and 11: no mean over those since the point before
    assert found["progress/size"] == [4, 8, 8, 8, 8, 8]
    assert found["progress/alpha"] == pytest.approx([1, 0, 0.2, 0.4, 0.6, 0.7])
    state = checkpoint(broken)["state_dict"]
    assert [state[f"{name}.alpha"].item() for name in ("generator", "discriminator", "ema")] == pytest.approx([0.7] * 3)
    (broken.path / ".hydra").mkdir()
    OmegaConf.save(composed(*overrides), broken.path / ".hydra" / "config.yaml")
    generator = load_generator(broken, "auto")
    assert (generator.now, generator.fades) == (8, True)
    assert sample(broken, 3).values.shape == (3, 1, 8, 8)
    export(broken, tmp_path / "fading.pt2")  # it compares what the file draws with what the run does


@pytest.mark.parametrize("model", ["stylegan2", "progressive"])
@pytest.mark.parametrize(("loss", "way"), [("wgan_gp", "none"), ("rahinge", "projection"), ("stylegan2", "concat")])
def test_they_train_with_any_recipe(composed, tmp_path, model, loss, way):
    asked = [f"model={model}", *NARROW, *STYLE[model], f"loss={loss}", f"conditional={way}", "iterations=4"]
    folder = train_in(tmp_path / "run", composed(*asked))
    assert all(weight.isfinite().all() for weight in checkpoint(folder)["state_dict"].values())


def test_stylegan2_goes_on_bit_for_bit(composed, tmp_path):
    """Its mean path length, fixed noise and random numbers are saved."""
    overrides = ["model=stylegan2", *NARROW, *STYLE["stylegan2"], *OFTEN, "loss=stylegan2", "conditional=projection"]
    calm, _ = same(composed, tmp_path, overrides, 10)
    assert checkpoint(calm)["state_dict"]["states.path_length_.value"] > 0
    (calm.path / ".hydra").mkdir()
    OmegaConf.save(composed(*overrides), calm.path / ".hydra" / "config.yaml")
    plain, whole, mean = (sample(calm, 20, truncation=psi).values for psi in (1.0, 1, 0.0))
    assert torch.equal(plain, whole)
    assert torch.equal(mean[:10], mean[10:])  # the mean style of each of ten classes
    assert not torch.equal(mean[:10], plain[:10])
    assert len(mean.unique(dim=0)) == 10


def warned(composed, caplog, *overrides):
    with caplog.at_level("WARNING"):
        build_module(resolved_of(composed, *overrides), (1, 16, 16))
    return [record.getMessage() for record in caplog.records]


def test_a_training_too_short_to_grow_up_is_warned_of(composed, caplog):
    (sentence,) = warned(composed, caplog, *GROWING, "iterations=80", "algorithm.stable=0.24")
    assert "iterations=80: training ends with pictures of 16 pixels, 90 % faded in, before they have grown" in sentence
    caplog.clear()
    assert warned(composed, caplog, *GROWING, "iterations=80", "algorithm.stable=0.235") == []


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["algorithm.growth=-1"], r"^algorithm\.growth=-1.*: expected null or a number of at least 0"),
        (["algorithm.stable=soon"], r"^algorithm\.stable=soon: expected null or a number of at least 0"),
        (["algorithm.fade=-0.5"], r"^algorithm\.fade=-0\.5: expected null or a number of at least 0"),
        (["algorithm=gan"], r"model\.generator: ProgressiveGenerator grows, and GAN does not .* algorithm=progressive"),
        (
            [
                "model.discriminator._target_=gan_lab.models.DCGANDiscriminator",
                *(f"~model.discriminator.{key}" for key in ("capacity", "group")),
            ],
            r"model\.discriminator: DCGANDiscriminator does not grow; expected that of model=progressive",
        ),
    ],
)
def test_wrong_inputs(composed, overrides, message):
    with pytest.raises(ConfigError, match=message):
        build_module(resolved_of(composed, *GROWING, *overrides), (1, 16, 16))


def test_other_networks_do_not_grow(composed):
    with pytest.raises(ConfigError, match=r"model\.generator: DCGANGenerator does not grow"):
        build_module(resolved_of(composed, "algorithm=progressive"), (1, 16, 16))
    assert Progressive.grows
