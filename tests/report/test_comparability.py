"""Which runs make a group, and which groups may stand in one table."""

import json
import re

import pytest
from omegaconf import OmegaConf
from pages import answers, board, page, rows

from gan_lab.config.checks import resolved
from gan_lab.config.hashing import config_hash
from gan_lab.errors import ConfigError
from gan_lab.report import factors
from gan_lab.report.boards import boards
from gan_lab.report.collect import read
from gan_lab.report.study import publish


def test_two_runs_of_one_seed_both_count_and_are_told(tmp_path, run):
    for name, seed, kl in (("a", 0, 0.1), ("b", 0, 0.3), ("c", 1, 0.2), ("d", 2, 0.4)):
        metrics = {"modes": 8.0, "reverse_kl": kl}
        unknown = {"batch_size": "${oc.env:SIZE}"}  # then nothing tells them apart but the hashes of what that was
        run(tmp_path / name, {"loss": "lsgan", "seed": seed}, metrics, config=unknown, result={"config_hash": name})
    text = page(tmp_path)
    row = next(row for row in rows(tmp_path) if row["metric"] == "reverse_kl")
    assert float(row["mean"]) == pytest.approx(0.25, abs=1e-12)
    assert "without a value" not in text
    assert "Runs have the seed of another one in their group (1 of lsgan)" in text
    assert board(tmp_path).rows[0].by_seed("reverse_kl") == pytest.approx({0: 0.2, 1: 0.2, 2: 0.4}, abs=1e-12)
    assert "1 more" in text


def test_mixed_fingerprints_are_refused_in_one_table_with_the_reason(tmp_path, run, sweep):
    sweep(tmp_path, {"lsgan": 0.5}, 3)
    other = {"extractor": "points", "weights": None, "samples": 999, "reference": "test", "data": "abc", "ema": False}
    for seed in range(3):
        run(tmp_path / f"other{seed}", {"loss": "rsgan", "seed": seed}, fingerprint=other)
    text = page(tmp_path)
    assert "because samples differs: 2500 in lsgan; 999 in rsgan." in text
    assert {(row["table"], row["group"]) for row in rows(tmp_path)} == {("1", "lsgan"), ("2", "rsgan")}


def test_different_metrics_are_refused_in_one_table(tmp_path, run):
    run(tmp_path / "a", {"loss": "lsgan"}, {"fd_points": 1.0})
    run(tmp_path / "b", {"loss": "rsgan"}, {"kid_points": 2.0})
    assert "because the set of metrics differs: fd_points in lsgan; kid_points in rsgan." in page(tmp_path)


def test_runs_with_labels_stand_beside_those_without_and_have_further_metrics(tmp_path, run):
    """What ``gan-lab -m conditional=none,projection`` makes: two metrics are of labels alone."""
    of_labels = {"class_accuracy_points": 0.9, "intra_fd_points": 3.0}
    for conditional, level in (("none", 2.0), ("projection", 1.0)):
        for seed in range(4):
            metrics = {"fd_points": level + seed / 10} | (of_labels if conditional == "projection" else {})
            run(tmp_path / f"{conditional}{seed}", {"conditional": conditional, "seed": seed}, metrics)
    text = page(tmp_path)
    assert "Not comparable" not in text
    assert "without a value" not in text
    assert "is better" in answers(text)
    told = {(row["group"], row["metric"]): row["mean"] for row in rows(tmp_path) if row["table"] == "1"}
    assert float(told["conditional projection", "intra_fd_points"]) == 3.0
    assert told.get(("conditional none", "intra_fd_points"), "") == ""
    text = page(tmp_path, metric="intra_fd_points")
    assert "without a value of intra_fd_points" not in text, "runs without labels have not lost it"
    assert len({row["table"] for row in rows(tmp_path)}) == 2


def test_a_later_evaluation_of_one_fingerprint_makes_a_table(tmp_path, run):
    again = {"fingerprint": {"extractor": "classifier"}, "metrics": {"fd_classifier": 3.0}, "floor": {}, "ceiling": {}}
    for seed in range(3):
        for loss in ("lsgan", "rsgan"):
            run(tmp_path / f"{loss}{seed}", {"loss": loss, "seed": seed}, result={"evaluations": [again]})
    text = page(tmp_path)
    assert "evaluated again" in text
    assert "Not comparable" not in text
    assert {row["metric"] for row in rows(tmp_path) if row["table"] == "2"} == {"fd_classifier"}


def test_a_later_evaluation_with_other_metrics_leaves_those_of_the_run(tmp_path, run):
    for seed in range(3):
        for loss in ("lsgan", "rsgan"):
            folder = run(tmp_path / f"{loss}{seed}", {"loss": loss, "seed": seed}, {"fd_points": 1.0})
            result = json.loads((folder / "result.json").read_text())
            again = {key: result[key] for key in ("fingerprint", "floor", "ceiling")} | {"metrics": {"modes": 8.0}}
            (folder / "result.json").write_text(json.dumps(result | {"evaluations": [again]}))
    text = page(tmp_path)
    assert "Fréchet distance (points)" in text
    assert "Modes reached" in text


def test_budgets_that_differ_are_warned_of(tmp_path, run, sweep):
    sweep(tmp_path, {"lsgan": 0.5}, 3)
    budget = {"iterations": 1000, "discriminator_updates": 5000, "generator_updates": 1000, "real_images": 64000}
    run(tmp_path / "x", {"loss": "wgan", "seed": 0}, result={"budget": budget | {"train_seconds": 21.0}})
    text = page(tmp_path)
    assert "Budgets differ in D updates: 1,000 for lsgan; 5,000 for wgan." in text
    assert "Budgets differ in training seconds: from 10 a run (lsgan) to 21 (wgan)." in text


@pytest.mark.parametrize(
    ("way", "told"),
    [
        ({"stacked": 3}, "how many train as one program: 3 and none"),
        ({"compile": "iteration"}, "what is compiled: iteration and none"),
    ],
    ids=["stacked", "compiled"],
)
def test_seconds_of_different_ways_to_train_are_not_compared(tmp_path, run, way, told):
    for loss, seconds, level in (("lsgan", 10.0, 0.5), ("rsgan", 30.0, 0.2)):
        for seed in range(3):
            metrics = {"modes": 8.0, "reverse_kl": level}
            result = way if loss == "rsgan" else {}
            run(tmp_path / f"{loss}{seed}", {"loss": loss, "seed": seed}, metrics, train_seconds=seconds, result=result)
    text = page(tmp_path)
    assert "Budgets differ in training seconds" not in text
    assert "s of training a run" not in answers(text)
    assert "Its cost: 1,000 discriminator updates against 1,000." in answers(text)
    assert f"Runs differ in {told}; seconds may not be comparable." in text


def test_runs_of_different_source_code_are_told(tmp_path, run):
    for loss, source in (("lsgan", "aaaa"), ("rsgan", "bbbb"), ("wgan", None)):
        made = {} if source is None else {"gan_lab": "0.1.0", "source": source}
        for seed in range(2):
            run(tmp_path / f"{loss}{seed}", {"loss": loss, "seed": seed}, result={"environment": made})
    assert (
        "different source code of gan_lab (0.1.0, aaaa in lsgan; 0.1.0, bbbb in rsgan; an unrecorded one in wgan)"
        in page(tmp_path)
    )


def test_axes_are_what_was_asked_for_not_what_followed(tmp_path, run):
    for dataset in ("ring8", "grid25"):
        for loss in ("lsgan", "wgan"):
            for seed in range(2):
                name = f"{dataset}{loss}{seed}"
                extra = {"optimizer.generator.lr": 1e-4} if loss == "wgan" else {}
                run(tmp_path / name, {"loss": loss, "dataset": dataset, "seed": seed}, config=extra)
    assert board(tmp_path).axes.keys == ["loss"]
    assert "optimizer.generator.lr" in factors.overview(read([tmp_path]).runs).varied
    page(tmp_path)
    assert {(row["dataset"], row["group"]) for row in rows(tmp_path)} == {
        (dataset, loss) for dataset in ("ring8", "grid25") for loss in ("lsgan", "wgan")
    }


def test_runs_whose_overrides_do_not_tell_them_apart_are_told_by_their_configurations(tmp_path, run):
    for number, size in enumerate((64, 128)):
        run(tmp_path / str(number), {"loss": "lsgan", "seed": 0}, config={"batch_size": size})
    found = board(tmp_path)
    assert found.axes.keys == ["batch_size"]
    assert {row.label for row in found.rows} == {"batch size 64", "batch size 128"}


@pytest.mark.figures
def test_a_numeric_axis_becomes_a_line(tmp_path, run):
    for weight in (0.1, 1, 10.0):
        for seed in range(3):
            overrides = {"loss": "nsgan_r1", "loss.penalties.r1.weight": weight, "seed": seed}
            run(tmp_path / f"{weight}_{seed}", overrides)
    axes = board(tmp_path).axes
    assert axes.numeric() == [["loss.penalties.r1.weight"]]
    assert axes.numbers("loss.penalties.r1.weight") == [0.1, 1.0, 10.0]
    assert "r1 weight 10" in page(tmp_path)
    assert (tmp_path / "report" / "figures" / "axis.svg").is_file()


def test_copies_are_no_further_seeds(tmp_path, run):
    again = {"fingerprint": {"extractor": "classifier"}, "metrics": {"fd_classifier": 3.0}, "floor": {}, "ceiling": {}}
    twice = [again, again | {"fingerprint": {"extractor": "classifier", "samples": 9}}]
    for name, evaluations in (("a", twice[:1]), ("b", twice), ("c", []), ("d", [again | {"fingerprint": {}}])):
        run(tmp_path / name, {"loss": "lsgan", "seed": 0}, result={"evaluations": evaluations})
    found = read([tmp_path])
    assert [one.name for one in found.runs] == ["b"]
    assert len(found.runs[0].outcome.measurements) == 4, "what was measured of a copy is not left out"
    assert found.skipped[0].reason == "the same configuration and seed as b, which is a copy; done"


def test_what_was_measured_alike_of_two_copies_comes_together(tmp_path, run):
    for name, metrics in (("a", {"kid_points": 0.1}), ("b", {"fd_points": 0.9})):
        entry = {"fingerprint": {"extractor": "points", "samples": 99}, "metrics": metrics, "floor": {}, "ceiling": {}}
        run(tmp_path / name, {"loss": "lsgan", "seed": 0}, result={"evaluations": [entry]})
    (found,) = read([tmp_path]).runs
    assert found.outcome.measurements[1].metrics == {"kid_points": 0.1, "fd_points": 0.9}


def test_the_window_of_ssim_parts_no_runs_that_measure_none(tmp_path, run):
    """Of earlier versions SSIM had another window, and none in the fingerprint."""
    ssim = {"fd_pixels": 1.0, "reconstruction_ssim": 0.5}
    for name, metrics, window in (("vae", ssim, 7), ("plain", {"fd_pixels": 2.0}, None), ("earlier", ssim, None)):
        fingerprint = {"extractor": "pixels", "samples": 99} | ({"ssim_window": window} if window else {})
        run(tmp_path / name, {"loss": "lsgan", "batch_size": len(name)}, metrics, fingerprint=fingerprint)
    found = boards(read([tmp_path]).runs, None)
    assert [sorted(one.name for row in board.rows for one in row.runs) for board in found] == [
        ["plain", "vae"],
        ["earlier"],
    ]


def test_an_encoder_with_the_generators_optimizer(tmp_path, run):
    """Its record says null; its run, whose hash is beside it, has the generator's."""
    optimizers = {"generator": {"_target_": "torch.optim.Adam", "lr": 0.1}, "encoder": {"_target_": None, "lr": 0.2}}
    folder = run(tmp_path / "run", {"loss": "lsgan"}, config={"optimizer": optimizers})
    ran = config_hash(resolved(OmegaConf.load(folder / ".hydra" / "config.yaml")))
    (folder / "result.json").write_text(
        json.dumps(json.loads((folder / "result.json").read_text()) | {"config_hash": ran})
    )
    (found,) = read([tmp_path]).runs
    assert (found.state, found.reason) == ("done", "")
    assert found.asked.config["optimizer.encoder._target_"] == "torch.optim.Adam"
    assert found.asked.config["optimizer.encoder.lr"] == 0.2


def test_copies_with_another_result_are_told_and_not_published(tmp_path, run):
    """Out of folders and out of files: which of the two is right is not known here."""
    for name, distance, month in (("a", 0.5, 1), ("b", 0.7, 2)):
        metrics = {"fd_points": distance, "reverse_kl": 0.1}
        folder = run(tmp_path / name / "run", {"loss": "lsgan"}, metrics)
        status = json.loads((folder / "status.json").read_text())
        (folder / "status.json").write_text(json.dumps(status | {"started": f"2026-0{month}-01T00:00:00+00:00"}))
        publish([tmp_path / name], tmp_path / f"study_{name}")
    said = "the same configuration and seed as {}, which is newer, and whose fd_points is 0.7, not 0.5"
    folders = [tmp_path / "a", tmp_path / "b"]
    for places, kept in (
        (folders, "b/run"),
        ([tmp_path / f"study_{name}/results.csv" for name in "ab"], "study_b/run"),
    ):
        found = read(places)
        assert ([one.name for one in found.runs], found.skipped[0].reason) == ([kept], f"{said.format(kept)}; done")
        with pytest.raises(ConfigError, match=re.escape(said.format(kept))):
            publish(places, tmp_path / "both")
    assert not (tmp_path / "both").exists()


def test_a_precision_that_rests_on_a_handful_of_real_samples_is_told(tmp_path, run):
    for seed, coverage in enumerate((0.004, 0.5)):
        metrics = {"fd_pixels": 1.0, "precision_pixels": 0.9, "coverage_pixels": coverage}
        run(tmp_path / str(seed), {"loss": "lsgan", "seed": seed}, metrics)
    assert "Precision (pixels) says little of some runs (1 of lsgan): " in page(tmp_path).replace("&#39;", "'")


def test_metrics_that_planted_faults_fool_are_named(tmp_path, run):
    fooled = {"fd_whitened_conv": 2.0, "precision_whitened_conv": 0.9, "coverage_whitened_conv": 0.8}
    run(tmp_path / "a", {"loss": "lsgan"}, fooled)
    text = page(tmp_path)
    assert "Precision (whitened conv) cannot be trusted: with features by whitened_conv, noise" in text
    assert text.count("cannot be trusted") == 1
