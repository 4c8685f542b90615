"""Composing with files that are kept gives what Hydra gives, for every copy, and sees what has changed."""

import pytest
from hydra import compose, initialize_config_module, version
from hydra._internal.utils import create_config_search_path
from hydra.core.config_store import ConfigStore
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from gan_lab.config.kept_loader import KeptLoader


def ours(*words: str, path: str = "pkg://gan_lab.conf", name: str = "train") -> DictConfig:
    version.setbase("1.3")
    return KeptLoader(create_config_search_path(path)).load_configuration(name, list(words), RunMode.RUN)


def insides(node):
    """A configuration with what is not seen of it: flags, types, and whether a value may be none."""
    told = (node._metadata.flags, node._metadata.ref_type, node._metadata.object_type, node._metadata.optional)
    if OmegaConf.is_dict(node) and not node._is_none() and not node._is_missing() and not node._is_interpolation():
        return told, {key: insides(node._get_node(key)) for key in node}
    if OmegaConf.is_list(node) and not node._is_none() and not node._is_missing() and not node._is_interpolation():
        return told, [insides(node._get_node(place)) for place in range(len(node))]
    return told, node._value()


@pytest.mark.parametrize(
    "words",
    [
        ["seed=3"],
        ["loss=wgan_gp", "penalty=[r1,r2]", "+loss.terms.x=1", "hydra/launcher=parallel"],
        ["experiment=few_shot", "~optimizer.generator.lr"],
    ],
)
def test_it_is_what_hydra_composes(words):
    with initialize_config_module("gan_lab.conf", version_base="1.3"):
        theirs = compose("train", words, return_hydra_config=True)
    for _ in range(2):  # the second time from what is kept
        config = ours(*words)
        for one in (theirs, config):  # where the configuration's folders were named, and the program's name
            one.hydra.runtime.config_sources, one.hydra.job.name = [], "x"
        assert insides(config) == insides(theirs)


def test_what_becomes_of_a_copy_is_not_kept():
    config = ours("seed=3", "n_critic=7")
    config.loss.objective._target_ = "changed"
    config.hydra.launcher = None
    again = ours("seed=4")
    assert (again.seed, again.n_critic) == (4, 1)
    assert again.loss.objective._target_ != "changed"
    assert again.hydra.launcher is not None


def test_a_file_of_a_package_that_changes_is_read_again(tmp_path, monkeypatch):
    package = tmp_path / "some_package_of_yaml"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    for value in (1, 20):
        (package / "some.yaml").write_text(f"value: {value}\n")
        assert ours(path="pkg://some_package_of_yaml", name="some").value == value


def test_files_of_the_user_are_read_every_time(tmp_path):
    for value in (1, 2):
        (tmp_path / "some.yaml").write_text(f"value: {value}\n")
        assert ours(path=f"file://{tmp_path}", name="some").value == value


def test_a_class_that_takes_the_place_of_another_is_seen():
    for value in (1, 2):
        ConfigStore.instance().store("some_stored", {"value": value})
        assert ours(name="some_stored").value == value
    del ConfigStore.instance().repo["some_stored.yaml"]
