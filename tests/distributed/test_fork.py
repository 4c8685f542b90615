"""What the forkserver imports leaves it fit to be forked, and ends quietly; before Python 3.14 there is only one."""

import os
import signal
import subprocess
import sys
from multiprocessing.connection import Connection

import pytest
import torch

from gan_lab.distributed.forkserver import PRELOADED, forkserver


def _share(told: Connection) -> None:
    """PyTorch shares an operation of this size among two threads, which the server had when it imported."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.cat([torch.ones(4, 400_000)] * 2)
    told.send((threads, len(os.listdir("/proc/self/task"))))


def test_a_forked_process_can_use_several_threads():
    """A parallel region before the fork would make the first one after it wait for threads that are not there."""
    heard, told = forkserver().Pipe(duplex=False)
    child = forkserver().Process(target=_share, args=(told,), daemon=True)
    child.start()
    assert heard.poll(60), "hangs"
    assert heard.recv() == (1, 2)
    child.join()


def _name_parent(told: Connection, deeper: bool) -> None:
    told.send(os.getppid())
    if deeper:
        child = forkserver().Process(target=_name_parent, args=(told, False))
        child.start()
        child.join()


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="what the server forks has no key to it")
def test_a_forked_process_has_the_same_server_fork_others():
    heard, told = forkserver().Pipe(duplex=False)
    child = forkserver().Process(target=_name_parent, args=(told, True))
    child.start()
    parents = []
    for _ in range(2):
        assert heard.poll(60), "no process was started"
        parents.append(heard.recv())
    assert parents[0] == parents[1] != os.getpid()
    child.join()


def test_ctrl_c_ends_the_server_without_a_traceback():
    """It imports for seconds, in which Python's own handler would print one."""
    assert PRELOADED[0] == "gan_lab.distributed.quiet_end"
    program = f"import {PRELOADED[0]}, signal; signal.raise_signal(signal.SIGINT); print('goes on')"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")
