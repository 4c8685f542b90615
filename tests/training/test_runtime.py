"""What is freed stays in the process."""

import platform
import resource

import pytest

from gan_lab.distributed.forkserver import forkserver
from gan_lab.training.runtime import keep_freed_memory


def faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def cycle() -> None:
    """Takes and frees 60 MiB in three blocks, which make 15 360 pages of 4 KiB."""
    blocks = [b"x" * (20 * 2**20) for _ in range(3)]
    del blocks


def page_faults(keeps: bool, told) -> None:
    """Tells how many page faults a cycle takes once memory has been taken and freed before."""
    if keeps:
        keep_freed_memory()
    cycle()
    cycle()
    before = faults()
    for _ in range(10):
        cycle()
    told.send((faults() - before) / 10)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
@pytest.mark.parametrize(("keeps", "least", "most"), [(False, 5000, 20_000), (True, 0, 10)])
def test_freed_memory_is_not_asked_for_again(keeps, least, most):
    """In a process of its own, which nothing has told yet what to keep."""
    context = forkserver()
    heard, told = context.Pipe(duplex=False)
    process = context.Process(target=page_faults, args=(keeps, told))
    process.start()
    taken = heard.recv()
    process.join()
    assert least <= taken <= most
