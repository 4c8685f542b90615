"""A run that is stopped and goes on is, bit for bit, the run that nobody stopped (clocks aside)."""

import random
import re

import numpy as np
import pytest
import torch
from configurations import options
from training_runs import OFTEN, SMALL, Killed, differences, killed, train_in

from gan_lab.algorithms.gan import GAN
from gan_lab.callbacks.trackers import Trackers
from gan_lab.metrics.extractors import Extractor
from gan_lab.runs.folder import RunFolder

DCGAN = [
    "model=dcgan",
    "model.generator.channels=4",
    "model.discriminator.channels=4",
    *(word for word in SMALL if not word.startswith("model")),
]


def shift_every_generator():
    """What else a process may have drawn by the time it goes on."""
    torch.manual_seed(random.randrange(2**31))
    np.random.seed(random.randrange(2**31))
    random.seed(random.randrange(2**31))


def stopped_and_resumed(path, config, *iterations):
    for number, at in enumerate(iterations):
        shift_every_generator()
        with killed(at):
            train_in(path, config, resume=number > 0)
    shift_every_generator()
    return train_in(path, config, resume=True)


def same(composed, tmp_path, overrides, *iterations):
    config = composed(*overrides)
    calm = train_in(tmp_path / "calm", config)
    broken = stopped_and_resumed(tmp_path / "broken", config, *iterations)
    assert differences(calm.path, broken.path) == []
    return calm, broken


PIXELS = ["evaluation/extractor=pixels", "evaluation.metrics=[prdc]"]
FEW = ["iterations=6", "log_every=2", "checkpoint.every=2", "evaluation.every=3", "pictures.every=4"]


@pytest.mark.parametrize("loss", options("loss"))
def test_every_recipe(composed, tmp_path, loss):
    same(composed, tmp_path, [*SMALL, *PIXELS, *FEW, f"loss={loss}"], 5)


@pytest.mark.parametrize(
    "overrides",
    [
        [*DCGAN, "loss=non_saturating", "model.discriminator.norm=batch"],
        [*DCGAN, "loss=sngan", "ema_decay=0.9"],
        [*DCGAN, "loss=ragan_attention"],
        [*SMALL, "model.generator.norm=batch", "ema_decay=0.9", "n_generator=2", "n_critic=2", "loss=ralsgan"],
        [*SMALL, "penalty=[r1,dragan]", "loss.penalties.r1.every=4", "loss.penalties.dragan.every=3"],
        [*SMALL, "lr_schedule=cosine", "lr_warmup=8", "clip_grad.generator=0.1", "latent_prior=uniform"],
        [*SMALL, "dataset=ring8", "model=mlp", "optimizer=rmsprop"],
        [*SMALL, "trainer.precision=bf16-mixed", "lr_schedule=linear"],
        [*SMALL, "trainer.precision=64-true", "on_divergence=skip_update"],
        [*SMALL, "loss=rasgan_gp", "micro_batch=2"],
    ],
    ids=lambda overrides: "-".join(overrides[-2:]),
)
def test_every_part_that_has_a_state(composed, tmp_path, overrides):
    same(composed, tmp_path, [*overrides, *OFTEN], 7)


SHORT = [word for word in SMALL if not word.startswith("model")]
NARROW = ["model.generator.channels=4", "model.discriminator.channels=4"]
NARROWEST = ["model.generator.channels=1", "model.discriminator.channels=1"]
WIDTHS = ["model.generator.widths=[8,8]", "model.discriminator.widths=[8,8]"]


@pytest.mark.parametrize(
    "overrides",
    [
        ["model=dcgan", *NARROW, "conditional=per_class", "generator_batch_factor=2", "loss=hinge"],
        ["model=sngan_cnn", *NARROW, "conditional=projection", "loss=sngan", "dataset.flip=true", "ema.half_life=0.1"],
        ["model=sngan_resnet", *NARROWEST, "conditional=projection", "constraint=spectral_norm"],
        ["model=biggan", *NARROWEST, "loss=sngan", "n_critic=1", "term=orthogonal"],
        ["model=mescheder_resnet", *NARROW, "conditional=per_class", "penalty=r1"],
        ["experiment=r3gan_digits", "model=r3gan", *WIDTHS, "lr_iterations=5", "ema.half_life=0.1", "ema.rise=0.05"],
        ["dataset=ring8", "model=pacgan_mlp", "model.packing=2", "model.generator.hidden=[8]"],
        ["model=pacgan_dcgan", *NARROW, "model.packing=2", "dataset.dequantise=true", "dataset.subset=0.5"],
    ],
    ids=lambda overrides: "-".join(word for word in overrides if word.startswith("model=")),
)
def test_every_kind_of_network(composed, tmp_path, overrides):
    if {"model=sngan_resnet", "model=biggan"} & set(overrides):  # which draw 32 pixels at least
        draw = np.random.default_rng(0)
        images = draw.integers(0, 256, (120, 32, 32), dtype=np.uint8)
        np.savez(tmp_path / "data.npz", images=images, labels=np.arange(120) % 3)
        overrides = ["dataset=npz", f"dataset.path={tmp_path / 'data.npz'}", *overrides]
    metrics = [] if "dataset=ring8" in overrides else PIXELS
    same(composed, tmp_path, [*SHORT, "batch_size=4", "evaluation.samples=50", *overrides, *metrics, *FEW], 5)


def test_generators_that_gan_lab_does_not_use_itself(composed, tmp_path, monkeypatch):
    """A user's own loss may draw from them; where they stand is in the checkpoints compared."""
    original = GAN.draw_latents

    def drawing(self, count):
        np.random.random()
        random.random()
        return original(self, count)

    monkeypatch.setattr(GAN, "draw_latents", drawing)
    same(composed, tmp_path, [*SMALL, *OFTEN], 4)


def test_wherever_it_is_killed(composed, tmp_path):
    """Before the first checkpoint, on both sides of a checkpoint, of an evaluation and of the end of an epoch."""
    overrides = [*SMALL, *OFTEN, "iterations=30", "batch_size=64", "dataset.max_samples=700", "penalty=dragan"]
    overrides += ["evaluation/extractor=pixels"]  # a classifier would have to be trained
    same(composed, tmp_path, overrides, 0, 2, 3, 5, 10, 10, 11, 22, 29)


def test_a_run_killed_after_its_last_iteration_is_completed(composed, calm, tmp_path, monkeypatch):
    from gan_lab.training import run as training

    config = composed(*SMALL, *OFTEN)
    with monkeypatch.context() as patch:
        patch.setattr(training, "write_json", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            train_in(tmp_path / "run", config)
    begun = []
    monkeypatch.setattr(Trackers, "open", lambda self, parameters: begun.append(parameters))
    run = train_in(tmp_path / "run", config, resume=True)
    assert len(begun) == 1  # the final values reach the trackers, too
    assert differences(calm.path, run.path) == []
    assert run.status()["state"] == "done"


def test_curves_do_not_depend_on_what_else_happens(composed, tmp_path):
    """Checkpoints, evaluations and pictures between two points do not move the points."""
    rows = []
    for name, every in (("seldom", 100), ("often", 1)):
        extra = [f"{key}.every={every}" for key in ("checkpoint", "pictures", "evaluation")]
        folder = train_in(tmp_path / name, composed(*SMALL, "iterations=10", "log_every=4", *extra))
        lines = folder.metrics_file.read_text().splitlines()
        rows.append([line for line in lines if ",metric/" not in line and ",signal/" not in line])
    assert rows[0] == rows[1]
    assert {line.split(",")[0] for line in rows[0][1:]} == {"0", "4", "8", "10"}


def test_counts_and_times_add_up(composed, tmp_path, monkeypatch):
    from gan_lab.callbacks import clock

    now = [0.0]
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now[0])
    original = GAN.training_step

    def second(self, dataloader_iter):
        now[0] += 1
        return original(self, dataloader_iter)

    monkeypatch.setattr(GAN, "training_step", second)
    _, run = same(composed, tmp_path, [*SMALL, *OFTEN, "n_critic=2"], 4, 10)
    assert run.result()["budget"] == {
        "iterations": 11,
        "discriminator_updates": 22,
        "generator_updates": 11,
        "real_images": 176,
        "train_seconds": 11.0,  # those that were done twice count once
    }
    times = [line.split(",") for line in run.times_file.read_text().splitlines()[1:]]
    assert [(int(i), float(value)) for i, name, value in times if name == "time/train_seconds"] == [
        (4, 4.0), (8, 8.0), (11, 11.0),
    ]  # fmt: skip
    assert {float(value) for _, name, value in times if name == "time/iterations_per_second"} == {1.0}


def test_what_was_written_after_the_checkpoint_is_taken_back(tmp_path):
    folder = RunFolder(tmp_path)
    for name in ("samples", "checkpoints"):
        (tmp_path / name).mkdir()
    before, after = "iteration,name,value\n0,a,1.0\n6,a,2.0\n6,b,2.0\n", "7,a,3.0\n10,a,4.0\n1"
    folder.metrics_file.write_text(before + after)
    folder.times_file.write_text(before)
    names = ["samples/iteration_0000006.png", "samples/final.png", "checkpoints/iteration_0000006.ckpt"]
    later = ["samples/iteration_0000007.png", "checkpoints/iteration_0000009.ckpt"]
    half = [".status.json.x.half", "checkpoints/.iteration_0000009.ckpt.x.half"]
    for name in [*names, *later, *half]:
        (tmp_path / name).write_text("x")
    folder.cut_back(6)
    assert folder.metrics_file.read_text() == folder.times_file.read_text() == before
    assert {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.*") if file.is_file()} == {
        *names, "checkpoints/iteration_0000009.broken", "metrics.csv", "times.csv",
    }  # fmt: skip
    folder.cut_back(-1)
    assert folder.metrics_file.read_text() == "iteration,name,value\n"


def test_status_keeps_when_the_run_started(composed, tmp_path):
    config = composed(*SMALL, *OFTEN)
    with killed(5):
        train_in(tmp_path / "run", config)
    folder = RunFolder(tmp_path / "run")
    folder.update_status(started="2020-01-01T00:00:00+00:00")
    assert folder.status()["state"] == "interrupted"
    with killed(8):
        train_in(tmp_path / "run", config, resume=True)
    assert (folder.status()["started"], folder.status()["iteration"]) == ("2020-01-01T00:00:00+00:00", 6)


def test_another_measure_is_warned_of(composed, tmp_path, monkeypatch, caplog):
    """Another version of PyTorch would have trained another classifier."""
    config = composed(*SMALL, *OFTEN)
    with killed(6):
        train_in(tmp_path / "run", config)
    assert caplog.messages == []
    original = Extractor.fingerprint
    monkeypatch.setattr(Extractor, "fingerprint", lambda self: original(self) | {"weights": "others"})
    train_in(tmp_path / "run", config, resume=True)
    (message,) = caplog.messages
    assert re.fullmatch(r".*warning: evaluation: weights was \S+ and is others: the metrics so far .*", message)
