"""``gan-lab resume=…``, inside the test's own process."""

import resource
import shutil
import sys
from pathlib import Path

import pytest
from command_runs import ended, refusal
from filelock import FileLock
from omegaconf import OmegaConf
from training_runs import OFTEN, SMALL, differences, killed

from gan_lab.cli.command_line import CommandLine
from gan_lab.cli.resuming import resumed
from gan_lab.cli.train import main
from gan_lab.config.hashing import config_hash
from gan_lab.errors import ConfigError
from gan_lab.runs import folder as run_folder
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.resume import check_has_checkpoints

WORDS = [*SMALL, *OFTEN, "threads=1"]


@pytest.fixture
def gan_lab_here(monkeypatch, tmp_path):
    """Runs ``gan-lab`` with the words given, in an empty folder."""

    def run(*words: str) -> None:
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            patch.setattr(sys, "argv", ["gan-lab", *words])
            patch.setenv("HYDRA_FULL_ERROR", "0")
            main()

    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two runs: `done`, and `part`, whose learning rates fall and which was killed in its fifth iteration."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        assert ended(patch, folder, main, "gan-lab", *WORDS, "hydra.run.dir=done") == 0
        with killed(4):
            ended(patch, folder, main, "gan-lab", *WORDS, "lr_schedule=linear", "hydra.run.dir=part")
    return folder


@pytest.fixture
def run(made, tmp_path):
    """A copy of the run that is done, in the working directory."""
    shutil.copytree(made / "done", tmp_path / "run", symlinks=True)
    return RunFolder(tmp_path / "run")


@pytest.fixture
def part(made, tmp_path):
    """A copy of the run that was killed, at the same place."""
    shutil.copytree(made / "part", tmp_path / "run", symlinks=True)
    return RunFolder(tmp_path / "run")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_resume_alone_goes_on_with_the_runs_own_configuration(gan_lab_here, tmp_path):
    words = [*WORDS, "loss=wgan", "n_critic=2"]
    gan_lab_here(*words, "hydra.run.dir=calm")
    with killed(8):
        gan_lab_here(*words, "hydra.run.dir='deep/the=run, mine'")
    run = tmp_path / "deep" / "the=run, mine"
    hydra = contents(run / ".hydra")
    gan_lab_here("resume=deep/the=run, mine")
    assert differences(tmp_path / "calm", run) == []
    assert contents(run / ".hydra") == hydra
    assert RunFolder(run).result()["config_hash"] == RunFolder(tmp_path / "calm").result()["config_hash"]
    assert RunFolder(run).result()["loss"] == "wgan"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["calm", "deep"]


def test_a_run_that_its_budget_ended_is_done_whatever_iterations_it_gets(gan_lab_here, tmp_path, capsys):
    gan_lab_here(*WORDS, "budget.updates=12", "hydra.run.dir=run")
    before = contents(tmp_path / "run")
    gan_lab_here("resume=run", "iterations=20")
    assert "run: the run is done, nothing is left to do" in capsys.readouterr().out
    assert contents(tmp_path / "run") == before | {"gan-lab.log": (tmp_path / "run" / "gan-lab.log").read_bytes()}


@pytest.mark.parametrize("done", [True, False])
def test_a_resume_that_is_refused_changes_nothing(made, gan_lab_here, tmp_path, monkeypatch, done):
    if done:
        shutil.copytree(made / "done", tmp_path / "run", symlinks=True)
    else:
        with killed(8):
            gan_lab_here(*WORDS, "hydra.run.dir=run")
    run = RunFolder(tmp_path / "run")
    before = contents(run.path)
    for wrong in ("trainer.accelerator=gpu", "checkpoint.every=4 dataset.path=nowhere.npz dataset=npz"):
        refusal(monkeypatch, tmp_path, main, "gan-lab", "resume=run", "iterations=20", *wrong.split())
    kept = {name: content for name, content in contents(run.path).items() if name != "gan-lab.log"}
    del before["gan-lab.log"]
    assert kept == before
    gan_lab_here("resume=run", "iterations=20")
    assert run.result()["budget"]["iterations"] == 20


@pytest.mark.parametrize("state", ["interrupted", "diverged"])
def test_without_its_checkpoints_a_run_is_not_begun_anew(run, tmp_path, monkeypatch, state):
    run.update_status(state=state)
    shutil.rmtree(run.checkpoints)
    before = contents(tmp_path / "run")
    said = refusal(monkeypatch, tmp_path, main, "gan-lab", "resume=run", "iterations=20")
    assert said.endswith(
        "checkpoints: no checkpoint is left of 11 iterations; expected one to go on from; name another folder to "
        "start over"
    )
    assert contents(tmp_path / "run") == before


def test_a_run_that_diverged_before_its_first_checkpoint_is_begun_anew(run):
    shutil.rmtree(run.checkpoints)
    run.update_status(state="diverged", iteration=run.configuration.read().checkpoint.every)
    check_has_checkpoints(run)


def test_what_a_run_was_made_of_does_not_depend_on_the_environment(gan_lab_here, tmp_path, monkeypatch):
    monkeypatch.setenv("MINE", "5")
    gan_lab_here(*WORDS, "hydra.run.dir=run", "seed=${oc.env:MINE}")
    monkeypatch.delenv("MINE")
    assert RunFolder(tmp_path / "run").configuration.read().seed == 5


def test_a_change_that_is_killed_in_the_middle_is_made_after_all(run, gan_lab_here, tmp_path, monkeypatch):
    update = RunFolder.update_status

    def dying(self, **changes):
        if self.configuration.read().iterations == 20:
            raise KeyboardInterrupt
        update(self, **changes)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "update_status", dying)
        with pytest.raises(SystemExit):
            gan_lab_here("resume=run", "iterations=20")
    gan_lab_here("resume=run")
    assert RunFolder(tmp_path / "run").result()["budget"]["iterations"] == 20


def test_what_only_begins_like_ours_is_a_users(gan_lab_here, monkeypatch, tmp_path):
    for name in (".hydra-notes", "gan-lab.log.gz", ".lockers"):
        (tmp_path / "run").mkdir(exist_ok=True)
        (tmp_path / "run" / name).write_text("precious")
        said = refusal(monkeypatch, tmp_path, main, "gan-lab", *WORDS, "hydra.run.dir=run", "resume=auto")
        assert said == f"gan-lab: hydra.run.dir=run: the folder is not empty ({name}); name another folder"
        assert (tmp_path / "run" / name).read_text() == "precious"
        (tmp_path / "run" / name).unlink()


def test_of_two_that_begin_at_once_one_makes_the_folder(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path / "run")
    check = RunFolder.check_writable

    def meanwhile(self):
        monkeypatch.setattr(RunFolder, "check_writable", check)
        RunFolder(tmp_path / "run").create()
        check(self)

    monkeypatch.setattr(RunFolder, "check_writable", meanwhile)
    with pytest.raises(ConfigError, match="another process begins a run there; name another"):
        folder.create()


def test_a_run_that_is_done_stays_as_it_is(run, gan_lab_here, tmp_path, capsys):
    before = contents(tmp_path / "run")
    gan_lab_here("resume=run")
    assert "run: the run is done, nothing is left to do" in capsys.readouterr().out
    assert contents(tmp_path / "run") == before


def test_auto_begins_or_goes_on(made, gan_lab_here, tmp_path):
    words = [*WORDS, "hydra.run.dir=run", "resume=auto"]
    unborn = tmp_path / "run"
    (unborn / ".hydra").mkdir(parents=True)  # of a process that was killed as it began
    (unborn / ".hydra" / "config.yaml").write_text("seed: [")
    (unborn / "gan-lab.log").write_text("")
    (unborn / ".status.json.abc.half").write_text("{")
    with killed(1):
        gan_lab_here(*words)
    with killed(7):
        gan_lab_here(*words)
    gan_lab_here(*words)
    assert differences(made / "done", unborn) == []
    assert RunFolder(unborn).result()["config_hash"] == RunFolder(made / "done").result()["config_hash"]


def test_auto_respects_what_is_not_a_runs(monkeypatch, tmp_path):
    (tmp_path / "run" / ".hydra").mkdir(parents=True)
    (tmp_path / "run" / "notes.txt").write_text("precious")
    said = refusal(monkeypatch, tmp_path, main, "gan-lab", *WORDS, "hydra.run.dir=run", "resume=auto")
    assert said == "gan-lab: hydra.run.dir=run: the folder is not empty (notes.txt); name another folder"


def test_more_iterations_make_the_run_that_had_them_from_the_start(gan_lab_here, tmp_path):
    words = [*WORDS, *(f"{key}.every=5" for key in ("checkpoint", "evaluation", "pictures")), "log_every=5"]
    gan_lab_here(*words, "iterations=20", "hydra.run.dir=calm")
    gan_lab_here(*words, "iterations=10", "hydra.run.dir=run")
    first = (tmp_path / "run" / "result.json").read_bytes()
    gan_lab_here("resume=run", "iterations=20", "checkpoint.every=10")
    assert differences(tmp_path / "calm", tmp_path / "run") == []
    run = RunFolder(tmp_path / "run")
    assert (run.path / "result_0000010.json").read_bytes() == first
    assert (run.configuration.read().iterations, run.configuration.read().checkpoint.every) == (20, 10)
    assert OmegaConf.load(run.path / ".hydra" / "config_until_0000010.yaml").iterations == 10
    assert run.configuration.overrides()[-2:] == ["iterations=20", "checkpoint.every=10"]
    gan_lab_here("resume=run")  # whose configuration is now the longer one


def test_a_run_keeps_the_loss_that_its_dataset_brought_when_it_was_made(gan_lab_here, tmp_path):
    """In a later version `digits` may bring another; then the loss is not among the run's words."""
    gan_lab_here(*WORDS, "loss=lsgan", "hydra.run.dir=run")
    words = tmp_path / "run" / ".hydra" / "overrides.yaml"
    words.write_text(words.read_text().replace("- loss=lsgan\n", ""))
    gan_lab_here("resume=run", "iterations=13")
    run = RunFolder(tmp_path / "run")
    assert (run.result()["loss"], run.status()["iteration"]) == ("lsgan", 13)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["seed=1"], "resume=RUN: seed was 0 and is 1: expected what the run was begun with; docs/resuming.md lists"),
        (["iterations=5"], "resume=RUN: iterations was 11 and is 5: expected what the run was begun with"),
        (["iterations=50"], "resume=RUN: iterations was 11 and is 50: expected"),
        (["dataset.max_samples=100"], "resume=RUN: dataset.max_samples was null and is 100: expected"),
        (["loss=lsgan"], "resume=RUN: loss was nsgan_r1 and is lsgan"),
        (["optimizer.generator.alpha=0.9"], "resume=RUN: optimizer.generator.alpha was 0.99 and is 0.9"),
        (["hydra.run.dir=other"], "resume=run: the run goes on in its own folder; leave out hydra.run.dir"),
    ],
)
def test_another_run_is_refused_and_this_one_stays_as_it_is(part, monkeypatch, tmp_path, words, sentence):
    before = contents(tmp_path / "run")
    said = refusal(monkeypatch, tmp_path, main, "gan-lab", "resume=run", *words)
    assert said.startswith(f"gan-lab: {sentence.replace('RUN', str(tmp_path / 'run'))}")
    assert contents(tmp_path / "run") == before


def test_a_configuration_that_was_edited_is_noticed(part, monkeypatch, tmp_path):
    for name in ("config", "overrides"):
        file = tmp_path / "run" / ".hydra" / f"{name}.yaml"
        file.write_text(file.read_text().replace("batch_size: 8", "batch_size: 9").replace("size=8", "size=9"))
    said = refusal(monkeypatch, tmp_path, main, "gan-lab", "resume=run")
    assert said.endswith("run: the run was begun with another configuration than .hydra holds now")


def test_a_configuration_that_differs_from_its_overrides_is_not_said_to_be_typed(part, monkeypatch, tmp_path):
    file = tmp_path / "run" / ".hydra" / "config.yaml"
    file.write_text(file.read_text().replace("batch_size: 8", "batch_size: 9"))
    said = refusal(monkeypatch, tmp_path, main, "gan-lab", "resume=run")
    assert said.partition("run: ")[2] == (
        "batch_size is 9 in .hydra/config.yaml and 8 by .hydra/overrides.yaml: expected both as they were when the run "
        "was begun"
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["resume=nowhere"], "resume=nowhere: not a run folder (it has no status.json); expected one made by gan-lab"),
        (["resume=auto"], "resume=auto: expected hydra.run.dir=FOLDER with it, the folder of the run"),
        (["-m", "resume=run"], "resume=run: a sweep goes on with resume=auto hydra.sweep.dir=FOLDER"),
        (["on_divergence=go_on"], "on_divergence=go_on: expected one of stop, skip_update"),
        (["checkpoint.keep=-1"], "checkpoint.keep=-1: expected a whole number of at least 0"),
        (["checkpoint.minutes=0"], "checkpoint.minutes=0.0: expected a number above 0"),
        (
            ["on_divergence=skip_update", "trainer.precision=16-mixed"],
            "on_divergence=skip_update: expected stop with trainer.precision=16-mixed, which skips by itself",
        ),
    ],
)
def test_refusals(monkeypatch, tmp_path, words, sentence):
    assert refusal(monkeypatch, tmp_path, main, "gan-lab", *words) == f"gan-lab: {sentence}"
    assert not any(tmp_path.iterdir())


def test_a_full_disk_ends_a_run_that_began_without_taking_it_back(made, gan_lab_here, monkeypatch, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        said = refusal(monkeypatch, tmp_path, main, "gan-lab", *WORDS, "hydra.run.dir=run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    run = tmp_path / "run"
    file = run / "checkpoints" / "iteration_0000003.ckpt"
    assert said == f"gan-lab: {file}: it cannot be written: File too large; resume={run} starts over once it can"
    gan_lab_here("resume=run")
    assert differences(made / "done", run) == []


def test_a_folder_that_cannot_be_written_to_is_refused(gan_lab_here, monkeypatch, tmp_path):
    """A file system mounted read-only; modes do not stop the root that tests may run as."""
    (tmp_path / "empty").mkdir()
    with killed(4):
        gan_lab_here(*WORDS, "hydra.run.dir=run")
    before = contents(tmp_path)
    monkeypatch.setattr(run_folder.os, "access", lambda path, mode: False)
    for word in ("hydra.run.dir=empty", "resume=run"):
        said = refusal(monkeypatch, tmp_path, main, "gan-lab", *WORDS, word)
        assert said == f"gan-lab: {word}: the folder cannot be written to"
    assert contents(tmp_path) == before


def test_another_processes_run_is_not_taken_back(tmp_path):
    folder = RunFolder(tmp_path / "run")
    made = folder.create()
    (folder.path / "status.json").write_text("{}")
    with FileLock(folder.path / ".lock"):
        folder.discard(made)
    assert folder.status_file.exists()
    folder.discard(made)
    assert not folder.path.exists()


def test_a_users_own_configuration_folder_is_asked_for_again(gan_lab_here, monkeypatch, tmp_path):
    (tmp_path / "own" / "loss").mkdir(parents=True)
    (tmp_path / "own" / "loss" / "mine.yaml").write_text(
        "# @package _global_\nloss:\n  objective:\n    _target_: gan_lab.losses.Hinge\n"
    )
    with killed(4):
        gan_lab_here("--config-dir", "own", *WORDS, "loss=mine", "hydra.run.dir=run")
    said = refusal(monkeypatch, tmp_path, main, "gan-lab", "resume=run")  # nobody's folder says what Hydra reads
    assert said == (
        f"gan-lab: resume=run: the run was begun with --config-dir {tmp_path / 'own'}; expected it on this command "
        "line too"
    )
    gan_lab_here("--config-dir", "own", "resume=run")
    assert RunFolder(tmp_path / "run").result()["loss"] == "mine"


ACCEPTED = [
    "init_from=generator.safetensors", "init_from=/home/me/runs/A", "init_from=../runs/A", "init_from=a.ckpt",
    "init_from='outputs/loss=lsgan,seed=0'", f"init_from={'deep/' * 60}A", "loss=my.v2", "experiment=mine/a/b",
    "loss='my loss'", "penalty=[r1,mine/r.2]", "mine=an.option", "+penalty@loss.penalties.second=r1", "++seed=1",
    "seed=${oc.env:SEED}", "compile=false", "published=[{source: 'https://x.org/a.b'}]", "conditional=own",
    "experiment=null", "~experiment", "~dataset.flip", "dataset.path=../x.npz", "evaluation/extractor=points",
]  # fmt: skip


@pytest.fixture
def begun(tmp_path):
    """Makes the folder of a run that was begun with a word."""

    def make(word):
        RunFolder(tmp_path).update_status(state="failed")
        (tmp_path / ".hydra").mkdir()
        OmegaConf.save(OmegaConf.create([word]), tmp_path / ".hydra" / "overrides.yaml")
        OmegaConf.save(OmegaConf.create({}), tmp_path / ".hydra" / "hydra.yaml")
        return f"resume={tmp_path}"

    return make


@pytest.mark.parametrize("word", ACCEPTED)
def test_what_a_run_begins_with_it_goes_on_with(begun, word):
    assert CommandLine.parse([word]).lines() == [word]
    assert resumed(CommandLine.parse([begun(word)])).lines()[0] == word


@pytest.mark.parametrize("word", ["allowed_targets=[package.module]", "dataset.download=true"])
def test_what_lets_something_in_is_left_out_of_the_record(begun, word):
    resume = begun(word)
    assert word not in resumed(CommandLine.parse([resume])).lines()
    assert resumed(CommandLine.parse([resume, word])).lines()[0] == word


def test_of_a_key_that_is_typed_again_the_record_does_not_count(begun):
    lines = resumed(CommandLine.parse([begun("experiment=../x"), "experiment=digits_all_losses"])).lines()
    assert [word for word in lines if word.startswith("experiment")] == ["experiment=digits_all_losses"]


def test_a_run_that_begins_with_anothers_weights_goes_on(made, gan_lab_here, tmp_path):
    """By ``resume=`` alone, and by the line that it was begun with; each time the source is a folder elsewhere."""
    words = [*WORDS, f"init_from={made / 'done'}", "hydra.run.dir=run", "resume=auto"]
    with killed(4):
        gan_lab_here(*words)
    with killed(8):
        gan_lab_here(*words)
    gan_lab_here("resume=run")
    assert RunFolder(tmp_path / "run").result()["init_from"]["source"] == str(made / "done")


def test_how_a_process_began_is_no_part_of_what_is_run(composed):
    assert config_hash(composed("resume=auto")) == config_hash(composed())


def test_words_that_do_not_resume_stay_as_they_are():
    for words in (["seed=1"], ["resume=null", "seed=1"], ["--help"]):
        assert not CommandLine.parse(words).resumes
    line = CommandLine.parse(["-m", "resume=auto", "seed=1,2"])
    assert line.resumes
    assert resumed(line) is line
