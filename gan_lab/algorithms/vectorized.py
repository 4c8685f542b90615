"""Games that differ in their random numbers alone, played as one program: seeds as one batch.

Every batch holds the samples of all replicas, one replica after the other, so that a small network's iteration waits
for Python once and not once a seed. Each replica draws from its own random generators and its own stream of samples,
has losses, gradient norms and clipping of its own, and is after every iteration where it would be alone, but for the
order in which sums are rounded.
"""

import dataclasses
import inspect
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan_lab.algorithms.bare_step import bare_step
from gan_lab.algorithms.gan import GAN
from gan_lab.algorithms.player import Curves, Player, Slope
from gan_lab.algorithms.view import View
from gan_lab.datasets.batch import Batch, Condition, Request
from gan_lab.distributed.replicas import stacked
from gan_lab.losses import Objective
from gan_lab.models.conditions import Judgement
from gan_lab.models.stacked import StackedNetwork


class PerReplica(Objective):
    """An objective of the logits ``[R·B]`` of all replicas: a loss each, ``[R]``.

    Args:
        objective: of the logits ``[B]`` of one.
        count: R.
    """

    def __init__(self, objective: Objective, count: int) -> None:
        self.objective = objective
        self.count = count
        self.generator_uses_real = objective.generator_uses_real  # type: ignore[misc]  # of this instance
        self.heads = objective.heads  # type: ignore[misc]

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return torch.vmap(self.objective.discriminator)(self._of_each(real), self._of_each(fake))

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        if real is None:
            return torch.vmap(lambda own: self.objective.generator(None, own))(self._of_each(fake))
        return torch.vmap(self.objective.generator)(self._of_each(real), self._of_each(fake))

    def _of_each(self, logits: Tensor) -> Tensor:
        return logits.unflatten(0, (self.count, -1))


class StackedPlayer(Player):
    """The same player of every replica as one: one pass, one step of one optimizer.

    The replicas' own networks and averages share their weights with it. Their optimizers and schedules are brought up
    to date when their states are asked for.

    Args:
        replicas: the players, all after the same number of updates.

    Raises:
        ConfigError: for a network that cannot be stacked.
    """

    network: StackedNetwork

    def __init__(self, replicas: Sequence[Player]) -> None:
        lead = replicas[0]
        network = StackedNetwork([one.network for one in replicas])
        self.flat = nn.Parameter(network.flat)
        schedule = lead.scheduler.lr_lambdas[0]
        super().__init__(lead.name, network, _alike(lead.optimizer, self.flat), schedule, lead.clip, beta2=lead.beta2)
        self.weights = self.trained = list(network.weights)
        self.updates = lead.updates
        self.average_decay = lead.average_decay
        self.averages = None
        if lead.average is not None:
            self.averages = StackedNetwork([one.average for one in replicas if one.average is not None])
        self._take_up(replicas)
        for row, one in enumerate(replicas):
            one.optimizer.register_state_dict_pre_hook(partial(self._hand_back, row, one))

    def descend(self, loss: Tensor, curves: Curves, slope: Slope | None = None) -> None:
        """Make one step of each replica down the gradient of its own loss, ``[R]``; the norms go to the curves."""
        (self.flat.grad,), curves[f"grad_norm/{self.name}"] = slope or self.slope(
            torch.autograd.grad(loss.sum(), self.weights)
        )
        self.step()
        self.updates += 1
        if self.averages is not None:
            self._update_average()

    def slope(self, gradients: Sequence[Tensor | None]) -> Slope:
        """The gradients of all replicas as one ``[R, P]``, each clipped by its own norm, and the norms ``[R]``."""
        # all are there: a perceptron's loss depends on each of its weights
        flat = torch.cat([one.reshape(len(one), -1) for one in gradients], 1)  # type: ignore[union-attr,arg-type]
        norms = torch.linalg.vector_norm(flat, dim=1)
        if self.clip is not None:
            flat = flat * (self.clip / (norms + 1e-6)).clamp(max=1.0)[:, None]  # as torch.nn.utils.clip_grad_norm_
        return Slope((flat,), norms)

    @torch.no_grad()
    def _update_average(self) -> None:
        assert self.averages is not None
        assert self.average_decay is not None
        decay = self.average_decay(self.updates) if self.updates > 1 else 0.0
        self.averages.flat.lerp_(self.flat, 1 - decay)
        for kept, current in zip(self.averages.buffers(), self.network.buffers(), strict=True):
            kept.copy_(current)

    def _take_up(self, replicas: Sequence[Player]) -> None:
        """Go on where the replicas' optimizers and schedules are."""
        lead = replicas[0]
        self.scheduler.load_state_dict(lead.scheduler.state_dict())
        (own,), (group,) = self.optimizer.param_groups, lead.optimizer.param_groups
        own.update({key: value for key, value in group.items() if key != "params"})
        states = [[one.optimizer.state.get(weight, {}) for weight in one.network.parameters()] for one in replicas]
        for key, value in states[0][0].items():
            if value.ndim == 0 and self.network.shapes[0] != value.shape:  # the number of steps, the same for all
                self.optimizer.state[self.flat][key] = value.clone()
            else:
                rows = [torch.cat([entry[key].flatten() for entry in of_one]) for of_one in states]
                self.optimizer.state[self.flat][key] = torch.stack(rows)

    def _hand_back(self, row: int, replica: Player, optimizer: Optimizer) -> None:
        """Give a replica's optimizer and schedule copies of its part of the state."""
        for key, value in self.optimizer.state.get(self.flat, {}).items():
            whole = value.shape == self.flat.shape
            parts = self.network.parts(value[row, None]) if whole else None
            for number, weight in enumerate(replica.network.parameters()):
                optimizer.state[weight][key] = value.clone() if parts is None else parts[number][0].clone()
        (own,), (group,) = self.optimizer.param_groups, optimizer.param_groups
        group.update({key: value for key, value in own.items() if key != "params"})
        replica.scheduler.load_state_dict(self.scheduler.state_dict())


def _alike(optimizer: Optimizer, weight: Tensor) -> Optimizer:
    """An optimizer of the same kind and settings for another weight."""
    kind = type(optimizer)
    taken = inspect.signature(kind).parameters
    return kind([weight], **{key: value for key, value in optimizer.defaults.items() if key in taken})


class StackedGAN(GAN):
    """Games of one kind as one; each stays what it is, and shares its networks' weights with this.

    Args:
        replicas: the games, all after the same number of iterations, on one device.
        generators: the random generator of each, from which its penalties draw.

    Raises:
        ConfigError: for a network that cannot be stacked.
    """

    def __init__(self, replicas: Sequence[GAN], generators: Sequence[torch.Generator]) -> None:
        lead = replicas[0]
        players = {name: StackedPlayer([one.players[name] for one in replicas]) for name in lead.roles}
        loss = dataclasses.replace(lead.loss, objective=PerReplica(lead.loss.objective, len(replicas)))
        super().__init__(
            **players,  # type: ignore[arg-type]  # by their names
            loss=loss,
            prior=lead.prior,
            noise_seed=lead.noise_seed,
            turns=lead.turns,
            joint_batch=lead.joint_batch,
            packing=lead.packing,
            compile_mode=lead.compile_mode,
        )
        for one in players.values():
            one.step = bare_step(one.optimizer)
        self.replicas = tuple(replicas)  # a tuple: they are no parts of this module
        self.generators = generators
        self.stacked_players = players

    def advance(self, discriminator: Sequence[Batch], generator: Sequence[Batch]) -> Curves:
        """One iteration of all replicas, on a batch ``[R·B, …]`` for each update of either player.

        Returns:
            The curves, ``[R]``, and logits ``[R·B]``, by tag, detached.
        """
        self.curves = {}
        with stacked(self.generators):
            for batch in discriminator:
                self.update_discriminator(batch)
            for batch in generator:
                self.update_generator(batch)
        for player in self.players.values():
            player.advance()
        return self.curves

    def draw_latents(self, count: int) -> Tensor:
        """Latents ``[count, latent_dim]``: each replica draws its part from its own random generator."""
        return torch.cat([one.draw_latents(count // len(self.replicas)) for one in self.replicas])

    def judge_both(self, real: Tensor, fake: Tensor, request: Request, view: View) -> tuple[Judgement, Judgement]:
        """As that of one game; in a joint batch, each replica's real samples come before its own generated ones."""
        if not self.joint_batch:
            return super().judge_both(real, fake, request, view)
        discriminator, asked = self.players["discriminator"], Condition(request.labels, request.source)
        joined = self._followed(real, fake)
        given = asked.map(lambda values: self._followed(values, values))
        judged = Judgement.of(discriminator(joined, given)).to(real.dtype)
        logits, classes = (None if one is None else self._parted(one) for one in judged)
        assert logits is not None
        first, second = classes or (None, None)
        return Judgement(logits[0], first), Judgement(logits[1], second)

    def _followed(self, first: Tensor, second: Tensor) -> Tensor:
        """Batches ``[R·B, …]`` as one, ``[R·2B, …]``."""
        parts = [one.unflatten(0, (len(self.replicas), -1)) for one in (first, second)]
        return torch.cat(parts, 1).flatten(0, 1)

    def _parted(self, both: Tensor) -> tuple[Tensor, Tensor]:
        """The two batches ``[R·B, …]`` in one, ``[R·2B, …]``."""
        first, second = both.unflatten(0, (len(self.replicas), 2, -1)).unbind(1)
        return first.flatten(0, 1), second.flatten(0, 1)
