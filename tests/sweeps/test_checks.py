"""A sweep is checked whole before its first run."""

from multiprocessing import Pipe

import pytest
from command_runs import refusal

from gan_lab.cli.train import main
from gan_lab.sweeps.checks import _different, _try

LINE = ["gan-lab", "-m", "dataset=ring8", "trainer=debug", "hydra.sweep.dir=sweep"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["loss=lsgan,hinge", "seed=0,1,-1"], "seed=-1: expected a whole number of at least 0"),
        (["optimizer.generator.lr=1e-3,0", "seed=0,1"], "optimizer.generator.lr=0: expected a number above 0"),
        (["+optimizer.generator.momentum=1"], "optimizer.generator.momentum: there is no key 'momentum' in "),
        (["loss=lsgan,rsgan", "+loss.objective.x=1"], "loss.objective.x: there is no key 'x' in loss.objective; "),
        (["optimizer.generator.eps=1e-8,abc"], "optimizer.generator.eps"),
        (["dataset=ring8,npz", "dataset.path=${nope}"], "dataset.path"),
        (["optimizer.generator._target_=torch.optim.Adam,os.system"], "optimizer.generator._target_=os.system: "),
        (["model.generator._target_=gan_lab.models.MLPGenerator,torch.nn.Nope"], "model.generator._target_=torch.nn."),
        (["loss.objective.label_smoothing=0,2"], "loss.objective: NonSaturating.label_smoothing=2.0: "),
    ],
)  # fmt: skip
def test_one_wrong_combination_refuses_the_sweep(monkeypatch, tmp_path, words, sentence):
    said = refusal(monkeypatch, tmp_path, main, *LINE, *words)
    assert said.startswith(f"gan-lab: {sentence}")
    assert not list(tmp_path.iterdir())


def test_every_combination_is_looked_at_and_of_the_seeds_one_and_each():
    jobs = [[f"loss={loss}", f"seed={seed}"] for loss in "abc" for seed in (5, 6, 7)]
    assert [" ".join(words) for words in _different(jobs)] == [
        "loss=a seed=5", "loss=a seed=6", "loss=a seed=7", "loss=b seed=5", "loss=c seed=5"
    ]  # fmt: skip
    assert _different([["loss=a"], ["loss=b"]]) == [["loss=a"], ["loss=b"]]


def test_a_tuned_sweep_looks_at_its_trials(monkeypatch, tmp_path):
    space = "hydra.sweeper.space={optimizer.generator.lr:'interval(-2,-1)'}"
    line = ["gan-lab", "-m", "dataset=ring8", "protocol=tuned", "loss=lsgan", "hydra.sweep.dir=sweep", space]
    assert refusal(monkeypatch, tmp_path, main, *line).startswith("gan-lab: optimizer.generator.lr=-1.")
    assert not list(tmp_path.iterdir())


def test_a_killed_sweep_leaves_no_traceback_of_its_checks():
    """Its end of the pipe is closed by then."""
    heard, told = Pipe(duplex=False)
    heard.close()
    _try([], None, told)
    told.close()
