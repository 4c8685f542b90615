"""Combinations of parts that are ill-defined or known to fail: errors and warnings before training begins."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.algorithms.own_statistics import derives_from_weights
from gan_lab.config.messages import blame, fault
from gan_lab.datasets.source import Source
from gan_lab.errors import ConfigError
from gan_lab.losses import (
    Classification,
    ClassificationTerm,
    Constraint,
    Judge,
    Objective,
    Recipe,
    SpectralNorm,
    Wasserstein,
    WeightClip,
)
from gan_lab.models.conditions import Judgement, conditions_taken, some_conditions, takes_labels, takes_source
from gan_lab.models.copies import copied
from gan_lab.models.layers.attention import Heads
from gan_lab.models.layers.mapping import has_mapping
from gan_lab.models.layers.minibatch_deviation import MinibatchDeviation
from gan_lab.models.packing import packed_shape
from gan_lab.models.progressive import Growing
from gan_lab.runs.components import NO_SOURCES, keeps_average
from gan_lab.training.objective_check import check_objective

_COMPARING = {
    "reconstruction": "pix2pix or vae_gan",
    "posterior": "vae_gan",
    "cycle": "cyclegan",
    "identity": "cyclegan",
}
_NORMS = (_BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)


def check_networks(
    loss: Recipe,
    generator: nn.Module,
    discriminator: nn.Module,
    latent_dim: int,
    shape: tuple[int, ...],
    batch_size: int,
    packing: int = 1,
    source_shape: tuple[int, ...] | None = None,
) -> None:
    """Raise ConfigError unless G makes samples of the dataset's shape and D gives the logits the objective takes.

    With packing, D is given packs of samples, and neither network may take labels or sources: a pack has none. The
    objective is tried with logits of a whole batch.
    """
    if not {*generator.parameters()}.isdisjoint(discriminator.parameters()):
        raise ConfigError("model.discriminator: it has weights that model.generator has too; expected its own alone")
    inputs = torch.zeros(2, *packed_shape(shape, packing))
    for name, network, count, given in (
        ("generator", generator, batch_size * packing, torch.zeros(2, latent_dim)),
        ("discriminator", discriminator, batch_size, inputs),
    ):
        if count == 1 and _has_batchnorm(network) and not _trains_alone(network, given[:1], source_shape):
            raise ConfigError(f"batch_size=1: expected at least 2, as model.{name} has BatchNorm")
        if packing > 1 and (taken := conditions_taken(network)):
            raise ConfigError(f"model.packing={packing}: expected 1, as model.{name} takes {taken[0]}")
        if "source" in conditions_taken(network) and source_shape is None:
            raise ConfigError(f"model.{name}: it translates images, and {NO_SOURCES}")
    samples = _tried("generator", generator, torch.zeros(2, latent_dim), source_shape).logits
    judged = _tried("discriminator", discriminator, inputs, source_shape)
    _check_features(loss, discriminator, inputs, some_conditions(discriminator, 2, source_shape))
    _check_classification(loss, judged)
    if samples.shape != (2, *shape):
        found = list(samples.shape) if samples.shape[:1] != (2,) else _batch(samples.shape[1:])
        raise ConfigError(f"model.generator: it draws samples {found} of latents [B, …], expected {_batch(shape)}")
    heads, logits = loss.objective.heads, judged.logits
    if loss.top_k is not None and logits.ndim > 2:
        raise ConfigError(f"loss.top_k: expected null, as model.discriminator gives logits {_batch(logits.shape[1:])}")
    one_channel = heads == 1 and logits.shape[:2] == (2, 1)
    if not one_channel and logits.shape != ((2,) if heads == 1 else (2, heads)):
        found = list(logits.shape) if logits.shape[:1] != (2,) else _batch(logits.shape[1:])
        asked = "[B], [B, 1] or a map [B, 1, H, W]" if heads == 1 else f"[B, {heads}]"
        two = any(isinstance(module, Heads) for module in discriminator.modules())  # or could have two
        hint = "; model.discriminator.attention=true adds a second logit, false removes it" if two else ""
        objective = type(loss.objective).__name__
        raise ConfigError(f"model.discriminator: it gives logits {found}, and {objective} takes {asked}{hint}")
    check_objective(loss.objective, (batch_size * logits[0].numel(),) if heads == 1 else (batch_size, heads))


def _trains_alone(network: nn.Module, given: Tensor, source_shape: tuple[int, ...] | None) -> bool:
    """Whether a network with BatchNorm is one for batches of one sample: a translator of maps (Isola et al. 2017)."""
    if not takes_source(network):
        return False
    try:
        copied(network).train()(given, **some_conditions(network, 1, source_shape))
    except ValueError:  # BatchNorm's, which sees one number a channel; other faults show when the network is tried
        return False
    return True


def _tried(name: str, network: nn.Module, inputs: Tensor, source_shape: tuple[int, ...] | None) -> Judgement:
    """What a network gives for two inputs, which are of class 0 if it takes labels; a generator's samples are `logits`.

    Raises:
        ConfigError: if it fails or gives something else, as a network of the user's may.
    """
    what = f"model.{name}: {type(network).__name__}, given {_batch(inputs.shape[1:])},"
    try:
        given = network.eval()(inputs, **some_conditions(network, 2, source_shape))
    except Exception as error:
        raise ConfigError(f"{what} fails: {fault(error)}") from error
    network.train()
    judged = given if isinstance(given, Judgement) else Judgement(given)
    if not isinstance(judged.logits, Tensor):
        raise ConfigError(f"{what} gives a {type(given).__name__}: expected a tensor")
    if not judged.logits.requires_grad:
        raise ConfigError(f"{what} gives a tensor without a graph: expected one that its weights have gradients of")
    return judged


def _batch(shape: Sequence[int]) -> str:
    """The shape of a batch of what has this shape, as messages tell it."""
    return f"[{', '.join(['B', *map(str, shape)])}]"


def check_labels(conditional: str, generator: nn.Module, discriminator: nn.Module) -> None:
    """Raise ConfigError unless the generator takes labels and the discriminator looks at them, if labels are used."""
    if conditional == "none":
        return
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        if not takes_labels(network) and (conditional, name) != ("auxiliary", "discriminator"):
            ours = conditional == "own" and type(network).__module__.startswith("gan_lab.")
            expected = "projection or another way" if ours else "none"
            raise ConfigError(f"conditional={conditional}: expected {expected}, as model.{name} takes no labels")


def check_players(config: DictConfig, algorithm: type[Algorithm], generator: nn.Module) -> None:
    """Raise ConfigError for settings of a player that the algorithm lacks, or an average that could not be judged."""
    for block in ("model", "optimizer", "clip_grad") if "encoder" not in algorithm.roles else ():
        if (value := config[block].encoder) is not None:
            said = f"{block}.encoder" + ("" if isinstance(value, DictConfig) else f"={value}")
            raise ConfigError(
                f"{said}: expected null, as {algorithm.__name__} has no encoder, or algorithm=vae_gan with it"
            )
    if isinstance(generator, Growing) and not algorithm.grows:
        raise ConfigError(
            f"model.generator: {type(generator).__name__} grows, and {algorithm.__name__} does not tell it how far it "
            "is; expected algorithm=progressive"
        )
    for role in algorithm.roles:
        if config.optimizer[role] is None:
            raise ConfigError(f"optimizer.{role}: missing, expected a block with a _target_")
    if keeps_average(config) and takes_source(generator) and derives_from_weights(generator):
        key = "ema_decay" if config.ema_decay is not None else "ema.half_life"
        raise ConfigError(f"{key}: expected null, as model.generator translates images with BatchNorm")


def check_pairs(algorithm: type[Algorithm], source: Source | None) -> None:
    """Raise ConfigError for data without the pairs that the algorithm learns from."""
    if algorithm.needs_pairs and source is not None and not source.paired:
        raise ConfigError(
            f"dataset: its sources belong to no samples, and {algorithm.__name__} learns from pairs; expected such as "
            "dataset=pairs, or model=cyclegan"
        )


def check_terms(loss: Recipe, algorithm: type[Algorithm], generator: nn.Module, packing: int = 1) -> None:
    """Raise ConfigError for a term that looks at what the algorithm or the generator does not have."""
    for name, term in loss.terms.items():
        if term.looks_at_styles and not has_mapping(generator):
            raise ConfigError(
                f"loss.terms.{name}: it looks at the styles of a generator with a mapping, which model.generator is "
                "not; expected model=stylegan2, or term=none"
            )
        if term.compared is not None and term.compared not in algorithm.compares:
            raise ConfigError(
                f"loss.terms.{name}: it compares the {term.compared}, which {algorithm.__name__} has none of; expected "
                f"algorithm={_COMPARING.get(term.compared, 'one that has')}"
            )
        if term.looks_at_features and packing > 1:
            raise ConfigError(
                f"model.packing={packing}: expected 1 with loss.terms.{name}, which looks at the features of samples"
            )


def check_constraint(constraint: Constraint | None, discriminator: nn.Module) -> None:
    """Raise ConfigError for a weight that has no norm to be divided by, as it begins at 0."""
    if isinstance(constraint, SpectralNorm):
        for name, layer in constraint.layers(discriminator):
            if not getattr(layer, "weight").any():  # noqa: B009  # for mypy, to which it may be a module
                raise ConfigError(
                    f"loss.constraint=SpectralNorm: expected null, or another model, as weights of model.discriminator "
                    f"begin at 0 and cannot be divided by their norm ({name})"
                )


def _check_features(loss: Recipe, discriminator: nn.Module, inputs: Tensor, given: dict[str, Any]) -> None:
    """Raise ConfigError if a term looks at features that the discriminator has none of."""
    looking = [name for name, term in loss.terms.items() if term.looks_at_features]
    if looking:
        with blame(f"loss.terms.{looking[0]}"), torch.no_grad():
            Judge(discriminator.eval(), given).features(inputs)
        discriminator.train()


def _check_classification(loss: Recipe, judged: Judgement) -> None:
    """Raise ConfigError if the discriminator classifies and no part of the loss looks at it, or the other way round."""
    looking = [f"penalties.{name}" for name, one in loss.penalties.items() if isinstance(one, Classification)]
    looking += [f"terms.{name}" for name, one in loss.terms.items() if isinstance(one, ClassificationTerm)]
    classifies = judged.classes is not None
    if classifies and not looking:
        raise ConfigError(
            "model.discriminator: it classifies its samples, which no part of the loss looks at; "
            "conditional=auxiliary brings the parts that do"
        )
    if looking and not classifies:
        raise ConfigError(
            f"loss.{looking[0]}: expected a discriminator that classifies, such as conditional=auxiliary makes"
        )


def check_combination(
    objective: Objective,
    constraint: Constraint | None,
    penalties: Sequence[str],
    discriminator: nn.Module,
    optimizer: Optimizer,
    precision: str,
    allow_batchnorm_penalty: bool,
) -> Iterator[str]:
    """Yield a sentence for each combination that is known to fail.

    Args:
        objective: the recipe's.
        constraint: the recipe's, or None.
        penalties: names of the recipe's gradient penalties.
        discriminator: the network that the losses are computed from.
        optimizer: the discriminator's.
        precision: the trainer's.
        allow_batchnorm_penalty: accept BatchNorm with a per-sample penalty.

    Raises:
        ConfigError: for a combination that is ill-defined.
    """
    named = f"loss.penalties ({', '.join(penalties)})"
    if penalties and _has_batchnorm(discriminator) and not allow_batchnorm_penalty:
        raise ConfigError(
            f"{named} look at each sample's own gradient, which BatchNorm in the discriminator "
            "leaves undefined: set model.discriminator.norm=layer, or allow_batchnorm_penalty=true"
        )
    if isinstance(objective, Wasserstein) and not penalties and constraint is None:
        yield (
            "loss.objective=Wasserstein has no penalty and no constraint: nothing bounds the discriminator, "
            "and it will run away; add penalty=gradient_penalty or constraint=weight_clip"
        )
    momentum = optimizer.defaults.get("momentum", 0.0) or optimizer.defaults.get("betas", (0.0,))[0]
    if isinstance(constraint, WeightClip) and momentum > 0:
        yield (
            f"loss.constraint=WeightClip with {type(optimizer).__name__} of momentum {momentum}: "
            "clipped weights and momentum are known to be unstable (WGAN, §4); optimizer=rmsprop has none"
        )
    if isinstance(constraint, SpectralNorm) and any(isinstance(m, _NORMS) for m in discriminator.modules()):
        yield (
            "loss.constraint=SpectralNorm with normalised layers in the discriminator, which scale up again what it "
            "bounds: model.discriminator.norm=none leaves it Lipschitz"
        )
    if penalties and precision == "16-mixed":
        yield (
            f"{named} in trainer.precision=16-mixed: gradients of gradients overflow fp16 easily; "
            "bf16-mixed or 32-true are safe"
        )


def notes(penalties: Sequence[str], discriminator: nn.Module) -> Iterator[str]:
    """Yield a sentence for each combination that is not as its formula says, and trains well all the same.

    Args:
        penalties: names of the recipe's gradient penalties.
        discriminator: the network that the losses are computed from.
    """
    groups = [module.group for module in discriminator.modules() if isinstance(module, MinibatchDeviation)]
    if penalties and groups:
        yield (
            f"loss.penalties ({', '.join(penalties)}): the logits of {groups[0]} samples depend on each other by the "
            "discriminator's minibatch deviation, so each gradient is that of a group's logits, as in the papers"
        )


def _has_batchnorm(network: nn.Module) -> bool:
    return any(isinstance(module, _BatchNorm) for module in network.modules())
