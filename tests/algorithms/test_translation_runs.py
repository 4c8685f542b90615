"""Runs of pix2pix, CycleGAN and VAE/GAN: what is updated, drawn, counted, saved and looked at."""

from functools import cache
from itertools import product

import pytest
import torch
from configurations import composed_of
from training_runs import checkpoint, killed, train_in, weights_of

from gan_lab.algorithms.cyclegan import CycleGAN
from gan_lab.algorithms.gan import GAN
from gan_lab.algorithms.pix2pix import Pix2Pix
from gan_lab.algorithms.vae_gan import VAEGAN
from gan_lab.config.checks import resolved
from gan_lab.datasets import Batch, Draw
from gan_lab.training import result
from gan_lab.training.build import build_module
from gan_lab.training.result import hyperparameters

SMALL = [
    "batch_size=4",
    "evaluation/extractor=pixels",
    "evaluation.samples=20",
    "evaluation.kid_subset_size=10",
    "evaluation.kid_subsets=2",
    "evaluation.metrics=[fd]",
    "pictures.samples=4",
    "trainer=cpu",
    "dataset.max_samples=60",
    "latent_dim=5",
    "model.generator.channels=2",
    "model.discriminator.channels=2",
]
MODELS = {
    "pix2pix": ["dataset=digits_edges", "model=unet"],
    "cyclegan": ["dataset=digits_edges", "model=cyclegan", "model.generator.blocks=1", "algorithm.history=5"],
    "vae_gan": ["dataset=digits", "model=vae_gan", "model.encoder.channels=2"],
}


def run(folder, algorithm, *overrides, resume=False):
    return train_in(folder, composed_of(*MODELS[algorithm], *SMALL, *overrides), resume)


def same_weights(one, two) -> bool:
    first, second = weights_of(one), weights_of(two)
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


class Seen:
    """What the updates of runs inside are given, in order."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.real, self.latents = [], []
        draw = GAN.draw_latents
        for kind in (GAN, Pix2Pix, VAEGAN, CycleGAN):
            for method in ("update_discriminator", "update_generator"):
                if method in vars(kind) and (kind is not GAN or method == "update_discriminator"):
                    patch.setattr(kind, method, self.noting(getattr(kind, method)))
        patch.setattr(GAN, "draw_latents", lambda *given: self.noted(draw(*given)))

    def noting(self, update):
        def noted(game, batch):
            self.real += [tensor.clone() for tensor in batch.tensors()]
            return update(game, batch)

        return noted

    def noted(self, latents):
        self.latents.append(latents)
        return latents

    def equals(self, other) -> bool:
        return all(
            len(one) == len(two) > 0 and all(map(torch.equal, one, two))
            for one, two in ((self.real, other.real), (self.latents, other.latents))
        )


def seen_by(folder, algorithm, *overrides):
    with pytest.MonkeyPatch.context() as patch:
        seen = Seen(patch)
        run(folder, algorithm, *overrides)
    return seen


@pytest.mark.parametrize("algorithm", MODELS)
def test_runs_that_differ_in_loss_alone_share_weights_batches_sources_and_latents(tmp_path, algorithm):
    """And in how often a term is due; another seed shares none."""
    term = {"pix2pix": "l1", "cyclegan": "cycle", "vae_gan": "mse"}[algorithm]
    other_loss = ["loss=rsgan", f"loss.terms.{term}.every=2"]
    assert initial(algorithm).keys() == initial(algorithm, *other_loss).keys()
    assert all(torch.equal(value, initial(algorithm, *other_loss)[key]) for key, value in initial(algorithm).items())
    one = seen_by(tmp_path / "one", algorithm, "iterations=3", "loss=lsgan")
    assert one.equals(seen_by(tmp_path / "two", algorithm, "iterations=3", *other_loss))
    assert not one.equals(seen_by(tmp_path / "three", algorithm, "iterations=3", "loss=lsgan", "seed=1"))


@cache
def initial(algorithm, *overrides):
    return dict(build(algorithm, *overrides).named_parameters())


def test_cyclegan_ignores_pairs_and_pix2pix_keeps_them(tmp_path):
    """Edges lie where their digit has some: a pair's sum of products is higher than that of others."""
    from gan_lab.datasets.digits_edges import digits_edges

    data = digits_edges()
    pairs = {tuple(s.flatten().tolist()): t for s, t in zip(data.source.train, data.train, strict=True)}
    for algorithm, kept in (("pix2pix", True), ("cyclegan", False)):
        seen = seen_by(tmp_path / algorithm, algorithm, "iterations=3")
        found = []
        for samples, labels, source in zip(seen.real[::3], seen.real[1::3], seen.real[2::3], strict=True):
            assert len(samples) == len(labels) == len(source) == 4
            pixels = ((source + 1) / 2 * 255).round().to(torch.uint8)
            targets = [pairs[tuple(one.flatten().tolist())] for one in pixels]
            found += [
                torch.allclose(sample, target / 127.5 - 1, atol=1e-5)
                for sample, target in zip(samples, targets, strict=True)
            ]
        assert all(found) if kept else sum(found) < len(found) / 2


@pytest.mark.parametrize("algorithm", MODELS)
def test_all_players_make_their_updates(algorithm):
    """Counted at the optimizers; no run is needed."""
    module = build(algorithm, "n_critic=2", "n_generator=3")
    assert module.players.keys() == set(type(module).roles)
    assert module.turns == {name: 2 if name == "discriminator" else 3 for name in module.players}
    steps = dict.fromkeys(module.players, 0)
    for name, player in module.players.items():
        player.optimizer.register_step_post_hook(lambda *_, name=name: steps.update({name: steps[name] + 1}))
    for n_critic, n_generator in product([1, 2, 3], [1, 2, 3]):
        module.turns = {name: n_critic if name == "discriminator" else n_generator for name in module.players}
        before, counted = dict(steps), module.updates
        module.iterate(Draw(drawn(algorithm, n_critic), drawn(algorithm, n_generator)))
        assert {name: count - before[name] for name, count in steps.items()} == module.turns
        assert {name: count - counted[name] for name, count in module.updates.items()} == module.turns


def drawn(algorithm, updates):
    """Noise for so many updates of batches of two."""
    sources = None if algorithm == "vae_gan" else torch.randn(2 * updates, 1, 8, 8)
    return Batch(torch.randn(2 * updates, 1, 8, 8), None, sources)


@pytest.mark.parametrize(
    ("algorithm", "loss", "looked"),
    [
        ("pix2pix", ["loss=lsgan"], 2 + 3),  # l1 compares with real samples
        ("pix2pix", ["loss=lsgan", "term=none"], 2),
        ("pix2pix", ["loss=rsgan", "term=none"], 2 + 3),
        ("vae_gan", ["loss=lsgan"], 2 + 3),  # the encoder looks at those of the generator
        ("cyclegan", ["loss=lsgan"], 2 * (2 + 3)),  # of both sides
    ],
)
def test_the_budget_says_how_many_real_images_were_looked_at(tmp_path, algorithm, loss, looked):
    folder = run(tmp_path / "run", algorithm, *loss, "n_critic=2", "n_generator=3", "iterations=2")
    budget = folder.result()["budget"]
    assert budget["real_images"] == 2 * 4 * looked
    assert (budget["discriminator_updates"], budget["generator_updates"]) == (4, 6)


OFTEN = ["iterations=7", "checkpoint.every=2", "evaluation.every=4", "pictures.every=3", "log_every=2", "loss=wgan_gp"]


@pytest.mark.parametrize("algorithm", MODELS)
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path, algorithm):
    """Weights, curves and everything else that a checkpoint holds: histories, the encoder and its optimizer."""
    whole = run(tmp_path / "whole", algorithm, *OFTEN, "n_critic=2")
    kind = type(build(algorithm))
    with killed_of(kind, 5):
        run(tmp_path / "part", algorithm, *OFTEN, "n_critic=2")
    part = run(tmp_path / "part", algorithm, *OFTEN, "n_critic=2", resume=True)
    assert same_weights(whole, part)
    assert part.metrics_file.read_bytes() == whole.metrics_file.read_bytes()
    one, two = checkpoint(whole), checkpoint(part)
    assert one["updates"] == two["updates"]
    assert torch.equal(one["noise"][1], two["noise"][1])
    for first, second in zip(one["optimizer_states"], two["optimizer_states"], strict=True):
        for number, state in first["state"].items():
            assert all(torch.equal(value, second["state"][number][name]) for name, value in state.items())
    assert len(one["optimizer_states"]) == len(kind.roles)
    if algorithm == "cyclegan":
        assert one["state_dict"]["histories.source.count"] == 5
        assert one["state_dict"]["histories.source.kept"].abs().sum() > 0
    assert part.result()["metrics"] == whole.result()["metrics"]


def build(algorithm, *overrides):
    source = None if algorithm == "vae_gan" else (1, 8, 8)
    config = resolved(composed_of(*MODELS[algorithm], *SMALL, *overrides))
    return build_module(config, (1, 8, 8), source_shape=source)


def killed_of(kind, at):
    """As `killed`, of an algorithm that may have an update of its own."""
    own = next(one for one in kind.__mro__ if "update_generator" in vars(one))
    return killed(at, kind=own)


@pytest.mark.parametrize("algorithm", MODELS)
def test_looking_does_not_shift_training(tmp_path, algorithm):
    seldom = run(tmp_path / "seldom", algorithm, "iterations=4")
    often = run(tmp_path / "often", algorithm, "iterations=4", "evaluation.every=1", "pictures.every=1", "log_every=1")
    assert same_weights(seldom, often)


@pytest.mark.parametrize(("algorithm", "precision"), list(product(MODELS, ["bf16-mixed", "64-true"])))
def test_other_precisions_train(tmp_path, algorithm, precision):
    folder = run(tmp_path / "run", algorithm, "iterations=3", f"trainer.precision={precision}", "log_every=1")
    curves, weights = folder.curves(), weights_of(folder)
    floats = [value for value in weights.values() if value.is_floating_point()]
    assert all(value.isfinite().all() for value in floats)
    assert {value.dtype for value in floats} == {torch.float64 if precision == "64-true" else torch.float32}
    reference = run(tmp_path / "plain", algorithm, "iterations=1", "log_every=1").curves()
    for name in ("loss/discriminator", "loss/generator"):
        assert curves[name][1] == pytest.approx(reference[name][1], rel=0.05)


def test_clipping_limits_the_encoders_step_alone(tmp_path):
    """With SGD at rate 1 a step is as long as the gradient."""
    config = composed_of(*MODELS["vae_gan"], *SMALL, "iterations=1", "clip_grad.encoder=1e-3", "algorithm.sigma=0.3")
    for player in ("generator", "discriminator", "encoder"):
        config.optimizer[player] = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 1.0}
    module = build_module(config, (1, 8, 8))
    end = weights_of(train_in(tmp_path / "run", config))
    moved = dict.fromkeys(("generator", "discriminator", "encoder"), 0.0)
    for name, weight in module.named_parameters():
        moved[name.partition(".")[0]] += (end[name] - weight).square().sum().item()
    lengths = {name: square**0.5 for name, square in moved.items()}
    assert lengths["encoder"] == pytest.approx(1e-3, rel=1e-2)
    assert min(lengths["generator"], lengths["discriminator"]) > 1e-2


def test_a_lazy_term_is_a_point_of_every_nth_update(tmp_path):
    for algorithm, term in (("pix2pix", "l1"), ("cyclegan", "cycle"), ("vae_gan", "kl")):
        overrides = ["iterations=5", "log_every=1", f"loss.terms.{term}.every=3"]
        curves = run(tmp_path / algorithm, algorithm, *overrides).curves()
        assert list(curves[f"loss/{term}"]) == [1, 4]
        assert list(curves["loss/generator"]) == [1, 2, 3, 4, 5]


def test_the_record_of_a_run_with_an_encoder(tmp_path, monkeypatch):
    """Curves, verdict, skipped updates and hyperparameters; the encoder learns as the generator unless it is told."""
    noted = []
    monkeypatch.setattr(result, "hyperparameters", lambda request: noted.append(hyperparameters(request)) or noted[-1])
    folder = run(tmp_path / "run", "vae_gan", "optimizer=adam", "iterations=2", "optimizer.generator.lr=3e-4")
    record, curves = folder.result(), folder.curves()
    assert {"loss/encoder", "loss/kl", "loss/mse", "weight_norm/encoder", "grad_norm/encoder"} <= curves.keys()
    assert record["skipped_updates"] == {"generator": 0, "discriminator": 0, "encoder": 0}
    assert record["verdict"].keys() == {"verdict", "rule"}
    (flat,) = noted
    assert (flat["lr_generator"], flat["lr_discriminator"], flat["lr_encoder"]) == (3e-4, 2e-4, 3e-4)


@pytest.mark.parametrize(
    ("overrides", "kind", "rate"),
    [
        (["optimizer=adam", "optimizer.generator.lr=3e-4"], "Adam", 3e-4),
        (["optimizer=adam", "optimizer.encoder.lr=1e-5", "optimizer.generator.lr=3e-4"], "Adam", 1e-5),
        (["optimizer=rmsprop_r1"], "RMSprop", 1e-4),
        (["optimizer.encoder={_target_:torch.optim.SGD,_partial_:true,lr:0.5}"], "SGD", 0.5),
    ],
)
def test_the_encoders_optimizer_is_the_generators_but_for_what_is_given(overrides, kind, rate):
    player = build("vae_gan", *overrides).players["encoder"]
    assert (type(player.optimizer).__name__, player.optimizer.param_groups[0]["lr"]) == (kind, rate)
    betas = {"Adam": (0.5, 0.999)}.get(kind)
    assert player.optimizer.defaults.get("betas") == betas


def test_an_encoder_may_begin_with_weights_of_another_run(tmp_path):
    first = run(tmp_path / "first", "vae_gan", "iterations=2")
    config = composed_of(
        *MODELS["vae_gan"], *SMALL, "iterations=1", "seed=1", f"init_from={first.path}", "init_players=[encoder]"
    )
    for player in ("generator", "discriminator", "encoder"):
        config.optimizer[player] = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 1e-12}
    second = train_in(tmp_path / "second", config)
    one, two = weights_of(first), weights_of(second)
    assert torch.allclose(one["encoder.mean.weight"], two["encoder.mean.weight"], atol=1e-6)
    assert not torch.allclose(one["generator.0.weight"], two["generator.0.weight"], atol=1e-2)
    assert second.result()["init_from"]["players"] == ["encoder"]


def test_a_generator_that_translates_nothing_is_measured_and_drawn_as_one(tmp_path):
    """On pairs it sees the targets alone: none of its samples has a target of its own."""
    folder = train_in(tmp_path / "run", composed_of("dataset=digits_edges", "model=dcgan", *SMALL, "iterations=1"))
    assert folder.result()["metrics"].keys() == {"fd_pixels"}
