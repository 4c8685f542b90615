"""What every test shares: one CPU thread each, as the tests run side by side, and ways to compose and to run."""

import functools
import gc
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from functools import cache
from importlib import metadata
from multiprocessing.forkserver import ForkServer
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported anywhere
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # processes that tests start need not compile gan_lab again
os.environ["TORCHINDUCTOR_VEC_ISA_OK"] = "1"  # what the processor says it can; else a compiler is tried first
os.environ.setdefault("GAN_LAB_CACHE", str(Path(__file__).parent.parent / ".pytest_cache" / "gan_lab"))

import pytest
import quick_copies
from command_runs import ended, forked, printed
from configurations import composed_of
from omegaconf import DictConfig

from gan_lab.distributed.forkserver import PRELOADED
from gan_lab.runs.folder import RunFolder

quick_copies.use()

PRELOADED.append("preloaded")
_start = ForkServer.ensure_running


def _started_with_path(server: ForkServer) -> None:
    """Starts the server with this folder on its path, where `preloaded` is, and two threads, as users have several.

    `preloaded` sets one for what the server forks, and tests/distributed/test_fork.py uses both. OpenBLAS has one: it
    would start others when it is imported.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        patch.setenv("OMP_NUM_THREADS", "2")
        patch.setenv("OPENBLAS_NUM_THREADS", "1")
        _start(server)


ForkServer.ensure_running = _started_with_path

# Lightning, which no line above imports, reads those of all packages for every trainer
metadata.entry_points = cache(metadata.entry_points)


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """A worker more than there are cores, as some tests wait for processes: of two cores a fifth was idle."""
    cores = yield
    return cores if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else cores + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported here stays: Python's garbage collector need not walk through it, now or later.

    By default it looks again after every 700 new objects. Composing one configuration makes thousands, nearly all of
    which stay in use, so it looks less often.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(10_000, 20, 10)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests come first, those that start processes among them: no worker shall wait for one at the end."""
    starting = {"gan_lab", "warm_gan_lab"}
    items.sort(key=lambda item: not item.get_closest_marker("long") and starting.isdisjoint(item.fixturenames))


@pytest.fixture(scope="session", autouse=True)
def small_pictures() -> Iterator[None]:
    """Pictures of 64 pixels a side: drawing full ones takes longer than the tests' short trainings."""
    from gan_lab.storage import pictures

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "_PIXELS", 64)
        yield


@pytest.fixture(scope="session", autouse=True)
def few_statistics() -> Iterator[int]:
    """A moving average's statistics are of 3 batches: those of 100 take longer than training does. Yields 100."""
    from gan_lab.runs import latents

    real = latents._BATCHES
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latents, "_BATCHES", 3)
        yield real


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """A run waits for the disk some twenty times, against power failures; nothing that a test sees depends on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(autouse=True)
def blank_figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report's figures are made, and drawn only where a test looks at them: that takes most of a report's time."""
    if not request.node.get_closest_marker("figures"):
        monkeypatch.setattr("gan_lab.report.render.encode", lambda *_: b"<svg></svg>")


@pytest.fixture
def composed() -> Callable[..., DictConfig]:
    """Composes train.yaml with overrides."""
    return composed_of


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run of SMALL and OFTEN that was never stopped, for comparison; tests do not change it."""
    from training_runs import OFTEN, SMALL, train_in

    return train_in(tmp_path_factory.mktemp("calm") / "run", composed_of(*SMALL, *OFTEN))


@pytest.fixture(scope="session")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, killed in its ninth iteration: `part` copies it."""
    from training_runs import OFTEN, SMALL, killed, train_in

    path = tmp_path_factory.mktemp("stopped") / "run"
    with killed(8):
        train_in(path, composed_of(*SMALL, *OFTEN))
    return path


@pytest.fixture
def part(stopped: Path, tmp_path: Path) -> RunFolder:
    """A run of SMALL and OFTEN, killed in its ninth iteration, with checkpoints of 3 and 6; a test may change it."""
    shutil.copytree(stopped, tmp_path / "run", symlinks=True)
    return RunFolder(tmp_path / "run")


@pytest.fixture(scope="session")
def ring_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two runs of the command: `run` is done, `part` was killed in its ninth iteration of eleven."""
    from training_runs import OFTEN, SMALL, killed

    from gan_lab.cli.train import main

    folder = tmp_path_factory.mktemp("ring_runs")
    words = ["gan-lab", *SMALL, *OFTEN, "dataset=ring8", "threads=1"]
    with pytest.MonkeyPatch.context() as patch:
        assert ended(patch, folder, main, *words, "hydra.run.dir=run") == 0
        with killed(8):
            ended(patch, folder, main, *words, "hydra.run.dir=part")
    return folder


@pytest.fixture
def place(ring_runs: Path, tmp_path: Path) -> Path:
    """Copies of them, for a test to damage."""
    for name in ("run", "part"):
        shutil.copytree(ring_runs / name, tmp_path / name, symlinks=True)
    return tmp_path


@pytest.fixture(scope="session")
def paired_run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A U-Net on pairs, whose dropout makes half of its innermost features zero; tests do not change it."""
    from translators import trained

    return trained(tmp_path_factory.mktemp("paired") / "run", "dataset=digits_edges", "model=unet")


@pytest.fixture(scope="session")
def cycle_run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """CycleGAN, with a moving average; tests do not change it."""
    from translators import trained

    words = ["dataset=digits_edges", "model=cyclegan", "model.generator.blocks=1", "ema_decay=0.5"]
    return trained(tmp_path_factory.mktemp("cycle") / "run", *words)


@pytest.fixture
def gan_lab(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs ``gan-lab`` in a process of its own, forked by a server that has imported torch, in an empty folder."""

    def run(*arguments: str, module: str = "cli.train") -> subprocess.CompletedProcess[str]:
        process = forked(tmp_path, *arguments, module=module)
        process.join(600)
        said, wrong = (printed(tmp_path, name).read_text() for name in ("stdout", "stderr"))
        return subprocess.CompletedProcess(arguments, process.exitcode, said, wrong)

    return run


@pytest.fixture
def warm_gan_lab(tmp_path: Path, monkeypatch, capfd) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The same in the test's own process: for sweeps, whose runs are forked by the server that the process keeps."""
    from gan_lab.cli.train import main

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        capfd.readouterr()
        code = ended(monkeypatch, tmp_path, main, "gan-lab", *arguments)
        said, wrong = capfd.readouterr()
        if isinstance(code, str):
            code, wrong = 1, f"{wrong}{code}\n"
        return subprocess.CompletedProcess(arguments, code, said, wrong)

    return run


@pytest.fixture(scope="session")
def random_inception(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in the form of the FID's weights, with random ones."""
    import torch
    import torch_fidelity.feature_extractor_inceptionv3 as fidelity

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fidelity, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(fidelity.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        network = fidelity.FeatureExtractorInceptionV3("inception", ["2048"])
    file = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(network.state_dict(), file)
    return file


@pytest.fixture
def inception_weights(random_inception: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same file, passing for the published one."""
    from gan_lab.metrics import inception

    monkeypatch.setattr(inception, "_SHA256", hashlib.sha256(random_inception.read_bytes()).hexdigest())
    return random_inception


@pytest.fixture
def data_root() -> Path:
    """The folder of real data that GAN_LAB_DATA names."""
    root = os.environ.get("GAN_LAB_DATA")
    if not root:
        pytest.skip("GAN_LAB_DATA does not name a folder with MNIST and FashionMNIST")
    return Path(root)


@pytest.fixture(scope="session")
def ring_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on the ring, complete with what Hydra writes; tests change copies of it."""
    from training_runs import SMALL

    from gan_lab.cli.train import main

    folder: Path = tmp_path_factory.mktemp("ring") / "run"
    with pytest.MonkeyPatch.context() as patch:
        words = [*SMALL, "dataset=ring8", "iterations=4", f"hydra.run.dir={folder}"]
        patch.setattr(sys, "argv", ["gan-lab", *words])
        patch.setenv("HYDRA_FULL_ERROR", "0")
        main()
    return folder


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list:
    """What TorchDynamo captures, which is run as it is: a compiler takes a minute."""
    import torch

    seen: list = []

    def counted(graph, inputs, **options):
        seen.append(graph)
        return graph

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=counted))
    return seen
