"""gan_lab beside others' examples: each peer's own network, batch size, optimizer and loss, on MNIST, on a CPU.

Sides are the peer's own loop, a run of gan_lab with the peer's networks, and the best loop by hand with the same. For
perceptrons two more: ``compile=iteration``, and ten seeds in one program, per seed. Beside them stands what the
arithmetic of an iteration takes at least.
"""

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from hydra import compose, initialize_config_module
from omegaconf import DictConfig, OmegaConf, open_dict

from benchmarks import hand_written
from benchmarks.arithmetic import Limit, Products
from benchmarks.measuring import Claim, Scale, tell
from benchmarks.peer_cases import CASES, PeerCase
from benchmarks.peer_loops import theirs
from benchmarks.peer_networks import LIGHTNING, PACKAGES, SCRIPTS, Places
from benchmarks.steps import Trained, by_gan_lab, by_hand, see_that_all_do_the_same
from benchmarks.together import swept
from benchmarks.turns import Course, Pace, race
from gan_lab.config.checks import check
from gan_lab.datasets import mnist

_PICTURES = 5_000  # of which four fifths are trained on
_SEEDS = 10

Side = Callable[[Pace], tuple[Trained, int]]


def peers(scale: Scale) -> list[Claim]:
    """Every case: all sides over the peer's own loop, and the arithmetic of an iteration."""
    claims = []
    places = _places(scale)
    with tempfile.TemporaryDirectory() as folder:
        for name, case in CASES.items():
            course = _course(case, scale)
            config = partial(_config, case, places, _samples(case, places, Path(folder)), course.length)
            cpu = torch.device("cpu")
            sides: dict[str, Side] = {
                "theirs": partial(theirs, case.peer, places, "as it is"),
                "gan_lab": partial(_uncounted, partial(by_gan_lab, config(), Path(folder))),
                "by hand": partial(_uncounted, partial(by_hand, hand_written.best, case.game, config(), cpu)),
            }
            if case.stacked:
                compiled = config("compile=iteration")
                sides["compile=iteration"] = partial(_uncounted, partial(by_gan_lab, compiled, Path(folder)))
            taken, flops = _measured(sides, course, scale)
            claims += [_over_theirs(name, side, taken) for side in sides if side != "theirs"]
            if case.stacked:
                taken["ten seeds"] = [_of_ten_seeds(case, scale)] * scale.repeats
                claims.append(_over_theirs(name, "ten seeds", taken))
            claims += _arithmetic(name, case, config(), taken, flops, scale)
    return claims


def causes(scale: Scale) -> list[Claim]:
    """What the peers lose by: their own loops with one thing changed, over the same as they are."""
    claims = []
    places = _places(scale)
    for name, case in CASES.items():
        sides: dict[str, Side] = {
            change: partial(theirs, case.peer, places, change) for change in ("as it is", *case.changes)
        }
        taken, _ = _measured(sides, _course(case, scale), scale)
        claims += [_over(name, change, "as it is", taken) for change in case.changes]
    return claims


def _course(case: PeerCase, scale: Scale) -> Course:
    return Course(scale.of(case.iterations, 2), scale.of(case.turn, 1))


def _places(scale: Scale) -> Places:
    """The user's folders.

    Raises:
        FileNotFoundError: if a peer is missing.
    """
    places = Places(str(Path(scale.peers).resolve()), str(Path(scale.data).resolve()))
    needed = [LIGHTNING.file, *(script.file for script in SCRIPTS.values())]
    for file in [*needed, *(f"packages/{part}" for part in PACKAGES.values())]:
        if not (Path(places.peers) / file).exists():
            raise FileNotFoundError(f"--peers {scale.peers}: it has no {file}; docs/speed.md says what it must hold")
    return places


def _measured(sides: Mapping[str, Side], course: Course, scale: Scale) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Milliseconds an iteration of each side, in every race, and the arithmetic of an iteration where it is counted."""
    taken: dict[str, list[float]] = {side: [] for side in sides}
    flops: dict[str, int] = {}
    for repeat in range(scale.repeats):
        finish = race(sides, course)
        if not scale.quick:
            see_that_all_do_the_same({side: at.end[0] for side, at in finish.items()}, apart=0.6)
        for side, at in finish.items():
            taken[side].append(1000 * at.seconds)
            flops[side] = at.end[1]
        tell(repeat, scale.repeats, taken)
    return taken, flops


def _uncounted(side: Callable[[Pace], Trained], pace: Pace) -> tuple[Trained, int]:
    return side(pace), 0


def _over_theirs(name: str, side: str, taken: Mapping[str, list[float]]) -> Claim:
    return _over(name, side, "theirs", taken)


def _over(name: str, side: str, reference: str, taken: Mapping[str, list[float]], unit: str = "ms") -> Claim:
    return Claim(f"{name}: {side} / {reference}", {one: taken[one] for one in (side, reference)}, unit)


def _config(case: PeerCase, places: Places, samples: list[str], length: int, *further: str) -> DictConfig:
    """The case for gan_lab, with the networks of the peer."""
    words = [*_words(case, length), *samples, "allowed_targets=[benchmarks]", *further]
    with initialize_config_module("gan_lab.conf", version_base="1.3"):
        config = compose("train", words)
    with open_dict(config):  # as the command does for model.generator={_target_: …}
        for role in ("generator", "discriminator"):
            config.model[role] = {"_target_": f"benchmarks.peer_networks.{role}", "peer": case.peer, **vars(places)}
    return check(config)


def _words(case: PeerCase, length: int) -> list[str]:
    words = [*case.words, f"batch_size={case.batch_size}", f"iterations={length}", "trainer=cpu", "threads=1"]
    words += ["evaluation/extractor=pixels", "evaluation.samples=100", "evaluation.metrics=[prdc]"]
    return [*words, *(f"{what}.every={length}" for what in ("evaluation", "pictures", "checkpoint"))]


def _samples(case: PeerCase, places: Places, folder: Path) -> list[str]:
    """Overrides for MNIST's pictures in the size of the case."""
    if case.side == 28:
        return ["dataset=mnist", f"dataset.root={places.data}"]
    file = folder / f"mnist_{case.side}_{case.channels}.npz"
    if not file.exists():
        pictures = mnist(places.data).train[:_PICTURES].float()
        sized = F.interpolate(pictures, (case.side, case.side), mode="bilinear", antialias=True)
        wide = sized.round().to(torch.uint8).expand(-1, case.channels, -1, -1)
        np.savez(file, samples=wide.permute(0, 2, 3, 1).numpy())
    return ["dataset=npz", f"dataset.path={file}"]


def _of_ten_seeds(case: PeerCase, scale: Scale) -> float:
    """Milliseconds of a seed's iteration where ten are one program, of gan_lab's networks of the same widths."""
    length = scale.of(100, 2)
    words = [*_words(case, length), *case.stacked, "dataset=mnist", f"dataset.root={Path(scale.data).resolve()}"]
    return swept("vectorized", [*words, f"seed=range({_SEEDS})"]).each


def _arithmetic(
    name: str, case: PeerCase, config: DictConfig, taken: dict[str, list[float]], flops: dict[str, int], scale: Scale
) -> list[Claim]:
    """The least times of an iteration by hand, and the arithmetic of the peer's beside it."""
    counted = _SecondIteration()
    two = OmegaConf.merge(config, {"iterations": 2})
    by_hand(hand_written.best, case.game, two, torch.device("cpu"), counted)  # type: ignore[arg-type]
    counted.products.__exit__(None, None, None)
    limit = Limit.of(counted.products)
    for side, seconds in (("products alone", limit.products), ("limit", limit.best)):
        taken[side] = [1000 * seconds] * scale.repeats
    least = [_over_theirs(name, side, taken) for side in ("products alone", "limit")]
    operations = {"arithmetic of theirs": [flops["theirs"] / 1e9], "by hand": [counted.products.flops / 1e9]}
    return [*least, _over(name, "arithmetic of theirs", "by hand", operations, "GFLOP")]


class _SecondIteration:
    """A pace that counts the products of the second iteration; the first makes the optimizers' state."""

    peak = 0.0

    def __init__(self) -> None:
        self.done = 0
        self.products = Products()

    def __call__(self) -> None:
        self.done += 1
        if self.done == 2:
            self.products.__enter__()
