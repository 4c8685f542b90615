"""Metrics from a classifier's logits: how sure it is of its classes, and which classes the samples have."""

from itertools import pairwise

import torch
from torch import Tensor


def classifier_score(logits: Tensor, splits: int = 1) -> float:
    """exp E KL(p(y|x) ‖ p(y)), from 1 to the number of classes.

    It is 1 if the samples are all alike or the classifier is never sure, and K if it is always sure and all K classes
    are equally frequent. With Inception's logits, and only with those, the mean over 10 splits is the Inception Score.

    Args:
        logits: ``[N, K]``; dimensions in between, as in ``[N, C, K]``, count as samples.
        splits: number of consecutive parts whose scores are averaged.

    Raises:
        ValueError: if there are fewer samples than splits.

    References:
        Salimans et al. 2016, Improved Techniques for Training GANs, §4 (arXiv 1606.03498).
    """
    logs = logits.flatten(0, -2).double().log_softmax(1)
    if not 1 <= splits <= len(logs):
        raise ValueError(f"splits={splits}: expected 1 to {len(logs)}, the number of samples")
    bounds = [len(logs) * part // splits for part in range(splits + 1)]
    scores = []
    for start, stop in pairwise(bounds):
        log = logs[start:stop]
        shares = log.exp()
        divergence = shares * (log - shares.mean(0).log())
        scores.append(divergence.where(shares > 0, 0.0).sum(1).mean().exp())  # 0 ln 0 = 0
    return torch.stack(scores).mean().item()


def predicted_classes(logits: Tensor) -> Tensor:
    """The most likely class of each sample, ``[N]`` int64.

    Args:
        logits: ``[N, K]`` for one of K classes; ``[N, C, K]`` for one of the K^C combinations of the channels' classes,
            the first channel being the most significant digit.
    """
    digits = logits.argmax(-1)
    if digits.ndim == 1:
        return digits
    places = logits.shape[-1] ** torch.arange(digits.shape[1] - 1, -1, -1, device=digits.device)
    return (digits * places).sum(1)


def class_histogram(classes: Tensor, number: int, expected: Tensor) -> tuple[int, float]:
    """The number of classes that occur, and KL(their shares ‖ expected shares) in nats.

    Args:
        classes: class of each generated sample, ``[N]``.
        number: number of classes.
        expected: expected share of each class, ``[number]``, above 0 for those that occur.
    """
    counts = torch.bincount(classes, minlength=number).double()
    shares = counts / counts.sum()
    divergence = (torch.special.xlogy(shares, shares) - torch.special.xlogy(shares, expected.double())).sum()
    return int((counts > 0).sum()), divergence.item()
