"""Losses of a user's own: the sentence that a wrong one ends with, and what is kept of one that remembers."""

import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from command_runs import refusal
from torch import nn

import gan_lab
from gan_lab.cli.train import main
from gan_lab.errors import ConfigError
from gan_lab.losses import NonSaturating, Objective, Penalty, Recipe
from gan_lab.runs.folder import RunFolder
from gan_lab.training.build import build_module
from gan_lab.training.objective_check import check_objective

OWN = """
from gan_lab.losses import NonSaturating, Penalty, Term


class PerSample(NonSaturating):
    def discriminator(self, real, fake):
        return fake - real


class Number(NonSaturating):
    def generator(self, real, fake):
        return 1.0


class Detached(NonSaturating):
    def generator(self, real, fake):
        return super().generator(real, fake).detach()


class Fails(NonSaturating):
    def generator(self, real, fake):
        return (real - fake).mean()


class Raises(NonSaturating):
    def discriminator(self, real, fake):
        raise ValueError("no way")


class OfEach(Penalty):
    def __call__(self, judge, real, fake):
        return judge(real)


class NoTensor(Term):
    def __call__(self, step):
        return 3.0


class Misfit(Penalty):
    def __call__(self, judge, real):
        return judge(real).mean()
"""
LINE = 1 + [line.strip() for line in OWN.splitlines()].index('raise ValueError("no way")')
EXPECTED = "expected one number, a scalar tensor, that depends on the logits"
TINY = ["dataset=ring8", "trainer=debug", "batch_size=16", "evaluation.samples=40", "allowed_targets=[own_losses]"]


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    (tmp_path / "module").mkdir()
    (tmp_path / "module" / "own_losses.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path / "module")
    yield
    sys.modules.pop("own_losses", None)


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("loss.objective._target_=own_losses.PerSample", "loss.objective: PerSample.discriminator returned a tensor "
         f"[16], of which .mean() makes a scalar: {EXPECTED}"),
        ("loss.objective._target_=own_losses.Number",
         f"loss.objective: Number.generator returned a float: {EXPECTED}"),
        ("loss.objective._target_=own_losses.Detached",
         f"loss.objective: Detached.generator returned a tensor without a graph: {EXPECTED}"),
        ("loss.objective._target_=own_losses.Fails",
         "loss.objective: Fails.generator, given logits [16], fails: TypeError: "),
        ("loss.objective._target_=own_losses.Raises", "loss.objective: Raises.discriminator, given logits [16], fails: "
         f"ValueError: no way (own_losses.py, line {LINE})"),
        ("+loss.penalties.mine={_target_:own_losses.Misfit}",
         "loss.penalties.mine: Misfit.__call__ takes (self, judge, real): expected (self, judge, real, fake)"),
    ],
)  # fmt: skip
def test_what_is_not_one_number_is_refused(monkeypatch, tmp_path, word, sentence):
    (tmp_path / "here").mkdir()
    said = refusal(monkeypatch, tmp_path / "here", main, "gan-lab", *TINY, word)
    assert said.startswith(f"gan-lab: {sentence}")
    assert not list((tmp_path / "here").iterdir())


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("+loss.penalties.mine={_target_:own_losses.OfEach}",
         "loss.penalties.mine: OfEach returned a tensor [16]: expected one number, a scalar tensor"),
        ("+loss.terms.mine={_target_:own_losses.NoTensor}",
         "loss.terms.mine: NoTensor returned a float: expected one number, a scalar tensor"),
    ],
)  # fmt: skip
def test_so_is_that_of_a_penalty_or_term_at_its_first_update(monkeypatch, tmp_path, word, sentence):
    said = refusal(monkeypatch, tmp_path, main, "gan-lab", *TINY, "hydra.run.dir=run", word)
    assert said == f"gan-lab: {sentence}"
    assert RunFolder(tmp_path / "run").status()["error"] == sentence


class Noisy(NonSaturating, Objective):
    """Draws from the global random generators, and counts its calls."""

    calls = 0

    def discriminator(self, real, fake):
        object.__setattr__(self, "calls", self.calls + 1)
        return super().discriminator(real + torch.rand(()) * np.random.random(), fake)


def test_the_trial_changes_nothing_of_the_run(caplog):
    torch.manual_seed(0)
    np.random.seed(0)
    expected = torch.rand(()), np.random.random()
    torch.manual_seed(0)
    np.random.seed(0)
    objective = Noisy()
    check_objective(objective, (4,))
    assert (torch.rand(()), np.random.random()) == expected
    assert objective.calls == 0
    assert "loss.objective: Noisy changes its attribute calls, which a resumed run begins anew" in caplog.text


@dataclass(frozen=True)
class Shifted(Penalty):
    """With options of several kinds."""

    shift: float = -1.0
    where: str = "inside"
    layers: tuple[int, ...] = (1, 2)

    def __call__(self, judge, real, fake):
        return judge.real.mean()


class Static(Shifted):
    @staticmethod
    def __call__(judge, real, fake):
        return judge.real.mean()


def test_a_penalty_may_be_a_static_method():
    assert Recipe(NonSaturating(), {"mine": Static()}).penalties["mine"].weight == 10


class Careless(Penalty):
    def __init__(self, weight):
        self.given = weight

    __call__ = Shifted.__call__


def test_options_of_a_penalty_are_checked_by_its_own_class():
    assert Shifted(2.0, shift=-3.0, where="outside").shift == -3
    with pytest.raises(ValueError, match=r"Shifted.weight=-1: expected a number of at least 0"):
        Shifted(-1)


def test_a_weight_that_does_not_arrive():
    assert Careless(3.0).weight == 10  # the default of its base class
    with pytest.raises(TypeError, match=r"loss.penalties.mine: Careless.__init__ leaves its weight as it was"):
        Recipe(NonSaturating(), {"mine": Careless(3.0)})


class Remembers(Objective, nn.Module):
    """Its buffer counts the updates of the discriminator."""

    generator_uses_real = False

    def __init__(self):
        super().__init__()
        self.register_buffer("done", torch.tensor(0.0))

    def discriminator(self, real, fake):
        self.done += 1
        return self.done + 0 * real.mean()

    def generator(self, real, fake):
        return -fake.mean()


def test_buffers_of_an_objective_are_saved_with_the_run(tmp_path):
    words = [*TINY[:-1], "iterations=2", "loss.objective={_target_:test_own_losses.Remembers}"]
    run = gan_lab.train(*words, folder=tmp_path / "run", allowed_targets=["test_own_losses"])
    run.resume(iterations=3)
    assert run.curves()["loss/discriminator"].values.tolist() == [1, 2, 3]


def test_a_state_is_kept_beside_a_part_of_the_same_name_without_one(composed):
    words = ["penalty=lecam", "+loss.terms.lecam={_target_:gan_lab.losses.FeatureMatching}"]
    module = build_module(composed("dataset=ring8", *words), (2,))
    assert "states.lecam_.values" in module.state_dict()


def test_logits_of_two_heads_that_an_objective_of_one_does_not_take():
    with pytest.raises(
        ConfigError, match=r"^loss.objective: NonSaturating.discriminator, given logits \[4, 2\], fails"
    ):
        check_objective(NonSaturating(), (4, 2))
