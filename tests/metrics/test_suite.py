"""A comparison's own part: what it asks of an extractor and of labels, and how it looks at samples."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from gan_lab.datasets import digits
from gan_lab.errors import ConfigError
from gan_lab.metrics import Classifier
from gan_lab.metrics.extractors import Pixels, as_extractor
from gan_lab.metrics.measures import Measures
from gan_lab.metrics.suite import Comparison

CPU = torch.device("cpu")


def test_features_are_in_full_precision_whatever_the_run_allows_its_networks(monkeypatch):
    seen = []

    class Watching(Pixels):
        def forward(self, samples):
            seen.append((torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32))
            return super().forward(samples)

    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    torch.set_float32_matmul_precision("medium")
    try:
        Comparison(digits(), Watching(), Measures(["fd"]), CPU).look(digits().test[:4])
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert set(seen) == {("highest", False)}
    assert torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize("error", [IndexError("no layer 3"), KeyError("layer"), ValueError()])
def test_whatever_fails_in_a_users_extractor_is_a_sentence(error):
    class Mine(nn.Module):
        def forward(self, samples):
            raise error

    with pytest.raises(ConfigError, match=r"evaluation.extractor: mine cannot take samples .* uint8 \[2, 1, 8, 8\]"):
        Comparison(digits(), as_extractor(Mine(), {}), Measures(["fd"]), CPU).look(digits().test[:4])


def test_a_class_without_held_out_samples_is_named():
    whole = digits()
    without = whole.test_labels < 9
    dataset = replace(whole, test=whole.test[without], test_labels=whole.test_labels[without])
    extractor = Classifier(steps=1)
    extractor.check(dataset)
    with pytest.raises(ConfigError, match="classes takes held-out samples of every class, class 9 has none"):
        Comparison(dataset, extractor, Measures(["classes"]), CPU)
