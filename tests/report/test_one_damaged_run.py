"""One damaged run costs the others nothing, and no time; what is left out of the report is told."""

import json
import os
import shutil
import socket
import struct
import threading
import time
import zlib

import pytest
from pages import answers, board, page, rows
from PIL import Image

from gan_lab.report import sample_pictures
from gan_lab.report.collect import read
from gan_lab.report.render import write_report

SECONDS = 20  # that a report on a few tiny runs may take; a reader that waits takes for ever


@pytest.fixture(autouse=True)
def in_time(request):
    """Ends a test that waits for a pipe: the process cannot be asked to."""

    def end():
        os.write(2, f"{request.node.nodeid} waits\n".encode())
        os._exit(3)

    timer = threading.Timer(60, end)
    timer.start()
    start = time.monotonic()
    yield
    timer.cancel()
    assert time.monotonic() - start < SECONDS


RECORDS = ["status.json", "result.json", ".hydra/config.yaml", ".hydra/overrides.yaml", ".hydra/hydra.yaml"]
RECORDS += ["metrics.csv", "times.csv", "samples/final.png", "samples", ".hydra", "loop"]


def pipe(path):
    os.mkfifo(path)


def unix_socket(path):
    with socket.socket(socket.AF_UNIX) as one:
        here = os.getcwd()
        os.chdir(path.parent)  # its name may have 108 bytes
        try:
            one.bind(path.name)
        finally:
            os.chdir(here)


def loop(path):
    path.symlink_to(path.name)


def nowhere(path):
    path.symlink_to("nothing")


def folder(path):
    path.mkdir()


def shut(path):
    path.write_text("x")
    path.chmod(0)


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("plant", [pipe, unix_socket, loop, nowhere, folder, shut])
def test_something_else_in_the_place_of_a_file(tmp_path, sweep, name, plant):
    runs = sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, 2, picture=True)
    path = runs[0] / name
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    plant(path)
    text = page(tmp_path)
    found = read([tmp_path])
    assert len(found.runs) == 4
    entry = next(entry for entry in found.runs if entry.path == runs[0])
    others = [entry for entry in found.runs if entry.path != runs[0]]
    assert all(entry.done and not entry.gaps for entry in others)
    told = entry.state == "unreadable" and entry.reason
    harmless = name in ("samples", "loop") and plant in (folder, nowhere, shut)
    assert told or entry.gaps or "samples/final.png cannot be read" in text or harmless
    assert rows(tmp_path)


@pytest.mark.parametrize("plant", [pipe, unix_socket, loop, nowhere, folder, shut])
def test_something_else_in_the_place_of_the_record_of_a_search(tmp_path, sweep, plant):
    sweep(tmp_path / "replicates", {"lsgan": 0.5}, 2)
    sweep(tmp_path / "tuning", {"lsgan": 9.5}, 2)
    plant(tmp_path / "tuning.json")
    text = page(tmp_path)
    assert "2 runs: 2 done" in text
    assert "tuning.json</code>" in text
    assert "is no record of a search" in text


def test_the_runs_of_a_search_whose_record_is_lost_are_not_compared(tmp_path, sweep):
    sweep(tmp_path / "replicates", {"lsgan": 0.5}, 2)
    sweep(tmp_path / "tuning", {"lsgan": 9.5}, 2)
    assert "tuning.json is missing" in page(tmp_path)
    assert [row["mean"] for row in rows(tmp_path) if row["metric"] == "reverse_kl"] == ["0.5"]


def test_a_value_of_a_search_that_cannot_be_read(tmp_path, sweep):
    sweep(tmp_path / "replicates", {"lsgan": 0.5}, 2)
    (tmp_path / "tuning").mkdir()
    for values, told in (([0.5, None], "0.5 (1 of 2 lost)"), ([0.5, "nan"], "is no record"), ([True], "is no record")):
        trial = {"settings": ["x=1"], "values": values}
        record = {"combinations": [{"combination": ["loss=a"], "trials": [trial], "best": 0}], "metric": "fid",
                  "trials": 1, "draw": 0, "tuning_seeds": [1, 2], "seeds": [1], "space": {},
                  "cost": {"lost": 0, "runs": 1, "train_seconds": 1}}  # fmt: skip
        (tmp_path / "tuning.json").write_text(json.dumps(record))
        assert told in page(tmp_path)
    record["combinations"][0] |= {"best": -1, "trials": [trial | {"values": [0.5]}]}
    (tmp_path / "tuning.json").write_text(json.dumps(record))
    assert "is no record" in page(tmp_path)


def bomb(width: int, height: int) -> bytes:
    """The PNG of an empty picture, of which the header alone tells the size."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (bomb(20_000, 20_000), "samples/final.png has more than 100,000,000 pixels: at most 16,777,216 are shown."),
        (bomb(10_000, 10_000), "samples/final.png has 10,000 × 10,000 pixels: at most"),
        (bomb(4097, 4096), "samples/final.png has 4,097 × 4,096 pixels: at most"),
        (bomb(8, 8), "samples/final.png cannot be read as a PNG picture."),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n", "cannot be read as a PNG"),
        (b"P6 1 1 255 abc", "cannot be read as a PNG"),
        (b"", "cannot be read as a PNG"),
    ],
    ids=["20000", "10000", "4097", "empty", "eps", "ppm", "nothing"],
)
@pytest.mark.filterwarnings("error")
def test_a_picture_that_is_none(tmp_path, sweep, monkeypatch, data, note):
    monkeypatch.setattr("subprocess.Popen", None)  # Pillow would start Ghostscript with it
    runs = sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, 1, picture=True)
    (runs[0] / "samples" / "final.png").write_bytes(data)
    text = page(tmp_path)
    assert note in text
    assert text.count('alt="Samples of') == 1


def test_a_large_picture_is_shown(tmp_path, run):
    folder = run(tmp_path / "a", {"loss": "lsgan"}, picture=True)
    Image.new("L", (4096, 4096)).save(folder / "samples" / "final.png")
    (made,) = sample_pictures.embedded([("a", read([tmp_path]).runs[0])], "final.png")
    assert made["uri"]
    assert not made["note"]


@pytest.mark.figures
@pytest.mark.parametrize("change", [
    lambda text: text.replace("100,", ",", 1),
    lambda text: text.replace("\n100,", "\n,"),
    lambda text: text[len("iteration,name,value\n1") :],
    lambda text: text.replace("iteration,name,value\n100", "", 1),
    lambda text: "",
    lambda text: "iteration,name,value\n",
    lambda text: text.replace(",", ";"),
    lambda text: text + "1100,metric/reverse_kl,5e-324\n1200,metric/reverse_kl,9e99\n1300,metric/reverse_kl,-9e99\n",
    lambda text: text + "999999999999999999,metric/reverse_kl,1\n",
])  # fmt: skip
def test_damaged_curves(tmp_path, sweep, change):
    runs = sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, 3)
    file = runs[0] / "metrics.csv"
    file.write_text(change(file.read_text()))
    assert "2 of 2" not in write_report([tmp_path]).read_text()
    assert len(rows(tmp_path)) == 8


def test_malformed_rows_are_told(tmp_path, sweep):
    runs = sweep(tmp_path, {"lsgan": 0.5}, 3)
    for name in ("metrics.csv", "times.csv"):
        file = runs[0] / name
        file.write_text(file.read_text() + "x\n,y,1\n7,half")
    text = page(tmp_path)
    for name in ("metrics.csv", "times.csv"):
        assert f"Rows of {name} are malformed and left out of the figures: 000_loss=lsgan,seed=0 (2 rows)." in text


def test_half_a_row_at_the_end_is_normal(tmp_path, sweep):
    runs = sweep(tmp_path, {"lsgan": 0.5}, 3)
    with (runs[0] / "metrics.csv").open("a") as file:
        file.write("1100,metric/reverse_kl,9")
    assert "malformed" not in page(tmp_path)


@pytest.mark.parametrize("odd", [{"value": "0.1"}, {"value": None}, {}, 0.1, None, {"value": True}])
def test_a_best_value_that_cannot_be_read_is_told(tmp_path, sweep, odd):
    runs = sweep(tmp_path, {"lsgan": 0.5}, 3)
    result = json.loads((runs[0] / "result.json").read_text())
    result["best"]["reverse_kl"] = odd
    (runs[0] / "result.json").write_text(json.dumps(result))
    text = page(tmp_path)
    assert (
        "Best values of result.json cannot be read and are left out of means: 000_loss=lsgan,seed=0 (reverse_kl)."
        in text
    )
    assert "The mean best values of reverse_kl are of fewer runs than finished: 2 of 3 of lsgan." in text


def test_a_value_that_is_missing_from_a_mean_is_told(tmp_path, sweep):
    runs = sweep(tmp_path, {"lsgan": 0.5}, 3)
    result = json.loads((runs[0] / "result.json").read_text())
    result["metrics"]["high_quality"] = None
    (runs[0] / "result.json").write_text(json.dumps(result))
    assert "without a value of high_quality (1 of lsgan): its means go without them." in page(tmp_path)


def test_runs_without_a_known_metric_beside_others_are_told(tmp_path, run):
    run(tmp_path / "a", {"loss": "lsgan"})
    run(tmp_path / "b", {"loss": "rsgan"}, {"beauty": 1.0})
    assert "Runs are in no table, as none of their metrics has a known direction: b." in page(tmp_path)


def test_a_board_has_a_floor_if_one_of_its_runs_has_it(tmp_path, sweep):
    runs = sweep(tmp_path, {"lsgan": 0.5}, 2)
    result = json.loads((runs[0] / "result.json").read_text())
    result["floor"]["reverse_kl"] = "x"
    (runs[0] / "result.json").write_text(json.dumps(result))
    assert board(tmp_path).floor["reverse_kl"] == 0.001
    assert "Floor values of result.json cannot be read and are not shown: 000_loss=lsgan,seed=0." in page(tmp_path)


@pytest.mark.parametrize("seed", ["x", -1, 1.5, None, True])
def test_a_seed_that_is_none_is_no_seed_zero(tmp_path, sweep, run, seed):
    sweep(tmp_path, {"lsgan": 0.5}, 2)
    run(tmp_path / "odd", {"loss": "lsgan"}, state="failed", error="boom", config={"seed": seed})
    entry = next(entry for entry in read([tmp_path]).runs if entry.name == "odd")
    assert entry.state == "unreadable"
    assert "'seed' is missing or of the wrong kind" in entry.reason


def test_the_configuration_of_another_run_beside_a_lost_one(tmp_path, run):
    folder = run(tmp_path / "a", {"loss": "lsgan"}, state="failed", error="boom")
    config = folder / ".hydra" / "config.yaml"
    config.write_text(config.read_text().replace("batch_size: 64", "batch_size: 65"))
    entry = read([tmp_path]).runs[0]
    assert entry.reason.startswith(".hydra/config.yaml is not this run's: its hash is ")
    assert entry.reason.split()[-2] == "status.json"


@pytest.mark.parametrize("key", ["environment", "fingerprint", "best"])
def test_a_record_as_deep_as_a_well(tmp_path, sweep, key):
    runs = sweep(tmp_path, {"lsgan": 0.5}, 2)
    result = json.loads((runs[0] / "result.json").read_text())
    deep: dict = {}
    for _ in range(800):
        deep = {"a": deep}
    result[key] = deep
    (runs[0] / "result.json").write_text(json.dumps(result))
    page(tmp_path)
    assert "nested too deeply" in read([tmp_path]).runs[0].reason


def test_numbers_that_cannot_be_printed(tmp_path, sweep):
    runs = sweep(tmp_path, {"lsgan": 0.5}, 2)
    with (runs[0] / ".hydra" / "config.yaml").open("a") as file:
        file.write(f"huge: 0x{'f' * 4000}\n")
    page(tmp_path)
    assert "number of hundreds of digits" in read([tmp_path]).runs[0].reason


def test_folders_as_deep_as_a_well(tmp_path, sweep):
    runs = sweep(tmp_path / "s", {"lsgan": 0.5}, 2)
    here = os.getcwd()
    for start in (runs[0], tmp_path / "s"):
        os.chdir(start)
        for _ in range(1500):
            os.mkdir("d")
            os.chdir("d")
    os.chdir(here)
    text = page(tmp_path / "s")
    assert "1 done" in text
    assert "folders deep" in text
    for start in (runs[0], tmp_path / "s"):  # pytest's own cleaning up would be as deep
        os.system(f"rm -rf '{start}/d'")


def test_a_linked_run_is_named(tmp_path, sweep):
    sweep(tmp_path / "s", {"lsgan": 0.5}, 2)
    sweep(tmp_path / "elsewhere", {"rsgan": 0.5}, 1)
    (tmp_path / "s" / "more").symlink_to(tmp_path / "elsewhere")
    assert [(entry.path, entry.reason[:6]) for entry in read([tmp_path / "s"]).skipped] == [("more", "a link")]


def test_names_that_look_alike_are_two_runs(tmp_path, run):
    run(tmp_path / "a\x1b", {"loss": "lsgan", "seed": 0}, {"modes": 8.0, "reverse_kl": 1.0})
    run(tmp_path / r"a\x1b", {"loss": "lsgan", "seed": 1}, {"modes": 8.0, "reverse_kl": 2.0})
    assert board(tmp_path).rows[0].finals("reverse_kl") == [1.0, 2.0]


def test_a_clock_that_tells_nothing_is_told(tmp_path, run):
    run(tmp_path / "a", {"loss": "lsgan"}, clock=False)
    assert ">times.csv tells no seconds; " in page(tmp_path)


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ([11], [12], "11 s of training a run against 12 s of lsgan, which the load of the machine alone may explain; "),
        ([11, 11, 11], [12, 12, 10], "11 s of training a run against 11.3 s of lsgan, which the load"),
        ([11, 11], [20, 20], "11 s of training a run against 20 s of lsgan, which the load"),
        ([10, 11, 9], [20, 19, 21], "10 s of training a run against 20 s of lsgan (0.5 times); "),
        ([40, 39, 41], [20, 19, 21], "40 s of training a run against 20 s of lsgan (2 times); "),
        ([10, 10, 10], [10, 10, 10], "10 s of training a run against 10 s of lsgan; 1,000 discriminator updates"),
    ],
)
def test_a_ratio_of_costs_needs_runs_that_do_not_overlap(tmp_path, run, ours, theirs, said):
    for loss, level, seconds in (("rsgan", 0.2, ours), ("lsgan", 0.5, theirs)):
        for seed, time_of in enumerate(seconds):
            metrics = {"modes": 8.0, "reverse_kl": level}
            run(tmp_path / f"{loss}{seed}", {"loss": loss, "seed": seed}, metrics, train_seconds=float(time_of))
    assert f"Its cost: {said}" in answers(page(tmp_path))
