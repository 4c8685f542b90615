"""Every YAML file of every group composes, instantiates and takes two iterations: a new one is tested by existing."""

import math
import sys

import numpy as np
import pytest
from configurations import CONF, options
from omegaconf import OmegaConf
from PIL import Image
from published_files import fabricate
from training_runs import train_in

_FILES = CONF.glob("*/**/*.yaml")  # those of published figures have test_paper_experiments.py
GROUPS = sorted({str(file.parent.relative_to(CONF)) for file in _FILES} - {"experiment/paper"})
PICTURES = np.random.RandomState(0).randint(0, 256, (60, 8, 8, 3)).astype(np.uint8)
PLACES = {"dataset=image_folder": ["path"], "dataset=pairs": ["path"], "dataset=unpaired": ["source", "target"]}
UNET = ["model=unet", "dataset=digits_edges", "model.generator.channels=8", "model.discriminator.channels=8"]
CYCLEGAN = ["model=cyclegan", *UNET[1:]]
VAE_GAN = ["model=vae_gan", *(f"model.{role}.channels=8" for role in ("generator", "discriminator", "encoder"))]
NARROW = [f"model.{role}.channels=4" for role in ("generator", "discriminator")]
STYLEGAN2 = ["model=stylegan2", *(f"model.{role}.channels=8" for role in ("generator", "discriminator"))]
FITTING = {  # networks and data with which an algorithm or a term trains
    **dict.fromkeys(("algorithm=pix2pix", "term=l1", "term=mse", "term=bce", "term=feature_reconstruction"), UNET),
    **dict.fromkeys(("algorithm=cyclegan", "term=cycle", "term=identity"), CYCLEGAN),
    **dict.fromkeys(("algorithm=vae_gan", "term=[kl,mse]"), VAE_GAN),
    **dict.fromkeys(("model=unet", "model=resnet_translator", "model=cyclegan"), UNET[1:]),
    "model=vae_gan": VAE_GAN[1:],
    "model=mescheder_resnet": NARROW,
    "model=r3gan": [f"model.{role}.widths=[8,8]" for role in ("generator", "discriminator")],
    "model=r3gan_small": [f"model.{role}.widths=[8,8]" for role in ("generator", "discriminator")],
    **{f"model={name}": ["dataset=npz", *NARROW] for name in ("sngan_resnet", "sagan", "biggan")},
    "term=path_length": STYLEGAN2,
    "algorithm=progressive": ["model=progressive", *STYLEGAN2[1:]],
    **dict.fromkeys(("model=stylegan2", "model=stylegan2_cifar", "model=progressive"), STYLEGAN2[1:]),
}
TRACKERS = {"logger=wandb", "logger=mlflow"}  # with which tests/callbacks/test_trackers.py trains
RESULTS: dict[str, dict] = {}  # by configuration: many options are those by default, and so the same run
TINY = ["iterations=2", "batch_size=4", "evaluation.samples=20", "evaluation.kid_subset_size=10", "pictures.samples=4"]


def test_no_group_is_empty():
    assert {
        "dataset",
        "evaluation",
        "evaluation/extractor",
        "experiment",
        "loss",
        "model",
        "optimizer",
        "protocol",
        "trainer",
    } <= set(GROUPS)
    assert all(options(group) for group in GROUPS)


CHOICES = [f"{group}={name}" for group in GROUPS for name in options(group)]


@pytest.mark.parametrize("choice", [choice for choice in CHOICES if choice not in TRACKERS])
def test_two_iterations(composed, tmp_path, choice, request, monkeypatch):
    if choice in ("model=mlp_2d", "evaluation/extractor=points"):
        choice = "dataset=ring8"
    if choice in ("evaluation/extractor=channel_classifier", "dataset=stacked_mnist"):
        choice = "dataset=stacked_mnist"
        # all of them take long to make
        for name in ("_TRAIN_SAMPLES", "_TEST_SAMPLES"):
            monkeypatch.setattr(sys.modules["gan_lab.datasets.stacked_mnist"], name, 100)
    if choice == "hydra/launcher=ray_local":
        pytest.importorskip("hydra_plugins.hydra_ray_launcher", reason="hydra-ray-launcher is not installed")
    if choice == "term=kl":
        choice = "term=[kl,mse]"  # an encoder that nothing is reconstructed from is refused
    fake = ["dataset._target_=torchvision.datasets.FakeData", "+dataset.size=60", "+dataset.image_size=[3,8,8]"]
    fitting = {
        "dataset=torch": [*fake, "allowed_targets=[torchvision]"],
        **FITTING,
        "conditional=own": ["model.discriminator.conditioning=projection"],
        "model=pacgan_mlp": ["dataset=ring8"],
    }.get(choice, [])
    config = composed(choice, *fitting, *TINY, "trainer.accelerator=cpu")
    if not choice.startswith("model="):  # a network's own width is part of its file, and elsewhere takes time alone
        for network in (config.model.generator, config.model.discriminator):
            if network._target_.startswith("gan_lab.models.DCGAN"):
                network.channels = 4
    if config.compile == "iteration":
        request.getfixturevalue("graphs")
    if choice == "evaluation/extractor=inception":
        config.evaluation.extractor.weights = str(request.getfixturevalue("inception_weights"))
        config.evaluation.samples = 3  # the network is a large one
        config.evaluation.kid_subset_size = 3
        config.evaluation.metrics = ["kid", "score"]  # a Fréchet distance in 2048 dimensions takes seconds
    if "steps" in config.evaluation.extractor:
        config.evaluation.extractor.steps = 4
        # measuring that takes up to 10,000 pictures; no other test may find the number in the cache
        monkeypatch.setattr("gan_lab.metrics.classifier.accuracy", lambda *_: 0.5)
        monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path / "cache"))
    if "channels" in config.evaluation.extractor:
        config.evaluation.extractor.channels = 4  # as the Fréchet distance of more takes a second
    for key in PLACES.get(choice, []):
        config.dataset[key] = str(tmp_path / key)
        (tmp_path / key).mkdir()
        for number, image in enumerate(PICTURES):
            Image.fromarray(image.repeat(2, 1) if choice == "dataset=pairs" else image).save(
                tmp_path / key / f"{number}.png"
            )
    if choice == "dataset=grey_to_colour" or "dataset=npz" in (choice, *fitting):
        config.dataset.path = str(tmp_path / "pictures.npz")
        np.savez(config.dataset.path, PICTURES.repeat(4, 1).repeat(4, 2) if fitting else PICTURES)
    if choice in ("dataset=cifar10", "dataset=torchvision"):
        name = "CIFAR10" if choice == "dataset=cifar10" else "SVHN"
        fabricate(name, tmp_path / "data", monkeypatch, train=60)
        config.dataset.root = str(tmp_path / "data")
        if choice == "dataset=torchvision":
            config.dataset.name = name
    elif "root" in config.dataset:
        config.dataset.root = str(request.getfixturevalue("data_root"))
    told = OmegaConf.to_yaml(config)
    if told not in RESULTS:
        RESULTS[told] = train_in(tmp_path / "run", config).result()
    result = RESULTS[told]
    assert result["budget"]["iterations"] == 2
    assert all(math.isfinite(value) for value in result["metrics"].values())
