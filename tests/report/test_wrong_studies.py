"""What is no study, and no results.csv, earns one sentence, and what lies there stays as it was."""

import csv
import io
from dataclasses import replace

import pytest

from gan_lab.errors import ConfigError
from gan_lab.report.collect import read
from gan_lab.report.results_file import read_lines, text_of
from gan_lab.report.study import publish


@pytest.fixture(scope="module")
def published(small):
    """The text of a results.csv of two runs that needs no common.csv, as the first studies had it."""
    return text_of(read_lines(small / "results.csv"))


@pytest.fixture(scope="module")
def small(sweep, tmp_path_factory):
    """The folder of the study of these runs."""
    folder = tmp_path_factory.mktemp("study")
    sweep(folder / "sweep", {"wgan": 0.1}, seeds=2)
    return publish([folder / "sweep"], folder / "study")[0].parent


def changed(text, column, value):
    """The file with another value in a column of its first run."""
    rows = list(csv.reader(io.StringIO(text)))
    rows[1][rows[0].index(column)] = value
    return written(rows)


def written(rows):
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def without(text, column):
    rows = list(csv.reader(io.StringIO(text)))
    place = rows[0].index(column)
    return written([row[:place] + row[place + 1 :] for row in rows])


WHOLE = {
    "empty": (lambda text: "", "it holds no run; expected a line of column names and a line a run"),
    "header alone": (lambda text: text.splitlines()[0] + "\n", "it holds no run; "),
    "not text": (lambda text: b"\xff\xfe\x00", "it cannot be read as text: "),
    "open quote": (lambda text: text + '"', "it cannot be read as CSV: "),
    "the other file": (
        lambda text: "column,value\noption.loss,wgan\n",
        "it holds what all runs of a study have in common; name results.csv beside it",
    ),
    "short line": (lambda text: text + "a,b\n", "line 4: 2 cells; expected "),
    "same run": (lambda text: text + text.splitlines()[-1] + "\n", "line 4: the settings and the seed of line 3; "),
    "same column": (lambda text: text.replace("group", "seed", 1), "column 'seed' is there twice; expected each once"),
    "unknown column": (
        lambda text: text.replace("group", "gruop", 1),
        "there is no column 'gruop'; allowed: setting",
    ),
    "no seed column": (
        lambda text: without(text, "seed"),
        "column 'seed' is missing; expected the files",
    ),
    "no loss": (lambda text: without(text, "option.loss"), "column 'option.loss' is missing; expected the files"),
}
CELLS = {
    ("seed", "-1"): "seed is '-1', which no run has there",
    ("state", "running"): "state is 'running', which no run has there",
    ("state", ""): "state is missing",
    ("config.batch_size", "65"): "settings_hash is ",
    ("config.batch_size", "9" * 500): "config.batch_size is no value of a run: ",
    ("metric.reverse_kl", "good"): "metric.reverse_kl is 'good'; expected a number",
    ("metric.reverse_kl", "1e400"): "metric.reverse_kl is 'inf'; expected a number",
    ("budget.iterations", "0.5"): "budget.iterations is '0.5'; expected a number",
    ("budget.iterations", ""): "budget.iterations is missing; expected a number for a run that is done",
    ("named", "[1"): "named is '[1'; expected JSON or a text",
    ("rule", "[1]"): "rule is '[1]', which no run has there",
}
WRONG = WHOLE | {
    f"{column} {value[:9]}": (lambda text, column=column, value=value: changed(text, column, value), f"line 2: {told}")
    for (column, value), told in CELLS.items()
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_earns_one_sentence(published, sweep, tmp_path, case):
    change, sentence = WRONG[case]
    file = tmp_path / "study" / "results.csv"
    file.parent.mkdir()
    wrong = change(published)
    file.write_bytes(wrong if isinstance(wrong, bytes) else wrong.encode())
    before = file.read_bytes()
    sweep(tmp_path / "sweep", {"lsgan": 0.3}, seeds=1)
    for act in (lambda: read([file]), lambda: publish([tmp_path / "sweep"], file.parent)):
        with pytest.raises(ConfigError) as caught:
            act()
        assert str(caught.value).startswith(f"{file}: {sentence}")
        assert "\n" not in str(caught.value)
    assert [one.name for one in file.parent.iterdir()] == ["results.csv"]
    assert file.read_bytes() == before


COMMON = {
    "empty": (lambda text: "", "it holds no column; expected a line 'column,value' and a line a column"),
    "not text": (lambda text: b"\xff\xfe\x00", "it cannot be read as text: "),
    "open quote": (lambda text: text + '"', "it cannot be read as CSV: "),
    "other head": (lambda text: text.replace("column,", "key,", 1), "line 1: 'key,value'; expected 'column,value'"),
    "long line": (lambda text: text.replace(",64", ",64,65", 1), "line {}: 3 cells; expected 2, one for each column"),
    "same column": (
        lambda text: text + "option.loss,wgan\n",
        "column 'option.loss' is there twice; expected each once",
    ),
    "unknown column": (lambda text: text + "gruop,1\n", "there is no column 'gruop'; allowed: setting"),
    "no JSON": (lambda text: text.replace(",64", ",[64", 1), "line {}: config.batch_size is '[64'; expected JSON or "),
}


@pytest.mark.parametrize("case", COMMON)
def test_a_wrong_file_of_common_columns_earns_one_sentence(small, tmp_path, case):
    change, sentence = COMMON[case]
    text = (small / "common.csv").read_text()
    wrong = change(text)
    (tmp_path / "results.csv").write_bytes((small / "results.csv").read_bytes())
    (tmp_path / "common.csv").write_bytes(wrong if isinstance(wrong, bytes) else wrong.encode())
    place = text[: text.index("config.batch_size,64")].count("\n") + 1
    with pytest.raises(ConfigError) as caught:
        read([tmp_path / "results.csv"])
    assert str(caught.value).startswith(f"{tmp_path / 'common.csv'}: {sentence.format(place)}")
    assert "\n" not in str(caught.value)


def test_a_file_takes_the_common_columns_of_its_own_study_alone(published, small, tmp_path):
    """Without them, or with others, it is refused. A file that has each column looks at no other."""
    file, common = tmp_path / "results.csv", (small / "common.csv").read_text()
    file.write_bytes((small / "results.csv").read_bytes())
    with pytest.raises(ConfigError, match=r"common.csv: it cannot be read as text: "):
        read([file])
    for other in (
        common.replace("fingerprint.samples,2500", "fingerprint.samples,99"),
        common.rsplit("\n", 2)[0] + "\n",
    ):
        (tmp_path / "common.csv").write_text(other)
        with pytest.raises(ConfigError, match=r"line 2: common_hash is 'c\w{8}'; expected c\w{8}, that of common.csv"):
            read([file])
    file.write_text(published)
    whole = [replace(run, path=file) for run in read([small / "results.csv"]).runs]
    assert read([file]).runs == whole
    (tmp_path / "common.csv").write_text(common.replace("\n", "\r\n").replace(",false", ",FALSE") + "config.x,\r\n\r\n")
    file.write_bytes((small / "results.csv").read_bytes() + b"\n")
    assert read([file]).runs == whole


def test_a_wrong_target_earns_one_sentence(run, sweep, tmp_path):
    sweep(tmp_path / "sweep", {"wgan": 0.1}, seeds=1)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "README.md").write_text("# My thesis\n")
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "common.csv").write_text("name,phone\n")
    (tmp_path / "link").symlink_to(tmp_path / "thesis")
    run(tmp_path / "open" / "one", {"loss": "wgan"}, state="interrupted")
    cases = [
        ("sweep", "file", None, "it is a file; name a folder"),
        ("sweep", "thesis", None, "README.md was not made by publish=; move it, or name another folder"),
        ("sweep", "tables", None, "common.csv is there without results.csv; name another folder"),
        ("sweep", "link", None, "link is a link; expected a study's own folder and files"),
        ("open", "new", None, f"no run in {tmp_path}/open is finished or lost"),
        ("sweep", "file/below", None, "it cannot be written: Not a directory"),
    ]
    for source, target, metric, sentence in cases:
        with pytest.raises(ConfigError) as caught:
            publish([tmp_path / source], tmp_path / target, metric=metric)
        assert str(caught.value) == f"publish={tmp_path / target}: {sentence}"
    with pytest.raises(ConfigError, match=r"^metric=fid: no run has this metric"):
        publish([tmp_path / "sweep"], tmp_path / "new", metric="fid")
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "file").read_text() == "mine"
    assert [one.name for one in (tmp_path / "thesis").iterdir()] == ["README.md"]


def test_a_file_that_a_spreadsheet_saved_is_the_same(published, tmp_path):
    """With a mark before the first letter, its ends of lines, and TRUE for true."""
    assert ",false\n" in published
    saved = "\ufeff" + published.replace(",false\n", ",FALSE\n").replace("\n", "\r\n")
    file = tmp_path / "results.csv"
    found = []
    for text in (published, saved):
        file.write_bytes(text.encode())
        found.append(read([file]).runs)
    assert found[0] == found[1]
