"""The built wheel works from an empty folder, without the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from configurations import CONF

CHECKOUT = Path(__file__).parent.parent


def test_the_wheel_trains_from_an_empty_folder(tmp_path):
    source = tmp_path / "source"  # building writes into the tree it builds
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (CHECKOUT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((CHECKOUT / name).read_bytes())
    (tmp_path / "dist").mkdir()
    program = f"from setuptools.build_meta import build_wheel; build_wheel({str(tmp_path / 'dist')!r})"
    subprocess.run([sys.executable, "-c", program], cwd=source, check=True)
    (wheel,) = (tmp_path / "dist").glob("gan_loss_lab-*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
        packed = {name for name in archive.namelist() if name.endswith(".yaml")}
        (entry_points,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "gan-lab = gan_lab.cli.train:main" in archive.read(entry_points).decode()
    assert packed == {f"gan_lab/conf/{file.relative_to(CONF)}" for file in CONF.rglob("*.yaml")}

    empty = tmp_path / "empty"
    empty.mkdir()
    os.mkfifo(empty / "matplotlibrc")  # settings that must not be read: who opens the pipe waits for ever
    program = (
        f"import sys; sys.path.insert(0, {str(site)!r}); sys.argv[0] = 'gan-lab'\n"
        "sys.meta_path = [finder for finder in sys.meta_path if 'editable' not in str(finder).lower()]\n"
        "import gan_lab.cli.train\n"
        f"assert gan_lab.__file__.startswith({str(site)!r}), gan_lab.__file__\n"
        "import gan_lab.conf\n"
        f"assert gan_lab.conf.__file__.startswith({str(site)!r}), gan_lab.conf.__file__\n"
        "gan_lab.cli.train.main()"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            program,
            "trainer=debug",
            "evaluation/extractor=pixels",
            "evaluation.kid_subset_size=20",
        ],
        cwd=empty,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert all("it/s" in line for line in done.stderr.splitlines() if line), done.stderr  # and no library's warning
    (run,) = (empty / "outputs").iterdir()
    assert (run / "result.json").is_file()
