"""What the forkserver imports leaves it fit to be forked."""

import os
import subprocess
import sys

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
