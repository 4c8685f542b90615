"""Residual networks that differ by the size of images: how wide, how deep, and where attention stands."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import nn

from gan_lab.models.layers.attention import MapAttention
from gan_lab.models.layers.shapes import ANY_SIZE, check_image
from gan_lab.validation import is_whole, quoted


class Plan(NamedTuple):
    """The widths of the networks for a size, in multiples of ``channels``, and their ``channels`` in the paper."""

    generator: tuple[int, ...]
    generator_channels: int
    discriminator: tuple[int, ...]
    discriminator_channels: int
    pools: int  # the first so many blocks of the discriminator halve the sides

    @property
    def multiple(self) -> int:
        """What both sides must be multiples of."""
        return 1 << max(len(self.generator) - 1, self.pools)

    def judged_maps(self, sample_shape: Sequence[int]) -> list[tuple[int, int]]:
        """The sides of the discriminator's map after each block."""
        halved = [min(block, self.pools) for block in range(1, len(self.discriminator) + 1)]
        return [(sample_shape[1] >> times, sample_shape[2] >> times) for times in halved]


def plan_for(model: str, plans: Mapping[int, Plan], sample_shape: Sequence[int]) -> Plan:
    """The plan for an image's longer side; raise unless there is one, and both sides can be halved as often as it asks.

    Args:
        model: its name, for the message.
        plans: by longer side.
        sample_shape: ``(C, H, W)``.
    """
    check_image(model, sample_shape)
    sides = sample_shape[1:]
    plan = plans.get(max(sides))
    if plan is not None and all(side % plan.multiple == 0 for side in sides):
        return plan
    raise ValueError(
        f"{model} cannot draw images of {sides[0]}x{sides[1]} pixels: expected a longer side of "
        f"{_listed(plans)}, and a shorter one that is a multiple of {_listed(one.multiple for one in plans.values())} "
        f"respectively; {ANY_SIZE}"
    )


def _listed(numbers: object) -> str:
    *first, last = map(str, numbers)  # type: ignore[call-overload]
    return f"{', '.join(first)} or {last}"


def attention_after(name: str, attention: object, maps: Sequence[Sequence[int]]) -> int | None:
    """The number of the block after which attention stands, the first whose map has that side; None for no attention.

    Args:
        name: the network's, for the message.
        attention: the longer side of the map, or None.
        maps: the two sides of the map after each block; attention needs two pixels each way.
    """
    if attention is None:
        return None
    sides = [max(sides) if min(sides) > 1 else None for sides in maps]
    if is_whole(attention) and attention in sides:
        return sides.index(attention)
    allowed = ", ".join(map(str, sorted({side for side in sides if side is not None})))
    raise ValueError(
        f"{name}.attention={quoted(attention)}: expected null or the longer side of the map after a block: {allowed}"
    )


def with_attention(blocks: Sequence[nn.Module], widths: Sequence[int], after: int | None) -> list[nn.Module]:
    """The blocks, and attention after the one of that number; ``widths`` are of the maps after the blocks."""
    layers: list[nn.Module] = []
    for number, (block, width) in enumerate(zip(blocks, widths, strict=True)):
        layers.append(block)
        if number == after:
            layers.append(MapAttention(width))
    return layers
