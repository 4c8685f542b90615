"""The table a run ends with."""

import shlex
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from gan_lab.errors import shown
from gan_lab.metric_names import in_order, not_to_be_trusted, unfounded, unfounded_precision, untrusted
from gan_lab.runs.folder import RunFolder

_LEFT_OUT = ("ceiling", "best", "at iteration", "floor")  # on narrow terminals, in this order


def print_summary(result: dict[str, Any], folder: RunFolder, config: DictConfig) -> None:
    """Print final metrics beside their best and floor, the budget, where things are, and what can be done with them.

    Args:
        result: the run's.
        folder: the run's.
        config: the run's configuration.
    """
    console = Console(soft_wrap=True)
    console.print(_fitting_table(result, console))
    for extractor in untrusted(result["metrics"]):
        console.print(f"(?)      not to be trusted: {not_to_be_trusted(extractor)}", highlight=False, markup=False)
    verdict, signs = result["verdict"], result["signals"]
    console.print(
        f"verdict  [bold]{verdict['verdict']}[/bold]: {verdict['rule']} "
        f"({', '.join(f'{name} {value:.3g}' for name, value in signs.items())})",
        highlight=False,
    )
    for name, coverage in unfounded_precision(result["metrics"]).items():
        console.print(f"warning  {unfounded(name, coverage)}", highlight=False, markup=False)
    for one in config.published:
        told = f"{one.metric} {one.value:.4g} by {one.source}, of {one.protocol}"
        console.print(f"published {told}", highlight=False, markup=False)
    budget = result["budget"]
    console.print(f"measured on {samples_and_extractor(result['fingerprint'])}", highlight=False, markup=False)
    console.print(
        f"{budget['iterations']:,} iterations in {budget['train_seconds']:.1f} s of training: "
        f"{budget['discriminator_updates']:,} discriminator and {budget['generator_updates']:,} generator updates, "
        f"{budget['real_images']:,} real samples seen",
        highlight=False,
        markup=False,
    )
    for line in _selected(result):
        console.print(line, highlight=False, markup=False)
    path = folder.path
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    console.print(f"run      {shown(path)}", highlight=False, markup=False)
    console.print(
        f"picture  {shown(path / folder.samples.relative_to(folder.path) / 'final.png')}", highlight=False, markup=False
    )
    console.print(f"curves   {shlex.join(['tensorboard', '--logdir', shown(path)])}", highlight=False, markup=False)
    if run := _in_python(folder, str(path), config):
        console.print(f"python   {run}", highlight=False, markup=False)
        return
    for name, words in _next_commands(str(path), result, folder, config):
        console.print(f"{name:8} {shlex.join(map(shown, words))}", highlight=False, markup=False)


def _next_commands(
    path: str, result: dict[str, Any], folder: RunFolder, config: DictConfig
) -> Iterator[tuple[str, list[str]]]:
    """What can be done with the run: a word, and the command's words, with what it needs to read the run."""
    from gan_lab.runs.translate import asks_for_sources  # imported late: it takes seconds

    allowed = [f"allowed_targets=[{','.join(config.allowed_targets)}]"] if config.allowed_targets else []
    best = ["weights=best"] if result.get("selected") else []
    if result["data"].get("source") and asks_for_sources(config):
        yield "samples", ["gan-lab-translate", f"run={path}", "in=FOLDER", "out=FOLDER", *best, *allowed]
    else:
        yield "samples", ["gan-lab-sample", f"run={path}", *best, *allowed]
    planned = config.lr_schedule, config.augmentation.get("schedule", "constant")
    bounded = any(value is not None for value in config.budget.values())
    if set(planned) == {"constant"} and not bounded and not result.get("stopped_early"):  # others cannot be longer
        yield "longer", _resume(folder, path, config, "iterations=N")
    yield "export", ["gan-lab-export", f"run={path}", "out=generator.pt2", *best, *allowed]


def _selected(result: dict[str, Any]) -> Iterator[str]:
    """What was selected on validation samples: the best weights, and the end of training."""
    if best := result.get("selected"):
        name = best["metric"]
        value = f"{name} {best['value']:.4g} on validation samples, {best['metrics'][name]:.4g} on held-out ones"
        yield f"best     weights of iteration {best['iteration']:,}: {value} (weights=best)"
    if stopped := result.get("stopped_early"):
        since = f"no better since iteration {stopped['best']['iteration']:,}"
        yield f"stopped  early, after {stopped['iteration']:,} iterations: {stopped['metric']} {since}"


def _resume(folder: RunFolder, path: str, config: DictConfig, *further: str) -> list[str]:
    """The command that goes on with a run, with what it needs to read the run."""
    own = folder.configuration.config_folder()
    allowed = [f"allowed_targets=[{','.join(config.allowed_targets)}]"] if config.allowed_targets else []
    return ["gan-lab", *(["--config-dir", own] if own else []), f"resume={path}", *further, *allowed]


def how_to_go_on(folder: RunFolder, config: DictConfig) -> str:
    """What a run that was stopped has saved, and the command that goes on with it."""
    saved = folder.saved_iterations()
    done = f"saved at iteration {saved[-1]:,}" if saved else "stopped before there was anything to save"
    run = _in_python(folder, str(folder.path), config)
    command = f"{run}.resume()" if run else shlex.join(map(shown, _resume(folder, str(folder.path), config)))
    return f"{done}; go on with: {command}"


def _in_python(folder: RunFolder, path: str, config: DictConfig) -> str | None:
    """How a program opens a run that names classes of its own; None for a run that the commands can read."""
    if "__main__" not in config.allowed_targets:
        return None
    own = folder.configuration.config_folder()
    further = [f"config_dir={own!r}"] if own else []
    return shown(f"gan_lab.Run({', '.join([repr(path), *further, f'allowed_targets={[*config.allowed_targets]}'])})")


def samples_and_extractor(fingerprint: dict[str, Any]) -> str:
    """The gist of a fingerprint, in words."""
    weights = f" {fingerprint['weights']}" if fingerprint["weights"] else ""
    return (
        f"{fingerprint['samples']:,} samples{' of the moving average' if fingerprint['ema'] else ''} against "
        f"{fingerprint['reference_samples']:,} held-out ones, features by {fingerprint['extractor']}{weights}"
    )


def _fitting_table(result: dict[str, Any], console: Console) -> Table:
    """The table of metrics; on a terminal below 80 columns without those of its columns that leave no room."""
    for count in range(len(_LEFT_OUT) + 1):
        table = metrics_table(result, without=_LEFT_OUT[:count])
        needed = console.measure(table, options=console.options.update(max_width=1000)).maximum
        if console.width >= 80 or needed <= console.width:
            return table
    name, value = table.columns
    name.overflow, value.no_wrap = "fold", True  # names are written on two lines, and no number is cut
    return table


def metrics_table(result: dict[str, Any], without: Collection[str] = ()) -> Table:
    """Each metric of a result: final, best, floor (`floor_of`), and ceiling (a perfect sampler's) where known.

    Args:
        result: the run's.
        without: columns to leave out.
    """
    table = Table(title=f"{result['dataset']} · {result['model']} · {result['loss']} · seed {result['seed']}")
    headings = ["metric", "final", "best", "at iteration", "floor", *(["ceiling"] if result["ceiling"] else [])]
    headings = [heading for heading in headings if heading not in without]
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "metric" else "right")
    doubtful = {name for names in untrusted(result["metrics"]).values() for name in names}
    for name in in_order(result["metrics"]):
        value = result["metrics"][name]
        best = result["best"][name]
        row = {
            "metric": f"{name} (?)" if name in doubtful else name,
            "final": f"{value:.4g}",
            "best": f"{best['value']:.4g}",
            "at iteration": str(best["iteration"]),
            "floor": f"{result['floor'][name]:.4g}",
            "ceiling": f"{result['ceiling'][name]:.4g}" if name in result["ceiling"] else "",
        }
        table.add_row(*(row[heading] for heading in headings))
    return table
