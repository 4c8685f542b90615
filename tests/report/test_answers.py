"""What a report's answer claims of planted sweeps, and what it does not."""

import math
import re

import pytest
from pages import answers, page, rows

from gan_lab.report.collect import read
from gan_lab.report.sections import content
from gan_lab.report.study import publish


def test_a_settled_order_is_said_with_margin_certainty_and_cost(tmp_path, sweep):
    sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, 5)
    answer = answers(page(tmp_path))
    assert "rsgan is better than lsgan on ring8" in answer
    assert "0.3 lower than lsgan [0.3, 0.3], paired by seed" in answer
    assert "probability 100 % [64 %, 100 %]" in answer
    assert "10 s of training a run" in answer
    best = rows(tmp_path)[0]
    assert (best["group"], best["rank"], best["finished"]) == ("rsgan", "1", "5")


def test_overlapping_groups_are_not_settled(tmp_path, sweep):
    sweep(tmp_path, {"lsgan": 0.205, "rsgan": 0.2}, 5)
    assert "Which is best on ring8 is not settled" in answers(page(tmp_path))


@pytest.mark.parametrize("seeds", [1, 2])
def test_below_three_seeds_no_interval_and_the_page_says_so(tmp_path, sweep, seeds):
    sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, seeds)
    text = page(tmp_path)
    assert "No interval of the difference: fewer than 3 seeds" in answers(text)
    assert "is not settled" in answers(text)
    assert all(row["low"] == "" for row in rows(tmp_path))


def test_three_seeds_have_intervals_but_settle_no_order(tmp_path, sweep):
    sweep(tmp_path, {"lsgan": 9.0, "rsgan": 0.2}, 3)
    assert "3 seeds a group cannot settle an order of 2 groups, however far apart they are: run 4 or more" in answers(
        page(tmp_path)
    )
    assert rows(tmp_path)[0]["low"] != ""


@pytest.mark.parametrize(("bad", "said"), [(2, False), (3, True)])
def test_a_first_group_whose_runs_are_mostly_unhealthy_is_no_plain_winner(tmp_path, run, bad, said):
    """Weight clipping covers a grid of Gaussians evenly with samples of which 2 % lie near one."""
    for seed in range(4):
        metrics = {"modes": 8.0, "reverse_kl": 0.2}
        verdict = "unconverged" if seed < bad else "healthy"
        run(tmp_path / f"wgan{seed}", {"loss": "wgan", "seed": seed}, metrics, verdict=verdict)
        run(tmp_path / f"lsgan{seed}", {"loss": "lsgan", "seed": seed}, metrics | {"reverse_kl": 0.5})
    answer = answers(page(tmp_path))
    assert "wgan is better than lsgan" in answer
    assert (
        "Beware: of 4 runs of wgan 3 were judged unconverged; being first does not make them good." in answer
    ) is said


def test_no_metric_is_said_to_miss_what_it_sees(tmp_path, run):
    """A reverse KL sees collapse."""
    for seed in range(3):
        for loss, kl in (("wgan", 1.9), ("lsgan", 2.0)):
            words = {"loss": loss, "seed": seed}
            verdict = "collapsed" if seed else "unconverged"
            run(tmp_path / f"{loss}{seed}", words, {"modes": 1.0, "reverse_kl": kl}, verdict=verdict)
    answer = answers(page(tmp_path))
    assert "Beware: of 3 runs of wgan 2 were judged collapsed and 1 was judged unconverged; being first " in answer
    assert "does not see" not in answer


def test_groups_that_are_level_are_not_told_apart(tmp_path, sweep):
    sweep(tmp_path, {"lsgan": 0.2, "rsgan": 0.2, "wgan": 0.5}, 4)
    answer = answers(page(tmp_path))
    assert "lsgan and rsgan are level, Reverse KL (nats) 0.2 [" in answer
    assert "0 lower" not in answer
    assert "probability" not in answer


def test_groups_whose_interquartile_means_alone_are_level(tmp_path, run):
    """The mean of the second is 1.7, that of the first 2."""
    for loss, values in {"lsgan": (2.0, 2.0, 2.0, 2.0, 2.0), "rsgan": (0.5, 2.0, 2.0, 2.0, 2.0)}.items():
        for seed, value in enumerate(values):
            run(tmp_path / f"{loss}{seed}", {"loss": loss, "seed": seed}, {"modes": 8.0, "reverse_kl": value}, points=3)
    answer = answers(page(tmp_path))
    assert "lsgan and rsgan are level, by the interquartile mean; lsgan reaches Reverse KL (nats) 2 [" in answer


def test_a_group_without_a_finished_run_is_no_second(tmp_path, sweep, run):
    sweep(tmp_path, {"lsgan": 0.2}, 4)
    for seed in range(4):
        run(tmp_path / f"boom{seed}", {"loss": "boom", "seed": seed}, state="failed", error="boom")
    answer = answers(page(tmp_path))
    assert "lsgan alone has runs with a value, and reaches Reverse KL (nats) 0.2 [" in answer
    assert "; no run of boom has one." in answer
    assert "100 %" not in answer


@pytest.mark.parametrize("state", ["running", "interrupted"])
def test_a_group_that_still_runs_is_not_called_lost(tmp_path, sweep, run, state):
    sweep(tmp_path, {"lsgan": 0.2}, 4)
    run(tmp_path / "lost", {"loss": "boom", "seed": 0}, state="failed", error="boom")
    for seed in range(1, 4):
        run(tmp_path / f"boom{seed}", {"loss": "boom", "seed": seed}, state=state)
    run(tmp_path / "later", {"loss": "later"}, state=state)
    answer = answers(page(tmp_path))
    assert "lsgan alone has runs with a value" in answer
    assert "; no run of boom and later has one." in answer
    assert "every run" not in answer


def test_only_what_survives_the_correction_is_better(tmp_path, sweep):
    """Five seeds without overlap have p = 2/252 = .0079: enough for a pair of five groups, but not of 13 (.00786)."""
    sections = []
    for name, others in (("few", 4), ("many", 12)):
        sweep(tmp_path / name, {"lsgan": 0.2} | {f"l{place}": 0.5 + 0.2 * place for place in range(others)}, 5)
        sections += content(read([tmp_path / name]), None).sections
    few, many = sections
    assert "lsgan is better than l0, l1, l2 and l3 on ring8" in few.answer
    assert [row.standing for row in few.rows] == ["", *["behind"] * 4]
    assert "is not settled" in many.answer
    assert (
        "5 seeds a group cannot settle an order of 13 groups, however far apart they are: run 6 or more" in many.answer
    )
    assert [row.standing for row in many.rows] == ["", *["not settled"] * 12]


def test_no_claim_against_its_own_interval(tmp_path, run):
    """rsgan is better in all but one of eight seeds: Mann & Whitney's p is 0.01, the difference's interval holds 0."""
    ours, theirs = (1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 9.0), (2.0, 2.1, 2.2, 2.3, 2.4, 2.5, 2.6, 2.7)
    for loss, values in (("rsgan", ours), ("lsgan", theirs)):
        for seed, value in enumerate(values):
            run(tmp_path / f"{loss}{seed}", {"loss": loss, "seed": seed}, {"modes": 1.0, "reverse_kl": value})
    (section,) = content(read([tmp_path]), None).sections
    assert "is not settled" in section.answer
    assert "an interval that holds 0; a run of rsgan beats one of lsgan with probability 88 %" in section.answer
    assert "which alone does not settle it" in section.answer


def planted(run, folder, **groups):
    """A run for each group and value of the reverse KL; NaN is a finished run without a value."""
    for loss, values in groups.items():
        for seed, value in enumerate(values):
            run(folder / f"{loss}{seed}", {"loss": loss, "seed": seed}, {"modes": 1.0, "reverse_kl": value})
    return content(read([folder]), None).sections[0]


def test_a_very_bad_run_of_the_worse_group_does_not_save_it(tmp_path, run):
    """rsgan is better in every seed, p = 0.0002; the 90 alone makes the difference's interval hold 0."""
    better, worse = (1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7), (2.0, 2.1, 2.2, 2.3, 2.4, 2.5, 2.6, 90.0)
    answer = planted(run, tmp_path, rsgan=better, lsgan=worse).answer
    assert "rsgan is better than lsgan on ring8" in answer
    assert "11.9 lower than lsgan [" in answer
    assert "paired by seed, an interval that very bad runs of lsgan widen;" in answer


def test_a_second_with_one_seed_hides_no_claim_against_a_third(tmp_path, run):
    ours, third = (0.1, 0.11, 0.12, 0.13, 0.14, 0.15), (0.9, 0.91, 0.92, 0.93, 0.94, 0.95)
    answer = planted(run, tmp_path, lsgan=ours, hinge=(0.2,), rsgan=third).answer
    assert "No interval of the difference: fewer than 3 seeds" in answer
    assert "lsgan is better, beyond chance, than rsgan." in answer


def test_a_margin_of_some_seeds_says_of_how_many(tmp_path, run):
    answer = planted(run, tmp_path, lsgan=(0.1, 0.2, 0.3, 0.2, 0.1), rsgan=(0.2, 0.3, 0.5)).answer
    assert "paired by seed over the 3 that both have" in answer


def test_which_means_a_group_leads_by_that_seldom_wins(tmp_path, run):
    """Middle halves 3 and 3.13, means 3 or 4.2 and 3.18; of 25 pairs of runs rsgan wins 10 or 8."""
    for name, ours, by in (
        ("both", (3.0, 3.0, 3.0, 3.0, 3.0), "in the means"),
        ("one", (3.0, 3.0, 3.0, 3.0, 9.0), "by the interquartile mean"),
    ):
        answer = planted(run, tmp_path / name, rsgan=ours, lsgan=(2.9, 2.9, 2.9, 3.6, 3.6)).answer
        assert "rsgan is ahead" in answer
        assert f", so it leads {by} alone." in answer


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ((0, 1), ", so it leads only because risky lost 1 of 10 runs."),
        ((1, 2), ", so it leads only because it lost 1 of 10 runs and risky 2 of 10."),
    ],
)
def test_a_group_that_leads_as_another_lost_runs_does_not_lead_by_a_mean(tmp_path, run, lost, said):
    values = [[level + seed / 10 for seed in range(10 - few)] + [math.nan] * few
              for level, few in zip((5.0, 1.0), lost, strict=True)]  # fmt: skip
    answer = planted(run, tmp_path, steady=values[0], risky=values[1]).answer
    assert "steady is ahead" in answer
    assert said in answer
    assert "interquartile mean" not in answer


def test_a_finished_run_without_a_value_counts_as_lost_in_the_table(tmp_path, run):
    rows = planted(run, tmp_path, lsgan=(0.1, 0.2), rsgan=(0.1, math.nan)).rows
    assert {row.group.label: row.lost.text for row in rows} == {"lsgan": "0", "rsgan": "1 of 2"}


@pytest.mark.parametrize(
    ("stacked", "told"),
    [
        (None, "(0.833 times)"),
        (5, "the load of the machine alone"),
        (2, "(0.833 times)"),  # five runs of at least three stacks
        ("x", "(0.833 times)"),  # damage: such a run counts as one that was alone
        (0.5, "(0.833 times)"),
    ],
)
def test_seconds_of_one_stack_make_no_ratio(tmp_path, sweep, stacked, told):
    """All runs of a stack have the same seconds: it was timed once."""
    result = {"environment": {"device": "cpu", "threads": 1}, "stacked": stacked}
    for loss, seconds, level in (("lsgan", 12.0, 0.5), ("rsgan", 10.0, 0.2)):
        sweep(tmp_path / loss, {loss: level}, 5, train_seconds=seconds, result=result)
    answer = answers(page(tmp_path))
    assert "10 s of training a run against 12 s of lsgan" in answer
    assert told in answer


@pytest.mark.parametrize("stacked", [None, 5])
@pytest.mark.parametrize(("seconds", "ratio"), [(13.0, "1.3"), (1000.0, "100")])
def test_the_load_of_a_machine_explains_no_factor_of_a_hundred(tmp_path, sweep, stacked, seconds, ratio):
    result = {"environment": {"device": "cpu", "threads": 1}, "stacked": stacked}
    for loss, took, level in (("lsgan", 10.0, 0.5), ("rsgan", seconds, 0.2)):
        sweep(tmp_path / loss, {loss: level}, 5, train_seconds=took, result=result)
    answer = answers(page(tmp_path))
    assert (f"s of lsgan ({ratio} times);" in answer) is (stacked is None)
    assert ("the load of the machine alone" in answer) is (stacked is not None and seconds < 20)
    few = "(no ratio, as rsgan and lsgan were timed fewer than 3 times);"
    assert (few in answer) is (stacked is not None and seconds > 20)


def test_times_that_overlap_give_no_ratio_and_no_load_explains_them(tmp_path, run):
    """30, 30 and 90 against 10, 10 and 31 seconds: means 50 and 17."""
    for loss, level, seconds in (("rsgan", 0.2, (30.0, 30.0, 90.0)), ("lsgan", 0.5, (10.0, 10.0, 31.0))):
        for seed, took in enumerate(seconds):
            metrics = {"modes": 8.0, "reverse_kl": level + seed / 100}
            run(tmp_path / f"{loss}{seed}", {"loss": loss, "seed": seed}, metrics, train_seconds=took)
    assert "17 s of lsgan (no ratio, as the times of their runs overlap);" in answers(page(tmp_path))


@pytest.fixture
def two_datasets(tmp_path, run):
    """On each, ``a`` lost 1 of 10 runs, ``c`` 9; the one run of c is the better one."""
    for dataset in ("ring8", "grid25"):
        for loss, level, lost in (("a", 0.5, 1), ("c", 0.1, 9)):
            for seed in range(10):
                words = {"loss": loss, "dataset": dataset, "seed": seed}
                state = "diverged" if seed < lost else "done"
                metrics = {"modes": 8.0, "reverse_kl": level + seed / 100, "coverage_points": 1 - seed / 1000}
                run(tmp_path / f"{dataset}{loss}{seed}", words, metrics, state=state)
    return tmp_path


def test_groups_that_lost_runs_are_ranked_by_the_share_over_datasets_too(two_datasets):
    found = content(read([two_datasets]), None)
    assert [(one.label, one.ranks) for one in found.across.groups] == [("a", [1, 1]), ("c", [2, 2])]
    for one in found.across.groups:
        assert all(low <= rank <= high for rank, (low, high) in zip(one.ranks, one.spans, strict=True))
    assert [[cell.share for cell in cells] for _, cells in found.sections[0].ranks] == [[100, 0], [0, 100]]


def test_the_mean_over_datasets_ends_where_the_metric_does(tmp_path, run):
    for dataset in ("ring8", "grid25"):
        for loss, level in (("a", 0.5), ("c", 1.0)):
            for seed in range(4):
                words = {"loss": loss, "dataset": dataset, "seed": seed}
                run(tmp_path / f"{dataset}{loss}{seed}", words, {"coverage_points": level - (seed == 0) / 10})
    first, other = content(read([tmp_path]), None).across.groups
    assert (first.label, first.value.value) == ("c", pytest.approx(0.975, abs=1e-12))
    assert first.value.interval[1] == 1  # Student's t alone reaches 1.018
    assert first.value.interval[0] < 0.95
    assert other.value.interval[1] == pytest.approx(0.475 + 2.447 * 0.025 / 2**0.5, abs=2e-3)


def test_several_datasets_are_summed_up(tmp_path, run):
    """By hand: lsgan is first of two on ring8 and of three on grid25, where rsgan is third; wgan is on one alone."""
    levels = {("ring8", "lsgan"): 0.1, ("ring8", "rsgan"): 0.5, ("grid25", "lsgan"): 0.3, ("grid25", "rsgan"): 0.7}
    levels[("grid25", "wgan")] = 0.5
    for (dataset, loss), level in levels.items():
        for seed in range(5):
            metrics = {"modes": 8.0, "reverse_kl": level + 0.01 * seed}
            run(tmp_path / f"{dataset}{loss}{seed}", {"loss": loss, "dataset": dataset, "seed": seed}, metrics)
    assert "Over 2 datasets" in page(tmp_path)
    md = (tmp_path / "report" / "report.md").read_text()
    assert "| group | mean rank | grid25 | ring8 | the first beats it | mean Reverse KL (nats) |" in md
    (told,) = re.findall(r"\| lsgan \| 1 \| 1 \| 1 \|  \| 0.22 \\\[(.*), (.*)\\\] \|", md)
    half = (
        2.306 * (2 * 0.01**2 * 2.5 / 5) ** 0.5 / 2
    )  # Student's t for 8 degrees; the bootstrap may go a little further
    assert 0.22 - 1.2 * half < float(told[0]) <= 0.2201 - half
    assert 0.2199 + half <= float(told[1]) < 0.22 + 1.2 * half
    (low,) = re.findall(r"\| rsgan \| 2 \| 2 \| 2 \| 100 % \((\d+) %–100 %\) \| 0.62 ", md)
    assert int(low) == pytest.approx(
        100 * (1 - (1 - 0.64) / 2**0.5), abs=1
    )  # of each dataset 0.64, as in test_statistics
    assert "Over 1" not in page(tmp_path / "ring8lsgan0")


def test_one_dataset_has_no_table_over_datasets(tmp_path, sweep):
    sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, 2)
    assert "datasets</h2>" not in page(tmp_path)


def test_the_matrix_says_the_same_of_a_pair_from_both_sides(tmp_path, sweep):
    """lsgan's five runs lie one step of seeds before rsgan's: by hand it wins 15 of 25 pairs, and ties in 4."""
    sweep(tmp_path, {"lsgan": 20.0, "rsgan": 22.0}, 5, spread=2.0)
    (section,) = content(read([tmp_path]), None).sections
    (_, (_, ours)), (_, (theirs, _)) = section.matrix
    assert (ours.text, ours.note) == ("68 %", "33 %–90 %")
    assert (theirs.text, theirs.note) == ("32 %", "10 %–67 %")
    assert (ours.hint, theirs.hint) == (
        "difference −2 [−2, −2], paired by seed",
        "difference 2 [2, 2], paired by seed",
    )


def test_a_higher_metric_ranks_the_other_way(tmp_path, run):
    for loss, modes in (("few", 3.0), ("many", 8.0)):
        run(tmp_path / loss, {"loss": loss}, {"modes": modes, "reverse_kl": 1.0})
    page(tmp_path, metric="modes")
    assert next(row for row in rows(tmp_path) if row["rank"] == "1")["group"] == "many"


def test_the_spread_of_latents_beside_that_of_seeds(tmp_path, run):
    """By hand: of latents √((0.03² + 0.04²) / 2) = 0.0354; the seeds' 0.1, 0.2 and 0.3 have a deviation of 0.1."""
    measured = {"extractor": "points", "samples": 50}
    for loss, error in (("wgan", 0.03), ("lsgan", 0.04)):
        for seed in range(3):
            found = {"fingerprint": measured, "draws": 9, "std": {"reverse_kl": error}}
            metrics = {"reverse_kl": 0.1 + seed / 10, "modes": 8.0}
            words = {"loss": loss, "seed": seed}
            run(tmp_path / "s" / f"{loss}{seed}", words, metrics, fingerprint=measured, result={"sampling": [found]})
    told = answers(page(tmp_path / "s"))
    assert "moves by 0.0354 (measured in 6 runs), from seed to seed by 0.1 (standard deviations)." in told
    publish([tmp_path / "s"], tmp_path / "study")
    again = content(read([tmp_path / "study" / "results.csv"]), None).sections[0].answer
    assert "moves by 0.0354 (measured in 6 runs), from seed to seed by 0.1 (standard deviations)." in again


@pytest.mark.parametrize("odd", [3, [3], [{"fingerprint": {}}], [{"fingerprint": {"extractor": "points"}, "std": [1]}]])
def test_odd_spreads_of_latents_are_not_told(tmp_path, run, odd):
    for seed in range(3):
        words = {"loss": "wgan", "seed": seed}
        run(tmp_path / str(seed), words, fingerprint={"extractor": "points"}, result={"sampling": odd})
    assert "With other latents" not in answers(page(tmp_path))
