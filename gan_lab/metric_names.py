"""What metrics are called for people, and which direction is better. Imports nothing of gan_lab."""

from collections.abc import Iterable, Mapping

# the part of a metric's name before its extractor: (title, whether higher is better); no key begins with another and _
_KINDS = {
    "fid": ("FID", False),
    "fd": ("Fréchet distance", False),
    "kid": ("Kernel distance", False),
    "precision": ("Precision", True),
    "recall": ("Recall", True),
    "density": ("Density", True),  # 1 for equal distributions; above 1 if samples crowd where real ones are dense
    "coverage": ("Coverage", True),
    "score": ("Classifier score", True),
    "inception_score": ("Inception score", True),
    "classes": ("Classes drawn", True),
    "class_kl": ("Class KL (nats)", False),
    "class_accuracy": ("Class accuracy", True),  # of samples asked to be of a class
    "intra_fd": ("Intra-class Fréchet distance", False),
    "memorisation": ("Copies of training samples", False),  # the share of samples that are some
    "modes": ("Modes reached", True),
    "high_quality": ("High-quality share", True),
    "reverse_kl": ("Reverse KL (nats)", False),
    "l1": ("L1 to the target", False),  # of pixels in [0, 1]
    "psnr": ("PSNR to the target (dB)", True),
    "ssim": ("SSIM to the target", True),
}
_SHARES = ("precision", "recall", "coverage", "high_quality", "class_accuracy", "memorisation", "l1", "ssim")
"""Those that are at most 1."""
_MEASURES = {
    "fd": ("fid", "fd"),
    "kid": ("kid",),
    "prdc": ("precision", "recall", "density", "coverage"),
    "score": ("score", "inception_score"),
    "classes": ("classes", "class_kl"),
    "modes": ("modes", "high_quality", "reverse_kl"),
    "memorisation": ("memorisation",),
}
"""By an entry of ``evaluation.metrics``, the kinds that it measures. Labels and pairs bring others with them."""
_PREFIXES = {
    "reconstruction": "of reconstructions",
    "back_cycle": "of what was back and there",
    "back": "of translations back",
    "cycle": "of what was there and back",
}
"""Before a metric's name, where it is not of the samples that the generator is asked for."""


_FOOLED: dict[str, tuple[str, ...]] = {
    "classifier": ("precision", "recall", "density"),
    "pixels": ("fd", "kid", "precision", "recall", "density", "coverage", "realistic"),  # fewer on digits
    "random_conv": ("precision", "recall", "density", "realistic"),
    "whitened_conv": ("precision", "recall"),
}
"""By extractor, the kinds of metrics that planted faults fool: noise, blobs, checkerboards, smears or grey score no
worse than slightly blurred or shifted pictures, or these no worse than real ones. docs/evaluation.md has the tables
that decide, scripts/planted_faults.py makes them. ``realistic`` is a signal, on which the verdict rests."""


# in tables: an independent judge agreed with these most, and with precision least (docs/evaluation.md)
_FIRST = ("l1", "fid", "fd", "coverage", "score", "inception_score", "class_kl", "class_accuracy")


def in_order(names: Iterable[str]) -> list[str]:
    """Metrics in the order of tables: those that tell most first, then the others as they are.

    Of those that tell most, the ones of what the generator is asked for come before those of reconstructions and the
    like.
    """

    def place(name: str) -> int:
        kind = _kind(name)
        if kind not in _FIRST:
            return len(_FIRST) + 1
        return _FIRST.index(kind) if name.startswith(kind) else len(_FIRST)

    return sorted(names, key=place)


def unfounded_precision(metrics: Mapping[str, float]) -> dict[str, float]:
    """The precisions that rest on a handful of real samples, each with the coverage beside it, which tells.

    A real sample that lies far from the others has a large neighbourhood, and a few of these can hold all generated
    samples, whatever they are. Coverage is the share of neighbourhoods that hold any.
    """
    found = {}
    for name, precision in metrics.items():
        coverage = metrics.get(name.replace("precision", "coverage", 1))
        if _kind(name) == "precision" and coverage is not None and coverage < 0.01 and precision > coverage:
            found[name] = coverage
    return found


def unfounded(name: str, coverage: float) -> str:
    """The warning about such a precision."""
    return f"{name} says little: {coverage:.2%} of the real samples' neighbourhoods hold all samples that it counts"


def fooled_kinds(extractor: str) -> tuple[str, ...]:
    """The kinds of metrics and signals that cannot be trusted with an extractor's features, by its name.

    Nothing is known against a user's own extractor.
    """
    return _FOOLED.get(extractor, ())


def untrusted(names: Iterable[str]) -> dict[str, list[str]]:
    """The metrics among ``names`` that cannot be trusted, by the extractor of whose features they are."""
    found: dict[str, list[str]] = {}
    for name in names:
        kind, extractor = _split(name)
        if kind in fooled_kinds(extractor):
            found.setdefault(extractor, []).append(name)
    return found


def not_to_be_trusted(extractor: str) -> str:
    """What is said beside metrics of an extractor's features that cannot be trusted."""
    return f"with features by {extractor}, noise, checkerboards or grey pictures can score like real ones"


def feature_metric(kind: str, extractor: str) -> str:
    """The name of a metric of an extractor's features, such as ``fd_pixels``; of Inception's, the established name."""
    if extractor == "inception" and kind in ("fd", "score"):
        return {"fd": "fid", "score": "inception_score"}[kind]
    return f"{kind}_{extractor}"


def can_be_of(name: str, extractor: str) -> bool:
    """Whether a metric looks at an extractor's features, or at none."""
    kind, own = _split(name)
    if kind in ("fid", "inception_score"):
        return extractor == "inception"
    return own in ("", extractor) or name == "memorisation_pixels"


def higher_is_better(name: str) -> bool:
    """Whether a higher value of the metric is better.

    Args:
        name: as in ``result.json``: a kind (``modes``), or a kind and its extractor (``fd_pixels``).

    Raises:
        KeyError: if the kind is unknown: a direction is never guessed.
    """
    kind = _kind(name)
    if kind is None:
        raise KeyError(f"{name}: no metric of this name is known; known kinds: {', '.join(_KINDS)}")
    return _KINDS[kind][1]


def title(name: str) -> str:
    """The metric's name for people, such as ``Fréchet distance (pixels)``; an unknown name is returned as it is."""
    kind = _kind(name)
    if kind is None:
        return name
    prefix, _ = _parts(name)
    whose = f" {_PREFIXES[prefix]}" if prefix else ""
    extractor = _split(name)[1]
    said = f"{_KINDS[kind][0].replace(' to the target', '') if whose else _KINDS[kind][0]}{whose}"
    return f"{said} ({extractor.replace('_', ' ')})" if extractor else said


def bounds(name: str) -> tuple[float, float]:
    """The lowest and the highest value that the metric can take; infinite where there is none, or it is unknown."""
    kind = _kind(name)
    if kind in (None, "kid"):  # the unbiased estimate of a kernel distance can be negative
        return -float("inf"), float("inf")
    least = {"score": 1.0, "inception_score": 1.0, "ssim": -1.0}.get(kind, 0.0)
    return least, 1.0 if kind in _SHARES else float("inf")


FLOORS = ("real data", "nearest training pictures")


def floor_of(name: str) -> str:
    """Whose value the metric's floor is, one of `FLOORS`.

    A metric that compares each picture with the one that it should be has no value of real data: its floor is that of
    copies, for each picture, of what belongs to the training picture nearest to it.
    """
    return FLOORS[_kind(name) in ("l1", "psnr", "ssim")]


def measured_by(name: str) -> str | None:
    """The entry of ``evaluation.metrics`` that a metric takes; None for one that labels or pairs bring with them."""
    if _parts(name)[0]:
        return None
    return next((entry for entry, kinds in _MEASURES.items() if _kind(name) in kinds), None)


def known(name: str) -> bool:
    """Whether the metric, and so its direction, is known."""
    return _kind(name) is not None


def _kind(name: str) -> str | None:
    return _split(name)[0]


def _split(name: str) -> tuple[str | None, str]:
    """The kind of a metric, None if it is unknown, and the name of its extractor, if it has one."""
    rest = _parts(name)[1]
    kind = next((kind for kind in _KINDS if rest == kind or rest.startswith(f"{kind}_")), None)
    return kind, "" if kind is None else rest[len(kind) + 1 :]


def _parts(name: str) -> tuple[str, str]:
    """The prefix of a metric's name, empty if there is none, and the rest."""
    prefix = next((prefix for prefix in _PREFIXES if name.startswith(f"{prefix}_")), "")
    return prefix, name[len(prefix) + 1 :] if prefix else name
