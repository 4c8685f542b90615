"""What sample shapes an architecture takes; each check raises a ValueError that says which."""

from collections.abc import Sequence

from gan_lab.validation import check_positive

ANY_SIZE = "model=pacgan_dcgan draws images of any size"


def check_image(model: str, sample_shape: Sequence[int], instead: str = "mlp") -> None:
    """Raise unless the shape is an image's, ``[C, H, W]``."""
    if len(sample_shape) != 3:
        raise ValueError(
            f"{model} draws images of shape [C, H, W], not samples of shape {list(sample_shape)}: use model={instead}"
        )


def check_sides(model: str, sample_shape: Sequence[int], multiple: int) -> None:
    """Raise unless the shape is an image's and both sides are multiples of ``multiple``."""
    check_image(model, sample_shape)
    _, height, width = sample_shape
    if height % multiple or width % multiple:
        raise ValueError(
            f"{model} cannot draw images of {height}x{width} pixels: expected sides that are multiples of {multiple}; "
            + ANY_SIZE
        )


def doublings(model: str, sample_shape: Sequence[int]) -> int:
    """How often the sides of a map double until it is the image; the longer side of the first map has 4 to 7 pixels.

    Raises:
        ValueError: unless the shape is an image's whose sides can be halved so often.
    """
    check_image(model, sample_shape)
    _, height, width = sample_shape
    times = max(max(height, width).bit_length() - 3, 0)
    if max(height, width) < 4 or height % (1 << times) or width % (1 << times):
        raise ValueError(
            f"{model} cannot draw images of {height}x{width} pixels: expected a longer side of 4 to 7 times a power of "
            f"two, and a shorter one that is a multiple of the same power; {ANY_SIZE}"
        )
    return times


def widths_by_side(
    model: str, network: str, sample_shape: Sequence[int], capacity: int, channels: int
) -> dict[int, int]:
    """Feature maps of each side, min(capacity / side, channels), from 4 pixels to the image's side, by doubling.

    Args:
        model: the architecture, for messages.
        network: the network, for messages.
        sample_shape: ``(C, H, W)`` of square images of 8, 16, 32 … 1024 pixels.
        capacity: feature maps of a layer times the side of its maps.
        channels: most feature maps of a layer.
    """
    check_positive(f"{network}.capacity", capacity)
    check_positive(f"{network}.channels", channels)
    check_image(model, sample_shape)
    _, height, width = sample_shape
    if height != width or height & (height - 1) or not 8 <= height <= 1024:
        raise ValueError(
            f"{model} cannot draw images of {height}x{width} pixels: expected squares of 8, 16, 32 ... 1024; {ANY_SIZE}"
        )
    if capacity < height:
        raise ValueError(f"{network}.capacity={capacity}: expected at least {height}, the side of the images")
    return {1 << power: min(capacity >> power, channels) for power in range(2, height.bit_length())}
