"""The OmegaConf resolvers that conf/ uses."""

import hashlib
import re

from omegaconf import OmegaConf

_LONGEST_NAME = 80  # characters of a job's folder; file systems allow 255 bytes


def job_folder(number: int, overrides: str) -> str:
    """A short, unique, readable folder name: the job's overrides, less what folders dislike; without any, a number."""
    slug = re.sub(r"[^\w=.,+-]+", "-", overrides)[:_LONGEST_NAME]
    if slug != overrides:  # two overrides may look the same now
        slug = f"{slug}-{hashlib.sha256(overrides.encode()).hexdigest()[:8]}"
    return slug or f"{number:03d}"


def _product(factors: tuple[float, ...]) -> float:
    result: float = 1
    for factor in factors:
        result *= factor
    return result


OmegaConf.register_new_resolver("job_folder", job_folder, replace=True)
OmegaConf.register_new_resolver("or", lambda value, default: default if value is None else value, replace=True)
# runs of model=progressive up to November 2026 have it in their configurations
OmegaConf.register_new_resolver("product", lambda *factors: _product(factors), replace=True)
