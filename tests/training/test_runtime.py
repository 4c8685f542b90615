"""What is freed stays in the process."""

import platform
import subprocess
import sys

import pytest

# 60 MiB in three blocks, which make 15 360 pages of 4 KiB
CYCLES = """
import resource
from gan_lab.training.runtime import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def cycle():
    blocks = [b"x" * (20 * 2**20) for _ in range(3)]
    return sum(block[-1] for block in blocks)

if {keeps}:
    keep_freed_memory()
cycle(), cycle()
before = faults()
for _ in range(10):
    cycle()
print((faults() - before) / 10)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
@pytest.mark.parametrize(("keeps", "least", "most"), [(False, 5000, 20_000), (True, 0, 10)])
def test_freed_memory_is_not_asked_for_again(keeps, least, most):
    line = [sys.executable, "-c", CYCLES.format(keeps=keeps)]
    taken = float(subprocess.run(line, check=True, capture_output=True, text=True).stdout)
    assert least <= taken <= most
