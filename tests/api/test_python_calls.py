"""Calls from Python leave the caller's process as it was, and say what is wrong in one sentence."""

import asyncio
import logging
import os
import shutil
import signal
import threading

import numpy as np
import pytest
import torch
from command_runs import refusal
from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from training_runs import SMALL

import gan_lab
from gan_lab.cli import train
from gan_lab.cli.summary import how_to_go_on, print_summary
from gan_lab.errors import Diverged
from gan_lab.runs.folder import RunFolder
from gan_lab.storage.pictures import save_picture


@pytest.fixture
def untrained(monkeypatch, tmp_path):
    """In an empty working directory; runs are composed and recorded, and not trained."""

    def make_run(request):
        logging.getLogger("gan_lab").warning("not trained")
        request.folder.update_status(state="done")
        return 0.0

    monkeypatch.setattr(train, "make_run", make_run)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def in_own_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def test_without_a_folder_every_run_gets_a_new_one(untrained, tmp_path):
    runs = [gan_lab.train("dataset=ring8") for _ in range(3)]
    assert len({run.folder for run in runs}) == 3
    assert {run.folder.parent for run in runs} == {tmp_path / "outputs"}
    assert [run.folder for run in gan_lab.Sweep("outputs").runs] == sorted(run.folder for run in runs)


def test_the_same_line_goes_on_with_its_run(untrained):
    lines = [gan_lab.train("dataset=ring8", "resume=auto", folder="run") for _ in range(2)]
    assert lines[0].folder == lines[1].folder
    with pytest.raises(gan_lab.ConfigError, match="the folder already holds a run"):
        gan_lab.train("dataset=ring8", folder="run")


def test_the_callers_process_stays_as_it_was(untrained, tmp_path):
    with initialize_config_module("gan_lab.conf", version_base="1.3"):
        handler = logging.FileHandler(tmp_path / "mine.log", mode="w")
        logging.getLogger().addHandler(handler)
        mine = GlobalHydra.instance().hydra

        def state():
            root = logging.getLogger()
            handled = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)]
            return root.handlers[:], root.level, handled, dict(os.environ), os.getcwd(), HydraConfig.instance().cfg

        before = state()
        try:
            gan_lab.train("dataset=ring8", folder="a")
            with pytest.raises(gan_lab.ConfigError):
                gan_lab.train("seed=abc")
            assert state() == before
            assert GlobalHydra.instance().hydra is mine
            assert compose("train", ["seed=3"]).seed == 3
            logging.getLogger("mine").error("still here")
            assert (tmp_path / "mine.log").read_text() == "still here\n"  # and nothing of the run
        finally:
            logging.getLogger().removeHandler(handler)
            handler.close()
    assert (tmp_path / "a" / "gan-lab.log").read_text() == "not trained\n"


def test_a_notebooks_event_loop_may_be_running(untrained):
    async def cell():
        return gan_lab.train("dataset=ring8")

    assert asyncio.run(cell()).status["state"] == "done"


def test_a_folder_of_yaml_is_used_and_remembered(untrained, tmp_path):
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "odd.yaml").write_text("# @package _global_\nseed: 11\n")
    run = gan_lab.train("dataset=ring8", "experiment=odd", folder="it's, a=run", config_dir="mine")
    assert (run.folder.name, run.config.seed) == ("it's, a=run", 11)
    assert run.resume().status["state"] == "done"
    with pytest.raises(gan_lab.ConfigError, match="expected it on this command line too"):
        gan_lab.Run(run.folder).resume()
    (tmp_path / "mine" / "experiment" / "odd.yaml").write_text("# @package _global_\nhydra:\n  mode: MULTIRUN\n")
    with pytest.raises(gan_lab.ConfigError, match=r"hydra\.mode=MULTIRUN: expected RUN"):
        gan_lab.train("dataset=ring8", "experiment=odd", config_dir="mine")


def test_a_diverged_run_keeps_its_folder(untrained, monkeypatch, tmp_path):
    def diverge(request):
        raise Diverged(4, "loss/generator", float("nan"))

    monkeypatch.setattr(train, "make_run", diverge)
    with pytest.raises(gan_lab.Diverged, match="diverged at iteration 4: loss/generator is nan") as error:
        gan_lab.train("dataset=ring8", folder="run")
    assert error.value.__notes__ == ["run: run"]
    assert (tmp_path / "run" / ".hydra" / "config.yaml").is_file()


def test_a_class_that_ends_the_program_does_not(untrained, monkeypatch):
    monkeypatch.setattr(train, "make_run", lambda request: exit(3))
    with pytest.raises(gan_lab.ConfigError, match=r"ended the program \(status 3\)"):
        gan_lab.train("dataset=ring8")


def test_a_bug_keeps_its_traceback(untrained, monkeypatch):
    monkeypatch.setattr(train, "make_run", lambda request: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        gan_lab.train("dataset=ring8")


SHARED = [["loss=lsgann"], ["iterations=0"], ["sed=1"], ["loss=[a"], ["dataset=ring8", "model=dcgan"],
          ["loss.objective._target_=os.system"], ["resume=nowhere"], ["allowed_targets=[a-b]"]]  # fmt: skip


@pytest.mark.parametrize("words", SHARED, ids=" ".join)
def test_wrong_input_is_answered_as_by_the_command(words, in_own_folder, tmp_path, monkeypatch):
    said = refusal(monkeypatch, tmp_path, train.main, "gan-lab", *words)
    with pytest.raises(gan_lab.ConfigError) as error:
        gan_lab.train(*words)
    assert f"gan-lab: {error.value}" == said
    assert not any(tmp_path.iterdir())


OWN = [
    (["seed=0,1"], {}, "seed=0,1: expected one value, as gan_lab.train makes one run; gan-lab -m"),
    (["-m", "seed=0,1"], {}, "-m: expected overrides alone"),
    (["--cfg", "job"], {}, "--cfg: expected overrides alone"),
    (["hydra.mode=MULTIRUN"], {}, "hydra.mode=MULTIRUN: expected RUN"),
    ([3], {}, "3: expected overrides in quotes"),
    (["hydra.run.dir=a"], {"folder": "b"}, "hydra.run.dir=a: expected none beside folder=b"),
    (["+hydra.run.dir=a"], {"folder": "b"}, "+hydra.run.dir=a: expected none beside folder=b"),
    ([], {"folder": 3}, "folder=3: expected a path"),
    ([], {"folder": b"a"}, "folder=b'a': expected a path"),
    ([], {"config_dir": 3}, "config_dir=3: expected a path"),
    ([], {"config_dir": ""}, "config_dir='': expected a path"),
    ([], {"allowed_targets": 3}, "allowed_targets=3: expected a list"),
    ([], {"allowed_targets": [3]}, "allowed_targets=[3]: expected a list"),
    ([], {"config_dir": "nowhere"}, "--config-dir nowhere: there is no such folder"),
    ([], {"allowed_targets": "mine"}, "allowed_targets=mine: expected a list"),
    ([], {"allowed_targets": ["a b"]}, "'a b' is no package"),
]


@pytest.mark.parametrize(("words", "keywords", "said"), OWN, ids=[said for *_, said in OWN])
def test_wrong_input_of_pythons_own(words, keywords, said, in_own_folder, tmp_path):
    with pytest.raises(gan_lab.ConfigError) as error:
        gan_lab.train(*words, **keywords)
    assert said in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert not any(tmp_path.iterdir())


def test_another_thread_is_refused(in_own_folder):
    errors = []

    def work():
        try:
            gan_lab.train()
        except gan_lab.ConfigError as error:
            errors.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert errors == ["gan_lab.train: expected in the main thread of a program, where signals can stop a run"]


def test_folders_without_runs_are_refused(tmp_path):
    for make, said in ((gan_lab.Run, "not a run folder"), (gan_lab.Sweep, "there is no such folder")):
        with pytest.raises(gan_lab.ConfigError, match=said):
            make(tmp_path / "nowhere")
    for make in (gan_lab.Run, gan_lab.Sweep):
        for wrong in (3, None, b"a", ""):
            with pytest.raises(gan_lab.ConfigError, match=r"folder=.*: expected a path"):
                make(wrong)
    empty = gan_lab.Sweep(tmp_path)
    for ask in (empty.table, empty.report):
        with pytest.raises(gan_lab.ConfigError, match=r"metric=\['fd'\]: expected the name of a metric"):
            ask(metric=["fd"])
    assert empty.runs == []
    assert "no run in it" in empty._repr_html_()
    with pytest.raises(gan_lab.ConfigError, match="no run in it"):
        empty.table()


ASKED = [
    (lambda run: run.sample(0), "n=0: expected a whole number from 1"),
    (lambda run: run.sample("many"), "n=many: expected a whole number"),
    (lambda run: run.sample(np.array([1, 2])), "n=[1, 2]: expected a whole number"),
    (lambda run: run.sample(torch.ones(2)), "n=[1.0, 1.0]: expected a whole number"),
    (lambda run: run.sample(2, truncation=np.array([0.5])), "truncation=[0.5]: expected a number above 0"),
    (lambda run: run.sample(2, seed=-1), "seed=-1: expected a whole number from 0"),
    (lambda run: run.sample(2, labels=3), "class=3: the run's generator takes no labels"),
    (lambda run: run.generator("best of all"), "weights=best of all: expected one of"),
    (lambda run: run.evaluate("loss=lsgan"), "loss=lsgan: expected overrides of the evaluation"),
    (lambda run: run.evaluate("evaluation.samples=-1"), "evaluation.samples=-1: expected a whole number"),
    (lambda run: run.evaluate("evaluation/extractor=none"), "evaluation/extractor=none: there is no such file"),
    (lambda run: run.resume("seed=5"), "seed was 0 and is 5"),
    (lambda run: run.evaluate("evaluation/extractor=null"), "evaluation/extractor=null: expected the name of one"),
    (lambda run: run.evaluate("evaluation.metrics.x=fd"), "evaluation.metrics.x=fd: there is no such key"),
    (lambda run: run.export(3), "out=3: expected a path"),
    (lambda run: run.export("net.pt2", back="no"), "back=no: expected True or False"),
    (lambda run: run.resume("resume=other"), "resume=other: expected none"),
    (lambda run: run.resume("++resume=other"), "++resume=other: expected none"),
    (lambda run: run.resume(iterations=0), "iterations=0: expected a whole number of at least 1"),
]


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """A run of one iteration."""
    words = [*SMALL[1:], "dataset=ring8", "iterations=1", "evaluation.metrics=[fd]"]
    return gan_lab.train(*words, folder=tmp_path_factory.mktemp("short") / "run")


@pytest.mark.parametrize(("ask", "said"), ASKED, ids=[said for _, said in ASKED])
def test_wrong_questions_to_a_run(ask, said, short):
    with pytest.raises(gan_lab.ConfigError) as error:
        ask(short)
    assert said in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_numbers_of_numpy_are_numbers(short):
    assert len(short.sample(np.int64(3), seed=np.int64(1)).values) == 3
    given, plain = (short.sample(3, truncation=bound).values for bound in (np.float32(0.5), 0.5))
    assert torch.equal(given, plain)


def test_a_run_with_classes_of_a_program_is_opened_from_python(short, capsys):
    config, folder = short.config, RunFolder(short.folder)
    config.allowed_targets = ["__main__", "mine"]
    opened = f"gan_lab.Run('{short.folder}', allowed_targets=['__main__', 'mine'])"
    print_summary(short.result, folder, config)
    said = capsys.readouterr().out
    assert f"python   {opened}\n" in said
    assert "gan-lab" not in said
    assert how_to_go_on(folder, config).endswith(f"; go on with: {opened}.resume()")


def test_a_run_that_was_made_longer_shows_its_newest_picture(short, tmp_path):
    shutil.copytree(short.folder, tmp_path / "run")
    run = gan_lab.Run(tmp_path / "run")
    save_picture(tmp_path / "run" / "samples" / "iteration_0000002.png", np.zeros((5, 4, 3), np.uint8))
    final = run.picture.size
    assert final != (4, 5)
    RunFolder(tmp_path / "run").update_status(state="interrupted")
    assert run.picture.size == (4, 5)


def test_an_evaluation_composes_beside_the_callers_hydra(short):
    with initialize_config_module("gan_lab.conf", version_base="1.3"):
        mine = GlobalHydra.instance().hydra
        found = short.evaluate("evaluation/extractor=points", "evaluation.metrics=[fd]")
        assert GlobalHydra.instance().hydra is mine
    assert found["metrics"] == short.metrics
