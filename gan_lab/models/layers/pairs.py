"""What pairs of shapes a network that sees a source and a sample takes; a check raises a ValueError that says which."""

from collections.abc import Sequence


def check_pair(model: str, sample_shape: Sequence[int], source_shape: Sequence[int]) -> None:
    """Raise unless both shapes are images', ``[C, H, W]``, of equal sides; their channels may differ."""
    for name, shape in (("source", source_shape), ("sample", sample_shape)):
        if len(shape) != 3:
            raise ValueError(f"{model} translates images: a {name} of shape {list(shape)}, expected [C, H, W]")
    if list(sample_shape[1:]) != list(source_shape[1:]):
        source, sample = (f"{shape[1]}x{shape[2]}" for shape in (source_shape, sample_shape))
        raise ValueError(
            f"{model} cannot translate images of {source} pixels into images of {sample}: expected equal sides"
        )
