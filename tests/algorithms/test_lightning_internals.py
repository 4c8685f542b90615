"""What gan_lab leans on in Lightning's insides is still there, and still does what it is used for."""

import copy
import functools

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins import MixedPrecision
from torch.amp import GradScaler

from gan_lab.algorithms.lightning_internals import (
    SKIPPED_HOOK,
    batches_done,
    count_iteration,
    end_after_this_iteration,
    grad_scaler,
    make_bare_iterations,
    stand_after,
)


class Stepper(pl.LightningModule):
    """Makes three optimizer steps an iteration, without Lightning's wrapper, and counts the iteration."""

    automatic_optimization = False

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.calls = 0

    def configure_optimizers(self):
        return torch.optim.SGD([self.weight], lr=1.0)

    def training_step(self, batch):
        optimizer = self.optimizers(use_pl_optimizer=False)
        for _ in range(3):
            optimizer.zero_grad()
            self.weight.backward()
            optimizer.step()
        self.calls += 1
        count_iteration(self.trainer)


class EndAfterTwo(pl.Callback):
    def on_train_batch_end(self, trainer, *arguments):
        if trainer.global_step == 2:
            end_after_this_iteration(trainer)


class Silent(pl.Callback):
    on_train_batch_start = SKIPPED_HOOK


def trained(kind: type[Stepper] = Stepper, **options) -> tuple[Stepper, pl.Trainer]:
    options = {"max_steps": 5, "callbacks": [], **options}
    quiet = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    trainer = pl.Trainer(accelerator="cpu", **dict.fromkeys(quiet, False), **options)
    module = kind()
    trainer.fit(module, torch.utils.data.DataLoader(torch.zeros(100)))
    return module, trainer


def test_global_step_and_max_steps_count_iterations():
    module, trainer = trained(max_steps=4)
    assert (module.calls, trainer.global_step) == (4, 4)
    assert module.weight.item() == -12  # three steps of size 1 each


def test_batches_are_counted_after_the_last_hook_of_an_iteration():
    seen = []

    class Look(pl.Callback):
        def on_train_batch_start(self, trainer, *arguments):
            seen.append((batches_done(trainer), trainer.global_step))

        def on_train_batch_end(self, trainer, *arguments):
            seen.append((batches_done(trainer), trainer.global_step))

    trained(max_steps=2, callbacks=[Look()])
    assert seen == [(0, 0), (0, 1), (1, 1), (1, 2)]


def test_training_ends_after_this_iteration():
    module, trainer = trained(callbacks=[EndAfterTwo()])
    assert (module.calls, trainer.global_step, trainer.max_steps) == (2, 2, 2)


def test_only_half_precision_has_a_scaler():
    assert grad_scaler(pl.Trainer(accelerator="cpu", logger=False)) is None
    assert grad_scaler(pl.Trainer(accelerator="cpu", logger=False, precision="bf16-mixed")) is None
    scaler = GradScaler("cpu")
    plugin = MixedPrecision("16-mixed", "cpu", scaler)
    assert grad_scaler(pl.Trainer(accelerator="cpu", logger=False, plugins=[plugin])) is scaler


@pytest.mark.parametrize("callback", [Silent, EndAfterTwo])
def test_a_skipped_hook_is_not_even_profiled(callback):
    """The profiler's context is the cost that `SKIPPED_HOOK` avoids; a hook that is not skipped shows that it is."""
    profiler = pl.profilers.SimpleProfiler()
    trained(callbacks=[callback()], profiler=profiler)
    profiled = [name for name in profiler.recorded_durations if name.endswith(".on_train_batch_start")]
    assert any(callback.__name__ in name for name in profiled) == (callback is EndAfterTwo)


class OneStep(Stepper):
    """Makes no iteration itself, and counts as if five had been made."""

    def training_step(self, batch):
        stand_after(self.trainer, 5)
        self.counts = counts_of(self.trainer)


class Counted(pl.Callback):
    def on_train_batch_end(self, trainer, module, *arguments):
        if not isinstance(module, OneStep):
            module.counts = counts_of(trainer)


def counts_of(trainer):
    loop = trainer.fit_loop.state_dict()
    names = ("batch_progress", "state_dict", "manual_optimization.optim_step_progress")
    return {name: loop[f"epoch_loop.{name}"] for name in names}


def test_counts_are_those_of_lightnings_own_loop_in_its_last_hook():
    found, own = (trained(kind=kind, callbacks=[Counted()])[0].counts for kind in (OneStep, Stepper))
    assert found == own
    assert own["batch_progress"]["total"] == {"ready": 5, "completed": 4, "started": 5, "processed": 5}


class Iterating(Stepper):
    """Draws its batches itself, as gan_lab's algorithms do."""

    def training_step(self, dataloader_iter):
        batch, _, _ = next(dataloader_iter)
        super().training_step(batch)
        return {"weight": self.weight.detach().clone()}


class Kept(pl.Callback):
    """Keeps what the last hook of an iteration sees."""

    def __init__(self):
        self.seen = []

    def on_train_batch_end(self, trainer, module, outputs, *arguments):
        state = copy.deepcopy(trainer.fit_loop.state_dict())
        self.seen.append((outputs["weight"].item(), trainer.global_step, batches_done(trainer), state))


@pytest.mark.filterwarnings("ignore:.*dataloader_iter:UserWarning")
@pytest.mark.parametrize("precision", ["32-true", "64-true"])
def test_bare_iterations_are_lightnings_own_but_for_hooks(tmp_path, precision):
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    found = []
    for bare in (False, True):
        kept, module, path = Kept(), Iterating(), tmp_path / f"{bare}.ckpt"
        for steps, start in ((3, None), (5, path)):
            callbacks = [] if bare else [kept]
            trainer = pl.Trainer(accelerator="cpu", max_steps=steps, precision=precision, callbacks=callbacks, **quiet)
            if bare:
                make_bare_iterations(trainer, functools.partial(kept.on_train_batch_end, trainer, module))
            trainer.fit(module, torch.utils.data.DataLoader(torch.zeros(100)), ckpt_path=start)
            trainer.save_checkpoint(path)
        found.append([*kept.seen, trainer.fit_loop.state_dict()])
    assert found[0] == found[1]
    assert [one[:3] for one in found[0][:-1]] == [(-3.0 * step, step, step - 1) for step in range(1, 6)]
