"""What is trained for the times of an iteration, and in which ways."""

from dataclasses import dataclass

from benchmarks.hand_written import GAMES

# a Fréchet distance in the 12,288 dimensions of a picture of 64x64 takes longer than what is timed
_UNJUDGED = ["evaluation/extractor=pixels", "evaluation.samples=100", "evaluation.metrics=[prdc]"]


@dataclass(frozen=True)
class Case:
    """What is trained.

    Args:
        loss: a recipe, and a game of `hand_written` unless ``game`` is one.
        overrides: dataset and model.
        iterations: that are measured; a multiple of log_every, as it is shipped.
        turn: iterations until it is the next side's turn, which finds its caches cold: half a second's worth or more.
        bounds: largest ratio of a side to another, by their names.
        batch_size: samples an update.
        side: of the pictures of dataset=npz.
        ways: of running gan_lab on a GPU that are measured; names of `WAYS`.
        game: what is played by hand; empty for that of the recipe's name.
    """

    loss: str
    overrides: tuple[str, ...]
    iterations: int
    turn: int
    bounds: dict[tuple[str, str], float]
    batch_size: int = 64
    side: int = 64
    ways: tuple[str, ...] = ("gan_lab", "gan_lab bf16", "gan_lab compile", "gan_lab bf16 compile", "gan_lab cudagraph")
    game: str = ""

    @property
    def reference(self) -> str:
        """The side that all are compared with on a GPU: the loop by hand, where the loss is written out for it."""
        return "best" if (self.game or self.loss) in GAMES else "gan_lab"


def _ring(width: int, bounds: dict[tuple[str, str], float], r1: bool = False) -> Case:
    """The non-saturating GAN on the ring, with networks of three hidden layers."""
    hidden = [f"model.{role}.hidden=[{width},{width},{width}]" for role in ("generator", "discriminator")]
    words, game = (("penalty=[r1]",), "non_saturating and R1") if r1 else ((), "")
    return Case(
        "non_saturating", ("dataset=ring8", "evaluation.samples=100", *hidden, *words), 1000, 250, bounds, game=game
    )


CPU = {
    "RSGAN, mlp, MNIST": Case(
        "rsgan",
        ("dataset=mnist", "model=mlp", *_UNJUDGED),
        100,
        25,
        {("gan_lab", "best"): 1.05, ("gan_lab bf16", "best bf16"): 1.05},
    ),
    "WGAN-GP, mlp, MNIST": Case(
        "wgan_gp",
        ("dataset=mnist", "model=mlp", *_UNJUDGED),
        50,
        10,
        {("gan_lab", "best"): 1.05},
    ),
    "DCGAN, MNIST": Case(
        "non_saturating",
        ("dataset=mnist", "model=dcgan", *_UNJUDGED),
        50,
        5,
        {("gan_lab", "best"): 1.03},
    ),
    "SN-GAN's CNN, 32x32, batch 16": Case(
        "non_saturating",
        ("dataset=npz", "model=sngan_cnn", *_UNJUDGED),
        20,
        4,
        {("gan_lab", "best"): 1.05},
        batch_size=16,
        side=32,
    ),
    "non-saturating, mlp 128, ring": _ring(128, {("gan_lab", "best"): 1.30}),
}
COMPILED = {
    f"non-saturating{' and R1' if r1 else ''}, mlp {width}, ring": _ring(
        width, {("gan_lab compile=iteration", "best"): bound}, r1
    )
    for width, bound in ((128, 0.85), (32, 0.60))
    for r1 in (False, True)
}
CUDA = {
    "RSGAN, mlp, MNIST": Case(
        "rsgan",
        ("dataset=mnist", "model=mlp", *_UNJUDGED),
        1000,
        100,
        {("gan_lab", "best"): 1.30, ("gan_lab cudagraph", "best"): 0.5},
    ),
    "DCGAN 64x64, batch 128": Case(
        "non_saturating",
        ("dataset=npz", "model=dcgan", *_UNJUDGED),
        200,
        50,
        {("gan_lab", "best"): 1.03},
        batch_size=128,
        ways=("gan_lab", "gan_lab TF32", "gan_lab bf16", "gan_lab cudagraph", "gan_lab TF32 cudagraph"),
    ),
    "DCGAN, compiled, 64x64, batch 128": Case(  # by itself: PyTorch 2.11 cannot compile it
        "non_saturating",
        ("dataset=npz", "model=dcgan", *_UNJUDGED),
        200,
        50,
        {("gan_lab bf16 compile", "best"): 1 / 1.3},
        batch_size=128,
        ways=("gan_lab compile", "gan_lab bf16 compile"),
    ),
    "non-saturating, mlp 128, ring": Case(
        "non_saturating",
        ("dataset=ring8", "evaluation.samples=100"),
        1000,
        250,
        {("gan_lab", "best"): 1.30},
        ways=("gan_lab", "gan_lab compile", "gan_lab cudagraph"),
    ),
    "SN-GAN's CNN, 32x32, batch 128": Case(
        "sngan",
        ("dataset=npz", "model=sngan_cnn", "n_critic=1", "generator_batch_factor=2", *_UNJUDGED),
        200,
        50,
        {},
        batch_size=128,
        side=32,
        ways=("gan_lab", "gan_lab TF32", "gan_lab bf16", "gan_lab cudagraph", "gan_lab TF32 cudagraph"),
    ),
    "StyleGAN2 64x64, batch 8": Case(
        "stylegan2",
        ("dataset=npz", "model=stylegan2", *_UNJUDGED),
        80,
        16,
        {},
        batch_size=8,  # all sides at once in the memory of one GPU
        ways=("gan_lab", "gan_lab TF32", "gan_lab bf16", "gan_lab compile", "gan_lab bf16 compile"),
    ),
}
WAYS = {  # of running gan_lab, on top of the case
    "gan_lab": (),
    "gan_lab TF32": ("matmul_precision=high",),
    "gan_lab bf16": ("trainer.precision=bf16-mixed",),
    "gan_lab compile": ("compile=true",),
    "gan_lab bf16 compile": ("trainer.precision=bf16-mixed", "compile=true"),
    "gan_lab compile=iteration": ("compile=iteration",),
    "gan_lab cudagraph": ("compile=cudagraph",),
    "gan_lab TF32 cudagraph": ("matmul_precision=high", "compile=cudagraph"),
    "gan_lab bf16 cudagraph": ("trainer.precision=bf16-mixed", "compile=cudagraph"),
}
