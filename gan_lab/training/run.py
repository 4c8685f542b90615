"""A run: trained as requested, with its folder kept true of it.

PyTorch and Lightning take seconds to import. They are imported after the run is recorded as running, so that a signal
during those seconds is recorded too.
"""

import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, flag_override, open_dict
from omegaconf.errors import OmegaConfBaseException

from gan_lab.config.checks import check, check_recordable, without_hydra
from gan_lab.config.hashing import config_hash
from gan_lab.config.messages import USER_ERRORS
from gan_lab.errors import ConfigError, shown
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.request import Change, RunRequest, chosen_options
from gan_lab.runs.resume import Start, changes_since, check_has_checkpoints
from gan_lab.runs.status import RUNNING, recorded
from gan_lab.runs.stop_signals import Stop, Unheard
from gan_lab.storage.files import write_json

if TYPE_CHECKING:
    from gan_lab.training.build import Training
    from gan_lab.training.seat import Seat

log = logging.getLogger(__name__)


def requested(config: DictConfig) -> RunRequest:
    """What a composed configuration asks of a single run, checked.

    Args:
        config: with Hydra's own keys, which name the run's folder.

    Raises:
        ConfigError: for bad input.
    """
    try:
        named = RunFolder(config.hydra.run.dir)
    except OmegaConfBaseException:  # the name has the seed in it, of which the check can say what is wrong
        checked_job(config, Path())
        raise
    asked = checked_job(config, named.path)
    begun = asked.resume is not None and named.status_file.exists()
    asked.resume = None  # it says how this process began, not what is run
    folder, names = RunFolder(named.path.absolute()), chosen_options(config.hydra.runtime.choices)
    if not begun:
        return RunRequest(asked, folder, names)
    check_has_checkpoints(folder)
    typed = OverridesParser.create().parse_overrides(config.hydra.overrides.task)
    words = [one.input_line or "" for one in typed if one.key_or_group != "resume"]
    changes = changes_since(folder, asked, config.hydra.runtime.choices, words)
    if not changes:
        return RunRequest(asked, folder, names, resume=True)
    written = without_hydra(config)
    written.resume = None
    return RunRequest(asked, folder, names, resume=True, change=Change(written, words, changes))


def checked_job(config: DictConfig, folder: Path) -> DictConfig:
    """`check` of a composed configuration as its job will see it.

    Inside a job ``${hydra:…}`` leads to Hydra's own keys, of which the output folder is known by then.
    """
    check_recordable(config)
    hydra, job = HydraConfig.instance(), config.copy()
    before = hydra.cfg
    with open_dict(job.hydra.runtime), flag_override(job.hydra, "readonly", False):
        job.hydra.runtime.output_dir = str(folder.absolute())
    hydra.set_config(job)
    try:
        return check(job)
    finally:
        hydra.cfg = before


def execute(request: RunRequest) -> float:
    """Train as requested, write the run's folder, and return the final value of the run's first metric.

    A run that goes on does so from its newest intact checkpoint, bit for bit as if it had not been interrupted; what
    was written since is removed and written again.

    Raises:
        ConfigError: for bad input, before training begins; if the checkpoints are broken.
        Diverged: if a loss, logit or gradient is no longer finite.
    """
    with recorded(request.folder, config_hash(request.config), request.resume) as stop:
        import gan_lab.training.libraries  # noqa: F401  # Lightning sets its loggers' levels when it is imported
        from gan_lab.training.runtime import library_settings

        with library_settings(request.config.trainer, request.config.threads, request.config.matmul_precision):
            return _train(request, stop)


def execute_seated(request: RunRequest, seat: "Seat") -> float:
    """`execute` in a process that trains several runs as one program, set for them already."""
    with recorded(request.folder, config_hash(request.config), request.resume, Unheard()) as stop:
        return _train(request, stop, seat)


def _train(request: RunRequest, stop: Stop, seat: "Seat | None" = None) -> float:
    from gan_lab.distributed.launcher import assisted
    from gan_lab.training.result import hyperparameters, result_of

    training = _built(request, stop, seat)
    if seat is not None:
        seat.training = training
    folder, start, parameters = request.folder, training.start, hyperparameters(request)

    def begin() -> None:
        """Called once the checkpoint has been restored whole: whatever was refused has left the folder as it was."""
        stop.began = True
        if start.again:
            _take_up(request, start, training.config.iterations)
        if training.warm_start is not None:
            folder.update_status(init_from=training.warm_start)
        training.trackers.open(parameters)

    try:
        with assisted(training.trainer.strategy, partial(assist, request, start)):
            training.fit(begin)
    except Exception as error:
        if stop.began or start.checkpoint is None or isinstance(error, USER_ERRORS):
            raise
        raise ConfigError(f"{start.checkpoint}: the run cannot go on from it: {shown(error)}") from error
    result = result_of(request, training)
    if folder.result_file.exists():  # the run was interrupted after its result was written, and was evaluated since
        result |= {key: one for key, one in folder.result().items() if key in ("evaluations", "sampling", "usefulness")}
    training.curves.write_hyperparameters(parameters, result["metrics"])
    write_json(folder.result_file, result)
    final = {f"final/{name}": value for name, value in result["metrics"].items()}
    training.trackers.points(result["budget"]["iterations"], final)
    training.trackers.close()
    return next(iter(result["metrics"].values()))


def _built(request: RunRequest, stop: Stop, seat: "Seat | None") -> "Training":
    """All parts of the run; a function of its own, so that only Lightning holds the loaded checkpoint from here on."""
    from gan_lab.runs.checkpoints import newest_checkpoint
    from gan_lab.training.build import Training

    start, checkpoint = newest_checkpoint(request.folder, request.latest_start) if request.resume else (Start(), None)
    return Training(request, start, checkpoint, stop, seat=seat)


def assist(request: RunRequest, start: Start) -> None:
    """Train as the run's first process does, in a further process that shares its batches; nothing is written.

    Args:
        request: the first process's.
        start: where that process starts.
    """
    import gan_lab.training.libraries  # noqa: F401
    from gan_lab.training.build import Training
    from gan_lab.training.runtime import library_settings

    with library_settings(request.config.trainer, request.config.threads, request.config.matmul_precision):
        logging.disable(logging.WARNING)  # the first process says it
        Training(request, start, None, Stop(), writes=False).fit(lambda: None)


def _take_up(request: RunRequest, start: Start, iterations: int) -> None:
    """Bring the folder back to where training starts, and record what has changed."""
    folder = request.folder
    folder.update_status(**RUNNING)
    if request.change is not None:
        for key, (was, value) in request.change.keys.items():
            log.info("%s was %s and is %s from here on", shown(key), shown(was), shown(value))
        folder.change_configuration(request.change.config, request.change.overrides)
    folder.cut_back(start.kept_until)
    if start.iteration is not None:
        folder.point_last_checkpoint(start.iteration)
    folder.update_status(iteration=start.iteration or 0)
    _keep_result(folder, iterations)


def _keep_result(folder: RunFolder, iterations: int) -> None:
    """Rename the result of a run that was done and is to become longer."""
    if folder.result_file.exists() and (done := folder.result()["budget"]["iterations"]) < iterations:
        folder.result_file.rename(folder.path / f"result_{done:07d}.json")
