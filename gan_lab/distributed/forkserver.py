"""Processes that start with torch imported: a server imports it once and forks them."""

import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.context import ForkServerContext

PRELOADED = [
    "gan_lab.distributed.quiet_end",
    "gan_lab.distributed.one_server",
    "gan_lab.training.libraries",
    "joblib.externals.loky",  # joblib workers set loky's start method; their children must know it
]


def forkserver() -> ForkServerContext:
    """The context that starts them. The server has no threads and has used none, so that forking it is safe."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def end_with_parent(end: Callable[[], None]) -> None:
    """Call ``end`` from a thread if the process that started this one dies."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        end()

    threading.Thread(target=watch, daemon=True).start()
