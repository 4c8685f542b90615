"""What Hydra and OmegaConf do again and again while a configuration is composed and checked, but quicker."""

import copy
from collections import defaultdict
from functools import cache
from typing import Any

from hydra import version
from hydra._internal import defaults_list
from omegaconf import DictConfig, ListConfig, Node
from omegaconf.nodes import ValueNode

_choices = defaults_list._create_interpolation_map


def use() -> None:
    """From now on these do what they always do, and `copy.deepcopy` of an OmegaConf container without memo."""
    DictConfig.__deepcopy__ = ListConfig.__deepcopy__ = lambda node, memo: copied(node, node._get_parent())
    DictConfig._re_parent = ListConfig._re_parent = tell_parent
    defaults_list._create_interpolation_map = _choices_where_used
    version._get_version = cache(version._get_version)


def _choices_where_used(overrides: object, entries: list, self_added: bool) -> object:
    """What Hydra makes of every list of defaults, for those that it looks into."""
    return _choices(overrides, entries, self_added) if any(one.is_interpolation() for one in entries) else None


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
