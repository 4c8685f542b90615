"""A generator in a file: it draws the samples of the run's, in every form, for every network that is shipped."""

import json
import re
import zipfile
from functools import cache
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from command_runs import ended, refusal
from configurations import composed_of, options
from omegaconf import OmegaConf
from safetensors import safe_open
from safetensors.torch import load_file
from torch.nn.utils import parametrizations
from torch.onnx._internal.exporter._registration import ONNXRegistry

from gan_lab.cli.export import main
from gan_lab.config.checks import check
from gan_lab.datasets.dataset import to_pixels
from gan_lab.errors import ConfigError
from gan_lab.models import ResNetTranslator, UNetGenerator
from gan_lab.runs import checkpoints
from gan_lab.runs import export as exporting
from gan_lab.runs.components import build_network
from gan_lab.runs.export import export
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.latents import latent_prior
from gan_lab.runs.sample import sample
from gan_lab.seeds import derive

PAGE = Path(__file__).parent.parent.parent / "docs" / "export.md"
FORMS = ("pt2", "onnx", "safetensors")
RING = ["dataset=ring8", "latent_dim=2"]
NARROW = "model.generator.channels=4"
SMALLEST = {
    "dcgan": ([NARROW], (1, 8, 8)),
    "mlp_2d": ([*RING, "model.generator.hidden=[4]"], (2,)),
    "pacgan_dcgan": ([NARROW], (1, 28, 28)),
    "pacgan_mlp": (RING, (2,)),
    "progressive": ([NARROW], (3, 8, 8)),
    "sngan_cnn": ([NARROW], (3, 8, 8)),
    "sagan": (["model.generator.channels=2"], (3, 32, 32)),
    "biggan": (["model.generator.channels=1"], (3, 32, 32)),
    "mescheder_resnet": ([NARROW], (3, 8, 8)),
    "r3gan": (["model.generator.widths=[8,4]"], (3, 8, 8)),
    "stylegan2": ([NARROW, "model.generator.style=4"], (1, 8, 8)),
    "stylegan2_cifar": ([NARROW, "model.generator.style=4", "model.generator.shortcuts=residual"], (1, 8, 8)),
    "vae_gan": ([NARROW, "model.encoder.channels=4"], (1, 8, 8)),
}
TRANSLATORS = {
    "unet": [NARROW],
    "cyclegan": [NARROW, "model.generator.blocks=1"],
}


# each has the generator's class of the one beside it, which is exported
SAME_CLASS = {"mlp": "mlp_2d", "sngan_resnet": "sagan", "r3gan_small": "r3gan"}
# the generator of resnet_translator is what cyclegan has two of
EXPORTED = set(options("model")) - {*SAME_CLASS, *TRANSLATORS, "resnet_translator"}


def run_of(path, *overrides, shape, counts=None, change=lambda generator: None, source=None) -> RunFolder:
    """A run folder as `export` needs it, without a training: a generator whose statistics are random, and ``ema``."""
    config = check(composed_of("latent_dim=4", *overrides))
    torch.manual_seed(0)
    state = {}
    for player in ("generator", "ema"):
        generator = build_network(config, "generator", shape, counts, source)
        for name, buffer in generator.named_buffers():
            if buffer.is_floating_point() and not name.endswith(("._u", "._v")):  # which are of the weights
                buffer.copy_(torch.rand_like(buffer) + 0.5 * name.endswith("var"))
        change(generator)
        state |= {f"{player}.{name}": value for name, value in generator.state_dict().items()}
    parts = {key: {} for key in ("callbacks", "loops", "updates", "skipped")}
    parts |= {"optimizer_states": [], "lr_schedulers": [], "data": "", "noise": (), "global_step": 7}
    folder = RunFolder(path)
    folder.checkpoints.mkdir(parents=True)
    torch.save(
        parts | {"state_dict": state, "sample_shape": list(shape), "class_counts": counts, "source_shape": source},
        folder.last_checkpoint,
    )
    (path / ".hydra").mkdir()
    OmegaConf.save(config, path / ".hydra" / "config.yaml")
    folder.update_status(state="done")
    folder.configuration.read = lambda *_: config  # checked once, not by each of a test's six readers
    return folder


def drawn_by_torch(file, *inputs):
    return torch.export.load(file).module()(*inputs)


def drawn_by_onnx(file, *inputs):
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    assert [one.shape[0] for one in session.get_inputs()] == ["N"] * len(names)
    return torch.from_numpy(session.run(["samples"], dict(zip(names, (one.numpy() for one in inputs), strict=True)))[0])


def texts_of(file) -> dict[str, str]:
    if file.suffix == ".pt2":
        with zipfile.ZipFile(file) as archive:
            files = {name.partition("/extra/")[2]: name for name in archive.namelist() if "/extra/" in name}
            return {text: archive.read(name).decode() for text, name in files.items()}
    if file.suffix == ".onnx":
        return {one.key: one.value for one in onnx.load(file).metadata_props}
    with safe_open(file, "pt") as opened:
        return opened.metadata()


@pytest.fixture(autouse=True, scope="module")
def operators_made_once():
    """PyTorch makes its list of ONNX operators anew for every model, which takes an eighth of an export."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(cache(ONNXRegistry.from_torchlib)))
        yield


def check_draws(folder, wanted, *inputs, weights="auto", read=(drawn_by_onnx,)):
    """Raise unless these samples are drawn: rounding moves a pixel by one level, a point by 1e-5.

    The model is made of the program that the other file holds; `test_the_code_of_the_page_runs` traces for each.
    `export` itself compared the program that it read with the same network: few tests read it again.
    """
    programs = []

    def traced_once(*given, trace=exporting._program):
        programs.extend([] if programs else [trace(*given)])
        return programs[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "_program", traced_once)
        files = [export(folder, folder.path / f"g.{form}", weights) for form in FORMS]
    for drawn in read:
        found = to_pixels(drawn(files[drawn is drawn_by_onnx], *inputs))
        assert found.dtype == wanted.dtype
        assert (found.float() - wanted.float()).abs().max() <= (1 if wanted.ndim == 4 else 1e-5)
    return files


def first_latents(folder, count):
    """Those of the first samples of gan-lab-sample."""
    return latent_prior(folder.configuration.read()).first(64, derive(0, "sample"))[:count]


def test_those_left_out_have_the_class_of_one_that_is_not():
    for names in SAME_CLASS.items():
        one, other = (composed_of(f"model={name}").model.generator["_target_"] for name in names)
        assert one == other


@pytest.mark.parametrize("name", sorted(EXPORTED))
def test_every_network_in_every_form(name, tmp_path):
    overrides, shape = SMALLEST.get(name, ([], (1, 8, 8)))
    folder = run_of(tmp_path / "run", *overrides, f"model={name}", shape=shape)
    latents = first_latents(folder, 5)
    wanted = sample(folder, 5, weights="generator").values
    files = check_draws(folder, wanted, latents, weights="generator")
    for file in files:
        texts = texts_of(file)
        about = json.loads(texts["gan_lab"])
        assert about["inputs"] == {"latents": {"shape": ["N", latents.shape[1]], "dtype": "float32", "prior": "normal"}}
        span = [-1, 1] if len(shape) == 3 else None
        assert about["outputs"] == {"samples": {"shape": ["N", *shape], "dtype": "float32", "range": span}}
        assert (about["iteration"], about["weights"]) == (7, "generator")
        assert json.loads(texts["config"])["latent_dim"] == latents.shape[1]
    saved, network = load_file(files[2]), checkpoints.load_generator(folder, "generator")
    # parametrized weights are those in use, by their plain names
    used = [name for name in network.state_dict() if not name.endswith(("._u", "._v"))]
    plain = {name.replace("parametrizations.", "").removesuffix(".original") for name in used}
    assert saved.keys() == plain
    for name in plain:
        module, _, own = name.rpartition(".")
        assert torch.equal(saved[name], getattr(network.get_submodule(module), own)), name


@pytest.mark.parametrize("name", TRANSLATORS)
def test_a_translator_takes_the_source_by_name(name, tmp_path):
    """Grey sources of 8x8 pixels to colour: the file makes of them what the run's network does."""
    folder = run_of(tmp_path / "run", *TRANSLATORS[name], f"model={name}", shape=(3, 8, 8), source=(1, 8, 8))
    latents = first_latents(folder, 5)
    source = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1
    generator = checkpoints.load_generator(folder, "generator")
    with torch.no_grad():
        wanted = to_pixels(generator(latents, source))
    assert len(wanted.unique(dim=0)) == 5
    files = check_draws(folder, wanted, latents, source, weights="generator")
    assert [one.name for one in onnxruntime.InferenceSession(files[1]).get_inputs()] == ["latents", "source"]
    about = json.loads(texts_of(files[2])["gan_lab"])
    assert list(about["inputs"]) == ["latents", "source"]
    assert about["inputs"]["source"] == {"shape": ["N", 1, 8, 8], "dtype": "float32", "range": [-1, 1]}
    assert about["outputs"]["samples"]["shape"] == ["N", 3, 8, 8]
    network = generator.to_sample if name == "cyclegan" else generator
    assert type(network) is (UNetGenerator if name == "unet" else ResNetTranslator)
    assert load_file(files[2]).keys() == network.state_dict().keys()


def test_the_translator_back(tmp_path):
    """Colour pictures to grey sources; a run of one direction has none."""
    words = [*TRANSLATORS["cyclegan"], "model=cyclegan"]
    folder = run_of(tmp_path / "run", *words, shape=(3, 8, 8), source=(1, 8, 8))
    network = checkpoints.load_generator(folder, "generator").to_source
    file = export(folder, tmp_path / "back.pt2", "generator", back=True)
    pictures = torch.rand(3, 3, 8, 8) * 2 - 1
    with torch.no_grad():
        wanted = network(None, pictures)
    assert torch.allclose(drawn_by_torch(file, first_latents(folder, 3), pictures), wanted, atol=1e-5)
    assert json.loads(texts_of(export(folder, tmp_path / "back.safetensors", back=True))["gan_lab"])["inputs"][
        "source"
    ]["shape"] == ["N", 3, 8, 8]
    one_way = run_of(tmp_path / "unet", *TRANSLATORS["unet"], "model=unet", shape=(3, 8, 8), source=(1, 8, 8))
    with pytest.raises(ConfigError, match=r"^back=true: the run learned one direction alone"):
        export(one_way, tmp_path / "x.pt2", back=True)


def test_labels_are_a_second_input_and_an_average_has_its_own_statistics(tmp_path):
    words = ["conditional=projection", NARROW, "ema_decay=0.9"]
    folder = run_of(tmp_path / "run", *words, shape=(1, 8, 8), counts=[9, 9, 9])
    labels = torch.tensor([0, 1, 2, 0, 1])
    both = (drawn_by_torch, drawn_by_onnx)
    files = check_draws(folder, sample(folder, 5).values, first_latents(folder, 5), labels, read=both)
    about = json.loads(texts_of(files[1])["gan_lab"])
    assert about["weights"] == "ema"
    assert about["inputs"]["labels"] == {"shape": ["N"], "dtype": "int64", "classes": 3}
    raw = torch.load(folder.last_checkpoint, weights_only=True)["state_dict"]
    assert not torch.equal(load_file(files[2])["2.norm.running_mean"], raw["ema.2.norm.running_mean"])


def test_spectral_norm_is_merged_into_the_weights(tmp_path, monkeypatch):
    def normed(generator):
        return parametrizations.spectral_norm(generator[0]) and generator

    build = checkpoints.build_network
    monkeypatch.setattr(checkpoints, "build_network", lambda *given: normed(build(*given)))
    folder = run_of(tmp_path / "run", "model.generator.hidden=[4]", "model=mlp", shape=(1, 8, 8), change=normed)
    files = check_draws(
        folder, sample(folder, 5, weights="generator").values, first_latents(folder, 5), weights="generator"
    )
    assert sorted(load_file(files[2])) == ["0.bias", "0.weight", "3.bias", "3.weight"]


@pytest.fixture
def small(tmp_path) -> RunFolder:
    return run_of(tmp_path / "run", *SMALLEST["mlp_2d"][0], "model=mlp_2d", shape=(2,))


def test_the_command(small, tmp_path, monkeypatch, capsys):
    assert ended(monkeypatch, tmp_path, main, "gan-lab-export", "run=run", "out=new/g.pt2", "weights=generator") == 0
    assert capsys.readouterr().out == "the generator of run in new/g.pt2\n"
    said = refusal(monkeypatch, tmp_path, main, "gan-lab-export", "run=run", "out=new/g.pt2")
    assert said == "gan-lab: out=new/g.pt2: it exists; name another"
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["g.pt2"]


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_draws_something_else_is_not_written(small, tmp_path, monkeypatch, form):
    class Other(torch.nn.Module):
        calls = 0

        def forward(self, latents):
            Other.calls += 1
            return latents + Other.calls  # traced with another number than it is compared with

    monkeypatch.setattr("gan_lab.runs.export.load_generator", lambda *_: Other())
    with pytest.raises(ConfigError, match=r"1 samples of the file differ from the run's by [1-3], expected at most"):
        export(small, tmp_path / f"g.{form}")
    assert not list(tmp_path.glob("*g.*"))


def test_a_generator_that_cannot_be_traced(small, tmp_path, monkeypatch):
    class OfOneSize(torch.nn.Module):
        def forward(self, latents):
            return latents * len(latents)

    monkeypatch.setattr("gan_lab.runs.export.load_generator", lambda *_: OfOneSize())
    with pytest.raises(ConfigError, match=r"for batches of any size: .+; NAME.safetensors needs no tracing$") as raised:
        export(small, tmp_path / "g.pt2")
    assert len(str(raised.value).splitlines()) == 1
    assert export(small, tmp_path / "g.safetensors").is_file()


def test_without_the_packages_of_onnx(small, tmp_path, monkeypatch):
    monkeypatch.setattr("gan_lab.runs.export.find_spec", lambda name: None if name == "onnxruntime" else name)
    with pytest.raises(ConfigError, match=r"g.onnx: it needs onnxruntime; uv sync brings it, or pip"):
        export(small, tmp_path / "g.onnx")


def test_the_code_of_the_page_runs(tmp_path, monkeypatch):
    """docs/export.md: each file is written, and read, by what the page says."""
    run_of(tmp_path / "outputs" / "RUN", "latent_dim=100", NARROW, shape=(1, 8, 8))
    monkeypatch.chdir(tmp_path)
    known: dict[str, object] = {}
    shown = []
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        if language == "bash":
            assert ended(monkeypatch, tmp_path, main, *block.split()) == 0
        else:
            exec(block, known)
            shown.append(torch.as_tensor(known["samples"]))
    assert [tuple(samples.shape) for samples in shown] == [(16, 1, 8, 8)] * 3
    assert all(samples.abs().max() <= 1 for samples in shown)
    assert known["pixels"].dtype == "uint8"
