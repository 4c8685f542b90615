"""Writing: the new file whole, or the old one untouched; no scraps."""

import json

import pytest

from gan_lab.files import replacing, write_json


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
    with pytest.raises(ValueError, match=r"not JSON compliant"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert not list(tmp_path.iterdir())
