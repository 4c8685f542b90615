"""Tests copy configurations by a way of their own (quick_copies.py): it makes what OmegaConf's makes."""

import pickle

import pytest
import yaml
from configurations import composed_of
from omegaconf import OmegaConf
from omegaconf._utils import get_omega_conf_dumper
from quick_copies import _create, as_yaml, copied, created, is_plain, tell_parent

from gan_lab.config.schema import TrainConfig


def described(node):
    """All that a node remembers, and all below it; whether each knows its parent."""
    own = {key: value for key, value in vars(node).items() if key not in ("_content", "_parent", "_flags_cache")}
    own["_metadata"] = repr(own["_metadata"])  # as it is now
    below = vars(node).get("_content")
    below = dict(enumerate(below)) if isinstance(below, list) else below
    if isinstance(below, dict):
        below = {key: (one._get_parent() is node, described(one)) for key, one in below.items()}
    return type(node), own, below


@pytest.mark.parametrize("of", ["composed", "typed"])
def test_a_copy_is_all_that_was_copied_and_apart_from_it(of):
    config = composed_of("loss=wgan_gp", "dataset=ring8") if of == "composed" else OmegaConf.structured(TrainConfig)
    OmegaConf.set_readonly(config.model, True)
    before, one = described(config), copied(config, None)
    assert described(one) == before == described(pickle.loads(pickle.dumps(config)))
    OmegaConf.set_readonly(one.model, False)
    one.seed, one.evaluation.metrics = 7, ["fd"]
    assert described(config) == before
    assert copied(config.model, config)._get_parent() is config


def test_all_that_is_merged_knows_its_parent_and_what_is_read_only():
    config, other = OmegaConf.create({"a": {"b": [{"c": 1}]}}), OmegaConf.create({"b": [{"c": 1}]})
    assert not OmegaConf.is_readonly(config.a.b[0])  # it remembers this
    OmegaConf.set_readonly(other, True)
    vars(other)["_content"] = vars(config.a)["_content"]
    vars(config)["_content"]["a"] = other
    tell_parent(config)
    assert config.a.b[0]._get_parent()._get_parent()._get_parent() is config
    assert OmegaConf.is_readonly(config.a.b[0])


def test_what_is_created_of_plain_values_is_what_omegaconf_creates():
    plain = OmegaConf.to_container(composed_of("loss=wgan_gp", "dataset=ring8"), resolve=True)
    for values in (plain, [], [1, [{"a": None}], 0.5, True], {"missing": "???", "empty": {}}):
        assert is_plain(values)
        assert described(created(values)) == described(_create(values))
    for other in (None, "a: 1", {"a": "${b}"}, {1: 2}, {"a": (1, 2)}, TrainConfig()):
        assert not is_plain(other)
        assert described(created(other)) == described(_create(other))


@pytest.mark.parametrize(
    "text", ["a: b", "é", "\x85", "\U0001f600", "line\nbreak", "C:\\a", " ", "''", "1e3", "x" * 300]
)
def test_yaml_is_what_omegaconf_writes(text):
    config = composed_of("loss=wgan_gp", "dataset=ring8", "+note=0")
    config.note = text
    values = OmegaConf.to_container(config)
    expected = yaml.dump(
        values, default_flow_style=False, allow_unicode=True, sort_keys=False, Dumper=get_omega_conf_dumper()
    )
    assert as_yaml(config) == as_yaml(values) == expected
