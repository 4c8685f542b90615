"""What the forkserver imports leaves it fit to be forked, and ends quietly."""

import os
import signal
import subprocess
import sys

from gan_lab.distributed.forkserver import PRELOADED

PROGRAM = """
import importlib, os, time
from gan_lab.distributed.forkserver import PRELOADED
for name in PRELOADED:
    importlib.import_module(name)
import torch
child = os.fork()
if child == 0:
    torch.set_num_threads(2)
    torch.cat([torch.ones(4, 400_000)] * 2)  # large enough for PyTorch to share among threads
    os._exit(0)
for _ in range(200):
    if os.waitpid(child, os.WNOHANG)[0]:
        print("works")
        break
    time.sleep(0.05)
else:
    os.kill(child, 9)
    print("hangs")
"""


def test_a_forked_process_can_use_several_threads():
    """A parallel region before the fork would make the first one after it wait for threads that are not there."""
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "works\n", done.stdout + done.stderr


def test_ctrl_c_ends_the_server_without_a_traceback():
    """It imports for seconds, in which Python's own handler would print one."""
    assert PRELOADED[0] == "gan_lab.distributed.quiet_end"
    program = f"import {PRELOADED[0]}, signal; signal.raise_signal(signal.SIGINT); print('goes on')"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")
