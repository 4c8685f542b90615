"""The curves of runs that train as one program: collected for all on the device, and told to each."""

from collections.abc import Mapping

import torch
from torch import Tensor

from gan_lab.algorithms.player import Curves
from gan_lab.algorithms.vectorized import StackedGAN
from gan_lab.callbacks.logger import of_pairs

_MOST_KEPT = 1000  # iterations whose values are kept on the device


class StackedCurves:
    """Collects the values of every iteration, and tells each run its own in one transfer for all.

    Args:
        game: the runs' game.
        live: the runs that have not ended, by their place in the batch; those that have are told no more.
    """

    def __init__(self, game: StackedGAN, live: Mapping[int, object]) -> None:
        self.game = game
        self.live = live
        self.count = len(game.replicas)
        self._kept: list[dict[str, Tensor]] = []  # of each iteration since the last transfer, [R] by tag
        self._norms: list[dict[str, float]] = [{} for _ in range(self.count)]
        self._told: list[list[dict[str, float]]] = [[] for _ in range(self.count)]  # what each run is still to be told

    def keep(self, curves: Curves) -> None:
        """Keep the values of an iteration: ``[R]`` by tag, and logits ``[R·B]``."""
        real, fake = (curves[f"logits/{kind}"].unflatten(0, (self.count, -1)).float() for kind in ("real", "fake"))
        means = dict(zip(("logits/real", "logits/fake"), (real.mean(1), fake.mean(1)), strict=True))
        self._kept.append(curves | means | {"accuracy/discriminator": of_pairs(real, fake).mean(1)})
        if len(self._kept) >= _MOST_KEPT:
            self._transfer()

    def rows(self, run: int) -> list[dict[str, float]]:
        """The values of a run in each iteration since it was told last, by tag, and the weight norms of now."""
        if self._kept:
            self._transfer()
        told, self._told[run] = self._told[run], []
        return [*told, self._norms[run]]

    @torch.no_grad()
    def _transfer(self) -> None:
        norms = {
            f"weight_norm/{name}": torch.linalg.vector_norm(player.network.flat, dim=1)
            for name, player in self.game.stacked_players.items()
        }
        rows, self._kept = [*self._kept, norms], []
        values = iter(torch.stack([value.float() for row in rows for value in row.values()]).tolist())
        by_row = [{name: next(values) for name in row} for row in rows]
        for run in self.live:
            *told, self._norms[run] = [{name: of_all[run] for name, of_all in row.items()} for row in by_row]
            self._told[run] += told
