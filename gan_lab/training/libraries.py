"""Imports the libraries of a run, before its other modules and in less time than they would take one by one.

- Python looks for no garbage meanwhile: the million objects that PyTorch and Lightning make are all kept.
- torchmetrics, which Lightning imports, imports scipy.signal and with it most of SciPy, to put back a function that
  SciPy has dropped. Nothing here calls it, so torchmetrics is shown an empty module instead.
"""

import gc
import sys
from types import ModuleType

_SIGNAL = "scipy.signal"


def _import_torchmetrics() -> None:
    """Import torchmetrics without scipy.signal, which a later import finds as ever."""
    if _SIGNAL in sys.modules:
        return
    sys.modules[_SIGNAL] = ModuleType(_SIGNAL)
    sys.modules[_SIGNAL].hamming = None  # type: ignore[attr-defined]  # what torchmetrics asks for
    try:
        import torchmetrics  # noqa: F401
    finally:
        del sys.modules[_SIGNAL]


_collects = gc.isenabled()
gc.disable()
try:
    import gan_lab.storage.plotting  # before Lightning and matplotlib

    _import_torchmetrics()
    import gan_lab.training.build  # noqa: F401
finally:
    gc.freeze()
    gc.unfreeze()  # both together: what there is becomes old, without being looked through
    if _collects:
        gc.enable()
