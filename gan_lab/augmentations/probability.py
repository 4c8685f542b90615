"""The probability of an augmentation: fixed, on a schedule, or such that the discriminator does not overfit."""

import math

import torch
from torch import Tensor, nn

from gan_lab.distributed.collectives import mean_of_each, process_count
from gan_lab.validation import check_between, check_choice, check_number, check_positive, is_number, quoted


class Probability(nn.Module):
    """The probability p of an augmentation, a buffer.

    A number is kept, or approached on a cosine from 0 at the first update to it at the last. None adapts p to the
    overfitting of the discriminator (ADA). Its sign is r_t, the mean sign of the logits of real samples, counted from
    the logit at which the discriminator is undecided: 0 if it cannot tell real from generated samples, 1 if it
    recognises every real one. After every few updates p rises or falls by a small step, so that r_t comes to a target.

    An objective that compares logits has no such logit: a number added to all of them changes nothing. For it we count
    from midway between the mean logits of the update's real and generated samples; means over several updates lag
    behind logits that drift. This is ours; the paper knows the non-saturating loss alone. Likewise for LSGAN we count
    from the middle between its two labels.

    In several processes r_t is that of the whole batch, so that p is the same in all of them.

    Args:
        name: what the arguments are called in messages.
        p: the probability, or None.
        schedule: of a number: constant or cosine.
        target: of r_t.
        speed: thousand real samples in which p can go from 0 to 1.
        every: updates of the discriminator between two steps of p.
        most: what p cannot exceed. The published code has no bound, and users report probabilities of 34.
        updates: of the discriminator until the end of training.

    Raises:
        ValueError: for settings that cannot be.

    References:
        Karras et al. 2020, Training Generative Adversarial Networks with Limited Data (arXiv 2006.06676), §3.
    """

    p: Tensor
    r_t: Tensor
    signs: Tensor
    done: Tensor

    def __init__(
        self,
        name: str,
        p: float | None,
        schedule: str,
        target: float,
        speed: float,
        every: int,
        most: float,
        updates: int,
    ) -> None:
        super().__init__()
        check_between(f"{name}.most", most, 0, 1)
        if p is not None and not (is_number(p) and 0 <= p <= most):
            raise ValueError(f"{name}.p={quoted(p)}: expected null or a number from 0 to {name}.most={most}")
        check_choice(f"{name}.schedule", schedule, ("constant", "cosine"))
        if p is None and schedule != "constant":
            raise ValueError(f"{name}.schedule={schedule}: expected constant, or {name}.p=..., with which it ends")
        check_between(f"{name}.target", target, -1, 1)
        check_number(f"{name}.speed", speed, above=0)
        check_positive(f"{name}.every", every)
        self.last, self.schedule, self.updates = p, schedule, updates
        self.target, self.speed, self.every, self.most = target, speed, every, most
        begins = 0.0 if p is None or schedule == "cosine" else float(p)
        self.register_buffer("p", torch.tensor(begins))
        self.register_buffer("r_t", torch.tensor(0.0))  # of the last update
        self.register_buffer("signs", torch.tensor(0.0))  # the sum of r_t since the last step of p
        self.register_buffer("done", torch.tensor(0))  # updates

    @torch.no_grad()
    def observe(self, real: Tensor, fake: Tensor, undecided: float | None, samples: int) -> dict[str, Tensor]:
        """Hear of an update, and set p for the next one. Logits that are not finite change nothing.

        The arguments are those of `gan_lab.augmentations.Augmentation.observe`.
        """
        used = self.p.clone()
        real_mean, fake_mean = mean_of_each(torch.stack([real.mean(), fake.mean()])).unbind()
        middle = (real_mean + fake_mean).to(real) / 2 if undecided is None else undecided
        (r_t,) = mean_of_each((real - middle).sign().mean()[None]).to(self.r_t)
        self.r_t.copy_(torch.where(r_t.isfinite(), r_t, self.r_t))
        self.signs += self.r_t
        self.done += 1
        self.p.copy_(self._next(samples * process_count()))
        self.signs *= self.done % self.every != 0
        return {"augmentation/p": used, "augmentation/r_t": self.r_t.clone()}

    def _next(self, samples: int) -> Tensor:
        """The probability in the next update, after one on so many real samples."""
        if self.last is None:
            step = (self.signs / self.every - self.target).sign() * (samples * self.every / (self.speed * 1000))
            return torch.where(self.done % self.every == 0, (self.p + step).clamp(0, self.most), self.p)
        if self.schedule == "constant":
            return self.p
        progress = (self.done / max(self.updates - 1, 1)).clamp(max=1)
        return self.last * (1 - (math.pi * progress).cos()) / 2
