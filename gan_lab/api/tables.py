"""Curves and tables as plain Python containers that pandas can take over."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gan_lab.api.html import scrolled, table
from gan_lab.errors import ConfigError
from gan_lab.report.formatting import plain

if TYPE_CHECKING:
    import pandas


class Curve(NamedTuple):
    """One curve of a run.

    Args:
        iterations: of its points, ``[N]`` int64, rising.
        values: at these, ``[N]`` float64.
    """

    iterations: np.ndarray
    values: np.ndarray


class Curves(dict[str, Curve]):
    """The curves of a run by name, such as ``loss/discriminator``."""

    def to_pandas(self) -> "pandas.DataFrame":
        """A row for each iteration, a column for each curve; NaN where a curve has no point.

        Raises:
            ConfigError: if pandas is not installed.
        """
        pandas = _pandas()
        columns = {name: pandas.Series(curve.values, curve.iterations) for name, curve in self.items()}
        return pandas.DataFrame(columns).rename_axis("iteration").sort_index()


class Table(list[dict[str, Any]]):
    """Rows, each a dictionary by column."""

    def to_pandas(self) -> "pandas.DataFrame":
        """The same rows and columns.

        Raises:
            ConfigError: if pandas is not installed.
        """
        return _pandas().DataFrame(list(self))

    def _repr_html_(self) -> str:
        """The columns that have a value."""
        columns = [name for name in (self[0] if self else ()) if any(row[name] not in (None, "") for row in self)]
        return scrolled(table(columns, [[plain(row[name]) for name in columns] for row in self]))


def _pandas() -> Any:
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise ConfigError("to_pandas(): pandas is not installed; pip install pandas, or use the arrays") from error
    return pandas
