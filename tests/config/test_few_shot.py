"""experiment=few_shot gives R1 where no recipe is named, and leaves a named one as it is."""

import pytest
from configurations import composed_of

FOLDER = ["dataset=image_folder", "dataset.path=photos", "dataset.image_size=64"]


@pytest.mark.parametrize("data", [[], FOLDER])
def test_without_a_recipe_there_is_r1_and_the_adam_of_the_defaults(data):
    """The digits' study of docs/ was run with these."""
    config, plain = composed_of("experiment=few_shot", *data), composed_of("loss=non_saturating", *data)
    assert config.loss.objective == plain.loss.objective
    assert {name: (one.weight, one.every) for name, one in config.loss.penalties.items()} == {"r1": (10.0, 1)}
    assert config.optimizer == plain.optimizer
    assert config.augmentation._target_ == "gan_lab.augmentations.DiffAugment"
    assert config.evaluation.kid_subset_size is None


@pytest.mark.parametrize("words", [["loss=wgan_gp"], ["loss=non_saturating"], ["model=stylegan2", "loss=stylegan2"]])
def test_a_recipe_keeps_its_penalty_and_its_optimizer(words):
    config, alone = composed_of("experiment=few_shot", *words), composed_of(*words)
    for key in ("loss", "optimizer", "n_critic"):
        assert config[key] == alone[key]


def test_a_penalty_on_the_command_line_takes_the_place_of_r1():
    assert composed_of("experiment=few_shot", "penalty=[r1,lecam]").loss.penalties.keys() == {"r1", "lecam"}
    assert composed_of("experiment=few_shot", "penalty=[]").loss.penalties == {}
