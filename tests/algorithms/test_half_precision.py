"""Half precision is the networks' alone: losses, penalties, terms and gradients are those of float32."""

import pytest
import torch
from training_runs import SMALL, train_in, weights_of

from gan_lab.algorithms.player import Player
from gan_lab.datasets.batch import Condition
from gan_lab.losses import Objective, Term
from gan_lab.training.build import build_module


class Nothing(Objective):
    """A loss without a gradient: what moves the discriminator is the penalty alone."""

    def discriminator(self, real, fake):
        return 0 * (real.sum() + fake.sum())

    generator = discriminator


class Product(Objective):
    """A loss with a product of matrices, which half precision would round."""

    def discriminator(self, real, fake):
        return (real[:, None] @ fake[None]).sum() / len(real) ** 2

    def generator(self, real, fake):
        return fake.mean()


def gradients_of_d(composed, path, monkeypatch, precision, loss, objective=None):
    """Those of the first discriminator update."""
    found = []
    monkeypatch.setattr(
        torch.optim.SGD,
        "step",
        lambda self, *_: found.append([weight.grad.clone() for weight in self.param_groups[0]["params"]]),
    )
    overrides = [
        f"loss={loss}",
        f"trainer.precision={precision}",
        "iterations=1",
        "allowed_targets=[test_half_precision]",
    ]
    config = composed(*SMALL, *overrides)
    if objective is not None:
        config.loss.objective = {"_target_": f"test_half_precision.{objective}"}
    for player in ("generator", "discriminator"):
        config.optimizer[player] = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.1}
    train_in(path, config)
    return found[0]


def test_a_penaltys_gradients_in_half_precision_are_those_of_float32(composed, tmp_path, monkeypatch):
    """R1 looks at real samples alone, and so at the same ones; its second derivatives are in float32 too."""
    half, full = (
        gradients_of_d(composed, tmp_path / name, monkeypatch, name, "nsgan_r1", "Nothing")
        for name in ("bf16-mixed", "32-true")
    )
    assert all(torch.equal(one, other) for one, other in zip(half[:-1], full[:-1], strict=True))
    assert all(gradient.abs().max() > 0 for gradient in full[:-1:2])


def test_losses_are_not_computed_in_half_precision(composed, tmp_path, monkeypatch):
    """Nor are gradients taken in it, whatever the loss holds."""
    seen = []
    for name in ("discriminator", "generator"):
        original = getattr(Product, name)

        def noted(self, real, fake, original=original):
            if not fake.is_leaf:  # the objective is tried before training, with logits of no network
                seen.append((torch.is_autocast_enabled("cpu"), real is None or real.dtype, fake.dtype))
            return original(self, real, fake)

        monkeypatch.setattr(Product, name, noted)
    gradients_of_d(composed, tmp_path / "run", monkeypatch, "bf16-mixed", "lsgan", "Product")
    assert len(seen) == 2
    assert all(one == (False, one[1], torch.float32) for one in seen)


@pytest.mark.parametrize("words", [[], ["micro_batch=2"], ["joint_batch=false"]])
def test_what_does_not_change_is_consistent_in_half_precision(composed, tmp_path, words):
    """Logits of transformed samples are rounded as those they are compared with: a T that does nothing costs 0."""
    config = composed(*SMALL, "trainer.precision=bf16-mixed", "iterations=3", "log_every=1", "penalty=[bcr]", *words)
    config.loss.penalties.bcr.transform = {"_target_": "gan_lab.augmentations.Augmentation"}
    rows = train_in(tmp_path / "run", config).metrics_file.read_text().splitlines()
    (value,) = [row.split(",")[2] for row in rows if row.startswith("3,loss/bcr,")]
    assert float(value) == 0


class Judged(Term):
    """A term that asks the discriminator, and computes with the samples."""

    def __call__(self, step):
        assert step.fake.dtype == step.judge.fake.dtype == torch.float32
        return -step.judge(step.fake).mean() + (step.fake.flatten(1) @ step.fake.flatten(1).T).mean()


def test_terms_are_given_samples_in_full_precision(composed, tmp_path):
    config = composed(*SMALL, "trainer.precision=bf16-mixed", "iterations=2", "allowed_targets=[test_half_precision]")
    config.loss.terms = {"judged": {"_target_": "test_half_precision.Judged"}}
    train_in(tmp_path / "run", config)


def test_half_precision_trains_the_weights_as_they_are_now(composed, tmp_path):
    """Not copies that autocast has kept from before an update, or from where no gradients were asked for."""
    config = composed(*SMALL, "loss=lsgan", "trainer.precision=bf16-mixed", "iterations=4", "n_critic=2")
    start = build_module(config, (1, 8, 8)).state_dict()
    half = weights_of(train_in(tmp_path / "half", config))
    config.trainer.precision = "32-true"
    full = weights_of(train_in(tmp_path / "full", config))
    for player in ("generator", "discriminator"):
        keys = [key for key in start if key.startswith(player)]
        apart, way = (sum((full[key] - other[key]).square().sum() for key in keys).sqrt() for other in (half, start))
        assert apart < 0.35 * way, player


def test_a_call_in_half_precision_is_of_the_weights_after_the_last_step():
    """Lightning's autocast spans all updates of an iteration, and keeps its copies of the weights as long."""
    torch.manual_seed(0)
    network, samples = torch.nn.Linear(8, 1), torch.randn(16, 8)
    player = Player("discriminator", network, torch.optim.SGD(network.parameters(), 1.0))
    player.half = torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16), torch.autocast("cpu", enabled=False):
        with torch.no_grad():
            player(samples, Condition())
        player.descend(player(samples, Condition()).float().mean(), {})
        found = player(samples, Condition())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(found, network(samples))
