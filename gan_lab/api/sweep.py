"""`gan_lab.Sweep`."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from gan_lab.api.calls import as_path, called, check_metric
from gan_lab.api.html import of_sections
from gan_lab.api.run import Run
from gan_lab.api.tables import Table
from gan_lab.errors import ConfigError, shown
from gan_lab.report.collect import read
from gan_lab.report.sections import Content, content
from gan_lab.report.tables import table_rows


class Sweep:
    """The runs at or below a folder: those of a sweep, or any others that are to be compared.

    Nothing is kept: every property and method reads the folder again, so that a sweep can be followed while it runs.

    Args:
        folder: the sweep's.
        allowed_targets: as of `gan_lab.train`, for the runs.

    Raises:
        ConfigError: if there is no such folder.
    """

    def __init__(self, folder: str | PathLike[str], *, allowed_targets: Sequence[str] = ()) -> None:
        with called(allowed_targets):
            self.folder = as_path("folder", folder).absolute()
            if not self.folder.is_dir():
                raise ConfigError(f"{folder}: there is no such folder")
        self._allowed = allowed_targets

    @property
    def runs(self) -> list[Run]:
        """Every run, in the order of the folders' names.

        Raises:
            ConfigError: if the folder of one leads out of it.
        """
        found = sorted(file.parent for file in self.folder.rglob("status.json"))
        return [Run(path, allowed_targets=self._allowed) for path in found]

    def table(self, metric: str | None = None) -> Table:
        """The rows of the report's ``table.csv``: one for each comparison, group and metric, ranked.

        Args:
            metric: what to rank by; None lets the kind of data choose it.

        Raises:
            ConfigError: if there are no runs, or none has the metric.
        """
        return Table(table_rows(self._content(metric)))

    def report(self, out: str | PathLike[str] | None = None, metric: str | None = None) -> Path:
        """Write the report, as ``gan-lab-report`` does.

        Args:
            out: the folder to write to; None for ``report`` in the sweep's.
            metric: as of `table`.

        Returns:
            The page.

        Raises:
            ConfigError: if there are no runs, none has the metric, or the report cannot be written.
        """
        with called(self._allowed):
            import gan_lab.storage.plotting  # noqa: F401  # before matplotlib
            from gan_lab.report.render import write_report

            check_metric(metric)
            return write_report([self.folder], out=None if out is None else as_path("out", out), metric=metric)

    def _content(self, metric: str | None) -> Content:
        with called(self._allowed):
            check_metric(metric)
            found = read([self.folder])
            if not found.runs:
                raise ConfigError(f"{self.folder}: no run in it (a run folder has a status.json)")
            return content(found, metric)

    def __repr__(self) -> str:
        return f"gan_lab.Sweep('{shown(self.folder)}')"

    def _repr_html_(self) -> str:
        try:
            said = self._content(None)
        except ConfigError as error:
            return of_sections([], str(error))
        return of_sections(said.sections, f"{said.counts}: no run has finished, so there is nothing to compare")
