"""What a graph and eager steps need of optimizers' states; graphs themselves need a GPU (training/test_gpu.py)."""

import copy
from contextlib import nullcontext

import pytest
import torch
from torch.optim import SGD, Adam, RMSprop

from gan_lab.algorithms.cuda_graph import GraphedIteration, settle
from gan_lab.datasets import Batch

CPU = torch.device("cpu")


def stepped(make, state=None):
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = make([weight])
    if state is not None:
        optimizer.load_state_dict(state)
    weight.grad = torch.ones(3)
    return optimizer


@pytest.mark.parametrize(
    "make",
    [
        lambda weights: Adam(weights, lr=0.1),
        lambda weights: Adam(weights, lr=0.1, fused=True),
        lambda weights: RMSprop(weights, lr=0.1),
        lambda weights: SGD(weights, lr=0.1),
    ],
)
def test_a_checkpoint_of_a_graph_is_gone_on_with_eagerly(make):
    before = stepped(make)
    before.step()
    state = copy.deepcopy(before.state_dict())
    for group in state["param_groups"]:  # as a graph would have left it, but for the device
        group |= {
            "lr": torch.tensor(group["lr"], dtype=torch.float64),
            **({"capturable": True} if "capturable" in group else {}),
        }
    after = stepped(make, state)
    settle([after], False, CPU)
    for optimizer in (before, after):
        optimizer.param_groups[0]["params"][0].data.fill_(1)
        optimizer.step()
    assert torch.equal(after.param_groups[0]["params"][0], before.param_groups[0]["params"][0])
    assert {key: value for key, value in after.param_groups[0].items() if key != "params"} == {
        key: value for key, value in before.param_groups[0].items() if key != "params"
    }


def test_a_graph_finds_counts_and_rates_on_its_device():
    before = stepped(lambda weights: Adam(weights, lr=0.1))
    before.step()
    settle([before], True, torch.device("meta"))
    (group,) = before.param_groups
    assert group["capturable"] is True
    assert group["lr"].device.type == "meta"
    assert before.state[group["params"][0]]["step"].device.type == "meta"


def test_what_a_user_asked_for_stays():
    optimizer = stepped(lambda weights: Adam(weights, lr=0.1, capturable=True))
    settle([optimizer], False, CPU)
    assert optimizer.param_groups[0]["capturable"] is True


class Tape:
    """In the place of a CUDA graph, on a machine that has none: nothing is played back."""

    def register_generator_state(self, generator):
        pass

    def replay(self):
        pass


def test_what_is_played_back_has_the_names_and_shapes_of_what_was_recorded(monkeypatch):
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Tape)
    monkeypatch.setattr(torch.cuda, "graph", lambda tape: nullcontext())
    monkeypatch.setattr(torch.cuda, "Stream", lambda: None)
    curves = {"loss": torch.tensor(1.5), "logits": torch.arange(3.0), "skipped": torch.tensor(2)}
    graphed = GraphedIteration(lambda batch: curves, torch.Generator())
    graphed.done = 3  # iterations of warming up
    first, second = graphed(Batch(torch.zeros(2))), graphed(Batch(torch.zeros(2)))
    for played in (first, second):
        assert played.keys() == curves.keys()
        assert all(torch.equal(played[name], curves[name].float()) for name in curves)
    assert first["logits"].data_ptr() != second["logits"].data_ptr()  # the next playing leaves it alone
