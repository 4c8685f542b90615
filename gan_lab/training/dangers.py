"""The checks of `gan_lab.training.compatibility` on the parts of a run: errors are raised, dangers are logged."""

import logging

import torch
from omegaconf import DictConfig

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.algorithms.player import Player
from gan_lab.losses import Classification, Recipe
from gan_lab.models.conditions import takes_source
from gan_lab.training.compatibility import (
    check_combination,
    check_constraint,
    check_labels,
    check_networks,
    check_players,
    check_terms,
    notes,
)
from gan_lab.training.compiler import check_parts
from gan_lab.training.top_k import check_top_k

log = logging.getLogger(__name__)


def check_together(
    config: DictConfig,
    kind: type[Algorithm],
    loss: Recipe,
    networks: dict[str, torch.nn.Module],
    sample_shape: tuple[int, ...],
    source_shape: tuple[int, ...] | None,
) -> None:
    """Raise ConfigError for parts that do not go together."""
    generator, discriminator, packing = networks["generator"], networks["discriminator"], config.model.packing
    check_labels(config.conditional, generator, discriminator)
    check_players(config, kind, generator)
    check_terms(loss, kind, generator, packing)
    check_constraint(loss.constraint, discriminator)
    check_top_k(config, kind, loss)
    check_parts(config, loss, discriminator)
    check_networks(
        loss, generator, discriminator, config.latent_dim, sample_shape, config.batch_size, packing, source_shape
    )


def warn_of_dangers(config: DictConfig, loss: Recipe, discriminator: Player) -> None:
    """Log a warning for each combination that is known to fail, and a note for each that is not as its formula says.

    Raises:
        ConfigError: for a combination that is ill-defined.
    """
    for oddity in check_combination(
        loss.objective,
        loss.constraint,
        loss.gradient_penalties,
        discriminator.network,
        discriminator.optimizer,
        config.trainer.precision,
        config.allow_batchnorm_penalty,
    ):
        log.warning("gan-lab: warning: %s", oddity)
    for name, penalty in loss.penalties.items():
        if penalty.counts and penalty.begins >= (updates := config.iterations * config.n_critic):
            log.warning(
                "gan-lab: warning: loss.penalties.%s adds nothing: it begins after %d updates of the discriminator, "
                "and training has %d; expected more iterations, or a smaller start",
                *(name, penalty.begins, updates),
            )
    weight = config.penalty_weight
    penalties = {name: one for name, one in loss.penalties.items() if not isinstance(one, Classification)}
    if weight is not None and penalties and not any(one.weight == weight for one in penalties.values()):
        log.warning(
            "gan-lab: warning: penalty_weight=%s: it does nothing, as the weight of loss.penalties.%s does not follow "
            "it; expected weight: ${or:${penalty_weight},1} in its block, or null",
            *(weight, next(iter(penalties))),
        )
    if config.iterations <= config.lr_warmup:  # no error: a run may become longer, and trainer=debug makes few
        log.warning(
            "gan-lab: warning: lr_warmup=%d: the learning rates stay below their full value, as training has %d "
            "iterations; expected more iterations, or a shorter warm-up",
            *(config.lr_warmup, config.iterations),
        )
    elif config.lr_hold and config.iterations <= config.lr_warmup + config.lr_hold:
        log.warning(
            "gan-lab: warning: lr_hold=%d: the learning rates do not decay, as training has %d iterations; expected "
            "more iterations, or a smaller number",
            *(config.lr_hold, config.iterations),
        )
    if weight is not None and not penalties:  # a sweep has one weight for all losses: no warning
        log.info("gan-lab: note: penalty_weight=%s changes nothing, as the recipe has no penalty", weight)
    for note in notes(loss.gradient_penalties, discriminator.network):
        log.info("gan-lab: note: %s", note)


def warn_of_sources(generator: torch.nn.Module, source_shape: tuple[int, ...] | None) -> None:
    """Log a warning if the dataset has images to translate, and the generator takes none."""
    if source_shape is not None and not takes_source(generator):
        log.warning(
            "gan-lab: warning: dataset: its sources are ignored, as model.generator takes none; expected such as "
            "model=unet, which translates them"
        )
