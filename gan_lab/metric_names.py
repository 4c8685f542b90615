"""The names of metrics and their direction; imports nothing, as the report reads it too."""

_HIGHER = ("precision", "recall", "density", "coverage", "score", "inception_score", "classes", "modes", "high_quality")
_LOWER = ("fd", "fid", "kid", "class_kl", "reverse_kl")


def feature_metric(name: str, extractor: str) -> str:
    """The full name of a metric of features: ``fd_pixels``; the established names belong to Inception alone."""
    if extractor == "inception" and name in ("fd", "score"):
        return {"fd": "fid", "score": "inception_score"}[name]
    return f"{name}_{extractor}"


def higher_is_better(name: str) -> bool:
    """Whether more of a metric is better; the alternative is that less is.

    Raises:
        KeyError: for a name that no metric has.
    """
    for names, answer in ((_HIGHER, True), (_LOWER, False)):
        if any(name == one or name.startswith(f"{one}_") for one in names):
            return answer
    raise KeyError(name)
