"""Processes that have torch imported when they begin: a server imports it once, and forks them."""

import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.context import ForkServerContext


def forkserver() -> ForkServerContext:
    """What starts them. The server has no threads that a fork could catch in the middle of something."""
    context = multiprocessing.get_context("forkserver")
    # what joblib's launcher starts has joblib's start method for its own, and so must whatever that starts
    context.set_forkserver_preload(["gan_lab.training.run", "joblib.externals.loky"])
    return context


def end_with_parent(end: Callable[[], None]) -> None:
    """Call ``end``, from a thread, should the process that has started this one die."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        end()

    threading.Thread(target=watch, daemon=True).start()
