"""What torchrun and srun tell a process of the others, and what somebody else may have put there."""

import pytest

from gan_lab.distributed.environment import rank, size
from gan_lab.errors import ConfigError


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "SLURM_NTASKS", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({}, (None, None)),
        ({"RANK": "1", "WORLD_SIZE": "2"}, (1, 2)),
        ({"RANK": "1"}, (None, None)),
        ({"SLURM_NTASKS": "4", "SLURM_PROCID": "3"}, (3, 4)),
        ({"SLURM_NTASKS": "1", "SLURM_PROCID": "0"}, (None, None)),
        ({"RANK": "7", "SLURM_NTASKS": "4", "SLURM_PROCID": "3"}, (3, 4)),
    ],
)
def test_rank_and_size(monkeypatch, found, told):
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    assert (rank(), size()) == told


@pytest.mark.parametrize("found", [{"RANK": "x", "WORLD_SIZE": "2"}, {"SLURM_NTASKS": "x", "SLURM_PROCID": "0"}])
def test_what_is_no_number_is_named(monkeypatch, found):
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=r"the environment has \w+=x: expected a whole number"):
        rank()
