"""Weights to begin with: what is loaded, what is left, what is refused."""

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm
from training_runs import SMALL, checkpoint, differences, killed, train_in, unequal, weights_of

from gan_lab.errors import ConfigError
from gan_lab.training.build import build_module
from gan_lab.training.warm_start import _estimate, warm_start

RING = [*SMALL, "dataset=ring8", "model=mlp", "iterations=4"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    from configurations import composed_of

    return train_in(tmp_path_factory.mktemp("source") / "run", composed_of(*RING, "loss=sngan", "seed=7"))


def begun(config, *more):
    """The weights with which a run would begin, and the record."""
    module = build_module(config, (2,))
    record = warm_start(config, module)
    return module, record


def plain(state, player):
    """A player's weights by their names without parametrizations."""
    return {
        name.removeprefix(f"{player}.").replace("parametrizations.weight.original", "weight"): value
        for name, value in state.items()
        if name.startswith(f"{player}.") and not name.endswith(("_u", "_v"))
    }


@pytest.mark.parametrize("loss", ["sngan", "lsgan"])
@pytest.mark.parametrize("form", ["run", "checkpoint"])
def test_the_weights_of_a_run_by_name_with_and_without_spectral_norm(composed, source, loss, form):
    path = source.path if form == "run" else source.last_checkpoint
    module, record = begun(composed(*RING, f"loss={loss}", f"init_from={path}"))
    for player in ("generator", "discriminator"):
        assert unequal(plain(module.state_dict(), player), plain(weights_of(source), player)) == []
    assert record["players"] == ["generator", "discriminator"]
    assert record["left"] == []
    assert len(record["sha256"]) == 64
    assert module.updates == {"generator": 0, "discriminator": 0}


def test_spectral_norm_looks_for_the_singular_values_of_the_new_weights(composed, source, tmp_path):
    state = plain(weights_of(source), "discriminator")
    torch.save({name: 3 * value for name, value in state.items()}, tmp_path / "d.pt")
    words = ["loss=sngan", f"init_from={tmp_path / 'd.pt'}", "init_players=[discriminator]"]
    module, _ = begun(composed(*RING, *words))
    for name, layer in module.players["discriminator"].network.named_modules():
        if isinstance(layer, torch.nn.Linear):
            assert torch.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(1, rel=0.02), name


def test_spectral_norm_looks_behind_equalised_weights(composed, tmp_path):
    """Plain StyleGAN2's weights in a discriminator with spectral norm: of each weight in use the norm is 1."""
    words = ["model=stylegan2", "model.generator.capacity=64", "model.discriminator.capacity=64", "latent_dim=4"]
    torch.manual_seed(1)
    plain_one = build_module(composed(*words, "seed=3"), (1, 8, 8)).players["discriminator"].network
    torch.save(plain(plain_one.state_dict(prefix="discriminator."), "discriminator"), tmp_path / "d.pt")
    more = ["constraint=spectral_norm", f"init_from={tmp_path / 'd.pt'}", "init_players=[discriminator]"]
    config = composed(*words, *more)
    torch.manual_seed(2)
    module = build_module(config, (1, 8, 8))
    warm_start(config, module)
    network = module.players["discriminator"].network.eval()
    layers = {name: layer for name, layer in network.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)}
    assert len(layers) == 7
    for name, layer in layers.items():
        # a tenth: 15 steps of power iteration come so near for weights drawn at random
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, rel=0.1), name


class Weighted(nn.Linear):
    """A linear layer that has parametrizations before spectral norm's, of which one has two tensors."""

    def __init__(self, before):
        super().__init__(6, 5)
        before(self)
        spectral_norm(self)


@pytest.mark.parametrize("before", [spectral_norm, weight_norm], ids=["spectral", "weight"])
def test_spectral_norm_behind_others_in_a_network_of_ones_own(before):
    """New weights, drawn anew, have norm 1 in use, whatever stands before."""
    torch.manual_seed(0)
    layer = Weighted(before)
    with torch.no_grad():
        for weight in layer.parametrizations.weight.parameters():
            weight.copy_(3 * torch.randn_like(weight))
    _estimate(layer.parametrizations.weight)
    assert torch.linalg.matrix_norm(layer.eval().weight, 2).item() == pytest.approx(1, rel=0.1)


def test_one_network_alone(composed, source, tmp_path):
    torch.save(plain(weights_of(source), "generator"), tmp_path / "g.pt")
    for path in (tmp_path / "g.pt", source.path):
        config = composed(*RING, f"init_from={path}", "init_players=[generator]")
        module, _ = begun(config)
        fresh = build_module(config, (2,))
        assert unequal(plain(module.state_dict(), "generator"), plain(weights_of(source), "generator")) == []
        assert unequal(plain(module.state_dict(), "discriminator"), plain(fresh.state_dict(), "discriminator")) == []


def test_what_does_not_fit_is_refused_or_left_and_listed(composed, source, caplog):
    words = [*RING, f"init_from={source.path}", "model.generator.hidden=[16,8]"]
    with pytest.raises(ConfigError, match=r"^init_from=\S+: it lacks generator\.\d\.weight, .* or has them in"):
        begun(composed(*words))
    module, record = begun(composed(*words, "init_strict=false"))
    fresh = build_module(composed(*words), (2,))
    assert record["left"]
    assert all(name.startswith("generator.") for name in record["left"])
    for name in record["left"]:
        assert torch.equal(module.state_dict()[name], fresh.state_dict()[name])
    assert "left as initialised: generator." in caplog.text


@pytest.mark.parametrize(
    ("content", "words", "sentence"),
    [
        (None, [], "there is no such file; expected a run's folder, a checkpoint, or a file of weights"),
        (b"hello", [], "not a file of PyTorch's weights, or a broken one"),
        ({"a": 1}, [], "expected a state_dict, tensors by their names"),
        ([1], [], "expected a state_dict, tensors by their names"),
        ({"a": torch.zeros(2)}, [], "its weights are of one network; expected init_players=[generator] or [discrim"),
        ({"generator.a": torch.zeros(2)}, [], "it has none of the discriminator; expected init_players without it"),
        ({"a": torch.zeros(2)}, ["init_players=[generator]"], "it lacks 0.weight"),
    ],
)
def test_sources_that_are_none(composed, tmp_path, content, words, sentence):
    file = tmp_path / "weights.pt"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        torch.save(content, file)
    with pytest.raises(ConfigError) as error:
        begun(composed(*RING, f"init_from={file}", *words))
    assert str(error.value).startswith(f"init_from={file}: ")
    assert sentence.replace("0.weight", "generator.") in str(error.value) or sentence in str(error.value)


def test_what_a_run_began_with_stays_whatever_becomes_of_the_source(composed, source, tmp_path):
    """Killed before its first own checkpoint: the source is trained further meanwhile, or is gone."""
    config = composed(*RING, f"init_from={tmp_path / 'w.ckpt'}", "log_every=2")
    torch.save(checkpoint(source), tmp_path / "w.ckpt")
    calm = train_in(tmp_path / "calm", config)
    for name, torn in {"changed": b"others", "gone": None}.items():
        torch.save(checkpoint(source), tmp_path / "w.ckpt")
        torch.manual_seed(5)  # what else a process may have drawn
        with killed(1):
            train_in(tmp_path / name, config)
        if torn is None:
            (tmp_path / "w.ckpt").unlink()
        else:
            (tmp_path / "w.ckpt").write_bytes(torn)
        torch.manual_seed(6)
        assert differences(calm.path, train_in(tmp_path / name, config, resume=True).path) == []
    assert calm.saved_iterations() == [0, 4]


def test_a_run_says_where_its_weights_came_from_and_reads_them_once(composed, source, tmp_path):
    words = [*RING, f"init_from={tmp_path / 'w.ckpt'}", "checkpoint.every=1", "iterations=5"]
    torch.save(checkpoint(source), tmp_path / "w.ckpt")
    config = composed(*words)
    with killed(3):
        train_in(tmp_path / "run", config)
    (tmp_path / "w.ckpt").unlink()
    folder = train_in(tmp_path / "run", config, resume=True)
    record = folder.result()["init_from"]
    assert record["source"] == str(tmp_path / "w.ckpt")
    assert OmegaConf.select(config, "init_from") == record["source"]
    plain_run = train_in(tmp_path / "plain", composed(*words[:-3], "checkpoint.every=1", "iterations=5"))
    assert unequal(weights_of(folder), weights_of(plain_run)) != []
    assert "init_from" not in plain_run.result()
