"""The table a run ends with."""

from typing import Any

from rich.console import Console
from rich.table import Table

from gan_lab.run_folder import RunFolder


def print_summary(result: dict[str, Any], folder: RunFolder) -> None:
    """Print final metrics beside their best and floor, the budget, and where things are."""
    console = Console(soft_wrap=True)
    console.print(metrics_table(result))
    budget = result["budget"]
    console.print(
        f"{budget['iterations']:,} iterations in {budget['train_seconds']:.1f} s of training: "
        f"{budget['discriminator_updates']:,} discriminator and {budget['generator_updates']:,} generator updates, "
        f"{budget['real_images']:,} real samples seen",
        highlight=False,
    )
    console.print(f"run      {folder.path}", highlight=False)
    console.print(f"picture  {folder.samples / 'final.png'}", highlight=False)
    console.print(f"curves   tensorboard --logdir {folder.path}", highlight=False)


def metrics_table(result: dict[str, Any]) -> Table:
    """Each metric of a result: final, best with its iteration, floor."""
    table = Table(title=f"{result['dataset']} · {result['model']} · {result['loss']} · seed {result['seed']}")
    for heading in ("metric", "final", "best", "at iteration", "floor (real data)"):
        table.add_column(heading, justify="left" if heading == "metric" else "right")
    for name, value in result["metrics"].items():
        best = result["best"][name]
        table.add_row(
            name, f"{value:.4g}", f"{best['value']:.4g}", str(best["iteration"]), f"{result['floor'][name]:.4g}"
        )
    return table
