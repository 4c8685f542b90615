"""What needs a CUDA GPU: ``pytest -m gpu`` on a machine with one."""

from contextlib import contextmanager

import pytest
import torch
from training_runs import SMALL, train_in, weights_of

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.callbacks import AfterIterations

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU here"),
]

GPU = [word for word in SMALL if word != "trainer=cpu"]
GPU += ["trainer=gpu", "iterations=40", "log_every=10", "evaluation/extractor=pixels"]


def narrow(channels: int) -> list[str]:
    return [f"model.{role}.channels={channels}" for role in ("generator", "discriminator")]


RECIPES = ["non_saturating", "rasgan", "wgan_gp", "sngan", "r3gan", "wgan"]
PICTURES = [word for word in GPU if not word.startswith("model")]
GAMES = {
    **{loss: [*GPU, f"loss={loss}", "ema_decay=0.9", "clip_grad.generator=1"] for loss in RECIPES},
    "flips and noise": [
        *GPU,
        "loss=non_saturating",
        "dataset.flip=true",
        "dataset.dequantise=true",
        "dataset.subset=0.5",
    ],
    "diffaugment": [*PICTURES, "model=dcgan", *narrow(4), "loss=non_saturating", "augmentation=diffaugment"],
    "labels": [*PICTURES, "model=sngan_cnn", *narrow(4), "conditional=projection", "loss=sngan"],
    "stylegan2": [*PICTURES, "model=stylegan2", *narrow(8), "loss=stylegan2"],
    "progressive": [*PICTURES, "model=progressive", *narrow(8), "loss=non_saturating"],
    "vae_gan": [*PICTURES, "model=vae_gan", "loss=non_saturating"],
    "pix2pix": [*PICTURES, "dataset=digits_edges", "model=unet"],
    "cyclegan": [*PICTURES, "dataset=digits_edges", "model=cyclegan"],
}


@pytest.mark.parametrize("game", GAMES)
def test_nothing_waits_for_the_device_between_points(composed, tmp_path, monkeypatch, game):
    """CUDA's own sync detector is armed around every step, from the loader to the schedules, and what comes after."""

    @contextmanager
    def armed(iteration):
        if iteration > 3:  # libraries set themselves up
            torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")

    step, after = Algorithm.training_step, AfterIterations.on_train_batch_end

    def training_step(self, dataloader_iter):
        with armed(self.trainer.global_step + 1):
            return step(self, dataloader_iter)

    def on_train_batch_end(self, trainer, *others):
        with armed(0 if trainer.global_step % 10 == 0 else trainer.global_step):
            after(self, trainer, *others)

    monkeypatch.setattr(Algorithm, "training_step", training_step)
    monkeypatch.setattr(AfterIterations, "on_train_batch_end", on_train_batch_end)
    train_in(tmp_path / "run", composed(*GAMES[game]))


@pytest.mark.parametrize("mode", ["cudagraph", "iteration", "true"])
@pytest.mark.parametrize("loss", RECIPES)
def test_faster_ways_train_the_same(composed, tmp_path, loss, mode):
    """In float64: 40 iterations of the game let the rounding of float32 grow beyond a thousandth."""
    if mode == "iteration" and loss in ("wgan_gp", "r3gan") and torch.__version__ < (2, 15):
        pytest.skip("this PyTorch cannot compile gradients of gradients")
    words = [*GPU, f"loss={loss}", "lr_schedule=linear", "ema_decay=0.9", "trainer.precision=64-true"]
    slow = train_in(tmp_path / "slow", composed(*words))
    fast = train_in(tmp_path / "fast", composed(*words, f"compile={mode}"))
    assert fast.result()["budget"]["discriminator_updates"] == slow.result()["budget"]["discriminator_updates"]
    first, second = weights_of(slow), weights_of(fast)
    for key, value in first.items():
        # the vectors of spectral norm multiply rounding: on an H100 they alone differed by more than 1e-7
        assert torch.allclose(second[key], value, rtol=1e-5, atol=1e-6), key


def test_a_recorded_iteration_goes_on_after_a_break(composed, tmp_path):
    words = [*GPU, "loss=wgan_gp", "checkpoint.every=10", "compile=cudagraph"]
    whole = train_in(tmp_path / "whole", composed(*words))
    part = train_in(tmp_path / "part", composed(*words, "iterations=20"))
    train_in(part.path, composed(*words), resume=True)
    first, second = weights_of(whole), weights_of(part)
    for key, value in first.items():
        assert torch.allclose(second[key], value, rtol=1e-3, atol=1e-4), key


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_half_precision(composed, tmp_path, precision):
    folder = train_in(tmp_path / "run", composed(*GPU, "loss=rsgan", f"trainer.precision={precision}"))
    assert all(value.isfinite().all() for value in weights_of(folder).values())
