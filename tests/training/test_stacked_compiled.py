"""``compile=iteration`` in a stack trains what the eager stack does, and goes on bit for bit."""

import shutil

import pytest
import torch
from stacked_runs import stack_in
from training_runs import weights_of

from gan_lab.errors import Diverged
from gan_lab.runs.folder import RunFolder
from gan_lab.training.stacked import Stack

SEEDS = (3, 4)
DIGITS = ["dataset=digits", "model=mlp", "evaluation/extractor=pixels"]  # a classifier would learn first


def stacked_in(path, *words, resume=False):
    """Train both seeds together; what each ended with."""
    return stack_in(path, SEEDS, words, resume)


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["loss=wgan_gp", "clip_grad.generator=0.01", "ema_decay=0.9", "model=pacgan_mlp", "model.packing=2"], 2),
        (["loss=ragan_attention", "penalty=[r1]", "loss.penalties.r1.every=3"], 3),
        ([*DIGITS, "conditional=projection", "loss=sngan", "n_critic=2", "lr_schedule=linear"], 2),
    ],
    ids=["wgan_gp", "lazy", "labels"],
)
def test_losses_of_all_replicas_are_whole_graphs_and_train_as_ever(tmp_path, graphs, words, count):
    """In float64: 1e-9 is far below a step and above what another order of sums makes."""
    assert stacked_in(tmp_path / "eager", *words) == [None] * 2
    assert not graphs
    assert stacked_in(tmp_path / "compiled", *words, "compile=iteration") == [None] * 2
    assert len(graphs) == count
    for seed in SEEDS:
        found = weights_of(RunFolder(tmp_path / f"compiled/{seed}"))
        for name, value in weights_of(RunFolder(tmp_path / f"eager/{seed}")).items():
            assert torch.allclose(found[name].double(), value.double(), rtol=0, atol=1e-9), name


def test_a_killed_stack_goes_on_bit_for_bit(monkeypatch, tmp_path):
    """This one is compiled, into the cache's folder; DRAGAN draws two kinds of random numbers in an update."""
    words = ["loss=dragan", "compile=iteration"]
    iterate = Stack.iterate

    def copied(self):
        if self.iteration == 5:  # as a process leaves its folders that is killed now
            shutil.copytree(tmp_path / "whole", tmp_path / "killed", symlinks=True)
        iterate(self)

    with monkeypatch.context() as patch:
        patch.setattr(Stack, "iterate", copied)
        stacked_in(tmp_path / "whole", *words)
    stacked_in(tmp_path / "killed", *words, resume=True)
    stacked_in(tmp_path / "eager", *words[:1])
    for seed in SEEDS:
        whole, killed, eager = (RunFolder(tmp_path / name / f"{seed}") for name in ("whole", "killed", "eager"))
        found = weights_of(killed)
        assert all(torch.equal(found[name], value) for name, value in weights_of(whole).items())
        assert killed.metrics_file.read_bytes() == whole.metrics_file.read_bytes()
        assert all(torch.allclose(found[name], value, rtol=0, atol=1e-9) for name, value in weights_of(eager).items())


def test_one_that_diverges_ends_and_the_other_goes_on(monkeypatch, tmp_path, graphs):
    stacked_in(tmp_path / "whole", "compile=iteration")
    iterate = Stack.iterate

    def planted(self):
        if self.iteration == 4:
            with torch.no_grad():
                self.game.players["generator"].flat[1, 0] = torch.nan
        iterate(self)

    monkeypatch.setattr(Stack, "iterate", planted)
    ended = stacked_in(tmp_path / "planted", "compile=iteration")
    assert ended[0] is None
    assert isinstance(ended[1], Diverged)
    found = weights_of(RunFolder(tmp_path / "planted/3"))
    assert all(torch.equal(found[name], one) for name, one in weights_of(RunFolder(tmp_path / "whole/3")).items())
