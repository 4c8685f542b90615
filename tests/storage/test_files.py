"""Writing: the new file whole, or the old one untouched; no scraps."""

import errno
import json

import pytest

from gan_lab.storage.files import concerns, replacing, write_json


def test_a_failed_write_leaves_the_old_file_and_no_scrap(tmp_path):
    file = tmp_path / "x.json"
    write_json(file, {"a": 1})

    def fail_midway():
        with replacing(file) as stream:
            stream.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_midway()
    assert json.loads(file.read_text()) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_nothing_that_json_lacks_is_written(tmp_path):
    with pytest.raises(ValueError):  # noqa: PT011  # its words are those of the library
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("number", "name", "about_it"),
    [
        (errno.ENOSPC, None, True),
        (errno.ENOSPC, "/elsewhere/cache", True),  # it stops the run as well, and is named
        (errno.EIO, "run/metrics.csv", True),
        (errno.EIO, "/elsewhere/data", False),  # a disk of data that fails is not the run's that is full
        (errno.EIO, None, False),
        (errno.EACCES, "run/metrics.csv", True),
        (errno.EACCES, "/elsewhere/data", False),
    ],
)
def test_which_errors_are_about_writing_into_a_folder(tmp_path, number, name, about_it):
    file = name if name is None or name.startswith("/") else str(tmp_path / name)
    assert concerns(OSError(number, "no", file), tmp_path / "run") is about_it
