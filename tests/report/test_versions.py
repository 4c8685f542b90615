"""Runs of several versions of gan_lab beside each other, of which earlier ones lack keys that came later."""

import csv
import shlex
from pathlib import Path

import pytest
from configurations import composed_of
from omegaconf import OmegaConf

from gan_lab.config.hashing import later_keys
from gan_lab.report.collect import read
from gan_lab.report.results_file import line_of, read_lines
from gan_lab.report.study import publish
from gan_lab.report.values import cell

STUDIES = Path(__file__).parents[2] / "docs" / "studies"
EARLIER = {"model.generator._target_": "G"}
LATER = EARLIER | {"ema.half_life": None, "conditional": "none", "model.generator.conditioning": "batch_norm"}


@pytest.mark.parametrize("order", [("old", "both"), ("new", "old", "both")])
def test_a_run_of_two_versions_is_one_line(run, tmp_path, order):
    run(tmp_path / "old" / "0", {"loss": "wgan", "seed": 0}, config=EARLIER)
    for seed in (0, 1):
        run(tmp_path / "new" / str(seed), {"loss": "wgan", "seed": seed}, config=LATER)
    run(tmp_path / "new" / "2", {"loss": "wgan", "seed": 2}, config=LATER | {"conditional": "concat"})
    places = {"old": [tmp_path / "old"], "new": [tmp_path / "new"], "both": [tmp_path / "old", tmp_path / "new"]}
    new = [publish(places[name], tmp_path / "study")[1].new for name in order]
    assert sum(new) == 4 - 1  # seed 0 was published twice
    lines = read_lines(tmp_path / "study" / "results.csv")
    assert len({line["settings_hash"] for line in lines if line["seed"] in "01"}) == 1
    assert len({line["group"] for line in lines}) == 2
    assert {line["config.model.generator.conditioning"] for line in lines} == {"batch_norm"}
    assert all("seed=" in line["command"] for line in lines)
    assert len(read([tmp_path, tmp_path / "study" / "results.csv"]).runs) == 3


def test_a_study_of_an_earlier_version_takes_in_todays_runs(run, tmp_path):
    """Of few_digits without the keys that came later, as it was published once: its run again, in a folder of today."""
    later = {(f"config.{key}", cell(value)) for key, _, value in later_keys()}
    lines = read_lines(STUDIES / "few_digits" / "results.csv")
    today = next(line for line in lines if line["group"] == "nsgan_r1_adam")
    earlier = {column: text for column, text in today.items() if (column, text) not in later}
    assert len(earlier) < len(today) - 20
    with (tmp_path / "results.csv").open("w", newline="") as file:
        csv.writer(file).writerows([earlier.keys(), earlier.values()])
    (theirs,) = read_lines(tmp_path / "results.csv")
    swept = ("augmentation", "seed")
    words = [word for word in shlex.split(theirs["command"])[2:] if word.partition("=")[0] not in swept]
    config = composed_of(*words, "augmentation=none")
    choices = {"loss": "nsgan_r1_adam", "dataset": "digits", "model": "dcgan", "seed": 0}
    folder = run(tmp_path / "run", choices, state="failed", config=OmegaConf.to_container(config, resolve=True))
    (ours,) = read([folder]).runs
    assert line_of(ours)["settings_hash"] == theirs["settings_hash"]
