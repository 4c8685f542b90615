"""Objects from a configuration: what a block hands to its class."""

import pytest
import torch

from gan_lab.errors import ConfigError
from gan_lab.runs.building import build, fitted


class Own:
    def __init__(self, width: int, share: float, pair: tuple[float, float], either: int | float = 1, tail=(0.5, 1.0)):
        pass


def test_whole_numbers_become_floats_where_floats_are_wanted():
    given = {"width": 3, "share": 1, "pair": [0, 1], "either": 2, "tail": [1, 0]}
    made = fitted("x", Own, given)
    assert made == given
    assert [type(made[key]) for key in ("width", "share", "either")] == [int, float, int]
    assert [type(one) for one in (*made["pair"], *made["tail"])] == [float] * 4
    assert fitted("x", Own, {"share": True})["share"] is True
    assert fitted("x", Own, {"share": None, "width": "a"}) == {"share": None, "width": "a"}


def test_an_argument_that_the_class_does_not_have_is_refused():
    with pytest.raises(ConfigError, match=r"^x\.widht: there is no key 'widht' in x; did you mean 'width\?*'"):
        fitted("x", Own, {"widht": 3})
    assert fitted("x", lambda **rest: rest, {"anything": 3, "_target_": "a"}) == {"anything": 3, "_target_": "a"}


def test_an_optimizer_takes_the_betas_as_the_papers_print_them(composed):
    config = composed("optimizer=adam", "optimizer.generator.betas=[0,1e-3]")
    optimizer = build(config, "optimizer.generator")([torch.nn.Parameter(torch.zeros(1))])
    assert tuple(optimizer.defaults["betas"]) == (0.0, 1e-3)
    assert all(isinstance(beta, float) for beta in optimizer.defaults["betas"])
