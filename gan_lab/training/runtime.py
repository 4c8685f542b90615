"""Settings of the libraries during a run: memory, threads, precision, devices."""

import ctypes
import logging
import os
import platform
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from omegaconf import DictConfig
from tensorboard.summary.writer.event_file_writer import _AsyncWriterThread

from gan_lab.distributed import environment
from gan_lab.errors import ConfigError
from gan_lab.storage.cache import cache_folder

# of glibc's malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_TRIM, _LARGEST_MMAP = 2**31 - 1, 2**25


def keep_freed_memory() -> None:
    """Let this process keep freed blocks of memory of up to 32 MiB. It cannot be undone.

    Otherwise glibc returns them to the kernel, which clears other pages for the next iteration: a tenth of the time of
    a DCGAN with batches of 64, a sixth with 256. Other C libraries have no such setting.
    """
    if platform.libc_ver()[0] == "glibc":
        malloc = ctypes.CDLL(None)
        malloc.mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP)
        malloc.mallopt(_TRIM_THRESHOLD, _LARGEST_TRIM)


@contextmanager
def library_settings(trainer: DictConfig, threads: int | None, matmul_precision: str) -> Iterator[None]:
    """Inside, the libraries are set for a run.

    Args:
        trainer: the configuration's block.
        threads: of the CPU; None shares those that PyTorch chooses among the run's processes.
        matmul_precision: of float32 on a GPU: highest, high or medium.
    """
    keep_freed_memory()
    variables = os.environ.copy()
    # hints of the first three concern settings made here; the last says at each compilation that there is no GPU
    quiet = {"pytorch_lightning": logging.WARNING, "lightning_fabric": logging.WARNING}
    quiet |= {"lightning.fabric": logging.WARNING, "torch.utils.cpp_extension": logging.ERROR}
    libraries = [logging.getLogger(name) for name in quiet]
    levels = [library.level for library in libraries]
    for library, level in zip(libraries, quiet.values(), strict=True):
        library.setLevel(level)
    summaries = logging.getLogger("pytorch_lightning.callbacks.model_summary")
    summaries.setLevel(logging.INFO if trainer.get("enable_model_summary") else logging.NOTSET)
    on_cpu = trainer.accelerator == "cpu" or not torch.cuda.is_available()
    os.environ.update(_variables(on_cpu))
    precision, tf32 = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision(matmul_precision)
    torch.backends.cudnn.allow_tf32 = matmul_precision != "highest"
    report_of_thread = threading.excepthook
    threading.excepthook = lambda fault: None if _is_told_again(fault) else report_of_thread(fault)
    usual = torch.get_num_threads()
    sharing = trainer.devices if on_cpu else 1
    torch.set_num_threads(threads or max(usual // sharing, 1))
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*`dataloader_iter` step flavor")
            warnings.filterwarnings("ignore", message=".*Found `dataloader_iter` argument")
            # of the batches that a resumed run has left
            warnings.filterwarnings("ignore", message=".*smaller than the logging interval")
            warnings.filterwarnings(
                "ignore", message=".*isinstance\\(treespec, LeafSpec\\)", module="pytorch_lightning"
            )
            yield
    finally:
        # for the next run in this process: Lightning would read from the environment where processes meet
        os.environ.clear()
        os.environ.update(variables)
        for library, level in zip(libraries, levels, strict=True):
            library.setLevel(level)
        torch.set_num_threads(usual)
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.allow_tf32 = tf32
        threading.excepthook = report_of_thread


def _variables(on_cpu: bool) -> dict[str, str]:
    """Of the environment, that the libraries read."""
    found = {
        "PYTORCH_NVML_BASED_CUDA_CHECK": "0",  # with Lightning's 1, every optimizer step looks for a driver
        "TORCHINDUCTOR_CACHE_DIR": str(cache_folder() / "inductor"),  # what compile makes, for other runs
    }
    if on_cpu:  # else processes start, and import torch, that compile for GPUs alone
        found["TORCH_WARM_POOL"] = "0"
    return found


def _is_told_again(fault: threading.ExceptHookArgs) -> bool:
    """Whether a thread's exception, such as a full disk, is raised again in the main thread: TensorBoard's are."""
    return isinstance(fault.thread, _AsyncWriterThread)


def check_devices(trainer: DictConfig, compile_mode: bool | str, batch_size: int) -> None:
    """Raise ConfigError unless this machine, and the processes that were started on it, can train as configured."""
    accelerator, precision = trainer.accelerator, trainer.precision
    has_gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
    here = {"gpu": has_gpu, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not here.get(accelerator, True):
        raise ConfigError(
            f"trainer.accelerator={accelerator}: this machine has no GPU that PyTorch can use; try trainer=cpu"
        )
    if precision == "16-mixed" and (accelerator == "cpu" or not has_gpu):  # Lightning would take bf16 instead
        raise ConfigError("trainer.precision=16-mixed: expected on a GPU alone; the CPU has 32-true and bf16-mixed")
    if compile_mode == "cudagraph" and (accelerator == "cpu" or not torch.cuda.is_available()):
        raise ConfigError("compile=cudagraph: expected a CUDA GPU to train on; the CPU has compile=true")
    devices, nodes = trainer.devices, trainer.num_nodes
    gpus = torch.cuda.device_count()
    if accelerator in ("gpu", "cuda", "auto") and torch.cuda.is_available() and devices > gpus:
        raise ConfigError(f"trainer.devices={devices}: expected at most {gpus}, the GPUs of this machine")
    processes, started = devices * nodes, environment.size()
    if nodes > 1 and started is None:  # Lightning would wait for the others for minutes
        raise ConfigError(f"trainer.num_nodes={nodes}: expected to be started by srun or torchrun on every node")
    if started not in (None, processes):  # with one device Lightning would train the whole run in each
        raise ConfigError(
            f"trainer.devices={devices}, trainer.num_nodes={nodes}: expected {started} as their product, the number of "
            "processes that srun or torchrun has started"
        )
    if batch_size % processes != 0:
        raise ConfigError(f"batch_size={batch_size}: expected a multiple of {processes}, the run's processes")


def check_main(config: DictConfig) -> None:
    """Raise ConfigError for classes of a notebook in several processes: only a file can be imported by the others."""
    processes = config.trainer.devices * config.trainer.num_nodes
    if processes > 1 and "__main__" in config.allowed_targets and not hasattr(sys.modules["__main__"], "__file__"):
        raise ConfigError(
            f"trainer.devices={config.trainer.devices}: expected 1 with allowed_targets=[__main__] of a notebook, "
            "whose classes other processes cannot import, or a module with these classes"
        )
