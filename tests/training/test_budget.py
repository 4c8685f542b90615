"""Budgets of updates and of seconds."""

from unittest.mock import Mock

import pytest
from training_runs import SMALL, Killed, killed, train_in

from gan_lab.callbacks import clock
from gan_lab.config.checks import check, within_budget
from gan_lab.errors import ConfigError
from gan_lab.runs.folder import RunFolder
from gan_lab.training import run as training


@pytest.mark.parametrize(
    ("overrides", "iterations"),
    [
        ([], 12),
        (["protocol=equal_compute"], 12),  # one D and one G update an iteration
        (["protocol=equal_compute", "loss=wgan"], 4),  # 24 updates, six an iteration
        (["protocol=equal_compute", "n_critic=2", "n_generator=3"], 4),
        (["budget.updates=100"], 12),  # whichever comes first
    ],
)
def test_equal_compute_is_an_equal_number_of_updates(composed, tmp_path, overrides, iterations):
    config = composed(*SMALL, "iterations=12", *overrides)
    assert within_budget(config).iterations == iterations
    budget = train_in(tmp_path / "run", config).result()["budget"]
    assert budget["iterations"] == iterations
    assert budget["discriminator_updates"] == iterations * config.n_critic
    assert budget["discriminator_updates"] + budget["generator_updates"] <= 24


def test_seconds_end_training_with_everything_done(composed, tmp_path, monkeypatch):
    """On a clock that moves by a second at every look, so many iterations are trained; the last is evaluated."""
    now = [0.0]
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now.__setitem__(0, now[0] + 1) or now[0])
    config = composed(*SMALL, "iterations=1000", "budget.seconds=30", "evaluation.every=1000", "log_every=1000")
    folder = train_in(tmp_path / "run", config)
    result = folder.result()
    last = result["budget"]["iterations"]
    assert 0 < last < 60
    assert result["budget"]["train_seconds"] == pytest.approx(30, abs=10)
    assert list(folder.curves()["metric/fd_classifier"]) == [last]
    assert folder.last_checkpoint.resolve().name == f"iteration_{last:07d}.ckpt"
    assert (folder.samples / "final.png").exists()


@pytest.mark.parametrize("stopped_at", ["iteration", "result"])
def test_seconds_that_ran_out_before_a_break_have_run_out_after_it(composed, tmp_path, monkeypatch, stopped_at):
    """Whether the break came before the last iteration, or between the last checkpoint and the result."""
    now = [0.0]
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now.__setitem__(0, now[0] + 1) or now[0])
    config = composed(*SMALL, "iterations=1000", "budget.seconds=10", "evaluation.every=1000", "checkpoint.every=1")
    whole = train_in(tmp_path / "whole", config)
    last = whole.result()["budget"]["iterations"]
    now[0] = 0
    if stopped_at == "iteration":
        with killed(last - 1):
            train_in(tmp_path / "run", config)
    else:
        with monkeypatch.context() as patch:
            patch.setattr(training, "write_json", Mock(side_effect=Killed))
            with pytest.raises(Killed):
                train_in(tmp_path / "run", config)
    assert not RunFolder(tmp_path / "run").result_file.exists()
    folder = train_in(tmp_path / "run", config, resume=True)
    assert folder.result()["budget"]["iterations"] == last
    assert folder.metrics_file.read_bytes() == whole.metrics_file.read_bytes()


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["budget.updates=1"], "budget.updates=1: expected at least 2, the updates of one iteration"),
        (["budget.updates=0"], "budget.updates=0: expected a whole number of at least 1"),
        (["budget.seconds=0"], "budget.seconds=0.0: expected a number above 0"),
        (
            ["budget.seconds=5", "lr_schedule=cosine"],
            "budget.seconds=5.0: expected null with lr_schedule=cosine, which",
        ),
    ],
)
def test_bad_budgets(composed, overrides, sentence):
    with pytest.raises(ConfigError) as error:
        check(composed(*overrides))
    assert str(error.value).startswith(sentence)
