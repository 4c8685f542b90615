"""``compile=iteration`` trains what eager training does; test_gpu.py does the same on a GPU."""

import functools
import os
import shutil
import time

import pytest
import torch
from torch._inductor.exc import InvalidCxxCompiler
from torch.torch_version import TorchVersion
from training_runs import SMALL, killed, train_in, weights_of

from gan_lab.algorithms.compiled import CompiledLosses
from gan_lab.algorithms.gan import GAN
from gan_lab.algorithms.loss import Loss
from gan_lab.algorithms.player import Player
from gan_lab.errors import ConfigError
from gan_lab.losses import R1, Hinge, LeCam, Recipe
from gan_lab.runs.folder import RunFolder
from gan_lab.storage.cache import cache_folder
from gan_lab.training.compiler import check_compiler, check_parts
from gan_lab.training.runtime import library_settings

RING = [*SMALL, "dataset=ring8", "evaluation.samples=100", "trainer.precision=64-true"]


def assert_close(found, expected):
    for key, value in expected.items():
        assert torch.allclose(found[key], value, rtol=1e-9, atol=1e-12), key


@pytest.mark.parametrize(
    ("overrides", "count"),
    [
        (["loss=wgan_gp", "n_critic=2", "clip_grad.discriminator=1", "ema_decay=0.9"], 2),  # it draws random numbers
        (["loss=sngan", "lr_schedule=cosine", "beta2_final=0.9", "on_divergence=skip_update"], 2),
        (["loss=nsgan_r1", "loss.penalties.r1.every=3"], 3),  # the discriminator's with and without R1
        (["penalty=[r1]", "loss.penalties.r1.final_weight=1", "loss.penalties.r1.until=5", "loss=rasgan"], 2),
        (["dataset=digits", "conditional=concat", "augmentation=apa", "augmentation.p=0.5", "penalty=[lecam]"], 2),
    ],
    ids=["wgan_gp", "sngan", "lazy", "moving", "labels"],
)
def test_losses_are_whole_graphs_and_train_as_ever(composed, tmp_path, graphs, overrides, count):
    words = [*RING, *overrides, "iterations=8"]
    eager = weights_of(train_in(tmp_path / "eager", composed(*words)))
    assert not graphs
    assert_close(weights_of(train_in(tmp_path / "compiled", composed(*words, "compile=iteration"))), eager)
    assert len(graphs) == count


def test_one_goes_on_as_if_it_had_not_been_stopped(composed, monkeypatch, tmp_path):
    """This one is compiled, into the cache's folder."""
    words = [*RING, "loss=wgan_gp", "iterations=20", "log_every=2", "checkpoint.every=4"]
    eager = weights_of(train_in(tmp_path / "eager", composed(*words)))
    config = composed(*words, "compile=iteration")
    part, update = RunFolder(tmp_path / "part"), GAN.update_generator

    def copied(self, *given):
        if self.trainer.global_step == 9:  # as a process leaves its folder that is killed now
            shutil.copytree(tmp_path / "whole", part.path, symlinks=True)
        return update(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(GAN, "update_generator", copied)
        whole = train_in(tmp_path / "whole", config)
    train_in(part.path, config, resume=True)
    first, second = weights_of(whole), weights_of(part)
    assert all(torch.equal(second[key], value) for key, value in first.items())
    assert part.metrics_file.read_bytes() == whole.metrics_file.read_bytes()
    assert_close(first, eager)
    assert any((cache_folder() / "inductor").iterdir())


@pytest.mark.parametrize("modes", [("iteration", "false"), ("false", "iteration")])
def test_a_run_may_change_between_the_modes(composed, tmp_path, graphs, modes):
    words = [*RING, "loss=wgan_gp", "iterations=12", "checkpoint.every=4"]
    eager = weights_of(train_in(tmp_path / "eager", composed(*words)))
    first, second = (composed(*words, f"compile={mode}") for mode in modes)
    with killed(9):
        train_in(tmp_path / "run", first)
    changed = train_in(tmp_path / "run", second, resume=True)
    assert_close(weights_of(changed), eager)
    assert graphs
    assert changed.result().get("compile", "false") == modes[1]


def test_compiling_is_said_and_is_no_training(composed, tmp_path, monkeypatch, capsys):
    def slow(graph, inputs, **options):
        time.sleep(1)
        return graph

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=slow))
    folder = train_in(tmp_path / "run", composed(*RING, "iterations=2", "compile=iteration"))
    assert 0 < folder.result()["budget"]["train_seconds"] < 1
    assert "compiling" in capsys.readouterr().err


def test_what_cannot_be_compiled_is_told(graphs):
    network = torch.nn.Linear(2, 1)
    player = Player("generator", network, torch.optim.SGD(network.parameters(), 0.1))

    def depends_on_a_value(weights, samples):
        value = network(samples).mean()
        if value > 0:
            value = -value
        return Loss(value, {}, {}, samples)

    with pytest.raises(ConfigError, match=r"^compile=iteration: PyTorch cannot compile the loss of the generator \("):
        CompiledLosses()(player, depends_on_a_value, {}, {}, torch.ones(3, 2))


def test_a_machine_without_a_compiler_is_told(composed, monkeypatch):
    def none():
        raise InvalidCxxCompiler

    monkeypatch.setattr("torch._inductor.cpp_builder.get_cpp_compiler", none)
    check_compiler(composed("trainer=cpu", "compile=false"))
    with pytest.raises(ConfigError, match=r"^compile=iteration: there is no C\+\+ compiler here; expected one such"):
        check_compiler(composed("trainer=cpu", "compile=iteration"))


def test_an_older_pytorch_compiles_no_gradient_penalties(composed, monkeypatch):
    monkeypatch.setattr(torch, "__version__", TorchVersion("2.11.0+cu130"))
    network = torch.nn.Linear(2, 1)
    check_parts(composed("compile=false"), Recipe(Hinge(), {"r1": R1()}), network)
    config = composed("compile=iteration")
    check_parts(config, Recipe(Hinge(), {"r1": R1(0.0), "lecam": LeCam()}), network)
    with pytest.raises(ConfigError, match=r"^loss.penalties.r1: expected PyTorch 2.15 or newer, not 2.11.0\+cu130, wi"):
        check_parts(config, Recipe(Hinge(), {"r1": R1()}), network)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["loss=nsgan_r1", "loss.penalties.r1.every=2"], "loss.penalties.r1.every=2: expected 1"),
        (["on_divergence=skip_update"], "on_divergence=skip_update: expected stop"),
    ],
)
def test_on_a_gpu_it_becomes_a_cuda_graph(composed, monkeypatch, words, message):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    check_compiler(composed(*words, "trainer=cpu", "compile=iteration"))
    check_compiler(composed("trainer=gpu", "compile=iteration"))
    with pytest.raises(ConfigError, match=f"^{message} with compile=iteration on a GPU"):
        check_compiler(composed(*words, "trainer=gpu", "compile=iteration"))


def test_the_caches_folder_holds_what_is_compiled(composed, monkeypatch, tmp_path):
    monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path))
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    with library_settings(composed("trainer=cpu").trainer, 1, "highest"):
        from torch._inductor.runtime.cache_dir_utils import cache_dir

        assert cache_dir() == str(tmp_path / "inductor")
        assert os.environ["TORCH_WARM_POOL"] == "0"  # which keeps PyTorch from starting processes for a GPU's code


def test_a_gradient_of_another_memory_layout_moves_the_same_weights():
    """Compiled convolutions give such gradients, and a fused Adam goes through memory in the weight's order."""
    ends = []
    gradient = torch.tensor([[1.0, -1.0, 2.0], [-2.0, 3.0, -3.0]])
    for given in (gradient, gradient.t().contiguous().t()):
        network = torch.nn.Linear(3, 2, bias=False)
        torch.nn.init.zeros_(network.weight)
        player = Player("generator", network, torch.optim.Adam(network.parameters(), lr=0.1, fused=True))
        player.descend(torch.zeros(()), {}, player.slope([given]))
        ends.append(network.weight.detach())
    assert torch.equal(*ends)
    assert torch.equal(ends[0].sign(), -gradient.sign())  # the first step of Adam is the gradient's sign
