"""What is trained for the comparison with the peers: their networks and settings, once more in gan_lab's words."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PeerCase:
    """A peer's example, and the same for gan_lab.

    Args:
        peer: a name of `benchmarks.peer_loops.LOOPS`.
        game: a name of `benchmarks.hand_written.GAMES`.
        words: overrides: recipe and settings.
        iterations: that are measured.
        turn: of them, until it is the next side's turn.
        batch_size: samples an update.
        side: of the pictures; 28 is MNIST as it is.
        channels: of the pictures.
        changes: what is changed in the peer's loop, one thing at a time; names of `benchmarks.peer_loops.CHANGES`.
        stacked: overrides of gan_lab's own networks of the same widths, which can be stacked; empty for convolutions.
    """

    peer: str
    game: str
    words: tuple[str, ...]
    iterations: int
    turn: int
    batch_size: int
    side: int
    channels: int = 1
    changes: tuple[str, ...] = ()
    stacked: tuple[str, ...] = ()


_MLP = (
    "model=mlp",
    "model.generator.hidden=[128,256,512,1024]",
    "model.generator.norm=batch",
    "model.discriminator.hidden=[512,256]",
)
_ADAM = ("freed memory is kept", "Adam is fused")
_SNGAN = ("loss=hinge", "optimizer=adam_sngan", "latent_dim=128")
_NON_SATURATING = ("loss=non_saturating",)

CASES = {
    "Lightning's basic GAN, MLP, 28x28, batch 32": PeerCase(
        "Lightning's example",
        "non_saturating",
        _NON_SATURATING,
        100,
        25,
        32,
        28,
        changes=(*_ADAM, "pictures are in memory", "no log_dict, no bar"),
        stacked=_MLP,
    ),
    "PyTorch-GAN's gan.py, MLP, 28x28, batch 64": PeerCase(
        "PyTorch-GAN, gan",
        "non_saturating",
        _NON_SATURATING,
        100,
        25,
        64,
        28,
        changes=(*_ADAM, "pictures are in memory"),
        stacked=_MLP,
    ),
    "PyTorch-GAN's dcgan.py, 32x32, batch 64": PeerCase(
        "PyTorch-GAN, dcgan",
        "non_saturating",
        _NON_SATURATING,
        4,
        1,
        64,
        32,
        changes=(*_ADAM, "pictures are in memory"),
    ),
    "torchgan's DCGAN, 16 channels, 32x32, batch 64": PeerCase(
        "torchgan",
        "non_saturating",
        _NON_SATURATING,
        40,
        10,
        64,
        32,
        changes=(*_ADAM, "pictures are in memory", "no sums of gradients"),
    ),
    "PyTorch's DCGAN example, 64x64, batch 64": PeerCase(
        "PyTorch's example", "non_saturating", _NON_SATURATING, 2, 1, 64, 64, changes=_ADAM[:1]
    ),
    "mimicry's SN-GAN, an eighth as wide, 32x32, batch 64": PeerCase(
        "mimicry", "hinge, SN-GAN's Adam", _SNGAN, 3, 1, 64, 32, channels=3, changes=_ADAM[:1]
    ),
}
