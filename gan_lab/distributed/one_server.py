"""Imported by the server alone: before Python 3.14 the processes that it forks ask it for further ones.

Python has each of them start another server (python/cpython#86354), which imports torch again: every run of a sweep
with `trainer.devices=2` would wait for that.
"""

from multiprocessing.forkserver import ForkServer
from typing import Any

_start = ForkServer.ensure_running


def _ensure_running(self: ForkServer) -> None:
    server: Any = self  # what it knows is none of its public attributes
    # from 3.14 on the server wants a key, which what it forks does not know: those start another server, as ever
    known = server._forkserver_address and getattr(server, "_forkserver_authkey", True)
    if server._forkserver_pid is not None or not known:
        _start(self)


ForkServer.ensure_running = _ensure_running  # type: ignore[method-assign]
