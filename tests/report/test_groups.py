"""Groups are recorded configurations; their names are of what differs in the comparison at hand."""

import shutil

import pytest
import yaml
from pages import board, page, rows

from gan_lab.report.boards import boards
from gan_lab.report.collect import read
from gan_lab.report.sections import content
from gan_lab.report.values import exact, written


def labels(folder) -> dict[str, set[str]]:
    """By dataset, the names of the groups."""
    return {one.dataset: {row.label for row in one.rows} for one in boards(read([folder]).runs, None)}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (10.0, "10"),
        (1e-5, "1e-5"),
        (1e22, "1e22"),
        (0.9999999, "0.9999999"),
        ([0.5, 0.999], "[0.5,0.999]"),
        ([], "[]"),
        ("none", "none"),
        ("information", "information"),
        ("null", "'null'"),
        ("1e-5", "'1e-5'"),
        ("[0]", "'[0]'"),
        ("", "''"),
        ("a\x1bb", r"a\x1bb"),
        ({"a": 1.0}, "{a:1}"),
    ],
)
def test_values_are_written_as_on_a_command_line(value, text):
    assert written(value) == text


def test_equal_values_alone_are_equal():
    assert exact(10) == exact(10.0)
    assert exact([1, 2.0]) == exact([1.0, 2])
    assert len({exact(value) for value in (1, True, "1", 1.0000000000000002, [1], None, "None")}) == 7


def test_values_that_differ_in_the_seventh_digit_are_two_groups(tmp_path, run):
    for decay in (0.9999999, 0.9999998):
        for seed in range(2):
            run(tmp_path / f"{decay}_{seed}", {"loss": "lsgan", "ema_decay": decay, "seed": seed})
    assert labels(tmp_path) == {"ring8": {"ema decay 0.9999999", "ema decay 0.9999998"}}
    assert [len(row.runs) for row in board(tmp_path).rows] == [2, 2]


def test_the_words_of_a_command_line_are_no_values(tmp_path, run):
    """A block is typed in one word; the configuration has its leaves."""
    for seed in range(2):
        for norm in (1, 2):
            folder = run(tmp_path / f"{norm}{seed}", {"loss": "lsgan", "seed": seed}, config={
                "clip_grad.generator": norm, "clip_grad.discriminator": None, "aside": norm})  # fmt: skip
            words = [f"clip_grad={{generator:{norm},discriminator:null}}", f"seed={seed}"]
            (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(words))
    assert labels(tmp_path) == {"ring8": {"clip grad generator 1", "clip grad generator 2"}}
    text = page(tmp_path)
    assert "{&#39;" not in text
    assert "generator:1" not in text


def test_equal_configurations_are_one_group_however_they_were_typed(tmp_path, run):
    for seed, word in enumerate(("ema_decay=0.5", "ema_decay=5e-1", "+ema_decay=0.50")):
        folder = run(tmp_path / str(seed), {"loss": "lsgan", "seed": seed}, config={"ema_decay": 0.5})
        (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump([word, f"seed={seed}"]))
    assert labels(tmp_path) == {"ring8": {"lsgan"}}


def test_each_dataset_is_a_comparison_of_its_own(tmp_path, run):
    """As in a folder of everything: only the loss differs on the ring, much more on other data."""
    for seed in range(2):
        for loss in ("lsgan", "wgan_gp"):
            run(tmp_path / f"ring{loss}{seed}", {"loss": loss, "seed": seed, "evaluation.every": 500})
        for batch in (32, 64):
            other = {"loss": "rsgan", "dataset": "grid25", "model": "dcgan", "seed": seed, "batch_size": batch}
            run(tmp_path / f"grid{batch}{seed}", other | {"evaluation.every": 50, "optimizer.generator.betas": [0, 1]})
    assert labels(tmp_path) == {"ring8": {"lsgan", "wgan_gp"}, "grid25": {"batch size 32", "batch size 64"}}
    for one in boards(read([tmp_path]).runs, None):
        assert {row.colour for row in one.rows} == {0, 1}


def test_a_loss_keeps_its_colour_from_dataset_to_dataset(tmp_path, run):
    for dataset, losses in (("ring8", ("rsgan", "lsgan", "wgan")), ("grid25", ("wgan", "lsgan", "rsgan"))):
        for place, loss in enumerate(losses):
            run(tmp_path / f"{dataset}{place}", {"loss": loss, "dataset": dataset})
    colours = [{row.label: row.colour for row in one.rows} for one in boards(read([tmp_path]).runs, None)]
    assert colours[0] == colours[1]
    assert sorted(colours[0].values()) == [0, 1, 2]


def test_keys_that_change_no_training_set_nothing_apart(tmp_path, run):
    for seed, every in enumerate((100, 200, 300)):
        run(
            tmp_path / str(seed), {"loss": "lsgan", "seed": seed, "evaluation.every": every, "dataset.path": f"/{seed}"}
        )
    assert labels(tmp_path) == {"ring8": {"lsgan"}}


def test_but_for_two_runs_of_one_seed(tmp_path, run):
    for seed in range(3):
        for where in ("cpu", "gpu"):
            overrides = {"loss": "lsgan", "seed": seed, "trainer.accelerator": where, "log_every": seed}
            run(tmp_path / f"{where}{seed}", overrides)
    run(tmp_path / "other", {"loss": "rsgan", "trainer.accelerator": "cpu"})
    found = board(tmp_path)
    assert {row.label for row in found.rows} == {"lsgan · trainer accelerator cpu", "lsgan · trainer accelerator gpu",
                                                 "rsgan"}  # fmt: skip
    assert sorted(len(row.runs) for row in found.rows) == [1, 3, 3]


def test_two_further_axes_are_told_in_full(tmp_path, run):
    for weight in (1, 10.0):
        for batch in (32, 64):
            run(tmp_path / f"{weight}{batch}", {"loss": "nsgan_r1", "loss.penalties.r1.weight": weight,
                                                "batch_size": batch})  # fmt: skip
    run(tmp_path / "lsgan", {"loss": "lsgan", "batch_size": 32})
    assert labels(tmp_path)["ring8"] == {"lsgan · batch size 32"} | {
        f"nsgan_r1 · batch size {batch} · r1 weight {weight}" for batch in (32, 64) for weight in (1, 10)
    }


def test_what_a_loss_brings_is_told_only_of_groups_that_share_it(tmp_path, run):
    """`r3gan` brings R1, as `penalty=[r1]` does beside `rsgan`; what a user named beside a loss stays told."""
    r1 = {"loss.penalties.r1._target_": "gan_lab.losses.R1", "optimizer.generator.lr": 0.1}
    run(tmp_path / "r3gan", {"loss": "r3gan"}, config=r1)
    run(tmp_path / "lsgan", {"loss": "lsgan", "optimizer.generator.lr": 0.1})
    run(tmp_path / "plain", {"loss": "rsgan"}, config={"optimizer.generator.lr": 0.2})
    run(tmp_path / "with", {"loss": "rsgan", "penalty": "[r1]"}, config=r1 | {"optimizer.generator.lr": 0.2})
    assert labels(tmp_path)["ring8"] == {"r3gan", "lsgan", "rsgan", "rsgan · R1"}
    run(tmp_path / "rate", {"loss": "rsgan"}, config={"optimizer.generator.lr": 0.1})
    found = labels(tmp_path)["ring8"]
    assert found >= {"r3gan", "lsgan · generator lr 0.1", "rsgan · generator lr 0.1", "rsgan · generator lr 0.2"}
    assert len(found) == 5


def test_a_network_of_ones_own_is_told_beside_the_model_whose_place_it_takes(tmp_path, run):
    for model, generator in (("mlp_2d", "gan_lab.models.MLP"), ("dcgan", "gan_lab.models.DCGAN")):
        run(tmp_path / model, {"loss": "lsgan", "model": model}, config={"model.generator._target_": generator})
    assert labels(tmp_path)["ring8"] == {"mlp_2d", "dcgan"}
    (tmp_path / "dcgan").rename(tmp_path.parent / "dcgan_before")
    run(tmp_path / "own", {"loss": "lsgan", "model": "dcgan", "model.generator._target_": "my.Net"})
    assert labels(tmp_path)["ring8"] == {"mlp_2d", "dcgan · model generator Net"}


def test_of_more_axes_only_what_is_rare_is_told(tmp_path, run):
    usual = {"loss": "lsgan", "batch_size": 64, "n_critic": 1, "ema_decay": None, "latent_dim": 2}
    changes = [{}, {"batch_size": 32}, {"n_critic": 5}, {"ema_decay": 0.9}, {"latent_dim": 8, "n_critic": 5}]
    for place, change in enumerate(changes):
        run(tmp_path / str(place), usual | change)
    assert labels(tmp_path)["ring8"] == {
        "lsgan", "lsgan · batch size 32", "lsgan · n critic 5", "lsgan · ema decay 0.9",
        "lsgan · latent dim 8 · n critic 5",
    }  # fmt: skip
    text = page(tmp_path)
    table = text.partition("Settings that differ</h3>")[2].partition("</table>")[0]
    for key in ("batch_size", "ema_decay", "latent_dim", "n_critic"):
        assert f">{key}</th>" in table
    assert table.count("<tr>") == 1 + len(changes)
    assert (
        "| lsgan · latent dim 8 · n critic 5 | 64 | null | 8 | 5 |" in (tmp_path / "report" / "report.md").read_text()
    )
    settings = {row["group"]: row["settings"] for row in rows(tmp_path)}
    assert settings["lsgan · batch size 32"] == "batch_size=32; ema_decay=null; latent_dim=2; n_critic=1"


def test_many_settings_that_differ_are_listed_for_each_group(tmp_path, run):
    """A column each would be a wide table of absent keys: a recipe's own keys are in no other recipe."""
    for loss in "abcdefghi":
        run(tmp_path / loss, {"loss": loss, f"loss.penalties.{loss}.weight": 10}, points=3)
    page(tmp_path)
    md = (tmp_path / "report" / "report.md").read_text()
    assert "| group | settings |" in md
    listed = "| c | loss c; loss.objective.\\_target\\_ gan\\_lab.losses.c; loss.penalties.c.weight 10 |"
    assert listed in md
    assert "(absent)" not in md.partition("### Settings that differ")[2].partition("### What it cost")[0]


def test_long_names_are_cut_and_numbered(tmp_path, run):
    for place, size in enumerate(([128] * 20, [128] * 19 + [64])):
        run(tmp_path / str(place), {"loss": "lsgan", "model.generator.hidden": size})
    found = labels(tmp_path)["ring8"]
    assert len(found) == 2
    assert all(len(label) <= 60 and label.startswith("generator hidden [128,128") for label in found)
    assert {label[-4:] for label in found} == {" (1)", " (2)"}
    assert f"[{'128,' * 19}64]" in page(tmp_path)  # in the table of settings


def test_what_a_group_lacks_is_told_where_nothing_else_tells_it(tmp_path, run):
    usual = {"loss": "lsgan", "batch_size": 64, "n_critic": 1, "ema_decay": 0.5}
    changes = [{}, {"batch_size": 32}, {"n_critic": 5}]
    for place, change in enumerate(changes):
        run(tmp_path / str(place), usual | change)
    usual.pop("ema_decay")
    run(tmp_path / "without", usual)
    assert labels(tmp_path)["ring8"] == {"lsgan", "lsgan · batch size 32", "lsgan · n critic 5", "lsgan · no ema decay"}


def test_the_option_of_a_group_names_what_it_brings(tmp_path, run):
    """`optimizer` is no part of a place, but names many keys at once."""
    for name, momentum in (("adam", 0.5), ("adam_beta0", 0.0)):
        for seed in range(2):
            brought = {"optimizer.generator.betas": [momentum, 0.9], "optimizer.generator.lr": momentum}
            folder = run(tmp_path / f"{name}{seed}", {"loss": "lsgan", "seed": seed}, config=brought)
            hydra = folder / ".hydra" / "hydra.yaml"
            record = yaml.safe_load(hydra.read_text())
            record["hydra"]["runtime"]["choices"]["optimizer"] = name
            hydra.write_text(yaml.safe_dump(record))
            (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump([f"optimizer={name}", f"seed={seed}"]))
    assert labels(tmp_path) == {"ring8": {"optimizer adam", "optimizer adam_beta0"}}
    (folder / ".hydra" / "hydra.yaml").write_text("[")  # then the option is not known of all
    assert labels(tmp_path) == {"ring8": {"generator betas [0.5,0.9]", "generator betas [0,0.9]"}}
    assert [len(row.runs) for row in board(tmp_path).rows] == [2, 2]


@pytest.mark.parametrize("file", ["overrides.yaml", "hydra.yaml"])
@pytest.mark.parametrize("text", [None, "[", "a: [1]", "\ud800"])
def test_a_damaged_file_beside_the_configuration_changes_no_group(tmp_path, sweep, run, file, text):
    runs = sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, 3)
    runs.append(run(tmp_path / "lost", {"loss": "rsgan", "seed": 3}, state="failed", error="boom"))
    before = {row.label: {entry.name for entry in row.runs} for row in board(tmp_path).rows}
    for damaged in (runs[0], runs[-1]):
        (damaged / ".hydra" / file).unlink()
        if text is not None:
            (damaged / ".hydra" / file).write_bytes(text.encode(errors="surrogatepass"))
    assert {row.label: {entry.name for entry in row.runs} for row in board(tmp_path).rows} == before
    said = page(tmp_path)
    assert f"{file} cannot be read; " in said
    assert "000_loss=lsgan,seed=0 and lost." in said


@pytest.mark.parametrize("state", ["done", "failed", "running", "interrupted"])
@pytest.mark.parametrize("text", [None, "[", "", "{}", "a: &a [*a]"])
def test_a_run_without_a_configuration_is_of_no_group(tmp_path, sweep, run, state, text):
    sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, 3)
    folder = run(tmp_path / "odd", {"loss": "rsgan", "seed": 3, "batch_size": 5}, state=state)
    (folder / ".hydra" / "config.yaml").unlink()
    if text is not None:
        (folder / ".hydra" / "config.yaml").write_text(text)
    entry = next(entry for entry in read([tmp_path]).runs if entry.name == "odd")
    assert entry.state == "unreadable"
    assert entry.reason.startswith(
        ".hydra/config.yaml is missing (" if text is None else ".hydra/config.yaml cannot be"
    )
    assert labels(tmp_path) == {"ring8": {"lsgan", "rsgan"}}
    assert [len(row.runs) for row in board(tmp_path).rows] == [3, 3]
    said = page(tmp_path)
    assert "so that their group is not known: odd." in said
    assert '<td class="l">unreadable</td><td class="l wrap"><code>odd</code>' in said


def test_groups_are_matched_over_datasets_by_what_differs_in_any(tmp_path, run):
    """Rates differ on the ring alone; on the grid all have the first of them."""
    for dataset, model in (("ring8", "mlp_2d"), ("grid25", "dcgan")):
        for loss in ("lsgan", "rsgan"):
            for rate in (1e-4, 1e-3) if dataset == "ring8" else (1e-4,):
                overrides = {"dataset": dataset, "model": model, "loss": loss, "optimizer.generator.lr": rate}
                run(tmp_path / f"{dataset}{loss}{rate}", overrides)
    assert labels(tmp_path)["grid25"] == {"lsgan", "rsgan"}
    text = page(tmp_path).partition("Over 2 datasets</h2>")[2].partition("</section>")[0]
    assert "lsgan · generator lr 0.0001" in text
    assert "rsgan · generator lr 0.0001" in text
    assert "0.001<" not in text


def test_an_interpolation_that_was_kept_is_told(tmp_path, run):
    run(tmp_path / "a", {"loss": "lsgan"}, config={"batch_size": "${oc.env:SIZE}"})
    assert "holds ${...}, whose values are not recorded" in page(tmp_path)


def test_a_copy_elsewhere_is_a_copy(tmp_path, run):
    folder = run(tmp_path / "a", {"loss": "lsgan"})
    shutil.copytree(folder, tmp_path / "b")
    (tmp_path / "b" / ".hydra" / "overrides.yaml").write_text("- x=1\n")
    assert len(read([tmp_path]).runs) == 1


def test_runs_that_were_measured_with_other_networks_on_another_device_have_a_table_of_their_own(tmp_path, run):
    """The same seeds on a CPU and on a GPU, whose classifiers differ: two boards of one data set."""
    for device, folders in {"cpu": "ab", "gpu": "abc"}.items():
        for loss in folders:
            run(
                tmp_path / f"{device}{loss}",
                {"loss": loss},
                config={"trainer.accelerator": device},
                fingerprint={"weights": device},
            )
    said = content(read([tmp_path]), None)
    assert [[row.label for row in section.board.ranked] for section in said.sections] == [["a", "b", "c"], ["a", "b"]]
    assert said.across is None


def test_what_a_recipe_changes_in_the_networks_is_said(tmp_path, run):
    """It follows from the loss, so it is no column; keys that are one are not repeated."""
    for loss, norm in {"a": "layer", "b": "layer", "c": "layer", "sngan": "none"}.items():
        for hidden in (8, 16):
            words = {"loss": loss, "model.generator.hidden": hidden}
            run(tmp_path / f"{loss}{hidden}", words, config={"model.discriminator.norm": norm})
    (said,) = [line for line in content(read([tmp_path]), None).warnings if "networks" in line]
    assert said == (
        "Groups differ in their networks as well: model.discriminator.norm is layer in 6 groups and none in "
        "sngan · generator hidden 16 and sngan · generator hidden 8."
    )


def test_a_model_and_data_that_a_recipe_brings_are_said(tmp_path, run):
    """They follow from the loss, as in an experiment's file: no name tells them."""
    for loss, count in {"lsgan": 100, "r3gan": 50}.items():
        run(tmp_path / loss, {"loss": loss}, config={"dataset.max_samples": count})
    sweep = read([tmp_path])
    for one in sweep.runs:
        one.asked.choices["model"] = "r3gan" if one.asked.choices["loss"] == "r3gan" else "dcgan"
    assert [line for line in content(sweep, None).warnings if line.startswith("Groups differ")] == [
        "Groups differ in their networks as well: model is dcgan in lsgan and r3gan in r3gan.",
        "Groups differ in their training as well: dataset.max_samples is 100 in lsgan and 50 in r3gan.",
    ]


@pytest.mark.parametrize(
    ("rates", "told"),
    [
        ((1, 1, 2), "optimizer is adam in lsgan and minimax and rmsprop in wgan; n_critic is {}"),
        ((1, 3, 2), "n_critic is {}; optimizer.generator.lr is 1 in lsgan, 2 in wgan and 3 in minimax"),
    ],
)
def test_what_a_recipe_changes_in_the_training_is_said(tmp_path, run, rates, told):
    """Its optimizer by the option's name, unless runs of one option differ; neither seeds nor what changes nothing."""
    options = {"lsgan": "adam", "minimax": "adam", "wgan": "rmsprop"}
    for loss, rate in zip(options, rates, strict=True):
        config = {"optimizer.generator.lr": rate, "n_critic": 5 if loss == "wgan" else 1, "log_every": rate}
        run(tmp_path / loss, {"loss": loss, "seed": rate}, config=config)
    sweep = read([tmp_path])
    for run_ in sweep.runs:
        run_.asked.choices["optimizer"] = options[run_.asked.choices["loss"]]
    (said,) = [line for line in content(sweep, None).warnings if "n_critic" in line]
    assert said == f"Groups differ in their training as well: {told.format('1 in lsgan and minimax and 5 in wgan')}."


def test_runs_from_before_a_key_are_of_the_group_of_those_with_what_means_the_same(tmp_path, run):
    """A sweep may be finished by a later version, which has more keys; another value sets runs apart as ever."""
    r1 = {"loss.penalties.r1._target_": "gan_lab.losses.R1", "loss.penalties.r1.weight": 10.0}
    now = r1 | {"loss.penalties.r1.until": None, "ema.half_life": None, "ema.rise": None, "augmentation.p": 0.0}
    for seed, config in enumerate((r1, now, now | {"loss.penalties.r1.until": 5}, {}, {"augmentation.p": 0.0})):
        run(tmp_path / str(seed), {"loss": "lsgan", "seed": seed}, config=config)
    run(tmp_path / "odd", {"loss": "lsgan", "seed": 9}, config={**now, "loss.penalties.r1._target_": ["R1"]})
    *found, odd = read([tmp_path]).runs
    assert odd.name.endswith("odd")
    keys = ("loss.penalties.r1.until", "ema.half_life", "ema.rise")
    assert [[one.asked.config.get(key, "none") for key in keys] for one in found] == [
        [None, None, None], [None, None, None], [5, None, None], ["none", None, None], ["none", None, None]
    ]  # fmt: skip
    assert all("augmentation._target_" not in one.asked.config for one in found)  # no run has it


def test_a_block_is_not_null_as_well(tmp_path, run):
    run(tmp_path / "plain", {"loss": "lsgan"}, config={"model.encoder": None})
    run(tmp_path / "encoder", {"loss": "lsgan"}, config={"model.encoder._target_": "E"})
    assert [one.asked.config.get("model.encoder", "none") for one in read([tmp_path]).runs] == ["none", None]
