"""A run's generator in one file that needs no gan_lab: a torch.export program, an ONNX model, or safetensors."""

import io
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.spectral_norm import SpectralNorm, remove_spectral_norm

from gan_lab.config.messages import first_line
from gan_lab.errors import ConfigError, shown
from gan_lab.models.conditions import takes_labels, takes_source
from gan_lab.runs.checkpoints import checkpoint_of, load_checkpoint, load_generator
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.latents import latent_prior
from gan_lab.runs.translate import translates_back
from gan_lab.storage.files import replacing

TOLERANCE = 1e-4
"""The largest difference between a sample of the file and the run's, relative to numbers beyond 1."""

_ONNX = ("onnx", "onnxscript", "onnxruntime")  # packages of the extra
_TRIED = (1, 2, 17)  # batch sizes with which a file is checked
_BATCH = "N"  # the name of the dimension of any size

_Inputs = dict[str, Tensor]


def export(
    folder: RunFolder, out: Path, weights: str = "auto", allowed_targets: Sequence[str] = (), back: bool = False
) -> Path:
    """Write a run's generator to a new file, once it has drawn the same samples as the run's.

    The form follows from the suffix. ``.pt2`` and ``.onnx`` are programs of ``latents``, float32 ``[N, latent_dim]``,
    ``labels``, int64 ``[N]``, and ``source``, float32 ``[N, C', H, W]`` in [−1, 1], if the generator takes them; N is
    free. They give ``samples``, float32: images ``[N, C, H, W]`` in [−1, 1], or points ``[N, D]``. ``.safetensors``
    holds the weights alone, by their names in the network. Of a run that also translates back, the network is one
    of the two translators. BatchNorm is in eval mode, and parametrizations, such as spectral norm, are merged into the
    weights. Each file also has the texts of `described`.

    Args:
        folder: the run.
        out: the file, ``NAME.pt2``, ``NAME.onnx`` or ``NAME.safetensors``.
        weights: as of `gan_lab.runs.checkpoints.load_generator`.
        allowed_targets: as of `gan_lab.runs.checkpoints.load_generator`.
        back: of a run that also translates back, write the translator of samples into sources.

    Raises:
        ConfigError: if the file exists, cannot be written, or does not draw what the run's generator draws.
    """
    check_out(out)
    config = folder.configuration.read(allowed_targets)
    both = translates_back(config)
    if back and not both:
        raise ConfigError("back=true: the run learned one direction alone; expected false, or a run of cyclegan")
    generator = load_generator(folder, weights, allowed_targets)
    if both:
        generator = generator.get_submodule("to_source" if back else "to_sample")
    generator = _plain(generator)
    origin = checkpoint_of(folder, weights)
    checkpoint = load_checkpoint(origin)
    if back:  # what it makes and takes change places
        shapes = {"sample_shape": checkpoint["source_shape"], "source_shape": checkpoint["sample_shape"]}
        checkpoint = {**checkpoint, **shapes}
    classes = len(checkpoint.get("class_counts") or []) if takes_labels(generator) else 0
    if takes_labels(generator) and not classes:
        raise ConfigError(f"{origin}: it lacks the number of classes; expected a newer checkpoint")
    average = weights != "generator" and any(key.startswith("ema.") for key in checkpoint["state_dict"])
    source = tuple(checkpoint["source_shape"]) if takes_source(generator) else None
    texts = described(config, checkpoint, classes, "ema" if average else "generator", source)
    content = _WRITERS[out.suffix.lower()](out, generator, _tried(config, classes, source), texts)
    try:
        with replacing(out) as file:
            file.write(content)
    except OSError as error:
        raise ConfigError(f"out={out}: it cannot be written: {error.strerror}") from error
    return out


def check_out(out: Path) -> None:
    """Raise ConfigError for a file that exists, is of another form, or needs packages that are missing."""
    if out.suffix.lower() not in _WRITERS:
        raise ConfigError(f"out={out}: expected NAME.pt2, NAME.onnx or NAME.safetensors")
    if out.exists():
        raise ConfigError(f"out={out}: it exists; name another")
    if above := [parent for parent in out.parents if parent.is_file()]:
        raise ConfigError(f"out={out}: {above[0]} is a file, expected a folder")
    if out.suffix.lower() == ".onnx" and (missing := [name for name in _ONNX if find_spec(name) is None]):
        raise ConfigError(
            f"out={out}: it needs {', '.join(missing)}; uv sync brings it, or pip install '.[onnx]' in gan_lab's folder"
        )


def described(
    config: DictConfig,
    checkpoint: Mapping[str, Any],
    classes: int,
    weights: str,
    source: Sequence[int] | None = None,
) -> dict[str, str]:
    """The texts in a file's metadata, both JSON: ``gan_lab``, what the generator is, and ``config``, the run's.

    Args:
        config: the run's configuration.
        checkpoint: where the weights are from.
        classes: number of classes; 0 for a generator without labels.
        weights: ``generator`` or ``ema``.
        source: shape of a picture to translate; None of a generator that takes none.
    """
    shape = list(checkpoint["sample_shape"])
    latents = {"shape": [_BATCH, config.latent_dim], "dtype": "float32", "prior": config.latent_prior}
    labels = {"labels": {"shape": [_BATCH], "dtype": "int64", "classes": classes}} if classes else {}
    translated = None if source is None else {"shape": [_BATCH, *source], "dtype": "float32", "range": [-1, 1]}
    sources = {} if translated is None else {"source": translated}
    samples = {"shape": [_BATCH, *shape], "dtype": "float32", "range": [-1, 1] if len(shape) == 3 else None}
    about = {
        "version": version("gan-loss-lab"),
        "iteration": checkpoint["global_step"],
        "weights": weights,
        "inputs": {"latents": latents, **labels, **sources},
        "outputs": {"samples": samples},
    }
    return {"gan_lab": json.dumps(about), "config": json.dumps(OmegaConf.to_container(config))}


def _plain(generator: nn.Module) -> nn.Module:
    """The generator in eval mode, its weights as plain contiguous tensors that nothing computes anew."""
    for module in list(generator.modules()):
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):  # type: ignore[arg-type, union-attr]
                parametrize.remove_parametrizations(module, name)
        if any(isinstance(hook, SpectralNorm) for hook in module._forward_pre_hooks.values()):
            remove_spectral_norm(module)
    return generator.to(memory_format=torch.contiguous_format).requires_grad_(False)


def _tried(config: DictConfig, classes: int, source: Sequence[int] | None) -> list[_Inputs]:
    """What the run's generator and the file's are both asked for: batches of several sizes."""
    asked: list[_Inputs] = [{"latents": one} for one in latent_prior(config).first(sum(_TRIED), seed=0).split(_TRIED)]
    random = torch.Generator().manual_seed(0)
    for inputs in asked:
        count = len(inputs["latents"])
        if classes:
            inputs["labels"] = torch.arange(count) % classes
        if source is not None:
            inputs["source"] = torch.rand(count, *source, generator=random) * 2 - 1
    return asked


def _check(out: Path, generator: nn.Module, tried: Sequence[_Inputs], drawn: Callable[[_Inputs], Tensor]) -> None:
    """Raise ConfigError unless the file's generator, ``drawn``, draws what the run's does."""
    with torch.no_grad():
        for inputs in tried:
            wanted, found = generator(*inputs.values()), drawn(inputs)
            difference = float("nan")
            if found.shape == wanted.shape:  # beside pixels from −1 to 1; some generators have no tanh
                difference = (found - wanted).abs().max().item() / max(1.0, wanted.abs().max().item())
            if not difference <= TOLERANCE:
                raise ConfigError(
                    f"out={out}: {len(wanted)} samples of the file differ from the run's by {difference:.2g}, expected "
                    f"at most {TOLERANCE}; it is not written"
                )


def _program(out: Path, generator: nn.Module, inputs: _Inputs) -> torch.export.ExportedProgram:
    """The generator as a graph of operators that takes batches of any size."""
    sizes = tuple({0: torch.export.Dim(_BATCH)} for _ in inputs)
    try:
        return torch.export.export(generator, tuple(inputs.values()), dynamic_shapes=sizes)
    except Exception as error:  # a network of the user's can do anything
        raise ConfigError(
            f"out={out}: torch.export cannot trace the generator for batches of any size: {shown(first_line(error))}; "
            "NAME.safetensors needs no tracing"
        ) from error


def _pt2(out: Path, generator: nn.Module, tried: Sequence[_Inputs], texts: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    torch.export.save(_program(out, generator, tried[-1]), stream, extra_files=texts)
    stream.seek(0)
    read = torch.export.load(stream).module()
    _check(out, generator, tried, lambda inputs: read(*inputs.values()))
    return stream.getvalue()


def _onnx(out: Path, generator: nn.Module, tried: Sequence[_Inputs], texts: dict[str, str]) -> bytes:
    import onnxruntime

    program = _program(out, generator, tried[-1])
    names = list(tried[0])
    with warnings.catch_warnings():  # of the converter's own code
        warnings.simplefilter("ignore")
        made = torch.onnx.export(
            program,
            dynamo=True,
            verbose=False,
            input_names=names,
            output_names=["samples"],
            dynamic_shapes=tuple({0: _BATCH} for _ in names),
        )
    assert made is not None
    made.model.metadata_props.update(texts)
    content: bytes = made.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def drawn(inputs: _Inputs) -> Tensor:
        return torch.from_numpy(session.run(None, {name: one.numpy() for name, one in inputs.items()})[0])

    _check(out, generator, tried, drawn)
    return content


def _safetensors(out: Path, generator: nn.Module, tried: Sequence[_Inputs], texts: dict[str, str]) -> bytes:
    from safetensors.torch import load, save

    own = {name: one.clone(memory_format=torch.contiguous_format) for name, one in generator.state_dict().items()}
    content: bytes = save(own, texts)
    saved = load(content)
    _check(out, generator, tried, lambda inputs: torch.func.functional_call(generator, saved, (*inputs.values(),)))
    return content


_WRITERS = {".pt2": _pt2, ".onnx": _onnx, ".safetensors": _safetensors}
