"""What Hydra and OmegaConf do again and again while a configuration is composed, checked and kept, but quicker."""

import copy
from collections import defaultdict
from functools import cache
from typing import Any

import yaml
from hydra import version
from hydra._internal import defaults_list
from omegaconf import AnyNode, DictConfig, ListConfig, Node, OmegaConf
from omegaconf._utils import _ensure_container, get_omega_conf_dumper
from omegaconf.nodes import ValueNode

_choices = defaults_list._create_interpolation_map
_create = OmegaConf.create
_EMPTY = {dict: DictConfig({}), list: ListConfig([])} | dict.fromkeys((str, int, float, bool, type(None)), AnyNode())


class _Dumper(yaml.CDumper):
    """OmegaConf's, with an emitter in C. That writes other characters than ASCII in escapes."""

    yaml_representers = get_omega_conf_dumper().yaml_representers


def use() -> None:
    """From now on these do what they always do, and `copy.deepcopy` of an OmegaConf container without memo."""
    OmegaConf.create = created
    OmegaConf.to_yaml = as_yaml
    DictConfig.__deepcopy__ = ListConfig.__deepcopy__ = lambda node, memo: copied(node, node._get_parent())
    DictConfig._re_parent = ListConfig._re_parent = tell_parent
    defaults_list._create_interpolation_map = _choices_where_used
    version._get_version = cache(version._get_version)


def _choices_where_used(overrides: object, entries: list, self_added: bool) -> object:
    """What Hydra makes of every list of defaults, for those that it looks into."""
    return _choices(overrides, entries, self_added) if any(one.is_interpolation() for one in entries) else None


def as_yaml(config: Any, *, resolve: bool = False, sort_keys: bool = False) -> str:
    """What `OmegaConf.to_yaml` gives."""
    values = OmegaConf.to_container(_ensure_container(config), resolve=resolve, enum_to_str=True)
    options = {"default_flow_style": False, "allow_unicode": True, "sort_keys": sort_keys}
    text: str = yaml.dump(values, Dumper=_Dumper, **options)
    return yaml.dump(values, Dumper=get_omega_conf_dumper(), **options) if "\\" in text else text


def created(*given: Any, **options: Any) -> Any:
    """What `OmegaConf.create` makes; quickly of plain values without interpolations."""
    return made(given[0]) if len(given) == 1 and not options and is_plain(given[0]) else _create(*given, **options)


def is_plain(value: Any, top: bool = True) -> bool:
    """Whether a value is a dictionary or list of plain values, or below the top a value without interpolations."""
    kind = type(value)
    if kind is dict:
        return all(type(key) is str and is_plain(one, False) for key, one in value.items())
    if kind is list:
        return all(is_plain(one, False) for one in value)
    return not top and kind in _EMPTY and not (kind is str and "${" in value)


def made(value: Any, key: Any = None, parent: Node | None = None) -> Any:
    """The node of a plain value."""
    one = copied(_EMPTY[type(value)], parent)
    one._metadata.key = key
    if isinstance(value, dict):
        vars(one)["_content"] = {name: made(item, name, one) for name, item in value.items()}
    elif isinstance(value, list):
        vars(one)["_content"] = [made(item, number, one) for number, item in enumerate(value)]
    else:
        vars(one)["_val"] = value
    return one


def tell_parent(node: Any) -> None:
    """Makes a container the parent of its nodes, and so on below it, as after every merge."""
    content = vars(node)["_content"]
    for one in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        state = vars(one)
        state["_parent"] = node
        if state["_flags_cache"] is not None:
            one._invalidate_flags_cache()
        if not isinstance(one, ValueNode):
            one._re_parent()


def copied(node: Any, parent: Node | None) -> Any:
    """A node with copies of all below it; a value itself is the same object, as in OmegaConf's own copies."""
    if not isinstance(node, (DictConfig, ListConfig, ValueNode)):  # a union
        one = copy.deepcopy(node)
        one._set_parent(parent)
        return one
    one, metadata = object.__new__(type(node)), object.__new__(type(node._metadata))
    vars(metadata).update(vars(node._metadata))
    metadata.flags = dict(metadata.flags)
    metadata.resolver_cache = defaultdict(dict, {name: dict(kept) for name, kept in metadata.resolver_cache.items()})
    vars(one).update(vars(node), _metadata=metadata, _parent=parent, _flags_cache=None)
    if isinstance(node, ValueNode):
        return one
    content = vars(node)["_content"]
    if isinstance(content, dict):
        vars(one)["_content"] = {key: copied(value, one) for key, value in content.items()}
    elif isinstance(content, list):
        vars(one)["_content"] = [copied(value, one) for value in content]
    return one
