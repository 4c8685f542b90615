"""``compile=true`` trains what eager training does; test_gpu.py does the same on a GPU."""

import functools

import pytest
import torch
from training_runs import SMALL, train_in, weights_of


@pytest.mark.parametrize(
    "overrides",
    [
        ["loss=rsgan", "ema_decay=0.9"],
        ["loss=wgan_gp", "n_critic=2", "clip_grad.discriminator=1"],  # a penalty differentiates twice, uncompiled
        ["loss=sngan", "loss.objective._target_=gan_lab.losses.NonSaturating"],  # a constraint changes weights
    ],
    ids=["rsgan", "wgan_gp", "sngan"],
)
def test_both_networks_are_compiled_and_train_as_ever(composed, tmp_path, monkeypatch, overrides):
    graphs = []
    torch._dynamo.reset()  # networks of the same layers would share what an earlier test has compiled

    def counted(graph, inputs, **options):
        graphs.append(graph)
        return graph

    # what TorchDynamo captures is run as it is: a compiler for it may be missing, and takes a minute
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=counted))
    words = [*SMALL, *overrides, "iterations=6", "trainer.precision=64-true"]
    eager = train_in(tmp_path / "eager", composed(*words))
    assert not graphs
    compiled = train_in(tmp_path / "compiled", composed(*words, "compile=true"))
    assert len(graphs) >= 2
    found = weights_of(compiled)
    for key, value in weights_of(eager).items():
        assert torch.allclose(found[key], value, rtol=1e-9, atol=1e-12), key
