"""Relativistic averages in two processes equal one process on the whole batch, gradients included."""

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from gan_lab.distributed.collectives import meet
from gan_lab.losses import Relativistic, RelativisticAttention

OBJECTIVES = [
    *(Relativistic(criterion, "average") for criterion in ("logistic", "least_squares", "hinge")),
    RelativisticAttention(attention_weight=0.7),
]


def batch(heads: int) -> tuple[torch.Tensor, torch.Tensor]:
    shape = (2, 8) if heads == 1 else (2, 8, heads)
    logits = torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return logits[0].clone().requires_grad_(), logits[1].clone().requires_grad_()


def gradients_of_half(rank: int, rendezvous: str, out: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
    meet()
    results = []
    for objective in OBJECTIVES:
        for player in ("discriminator", "generator"):
            real, fake = batch(objective.heads)
            half = slice(4 * rank, 4 * rank + 4)
            loss = getattr(objective, player)(real[half], fake[half])
            gradients = torch.autograd.grad(loss, (real, fake))
            for gradient in gradients:  # what DDP does to the weights' gradients: the mean over processes
                dist.all_reduce(gradient)
            results.append([gradient / 2 for gradient in gradients])
    if rank == 0:
        torch.save(results, out)
    dist.destroy_process_group()


def test_two_processes_equal_one(tmp_path):
    out = tmp_path / "gradients.pt"
    mp.start_processes(gradients_of_half, args=(str(tmp_path / "rendezvous"), str(out)), nprocs=2, start_method="fork")
    found = iter(torch.load(out))
    for objective in OBJECTIVES:
        for player in ("discriminator", "generator"):
            real, fake = batch(objective.heads)
            expected = torch.autograd.grad(getattr(objective, player)(real, fake), (real, fake))
            for one, two in zip(expected, next(found), strict=True):
                assert (one - two).abs().max() < 1e-14
