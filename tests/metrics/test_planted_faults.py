"""Planted faults score as they should with the default features of one's own pictures; scripts/planted_faults.py."""

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from gan_lab.datasets import Dataset, digits
from gan_lab.metric_names import fooled_kinds
from gan_lab.metrics import Pixels, WhitenedConv

sys.path.append(str(Path(__file__).parent.parent.parent / "scripts"))
from planted_faults import GROSS, MILD, fooled, scores


@pytest.fixture(params=["digits", "cifar"])
def pictures(request):
    """The bundled digits, or some of CIFAR-10's pictures."""
    return digits() if request.param == "digits" else cifar(request.getfixturevalue("data_root"))


def cifar(root):
    file = root / "cifar10" / "train_part1.npz"
    if not file.is_file():
        pytest.skip(f"GAN_LAB_DATA has no cifar10/{file.name}")
    return some_of(file)


@cache
def some_of(file):
    with np.load(file) as archive:
        images = torch.from_numpy(archive["images"][:1800]).permute(0, 3, 1, 2).contiguous()
        labels = torch.from_numpy(archive["labels"][:1800]).long()
    return Dataset(images[400:], labels[400:], images[:400], labels[:400], "cifar10, the first 1800")


def test_every_trusted_metric_puts_gross_faults_behind_mild_ones_and_these_behind_real_pictures(pictures):
    found = scores(pictures, WhitenedConv(), 350)
    wrong = fooled(found)
    assert {metric for metric, faults in wrong.items() if faults} <= set(fooled_kinds("whitened_conv"))
    real = found["real"]
    for fault in GROSS:
        assert found[fault]["realistic"] < 0.2, fault
        assert found[fault]["coverage"] < 0.2 * real["coverage"], fault
        assert found[fault]["fd"] > 2 * max(found[mild]["fd"] for mild in MILD), fault
    assert real["realistic"] == pytest.approx(1, abs=0.1)
    for fault in ("real", "half of the classes"):
        assert found[fault]["diversity"] == pytest.approx(1, abs=0.1), fault
        assert found[fault]["duplicates"] == pytest.approx(0, abs=0.02), fault
    for fault in ("10 % noise", "10 % blobs", "10 % checkerboards", "10 % grey"):
        assert found[fault]["density"] == pytest.approx(0.9 * real["density"], abs=0.07), fault
        assert found[fault]["fd"] > 1.5 * real["fd"], fault
    assert found["100 copies"]["duplicates"] == 1
    assert found["100 copies"]["coverage"] == pytest.approx(0.6, abs=0.15)
    assert found["half of the classes"]["fd"] > 1.2 * real["fd"]


def test_what_fools_pixels_is_found():
    """Near the mean of all pictures lies the mean picture: inside the neighbourhoods of many real ones."""
    found = scores(digits(), Pixels(), 300)
    assert "mean picture" in fooled(found)["precision"]
    assert "mean picture" in fooled(found)["density"]
    assert found["mean picture"]["precision"] == 1
    assert found["mean picture"]["density"] == pytest.approx(3.5, abs=1.5)  # of 500 pictures: docs/evaluation.md
    assert {"precision", "density"} <= set(fooled_kinds("pixels"))
