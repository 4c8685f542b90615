"""Files of curves that a hand or a disk has been at: what is read of them, and what is counted as lost."""

import pytest

from gan_lab.runs.reader import malformed_rows, read_points

HEADER = "iteration,name,value\n"
ROW = "10,metric/fid,0.5\n"


@pytest.mark.parametrize(
    ("text", "rows", "malformed"),
    [
        ("", 0, 0),
        (HEADER, 0, 0),
        (HEADER + ROW + "20,metric/fid,0.25\n", 2, 0),
        (HEADER + ROW + "20,metric/fid,0.2", 1, 0),  # a killed run leaves half a row
        (HEADER + ROW + ROW.replace("10", ""), 1, 1),
        (HEADER + ROW.replace("0.5", "abc") + ROW + "\n", 1, 2),
        (HEADER + ROW.replace("0.5", "nan") + ROW.replace("0.5", "-inf"), 2, 0),
        (ROW + HEADER, 1, 1),  # a header belongs at the top
        ((HEADER + ROW).replace("\n", "\r\n"), 0, 2),
        (HEADER + "1" * 19 + ROW, 0, 1),
    ],
)
def test_rows_that_are_passed_over_are_counted(tmp_path, text, rows, malformed):
    file = tmp_path / "metrics.csv"
    file.write_bytes(text.encode())
    assert len(read_points(file)) == rows
    assert malformed_rows(file) == malformed


def test_no_file_has_no_rows(tmp_path):
    assert read_points(tmp_path / "metrics.csv") == []
    assert malformed_rows(tmp_path / "metrics.csv") == 0
