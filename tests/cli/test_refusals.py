"""What a person may type wrong: each line, and the exact sentence it ends with; nothing is left behind or touched."""

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from command_runs import refusal
from configurations import options
from hydra import compose, initialize_config_module
from PIL import Image

import gan_lab.cli.evaluate
import gan_lab.cli.export
import gan_lab.cli.report
import gan_lab.cli.sample
import gan_lab.cli.train
import gan_lab.cli.translate

MAINS = {
    "gan-lab": gan_lab.cli.train.main,
    "gan-lab-sample": gan_lab.cli.sample.main,
    "gan-lab-evaluate": gan_lab.cli.evaluate.main,
    "gan-lab-report": gan_lab.cli.report.main,
    "gan-lab-export": gan_lab.cli.export.main,
    "gan-lab-translate": gan_lab.cli.translate.main,
}
HAS_GPU = torch.cuda.is_available() or torch.backends.mps.is_available()
TINY = ["dataset=ring8", "trainer=debug", "evaluation.samples=100", "model.generator.hidden=[8]"]
TABLE = Path(__file__).parent.parent / "refusals.txt"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder as a person may have it: a run, a sweep's folder, arrays, files that are something else."""
    folder = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["gan-lab", *TINY, "hydra.run.dir=ring"])
        gan_lab.cli.train.main()
        (folder / "notes.txt").write_text("hello")
        (folder / "full").mkdir()
        (folder / "full" / "x.txt").write_text("precious")
        (folder / "empty").mkdir()
        draw = np.random.default_rng(0)
        np.savez("points.npz", samples=draw.normal(size=(50, 2)))
        np.savez("images.npz", samples=draw.integers(0, 255, (50, 8, 8), dtype=np.uint8))
        np.savez("colours.npz", samples=draw.integers(0, 255, (90, 8, 8, 3), dtype=np.uint8))
        for kind in ("cats", "dogs"):
            Path(kind).mkdir()
            for number, image in enumerate(draw.integers(0, 255, (20, 8, 8, 3), dtype=np.uint8)):
                Image.fromarray(image).save(f"{kind}/{number}.png")
        Path("mice").mkdir()  # fewer of them
        for number in range(8):
            shutil.copy(f"cats/{number}.png", "mice")
        odd = np.zeros((50, 8, 8), np.uint8)
        odd[0] = 1  # one of forty to train on, and not of their first ten
        np.savez("odd.npz", samples=odd)
        np.savez("unnamed.npz", x=np.zeros(3))
        np.savez("nan.npz", samples=np.full((50, 2), np.nan))
        Path("broken.npz").write_text("no")
    return folder


@pytest.fixture(scope="module")
def words():
    """What stands in the table for lists that grow with the project."""
    with initialize_config_module("gan_lab.conf", version_base="1.3"):
        groups = "constraint", "experiment", "penalty", "protocol", "term", "top_k"
        keys = sorted([*(key for key in compose("train") if key != "hydra"), *groups])
    groups = ("loss", "dataset", "experiment", "penalty", "model", "term")
    return {"KEYS": ", ".join(keys), **{f"OPTIONS_{group}": ", ".join(options(group)) for group in groups}}


def contents(folder: Path) -> dict[Path, int]:
    """Everything in a folder, files with the time of their last change."""
    return {path: 0 if path.is_dir() else path.lstat().st_mtime_ns for path in folder.rglob("*")}


def rows() -> list[tuple[str, str]]:
    lines = [line for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
    return list(zip(lines[::2], (line.strip() for line in lines[1::2]), strict=True))


@pytest.mark.parametrize(("line", "sentence"), rows(), ids=lambda text: text if text.startswith("gan-lab") else "")
def test_each_line_ends_with_its_sentence(place, words, monkeypatch, capsys, line, sentence):
    command, *arguments = [word.replace("␣", " ") for word in line.split(" ")]
    if HAS_GPU and "no GPU" in sentence:
        pytest.skip("this machine has a GPU")
    for name, meaning in words.items():
        sentence = sentence.replace(name, meaning)
    before = contents(place)
    said = refusal(monkeypatch, place, MAINS[command], command, *arguments)
    pattern = re.escape(f"gan-lab: {sentence}".replace("PLACE", str(place))).replace("…", ".*")
    assert re.fullmatch(pattern, said), f"{said}\nis not\ngan-lab: {sentence}"
    assert contents(place) == before
    assert "Traceback" not in "".join(capsys.readouterr())


def test_the_table_is_as_large_as_it_says():
    assert len(rows()) == len(dict(rows())) >= 150
