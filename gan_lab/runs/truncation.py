"""Truncation: samples of less variety and fewer failures."""

from omegaconf import DictConfig
from torch import Tensor, nn

from gan_lab.algorithms.own_statistics import with_own_statistics
from gan_lab.errors import ConfigError, shown
from gan_lab.models.conditions import takes_source
from gan_lab.models.latents import OfTruncatedLatents
from gan_lab.models.layers.mapping import Truncated, has_mapping
from gan_lab.runs.checkpoints import load_checkpoint
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.latents import latent_prior, statistics_requests
from gan_lab.seeds import derive
from gan_lab.validation import is_number

_MEAN_OF = 2048  # latents by which a mean style is estimated


def check_truncation(config: DictConfig, generator: nn.Module, truncation: float) -> None:
    """Raise ConfigError for a truncation that a run's generator cannot be given.

    Args:
        config: the run's.
        generator: the run's.
        truncation: of a generator with a mapping ψ of `Truncated`, from 0 to 1; of others the bound of latents drawn
            from the normal prior, above 0.
    """
    key = f"truncation={shown(truncation)}"
    if takes_source(generator):
        raise ConfigError(f"{key}: the run's generator translates pictures; expected none")
    if has_mapping(generator):
        if not is_number(truncation) or not 0 <= truncation <= 1:
            raise ConfigError(f"{key}: expected a number from 0 to 1, as the run's generator has a mapping")
    elif config.latent_prior != "normal":
        raise ConfigError(f"{key}: latents of latent_prior={config.latent_prior} have no tails; expected none")
    elif not is_number(truncation) or truncation <= 0:
        raise ConfigError(f"{key}: expected a number above 0, the bound of the latents")


def with_truncation(
    folder: RunFolder, config: DictConfig, generator: nn.Module, truncation: float, classes: Tensor | None
) -> nn.Module:
    """The generator, in eval mode, with less variety.

    With a bound on latents it has BatchNorm statistics of such latents, as BigGAN's authors give theirs: features of
    truncated latents vary less, and statistics of all latents would leave them small.

    Args:
        folder: the run.
        config, generator, truncation: as of `check_truncation`, which raises the errors.
        classes: those that will be asked for, or None of a generator without labels.
    """
    check_truncation(config, generator, truncation)
    if not has_mapping(generator):
        counts = load_checkpoint(folder.last_checkpoint).get("class_counts")
        return with_own_statistics(OfTruncatedLatents(generator, truncation), statistics_requests(config, counts))
    latents = latent_prior(config).first(_MEAN_OF, derive(config.seed, "truncation"))
    return Truncated(generator, truncation, latents, None if classes is None else classes.unique().tolist())
