"""The group conditional: which networks are given labels, what refuses, what is measured and drawn."""

import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from command_runs import ended, refusal
from omegaconf import OmegaConf
from training_runs import SMALL, checkpoint, killed, train_in, unequal, weights_of

from gan_lab.cli.sample import main as sample_main
from gan_lab.cli.train import main
from gan_lab.config.hashing import hash_of
from gan_lab.datasets import Batch, Dataset, digits
from gan_lab.datasets.batch import Condition
from gan_lab.datasets.dataset import hold_out
from gan_lab.datasets.source import Source
from gan_lab.datasets.trained_classes import left_out, of_trained_classes
from gan_lab.errors import ConfigError
from gan_lab.metrics import signals
from gan_lab.metrics.frechet import Moments, frechet_distance, frechet_distance_of_few
from gan_lab.models import MLPGenerator
from gan_lab.runs.components import build_dataset, classes
from gan_lab.runs.measuring import build_evaluator, judged
from gan_lab.runs.sample import sample
from gan_lab.runs.usefulness import usefulness_of
from gan_lab.training.build import build_module
from gan_lab.training.pictures import pictured_classes
from gan_lab.training.players import averaging
from gan_lab.training.schedules import Decay

WAYS = ["concat", "projection", "auxiliary", "per_class"]
COUNTS = [130] * 10
MODELS = {
    "mlp": ["model.generator.hidden=[16]", "model.discriminator.hidden=[16]"],
    "dcgan": ["model.generator.channels=4", "model.discriminator.channels=4"],
    "sngan_cnn": ["model.generator.channels=4", "model.discriminator.channels=4"],
}
LOSSES = ["hinge", "wgan_gp", "rsgan", "sngan"]
PAIRS = [(list(MODELS)[(i + j) % 3], WAYS[i], loss) for i in range(len(WAYS)) for j, loss in enumerate(LOSSES)]


@pytest.mark.parametrize(("model", "way", "loss"), PAIRS)
def test_every_way_on_every_model_makes_an_iteration(composed, model, way, loss):
    from gan_lab.datasets import Batch, Draw

    config = composed(f"model={model}", *MODELS[model], f"conditional={way}", f"loss={loss}", "batch_size=4",
                      "latent_dim=6")  # fmt: skip
    module = build_module(config, (1, 8, 8), class_counts=[4, 4, 4])
    start = {name: weight.detach().clone() for name, weight in module.named_parameters()}
    labels = torch.arange(4 * config.n_critic) % 3
    real = Batch(torch.randn(len(labels), 1, 8, 8).clamp(-1, 1), labels)
    reals = real.samples[:4] if module.generator_uses_real else torch.empty(4, 0)
    curves = module.iterate(Draw(real, Batch(reals, labels[:4])))
    assert all(value.isfinite().all() for value in curves.values())
    both = {"loss/classification", "loss/classification_generator"}  # a penalty and a term
    assert both & set(curves) == (both if way == "auxiliary" else set())
    end = dict(module.named_parameters())
    assert [key for key in start if torch.equal(start[key], end[key]) and not key.endswith("bias")] == []


def test_without_labels_nothing_is_given_any(composed):
    plain, none = build_module(composed(*SMALL), (1, 8, 8)), build_module(composed(*SMALL), (1, 8, 8), 1, COUNTS)
    assert plain.state_dict().keys() == none.state_dict().keys()
    assert not none.players["generator"].conditions(Condition())
    before, now = composed(*SMALL), composed(*SMALL)
    del before.conditional, before.ema, before.generator_batch_factor, before.model.packing
    assert hash_of(OmegaConf.to_container(before)) == hash_of(OmegaConf.to_container(now))


@pytest.mark.parametrize("way", ["concat", "auxiliary"])
def test_a_run_with_labels_is_measured_drawn_sampled_and_resumed(composed, tmp_path, monkeypatch, way):
    config = composed(*SMALL, f"conditional={way}", "iterations=6", "checkpoint.every=3", "pictures.samples=20",
                      "ema_decay=0.9")  # fmt: skip
    config.evaluation.extractor.steps = 20
    folder = train_in(tmp_path / "run", config)
    result = folder.result()
    names = {"class_accuracy_classifier", "intra_fd_classifier"}
    assert names <= result["metrics"].keys()
    assert names <= result["floor"].keys()
    assert 0 <= result["metrics"]["class_accuracy_classifier"] <= 1
    assert result["floor"]["class_accuracy_classifier"] > result["metrics"]["class_accuracy_classifier"]
    assert checkpoint(folder)["class_counts"] == [len_ for len_ in checkpoint(folder)["class_counts"] if len_ > 50]
    with killed(4):
        train_in(tmp_path / "part", config)
    train_in(tmp_path / "part", config, resume=True)
    assert unequal(weights_of(folder), weights_of(type(folder)(tmp_path / "part"))) == []
    (folder.path / ".hydra").mkdir()
    OmegaConf.save(config, folder.path / ".hydra" / "config.yaml")
    turns, threes = sample(folder, 20), sample(folder, 20, labels=[3])
    assert torch.equal(turns.values[3::10], threes.values[3::10])
    assert not torch.equal(turns.values[0], threes.values[0])
    assert turns.labels.tolist() == [*range(10)] * 2
    assert threes.labels.tolist() == [3] * 20
    line = ["gan-lab-sample", "run=run", "out=x.png", "num=4"]
    assert ended(monkeypatch, tmp_path, sample_main, *line, "class=3") == 0
    said = refusal(monkeypatch, tmp_path, sample_main, *line[:-2], "out=y.png", "class=10")
    assert said == "gan-lab: class=10: expected classes from 0 to 9, such as 3 or [0,1]"


def test_the_example_of_classes_is_one_of_the_runs(monkeypatch):
    sampling = sys.modules[sample.__module__]
    monkeypatch.setattr(sampling, "load_checkpoint", lambda _: {"class_counts": [3, 0, 4]})
    said = "class=3: expected classes from 0 to 2, of which there were samples to train on, such as 2 or \\[0,2\\]"
    with pytest.raises(ConfigError, match=f"^{said}$"):
        sampling._classes(None, SimpleNamespace(last_checkpoint=None), MLPGenerator(2, (2,), [4], classes=3), [3])


def test_metrics_of_classes_against_their_definitions():
    """Two classes of points whose features are the points: distances by class, and the classifier's guesses."""
    from gan_lab.datasets import ring
    from gan_lab.metrics import Comparison, Measures, as_extractor
    from gan_lab.metrics.frechet import Moments, frechet_distance
    from gan_lab.metrics.measures import Side

    comparison = Comparison(ring(), as_extractor(torch.nn.Identity(), {}), Measures(("fd",)), torch.device("cpu"))
    real, fake = torch.randn(2, 40, 2, generator=torch.Generator().manual_seed(0))
    labels, asked = torch.arange(40) % 2, torch.arange(40) // 25  # 20 and 20; 25 and 15
    logits = torch.nn.functional.one_hot(torch.arange(40) // 20, 2).float()
    sides = Side(real, real, None, 5, labels), Side(fake, fake, logits, 5, asked)
    by_class = [
        frechet_distance(Moments.of(real[labels == one][:count]), Moments.of(fake[asked == one][:count]))
        for one, count in ((0, 20), (1, 15))
    ]
    assert list(comparison._intra_fd(*sides).values()) == pytest.approx([sum(by_class) / 2])
    assert list(comparison._class_accuracy(*sides).values()) == pytest.approx([35 / 40])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["conditional=projection", "model=infogan"],
         "model.discriminator.conditioning=projection: InfoGANDiscriminator has no such argument; expected cond"),
        (["+model.discriminator.sample_shape=[3]"],
         "model.discriminator.sample_shape=[3]: expected none, as it follows from the dataset"),
        (["conditional=auxiliary", "model.discriminator.conditioning=none"],
         "loss.penalties.classification: expected a discriminator that classifies, such as conditional=auxiliary "),
        (["model.discriminator.conditioning=auxiliary"],
         "model.discriminator: MLPDiscriminator.conditioning=auxiliary: expected none, or conditional=auxiliary"),
        (["conditional=projection", "model.packing=2"], "model.packing=2: expected 1, as model.generator takes labels"),
        (["conditional=concat", "model.generator.conditioning=batch_norm"],
         "model.generator: MLPGenerator.conditioning=batch_norm: expected concat, or MLPGenerator.norm=batch with it"),
        (["conditional=labels"], "conditional=labels: there is no such file in the group; "),
        (["evaluation.metrics=[class_accuracy]"],
         "evaluation.metrics: class_accuracy takes a generator that is given labels; expected conditional=projection "),
        (["+model.generator.classes=5"], "model.generator.classes=5: expected 10, as it follows from the dataset"),
        (["conditional=[projection,auxiliary]"],
         "conditional=[projection,auxiliary]: expected one option of the group; -m conditional=a,b sweeps several"),
        (["conditional=own"], "conditional=own: expected projection or another way, as model.discriminator"),
        (["ema_decay=0.9", "ema.half_life=3"], "ema.half_life=3.0: expected null with ema_decay=0.9"),
        (["ema.ramp=0.05"], "ema.ramp=0.05: expected null without ema.half_life, which it shortens"),
        (["ema.half_life=0"], "ema.half_life=0.0: expected a number above 0"),
        (["generator_batch_factor=0"], "generator_batch_factor=0: expected a whole number of at least 1"),
        (["generator_batch_factor=100000"], "generator_batch_factor=100000: expected a whole number of at most 1024"),
    ],
)  # fmt: skip
def test_refusals(monkeypatch, tmp_path, words, sentence):
    line = ["gan-lab", *SMALL, "trainer=debug", "evaluation.extractor.steps=20", *words]
    if "model=infogan" in words:
        line = [word for word in line if ".hidden=" not in word and word != "model=mlp"]
    assert refusal(monkeypatch, tmp_path, main, *line).startswith(f"gan-lab: {sentence}")
    assert not list(tmp_path.iterdir())


def test_a_distance_within_classes_takes_pairs(composed):
    """Of 60 classes with one held-out sample each, nothing is measured within a class, and nothing is not a number."""
    labels = torch.arange(120) % 60
    points = torch.randn(120, 3, generator=torch.Generator().manual_seed(0))
    few = Dataset(points[:60], labels[:60], points[60:], labels[60:], "few")
    words = ["conditional=concat", "evaluation/extractor=points", "evaluation.metrics=[prdc]", "evaluation.samples=60"]
    evaluator = build_evaluator(composed(*SMALL, *words), few)
    assert "intra_fd_points" not in evaluator.floor
    asked = composed(*SMALL, *words, "evaluation.metrics=[intra_fd]")
    with pytest.raises(ConfigError, match=r"^evaluation.metrics: intra_fd takes at least two held-out and two"):
        build_evaluator(asked, few)
    assert "class_diversity" not in signals(points[:60], points[60:], labels[:60], labels[60:])


def test_the_distance_of_few_features_is_that_of_their_moments():
    draw = torch.Generator().manual_seed(0)
    for count, dimensions in ((5, 30), (30, 5), (2, 3)):
        one, other = torch.randn(count, dimensions, generator=draw), 2 + torch.randn(count, dimensions, generator=draw)
        whole = frechet_distance(Moments.of(one), Moments.of(other))
        assert frechet_distance_of_few(one, other) == pytest.approx(whole, rel=1e-6)
    assert frechet_distance_of_few(one, one) == pytest.approx(0, abs=1e-9)


def test_pictures_of_many_classes_and_of_classes_without_samples(composed):
    def of(labels, samples):
        data = Dataset(torch.zeros(len(labels), 2).add(torch.arange(len(labels))[:, None]), labels, torch.eye(2),
                       torch.tensor([0, 1]), "x")  # fmt: skip
        drawn, columns = pictured_classes(composed("conditional=concat", f"pictures.samples={samples}"), data)
        return drawn.tolist(), columns

    assert of(torch.tensor([0, 5, 9]), 7) == ([0, 0, 5, 5, 9, 9], 2)  # none of classes that were never trained
    assert of(torch.arange(5), 7) == ([0, 1, 2, 3, 4], None)
    assert of(torch.arange(101), 5) == ([0, 25, 50, 75, 100], None)


def with_gaps(path):
    """An archive of 40 classes; the 60 pictures to train on have none of the last class, nor of some before it."""
    pixels = np.random.RandomState(0).randint(0, 256, (240, 8, 8)).astype(np.uint8)
    for seed in range(100):
        labels = torch.arange(240)[torch.randperm(240, generator=torch.Generator().manual_seed(seed))] % 40
        seen = labels[hold_out(0.2, 240, labels)[0][:60]].unique()
        if len(seen) < int(seen.max()) + 1 < 40:
            break
    np.savez(path, images=pixels, labels=labels.numpy())
    return [*SMALL, "dataset=npz", f"dataset.path={path}", "dataset.max_samples=60", "iterations=2",
            "evaluation.samples=40", "evaluation.kid_subset_size=null", "evaluation.every=1"]  # fmt: skip


@pytest.mark.parametrize("extractor", ["pixels", "classifier"])
def test_a_run_is_not_asked_for_classes_without_training_samples(composed, tmp_path, caplog, extractor):
    """The last class has none, and one in the middle; evaluation, curves and pictures do without them."""
    metrics = {"pixels": "fd,memorisation", "classifier": "classes,memorisation"}[extractor]
    words = [*with_gaps(tmp_path / "file.npz"), "conditional=projection", f"evaluation/extractor={extractor}",
             f"evaluation.metrics=[{metrics}]"]  # fmt: skip
    config = composed(*words, *["evaluation.extractor.steps=20"] * (extractor == "classifier"))
    data = build_dataset(config)
    assert 0 in data.class_counts
    assert len(data.class_counts) < int(data.test_labels.max()) + 1
    folder = train_in(tmp_path / "run", config)
    count = sum(label not in data.train_labels for label in data.test_labels)
    said = [one.message for one in caplog.records if "evaluation leaves out" in one.message]
    assert said == [
        f"gan-lab: warning: conditional=projection: evaluation leaves out {count} of {len(data.test)} held-out "
        "samples, as no training sample is of their classes"
    ]
    result = folder.result()
    assert result["fingerprint"]["samples"] <= len(data.test) - count
    assert result["fingerprint"]["data"] != data.checksum
    assert all(math.isfinite(value) for value in result["metrics"].values())
    (folder.path / ".hydra").mkdir()
    OmegaConf.save(config, folder.path / ".hydra" / "config.yaml")
    assert usefulness_of(folder, "auto", 2)["held_out_samples"] == len(data.test) - count


def test_a_run_without_labels_is_compared_with_all_held_out_samples(composed, tmp_path, caplog):
    config = composed(*with_gaps(tmp_path / "file.npz"), "evaluation/extractor=pixels")
    data, network = build_dataset(config), torch.nn.Linear(1, 1)
    seen = judged(config, data, network)
    assert (len(seen.test), seen.checksum) == (len(data.test), data.checksum)
    assert judged(composed(*SMALL, "conditional=concat"), digits(), network).checksum == digits().checksum
    assert not caplog.records


@pytest.mark.parametrize("paired", [True, False])
def test_sources_and_validation_samples_of_unknown_classes(paired):
    """Pairs stay whole; without pairs each side has its own classes."""
    images = torch.arange(6, dtype=torch.uint8).view(6, 1, 1, 1)
    labels = torch.tensor([0, 1, 2, 3, 1, 0])
    others = labels if paired else labels.flip(0)
    source = Source(images, images, paired, others, others, Batch(images, others))
    known = torch.tensor([0, 1, 0, 1, 0, 3])  # neither 2 nor, in test, all of 3
    data = Dataset(images, known, images, labels, "x", validation=Batch(images, labels), source=source)
    kept = of_trained_classes(data)
    of_source = [0, 1, 3, 4, 5] if paired else [0, 1, 2, 4, 5]
    for one in (Batch(kept.test, kept.test_labels), kept.validation):
        assert one.samples.flatten().tolist() == [0, 1, 3, 4, 5]
        assert one.labels.tolist() == [0, 1, 3, 1, 0]
    for one in (Batch(kept.source.test, kept.source.test_labels), kept.source.validation):
        assert one.samples.flatten().tolist() == of_source
        assert 2 not in one.labels
    assert kept.checksum != data.checksum
    told = "1 of 6 held-out samples, 1 of 6 validation samples"
    assert left_out(data, kept) == told + (not paired) * ", 1 of 6 held-out sources, 1 of 6 validation sources"
    assert (of_trained_classes(kept), left_out(kept, kept)) == (kept, "")


def test_data_without_labels_are_refused(composed):
    config = composed(*SMALL, "conditional=projection")
    with pytest.raises(ConfigError, match=r"^conditional=projection: expected none, as the dataset has no label for"):
        classes(config, None)
    for counts in ([8], [0, 0, 8]):
        with pytest.raises(
            ConfigError, match=r"^conditional=projection: expected none, as all samples are of one class"
        ):
            classes(config, counts)
    assert (classes(config, [4, 4]), classes(composed(*SMALL), [4, 4])) == (2, None)


def test_an_average_by_half_life():
    """StyleGAN2-ADA's code: 0.5 ** (batch / half-life), the half-life at most ramp × the images seen."""
    assert Decay(0.99, None, None, 64)(5) == 0.99
    assert Decay(None, 10, None, 64)(1) == pytest.approx(0.5 ** (64 / 10_000))
    assert Decay(None, 10, 0.05, 64)(100) == pytest.approx(0.5 ** (64 / (0.05 * 6400)))
    assert Decay(None, 10, 0.05, 64)(10_000) == pytest.approx(0.5 ** (64 / 10_000))


@pytest.mark.parametrize("factor", [1, 3])
def test_an_update_counts_packed_batches_for_the_half_life_whatever_the_generator_draws(composed, factor):
    """As conf/train.yaml and docs/networks.md say: batch_size · model.packing, here 8 · 2."""
    words = [*SMALL, "dataset=ring8", "batch_size=8", "model.packing=2", "ema.half_life=1"]
    decay = averaging(composed(*words, f"generator_batch_factor={factor}"))
    assert decay(1) == pytest.approx(0.5 ** (16 / 1000), abs=1e-12)


def test_more_fakes_in_the_generators_updates(composed, tmp_path):
    config = composed(*SMALL, "dataset=ring8", "iterations=4", "generator_batch_factor=3", "loss=rsgan")
    folder = train_in(tmp_path / "run", config)
    assert folder.result()["budget"]["real_images"] == 4 * 8 + 4 * 3 * 8  # D's, and G's, which look at reals here
    plain = train_in(tmp_path / "plain", composed(*SMALL, "dataset=ring8", "iterations=4", "loss=rsgan"))
    assert unequal(weights_of(plain), weights_of(folder)) != []
