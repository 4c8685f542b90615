"""All objects of a run, from its configuration: data, networks, players, algorithm, callbacks, trainer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.algorithms.lightning_internals import make_bare_iterations
from gan_lab.augmentations import Augmentation
from gan_lab.callbacks import (
    AfterIterations,
    AtStart,
    Callback,
    CallbackCurves,
    Checkpoints,
    Compiling,
    Curves,
    Deadline,
    Evaluation,
    ProgressBar,
    Randomness,
    Signals,
    Stopwatch,
)
from gan_lab.callbacks.stop_signals import stopped_by_callback
from gan_lab.config.checks import within_budget
from gan_lab.config.leaves import named_targets
from gan_lab.config.messages import blame
from gan_lab.config.targets import check_targets
from gan_lab.datasets.data_module import InMemoryData
from gan_lab.errors import ConfigError
from gan_lab.models.conditions import takes_source
from gan_lab.runs.building import build, check_arguments, named_by
from gan_lab.runs.checkpoint_checks import check_callbacks, check_fits
from gan_lab.runs.components import build_dataset, build_network
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.latents import latent_prior, statistics_requests
from gan_lab.runs.measuring import build_evaluator, check_selecting, judged
from gan_lab.runs.request import RunRequest
from gan_lab.runs.resume import Start
from gan_lab.runs.stop_signals import Stop
from gan_lab.seeds import derive
from gan_lab.training.augmented import check_augmentation
from gan_lab.training.compatibility import check_pairs
from gan_lab.training.compiler import check_compiler
from gan_lab.training.copies import build_overfitting
from gan_lab.training.dangers import check_together, warn_of_dangers, warn_of_sources
from gan_lab.training.lightning_parts import build_callbacks, build_profiler, build_trackers, build_trainer
from gan_lab.training.micro_batches import check_parts_of_run, use_micro_batches
from gan_lab.training.new_runs import check_new_run
from gan_lab.training.pictures import build_pictures
from gan_lab.training.players import averaging, build_player, judged_together, prepared
from gan_lab.training.runtime import check_devices, check_main
from gan_lab.training.seat import Seat
from gan_lab.training.selection import build_selection
from gan_lab.training.warm_start import warm_start
from gan_lab.validation import typed


class Training:
    """All parts of a run, built in order: what can be refused comes before what takes long.

    Args:
        request: what is asked for.
        start: where training starts.
        checkpoint: what the checkpoint to go on from holds; if None, Lightning loads it.
        stop: hears signals.
        writes: whether curves and pictures are written; a process that assists writes none.
        seat: the run's place in a stack, which makes its iterations and hears signals; None alone.

    Raises:
        ConfigError: for bad input.
    """

    def __init__(
        self,
        request: RunRequest,
        start: Start,
        checkpoint: dict[str, Any] | None,
        stop: Stop,
        writes: bool = True,
        seat: Seat | None = None,
    ) -> None:
        self.start = start
        self.seat = seat
        self.folder = request.folder
        self.config = config = within_budget(request.config)
        check_devices(config.trainer, config.compile, config.batch_size)
        check_main(config)
        check_compiler(config)
        check_targets(named_targets(OmegaConf.to_container(config)), config.allowed_targets)
        check_selecting(config)
        self.dataset = build_dataset(config) if seat is None else seat.common.dataset(config)
        processes = config.trainer.devices * config.trainer.num_nodes
        data, source = self.dataset, self.dataset.source
        self.module = build_module(config, data.sample_shape, processes, data.class_counts, data.source_shape)
        check_pairs(type(self.module), source)
        if start.iteration is None:
            check_new_run(config, data, self.module)
        self.warm_start = warm_start(config, self.module) if start.iteration is None else None
        if checkpoint is not None:
            check_fits(start.checkpoint, checkpoint, self.module, self.dataset.checksum)
        seen = judged(config, self.dataset, self.module.players["generator"].network)
        self.evaluator = build_evaluator(config, seen)  # may train a classifier
        folder = request.folder if writes else None
        self.randomness = Randomness()
        self.stopwatch = Stopwatch() if seat is None else seat.stopwatch
        self.trackers = build_trackers(config, request.folder, self.stopwatch, writes)
        self.curves = Curves(folder, config.log_every, self.stopwatch, start.purge_step, self.trackers)
        self.evaluation = Evaluation(self.evaluator, config.evaluation.every, self.curves, self.stopwatch)
        compared = self.evaluator.request
        self.selection = build_selection(request, seen, self.evaluation)
        saved = config.checkpoint
        often, warm = (saved.every, saved.minutes, saved.keep), self.warm_start is not None
        self.checkpoints = Checkpoints(request.folder, *often, self.dataset, self.curves, self.stopwatch, warm)
        self.deadline = Deadline(config.budget.seconds, self.stopwatch)
        of_run = [
            *build_overfitting(config, seen, self.module, compared, self.curves, self.stopwatch),
            build_pictures(config, seen, self.module, self.evaluator.examined, folder, self.curves, self.stopwatch),
        ]
        callbacks = self._callbacks(of_run, f"{request.names['dataset']} {request.names['loss']}", stop)
        self.after_iterations = AfterIterations(callbacks)
        self.trainer = self._trainer(request.folder, callbacks, start, checkpoint)

    def _callbacks(self, of_run: Sequence[Callback], name: str, stop: Stop) -> list[Callback]:
        """All in order, those that not every run has among them; a stacked run leaves the bar to the stack."""
        callbacks: list[Callback] = [
            self.randomness,
            self.stopwatch,
            self.deadline,
            self.curves,
            self.evaluation,
            *([] if self.selection is None else [self.selection]),
            *of_run,
            self.checkpoints,
        ]
        if self.seat is None:
            bar = ProgressBar(name, self.curves)
            callbacks += [bar, Compiling(self.stopwatch, bar), Signals(stop, self.checkpoints, bar)]
        else:
            self.module.training_step = self.seat.training_step  # type: ignore[method-assign,assignment]
        return [*callbacks, self.trackers]

    def _trainer(
        self, folder: RunFolder, callbacks: list[Callback], start: Start, checkpoint: dict[str, Any] | None
    ) -> pl.Trainer:
        """Lightning's trainer with our callbacks and the user's.

        The user's come before what saves an iteration, and after what prepares the first one.
        """
        added = build_callbacks(self.config)
        profiler = build_profiler(self.config.trainer.get("profiler"), folder.path)
        if checkpoint is not None:
            check_callbacks(start.checkpoint, checkpoint, callbacks)
        trainer = build_trainer(
            self.config,
            [*callbacks, *added, *([self.after_iterations] if self.seat is None else [])],
            checkpoint,
            logger=CallbackCurves(self.curves, lambda: self.trainer) if added else False,
            log_every_n_steps=min(self.config.log_every, self.config.iterations),
            profiler=profiler,
            default_root_dir=str(folder.path),
        )
        ours = self.seat is None and not added and type(self.module).__module__.startswith("gan_lab.")
        if ours and profiler is None and trainer.world_size == 1:  # nothing looks at what Lightning does in between
            call, module = self.after_iterations.call, self.module
            make_bare_iterations(trainer, lambda curves: call(trainer, module, trainer.global_step, curves))
        return trainer

    def fit(self, begin: Callable[[], None]) -> None:
        """Train to the end.

        Args:
            begin: called when the checkpoint, if there is one, has been restored, and before anything else happens.

        Raises:
            Diverged: if a loss, logit or gradient is no longer finite.
        """
        config, trainer = self.config, self.trainer
        at_start = AtStart(begin)
        # behind Randomness, which restores the last of the state
        trainer.callbacks.insert(1, at_start)  # type: ignore[attr-defined]  # Lightning's list
        data = InMemoryData(
            self.dataset,
            config.batch_size * config.model.packing,
            config.n_critic,
            config.n_generator,
            config.iterations,
            config.seed,
            self.module.generator_uses_real,
            config.generator_batch_factor,
            keeps_pairs=not self.module.translates_back,
        )
        # Lightning loads the checkpoint before it converts the module: float64 would be rounded
        trainer.precision_plugin.convert_module(self.module)
        trainer.fit(self.module, data, ckpt_path=self.start.checkpoint)
        if not at_start.called:  # Lightning starts no training whose last iteration is done
            begin()
        if trainer.global_step != trainer.max_steps:
            if trainer.should_stop:  # since before the first iteration
                raise stopped_by_callback(trainer)
            raise RuntimeError(f"training ended after {trainer.global_step} of {trainer.max_steps} iterations")


def build_module(
    config: DictConfig,
    sample_shape: tuple[int, ...],
    processes: int = 1,
    class_counts: Sequence[int] | None = None,
    source_shape: tuple[int, ...] | None = None,
) -> Algorithm:
    """The algorithm and its players, their networks initialised from the seed alone; a warning for each known danger.

    Args:
        config: the composed configuration.
        sample_shape: of one sample.
        processes: number of processes that share every batch.
        class_counts: number of training samples of each class, or None.
        source_shape: of the image that a sample translates, or None.
    """
    pl.seed_everything(config.seed, verbose=False)
    kind: type[Algorithm] = check_arguments(config, "algorithm")
    augmentation = build_augmentation(config, sample_shape)
    networks = {role: build_network(config, role, sample_shape, class_counts, source_shape) for role in kind.roles}
    loss = build(config, "loss")
    check_together(config, kind, loss, networks, sample_shape, source_shape)
    judges_pairs = kind.needs_pairs or takes_source(networks["discriminator"])
    check_augmentation(config, kind, loss, augmentation, sample_shape, source_shape, judges_pairs)
    check_parts_of_run(config, kind, loss, augmentation)
    networks = prepared(config, loss, networks, processes)
    averages = {"generator": averaging(config)}
    players = {role: build_player(config, role, one, averages.get(role)) for role, one in networks.items()}
    use_micro_batches(config, players, sample_shape, source_shape)
    warn_of_dangers(config, loss, players["discriminator"])
    warn_of_sources(networks["generator"], source_shape)
    of_run = {"sample_shape": sample_shape, "source_shape": source_shape, "processes": processes}
    of_run |= {"reals": config.n_critic * config.batch_size * config.model.packing, "iterations": config.iterations}
    given = {
        **players,
        **{name: one for name, one in of_run.items() if name in named_by(kind)},
        "loss": loss,
        "prior": latent_prior(config),
        "noise_seed": derive(config.seed, "noise"),
        "turns": {role: config.n_critic if role == "discriminator" else config.n_generator for role in players},
        "joint_batch": judged_together(config, networks["discriminator"], sample_shape, source_shape, processes),
        "packing": config.model.packing,
        "statistics": statistics_requests(config, class_counts),
        "compile_mode": config.compile,
    }
    _refuse_given(config, "algorithm", given)
    with blame("algorithm"):
        made: Algorithm = build(config, "algorithm")(**given)
    made.augmentation = augmentation if kind.augments else made.augmentation
    return made


def build_augmentation(config: DictConfig, sample_shape: tuple[int, ...]) -> Augmentation:
    """What is done to samples before the discriminator sees them."""
    reals = config.batch_size * config.model.packing
    of_run = {"sample_shape": sample_shape, "batch_size": reals, "updates": config.iterations * config.n_critic}
    _refuse_given(config, "augmentation", of_run)
    made: Augmentation = build(config, "augmentation", **of_run)
    return made


def _refuse_given(config: DictConfig, key: str, of_run: Mapping[str, Any]) -> None:
    """Raise ConfigError for an argument in a block that is the run's to give."""
    for name in of_run:
        if name in config[key]:
            raise ConfigError(f"{key}.{name}={typed(config[key][name])}: expected none, as it follows from other keys")
