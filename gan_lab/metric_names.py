"""What each metric is called for people, and which way it is better. Imports nothing, so that anything may ask."""

# the part of a metric's name before its extractor: (title, higher is better)
_KINDS = {
    "fid": ("FID", False),
    "fd": ("Fréchet distance", False),
    "kid": ("Kernel distance", False),
    "precision": ("Precision", True),
    "recall": ("Recall", True),
    "density": ("Density", True),  # ideally 1; above it the samples crowd where real ones are dense
    "coverage": ("Coverage", True),
    "score": ("Classifier score", True),
    "inception_score": ("Inception score", True),
    "classes": ("Classes drawn", True),
    "class_kl": ("Class KL (nats)", False),
    "modes": ("Modes reached", True),
    "high_quality": ("High-quality share", True),
    "reverse_kl": ("Reverse KL (nats)", False),
}


def feature_metric(kind: str, extractor: str) -> str:
    """The full name of a metric of features, ``fd_pixels``; the established names belong to Inception's alone."""
    if extractor == "inception" and kind in ("fd", "score"):
        return {"fd": "fid", "score": "inception_score"}[kind]
    return f"{kind}_{extractor}"


def higher_is_better(name: str) -> bool:
    """Whether more of the metric is better.

    Args:
        name: as in ``result.json``: a kind (``modes``), or a kind and its extractor (``fd_pixels``).

    Raises:
        KeyError: if the kind is not known: a direction is never guessed.
    """
    return _KINDS[_kind(name)][1]


def title(name: str) -> str:
    """The metric's name for people, such as ``Fréchet distance (pixels)``; an unknown name stays as it is."""
    if not known(name):
        return name
    kind = _kind(name)
    extractor = name[len(kind) + 1 :]
    return f"{_KINDS[kind][0]} ({extractor.replace('_', ' ')})" if extractor else _KINDS[kind][0]


def bounds(name: str) -> tuple[float, float]:
    """The least and the largest value the metric can take, infinite where it knows none; unknown metrics know none."""
    kind = _kind(name) if known(name) else "kid"
    if kind == "kid":  # its unbiased estimate goes below zero
        return -float("inf"), float("inf")
    return 0.0, 1.0 if kind in ("precision", "recall", "coverage", "high_quality") else float("inf")


def known(name: str) -> bool:
    """Whether the metric's direction is known."""
    return any(name == kind or name.startswith(f"{kind}_") for kind in _KINDS)


def _kind(name: str) -> str:
    for kind in _KINDS:  # none of them begins with another and an underscore
        if name == kind or name.startswith(f"{kind}_"):
            return kind
    raise KeyError(f"{name}: no metric of this name is known; known kinds: {', '.join(_KINDS)}")
