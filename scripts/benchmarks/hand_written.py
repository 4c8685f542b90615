"""The best GAN loop written by hand: what `scripts/benchmark.py` measures gan_lab against.

`best` is the quickest loop we can write without changing what is computed: data in memory, one discriminator pass over
real and fake, the discriminator frozen in the generator's step, fused Adam, losses read every 50 iterations, channels
last; the benchmark sets PyTorch and the heap for it as a run of gan_lab does.

It takes the networks of gan_lab, and the losses are written out here, so that only the loop differs: given the same
data and noise, it ends with gan_lab's weights (tests/scripts/test_benchmark.py).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Game:
    """What is played: the losses of logits and the settings of their paper.

    Args:
        discriminator_loss: of real and fake logits.
        generator_loss: of real and fake logits; real is None where it is not asked for.
        needs_real: whether the generator's loss looks at real logits.
        penalty_weight: of the penalty; 0 for none.
        penalty: of the discriminator and both batches.
        n_critic: discriminator updates an iteration.
        lr: Adam's learning rate.
        betas: Adam's decay rates.
    """

    discriminator_loss: Callable[[Tensor, Tensor], Tensor]
    generator_loss: Callable[[Tensor | None, Tensor], Tensor]
    needs_real: bool = False
    penalty_weight: float = 0.0
    penalty: Callable[[nn.Module, Tensor, Tensor], Tensor] | None = None
    n_critic: int = 1
    lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)


def gradient_penalty(discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """E (‖∇C(x̂)‖₂ − 1)² at random points between real and fake samples."""
    epsilon = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device)
    between = torch.lerp(fake, real, epsilon).requires_grad_()
    (gradients,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
    return (gradients.flatten(1).norm(dim=1) - 1).square().mean()


def r1(discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """½ E ‖∇C(x)‖₂² at real samples."""
    real = real.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    return 0.5 * gradients.flatten(1).square().sum(1).mean()


GAMES = {
    "non_saturating": Game(
        lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
        lambda _, fake: F.softplus(-fake).mean(),
    ),
    "non_saturating and R1": Game(
        lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
        lambda _, fake: F.softplus(-fake).mean(),
        penalty_weight=10.0,
        penalty=r1,
    ),
    "rsgan": Game(
        lambda real, fake: F.softplus(fake - real).mean(),
        lambda real, fake: F.softplus(real - fake).mean(),
        needs_real=True,
    ),
    "hinge, SN-GAN's Adam": Game(
        lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
        lambda _, fake: -fake.mean(),
        betas=(0.0, 0.9),
    ),
    "wgan_gp": Game(
        lambda real, fake: fake.mean() - real.mean(),
        lambda _, fake: -fake.mean(),
        penalty_weight=10.0,
        penalty=gradient_penalty,
        n_critic=5,
        lr=1e-4,
        betas=(0.0, 0.9),
    ),
}


def batches(samples: Tensor, batch_size: int) -> Iterator[Tensor]:
    """Shuffled batches without end, in the range of the networks."""
    while True:
        order = torch.randperm(len(samples), device=samples.device)
        for start in range(0, len(samples) - batch_size + 1, batch_size):
            real = samples.index_select(0, order[start : start + batch_size])
            yield real.float().div_(127.5).sub_(1) if real.dtype == torch.uint8 else real


def best(
    game: Game,
    generator: nn.Module,
    discriminator: nn.Module,
    samples: Tensor,
    batch_size: int,
    latent_dim: int,
    iterations: int,
    device: torch.device,
    pace: Callable[[], None],
    bf16: bool = False,
) -> None:
    """The quickest honest loop.

    Args:
        samples: the training set in memory, ``[N, …]``, uint8 pixels or float points.
        pace: called before each iteration.
        bf16: run the networks in bfloat16 autocast.
    """
    samples = samples.to(device)
    g_optimizer = torch.optim.Adam(generator.parameters(), game.lr, game.betas, fused=True)
    d_optimizer = torch.optim.Adam(discriminator.parameters(), game.lr, game.betas, fused=True)
    reals = batches(samples, batch_size)
    generators_reals = batches(samples, batch_size) if game.needs_real else None
    for iteration in range(iterations):
        pace()
        for _ in range(game.n_critic):
            real = next(reals)
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                with torch.no_grad():
                    fake = generator(torch.randn(batch_size, latent_dim, device=device))
                logits = discriminator(torch.cat([real, fake.float()]))
            d_loss = game.discriminator_loss(*logits.float().chunk(2))
            if game.penalty is not None:
                d_loss = d_loss + game.penalty_weight * game.penalty(discriminator, real, fake.float())
            d_optimizer.zero_grad()
            d_loss.backward()
            d_optimizer.step()
        discriminator.requires_grad_(False)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            fake_logits = discriminator(generator(torch.randn(batch_size, latent_dim, device=device)))
            real_logits = None if generators_reals is None else discriminator(next(generators_reals)).float()
        g_loss = game.generator_loss(real_logits, fake_logits.float())
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
        discriminator.requires_grad_(True)
        if iteration % 50 == 0:
            print_losses(iteration, d_loss, g_loss)


def print_losses(iteration: int, d_loss: Tensor, g_loss: Tensor) -> None:
    """As every script does, now and then."""
    print(f"{iteration}: D {d_loss.item():.3f} G {g_loss.item():.3f}")
