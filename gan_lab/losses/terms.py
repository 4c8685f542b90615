"""Terms: what is added to the generator's loss, each a function of what its update has at hand.

They are to the generator what penalties are to the discriminator. A recipe names its terms under ``loss.terms``.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from gan_lab.losses.judge import Judge
from gan_lab.losses.weighted import Weighted

if TYPE_CHECKING:
    from gan_lab.datasets.batch import Batch, Request


@dataclass(frozen=True, eq=False)
class GeneratorStep:
    """What an update of the generator has at hand.

    Args:
        batch: the real samples.
        request: what the generator was asked for.
        fake: its samples, ``[B, …]``, with their graph.
        judge: the discriminator, with this update's logits; with packing it judges packs of these samples.
        networks: of all players, by name.
        compares: what the algorithm says should be equal, by name: pairs of a made and a wanted batch ``[B, …]``, made
            when a term asks for them.
    """

    batch: "Batch"
    request: "Request"
    fake: Tensor
    judge: Judge
    networks: Mapping[str, nn.Module]
    compares: Mapping[str, Callable[[], Sequence[tuple[Tensor, Tensor]]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Term(Weighted):
    """A term of L_G; see `Weighted` for its arguments."""

    weight: float = 1.0
    block: ClassVar[str] = "terms"
    uses_real: ClassVar[bool] = True
    """Whether it looks at the real samples of the generator's update, which are then drawn for it."""
    compared: ClassVar[str | None] = None
    """What it compares, of `GeneratorStep.compares`; algorithms say which they have. None for nothing."""
    looks_at_features: ClassVar[bool] = False
    """Whether it looks at the features of samples in the discriminator, as `Judge.features` gives them."""

    looks_at_styles: ClassVar[bool] = False
    """Whether it looks at the styles of a generator with a mapping (`gan_lab.models.layers.mapping.Mapped`)."""

    @abstractmethod
    def __call__(self, step: GeneratorStep) -> Tensor:
        """The unweighted term, a scalar."""
