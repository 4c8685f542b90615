"""Imports matplotlib so that files in the working directory have no say in it.

matplotlib obeys a file matplotlibrc in the working directory. That may be a run folder of someone else, and the file
may name programs to run, or stop a training. The user's own settings, in the home directory, are kept. Import this
module before Lightning, which imports matplotlib too.
"""

from contextlib import chdir
from pathlib import Path

with chdir(Path(__file__).parent):
    import matplotlib  # noqa: F401
