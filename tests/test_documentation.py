"""README.md and docs/: every command composes, every link leads somewhere, every option of a group is listed.

A command is a line of a fenced block, or inline code that begins with ``gan-lab``. FOLDER, RUN, SWEEP and FILE stand
for what a user names. A comment ``# refused`` says that the command is refused. A block that begins with a comment
``# folder/name.py`` is a file of the user's, in the folder where the commands are given.
"""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
import torch
from command_runs import ended
from configurations import choices_of, options
from hydra import version
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig

from gan_lab.cli import evaluate, export, report, sample, train, translate
from gan_lab.cli.arguments import folders_and_rest, parse
from gan_lab.cli.command_line import CheckedLoader
from gan_lab.config.checks import check
from gan_lab.errors import ConfigError
from gan_lab.runs.components import build_dataset, build_network

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
MAINS = {
    "gan-lab": train.main,
    "gan-lab-sample": sample.main,
    "gan-lab-evaluate": evaluate.main,
    "gan-lab-report": report.main,
    "gan-lab-export": export.main,
    "gan-lab-translate": translate.main,
}
PRINTING = {"--help", "--cfg", "show", "-sc"}  # options with which a command prints and does nothing else

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(gan-lab[\w-]*\s[^`]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


class Command(NamedTuple):
    """A command of a page: its words, the first of which is its name, and whether the page says that it is refused."""

    page: str
    words: tuple[str, ...]
    refused: bool


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [block for found, block in _FENCED.findall(page.read_text()) if found == language]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCED.sub("", page.read_text())


def gan_lab_words(line: str) -> Iterator[tuple[str, ...]]:
    """The words of every gan-lab command in a line of a shell, from its name on; comments are no words."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    simple: list[list[str]] = [[]]
    for token in lexer:
        if set(token) <= set(";&|"):
            simple.append([])
        else:
            simple[-1].append(token)
    for words in simple:
        if names := [place for place, word in enumerate(words) if word in MAINS]:
            yield tuple(words[names[0] :])


def commands() -> list[Command]:
    """Every command of every page, each once."""
    found = {}
    for page in PAGES:
        lines = [line for _, block in _FENCED.findall(page.read_text()) for line in block.splitlines()]
        lines += [" ".join(code.split()) for code in _INLINE.findall(prose(page))]
        for line in lines:
            if "gan-lab" in line:
                for words in gan_lab_words(line):
                    one = Command(name_of(page), words, "# refused" in line)
                    found.setdefault((words, one.refused), one)
    return list(found.values())


def shown_files() -> dict[str, str]:
    """The content of every file that a page shows, by name."""
    found = {}
    for page in PAGES:
        for _, block in _FENCED.findall(page.read_text()):
            if header := re.match(r"(?:# @package \w+\n)?# ([\w/]+\.\w+)\n", block):
                found[header[1]] = block
    return found


COMMANDS = commands()
FILES = shown_files()


def those_of(*names: str) -> pytest.MarkDecorator:
    """Parametrizes by the commands of these names that do more than print."""
    chosen = [one for one in COMMANDS if one.words[0] in names and PRINTING.isdisjoint(one.words)]
    return pytest.mark.parametrize("command", chosen, ids=lambda command: f"{command.page}: {' '.join(command.words)}")


@pytest.fixture
def users_folder(tmp_path, monkeypatch) -> Path:
    """The working directory of someone who has copied all files that the pages show."""
    for name, block in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def composed_and_checked(overrides: list[str]) -> DictConfig:
    """The configuration that gan-lab composes, Hydra's part included.

    Raises:
        Exception: as gan-lab does before a run begins.
    """
    version.setbase("1.3")
    line = train.CommandLine.parse(overrides)
    loader = CheckedLoader(create_config_search_path("pkg://gan_lab.conf"), line.allowed_targets(), line.typed)
    config = loader.load_configuration("train", overrides, RunMode.RUN)
    check(config)
    return config


def values_of(sweep: Override) -> list[str]:
    """The values of a swept key; of losses and seeds first and last, of an interval its lower end."""
    if not sweep.is_discrete_sweep():
        return [str(sweep.value().start)]
    values, key = list(sweep.sweep_string_iterator()), sweep.get_key_element()
    if key == "loss":
        assert set(values[1:-1]) <= set(options("loss"))
    return values[:: max(len(values) - 1, 1)] if key in ("loss", "seed") else values


def runs_of(words: tuple[str, ...], folder: Path) -> Iterator[list[str]]:
    """The overrides of runs of a line: of a sweep, as many as it takes to have all `values_of` every key."""
    given, unknown = get_args_parser().parse_known_intermixed_args(words)
    assert not unknown
    overrides = OverridesParser.create().parse_overrides(given.overrides)
    held = [one.input_line for one in overrides if not one.is_sweep_override()]
    swept = {one.get_key_element(): values_of(one) for one in overrides if one.is_sweep_override()}
    assert given.multirun or not swept, f"without -m {', '.join(swept)} cannot have several values"
    if given.config_dir:
        assert (folder / given.config_dir).is_dir()
        held.append(f"hydra.searchpath=[file://{folder / given.config_dir}]")
    for number in range(max(map(len, swept.values()), default=1)):
        yield [*held, *(f"{key}={values[min(number, len(values) - 1)]}" for key, values in swept.items())]
    if given.multirun and not swept:
        assert composed_and_checked(held).hydra.sweeper.params, "-m, and nothing is swept"


# ---- commands ----


@those_of("gan-lab")
def test_a_line_composes(command, users_folder):
    for overrides in runs_of(command.words[1:], users_folder):
        if command.refused:
            with pytest.raises(ConfigError):
                composed_and_checked(overrides)
        else:
            composed_and_checked(overrides)


@those_of("gan-lab-sample")
def test_a_line_of_gan_lab_sample_has_its_keys(command):
    parse("gan-lab-sample", sample.SampleArguments, command.words[1:])


@those_of("gan-lab-export")
def test_a_line_of_gan_lab_export_has_its_keys(command):
    parse("gan-lab-export", export.ExportArguments, command.words[1:])


@those_of("gan-lab-translate")
def test_a_line_of_gan_lab_translate_has_its_keys(command):
    parse("gan-lab-translate", translate.TranslateArguments, command.words[1:])


@those_of("gan-lab-evaluate")
def test_a_line_of_gan_lab_evaluate_has_its_keys(command):
    folders, rest = folders_and_rest(command.words[1:])
    overrides = [word for word in rest if word.startswith(("evaluation.", "evaluation/"))]
    arguments = parse("gan-lab-evaluate", evaluate.EvaluateArguments, [word for word in rest if word not in overrides])
    assert bool(folders or arguments.run) != bool(arguments.real and arguments.fake)
    composed_and_checked(["dataset=mnist", *overrides])


@those_of("gan-lab-report")
def test_a_line_of_gan_lab_report_has_its_keys(command):
    folders, rest = folders_and_rest(command.words[1:])
    parse("gan-lab-report", report.ReportArguments, rest)
    assert folders


@pytest.mark.parametrize(
    "command", [one for one in COMMANDS if PRINTING.intersection(one.words)], ids=lambda one: " ".join(one.words)
)
def test_a_line_that_prints_runs(command, tmp_path, monkeypatch, capsys):
    assert ended(monkeypatch, tmp_path, MAINS[command.words[0]], *command.words) == 0
    assert len(capsys.readouterr().out.splitlines()) > 5


def test_every_command_is_among_those_tested():
    assert {one.words[0] for one in COMMANDS} == set(MAINS)
    assert any(one.refused for one in COMMANDS)
    assert sum(bool(PRINTING.intersection(one.words)) for one in COMMANDS) >= 2


def test_words_are_split_as_a_shell_does():
    line = "pip install uv && uv run gan-lab 'penalty=[r1,r2]' seed=1 # it's; gan-lab-report"
    assert list(gan_lab_words(line)) == [("gan-lab", "penalty=[r1,r2]", "seed=1")]
    line = "srun -n 2 gan-lab resume=auto; [ $? -eq 138 ] && gan-lab-report outputs"
    assert list(gan_lab_words(line)) == [("gan-lab", "resume=auto"), ("gan-lab-report", "outputs")]


# ---- code ----


def test_the_loss_that_the_readme_adds(users_folder):
    config = composed_and_checked(
        [f"hydra.searchpath=[file://{users_folder / 'my_conf'}]", "loss=cubic", "allowed_targets=[my_losses]"]
    )
    real, fake = torch.tensor([2.0, 2.0]), torch.tensor([1.0, 1.0])
    objective = instantiate(config.loss.objective)
    # 1 − 2 + (2³ + 1³)/1000, and 2 − 1
    assert objective.discriminator(real, fake).item() == pytest.approx(-0.991, rel=1e-6)
    assert objective.generator(real, fake).item() == pytest.approx(1.0, rel=1e-6)
    assert config.n_critic == 2


def test_the_network_that_the_pages_add(users_folder):
    config = composed_and_checked(
        [f"hydra.searchpath=[file://{users_folder / 'my_conf'}]", "model=small", "allowed_targets=[my_networks]"]
    )
    generator = instantiate(config.model.generator, latent_dim=3, sample_shape=(1, 8, 8))
    assert generator(torch.zeros(2, 3)).shape == (2, 1, 8, 8)
    discriminator = instantiate(config.model.discriminator, sample_shape=(1, 8, 8))
    assert discriminator(torch.zeros(2, 1, 8, 8)).shape == (2,)


@pytest.mark.parametrize(("loss", "norm"), [("sngan", "none"), ("hinge", "none"), ("sngan", "batch")])
def test_recipes_do_not_mind_a_discriminator_without_their_settings(users_folder, loss, norm):
    """sngan sets norm=none, for which a network without the argument has no use; norm=batch it cannot give."""
    (users_folder / "my_plain.py").write_text(
        "from torch import nn\n\n\nclass Plain(nn.Sequential):\n    def __init__(self, sample_shape):\n"
        "        super().__init__(nn.Flatten(), nn.Linear(64, 1), nn.Flatten(0))\n"
    )
    config = composed_and_checked([f"loss={loss}", "model=mlp", "allowed_targets=[my_plain]"])
    config.model.discriminator = {"_target_": "my_plain.Plain", "norm": norm}
    if norm == "none":
        assert build_network(config, "discriminator", (1, 8, 8))(torch.zeros(2, 1, 8, 8)).shape == (2,)
    else:
        with pytest.raises(ConfigError, match=r"^model.discriminator.norm: there is no key 'norm' in model.discr"):
            build_network(config, "discriminator", (1, 8, 8))


def test_the_dataset_that_the_page_on_data_adds(users_folder, monkeypatch):
    """Sides of 4 to 11 pixels, a corner at 0 to 4: 40 images that differ, each in one of eight classes."""
    monkeypatch.setenv("GAN_LAB_CACHE", str(users_folder / "cache"))
    words = ["dataset=torch", "dataset._target_=my_data.Squares", "allowed_targets=[my_data]"]
    dataset = build_dataset(composed_and_checked(words))
    assert (dataset.trained_on, len(dataset.test), dataset.sample_shape) == (400, 100, (1, 16, 16))
    assert len(torch.cat([dataset.train, dataset.test]).unique(dim=0)) == 40
    sides = dataset.train.flatten(1).count_nonzero(1).sqrt()
    assert torch.equal(sides, dataset.train_labels + 4.0)


def test_the_code_of_the_python_page_runs(tmp_path, monkeypatch):
    script = ModuleType("__main__")  # where the page's own class lies
    monkeypatch.setitem(sys.modules, "__main__", script)
    monkeypatch.chdir(tmp_path)
    for block in blocks(ROOT / "docs" / "python.md", "python"):
        exec(block, vars(script))
    known = vars(script)
    assert type(known["objective"]).__name__ == "Wasserstein"
    assert {"discriminator_loss", "generator_loss"} <= known.keys()
    assert known["samples"].shape == (16, 2)
    assert known["logits"].shape == (8,)
    assert known["longer"].result["budget"]["iterations"] == 300
    assert known["page"].is_file()
    assert {row["group"] for row in known["rows"]} == {"lsgan", "rsgan"}
    assert known["mine"].config.loss.objective.margin == 2.0
    assert str(known["wrong"]).startswith("loss=lsgann: ")


# ---- links, files, lists ----


def headings(page: Path) -> set[str]:
    """The fragments by which a page's headings are linked to on GitHub."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page):
    for link in _LINK.findall(prose(page)):
        if link.startswith("https://"):
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        assert not fragment or fragment in headings(target), link


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_that_is_named_exists(page):
    rooms = "|".join(sorted(folder.name for folder in (ROOT / "gan_lab").iterdir() if folder.is_dir()))
    for name in re.findall(rf"`((?:gan_lab|conf|docs|tests|scripts|{rooms})/[\w./]*)`", prose(page)):
        assert (ROOT / name).exists() or (ROOT / "gan_lab" / name).exists(), name


def test_every_file_of_the_rooms_exists():
    rows = re.findall(r"^\| `(\w+)/` \|(.*)", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    assert len(rows) > 10
    for room, row in rows:
        for name in re.findall(r"`([\w.]+\.py|\w+/)`", row):
            assert (ROOT / "gan_lab" / room / name).exists(), f"{room}/{name}"


def test_every_page_is_reachable_from_the_index():
    index = ROOT / "docs" / "README.md"
    linked = {(page.parent / link).resolve() for page in PAGES for link in _LINK.findall(prose(page))}
    assert set(PAGES) - {README} <= linked | {index}
    assert {page for page in PAGES if page.parent == index.parent} - {index} <= {
        (index.parent / link).resolve() for link in _LINK.findall(prose(index))
    }


LISTS = [
    ("README.md", "loss"),
    ("docs/losses.md", "loss"),
    ("docs/losses.md", "penalty"),
    ("docs/losses.md", "constraint"),
    ("docs/losses.md", "term"),
    ("docs/augmentation.md", "augmentation"),
    ("docs/data.md", "dataset"),
    ("docs/networks.md", "model"),
    ("docs/evaluation.md", "evaluation/extractor"),
    ("docs/sweeps.md", "protocol"),
    ("docs/sweeps.md", "hydra/launcher"),
    ("docs/sweeps.md", "experiment"),
    ("docs/trackers.md", "logger"),
    ("docs/trackers.md", "callbacks"),
]


@pytest.mark.parametrize(("page", "group"), LISTS)
def test_every_option_of_a_group_has_a_row(page, group):
    text = (ROOT / page).read_text()
    rows = set(re.findall(rf"^\| `(?:{group}=)?(\w+)`", text, re.MULTILINE))
    assert set(options(group)) - {"none"} <= rows


def test_what_a_dataset_brings_is_what_its_row_says(composed):
    rows = re.findall(r"^\| `(\w+)`.*\| ([^|]+) \|$", (ROOT / "docs/data.md").read_text(), re.MULTILINE)
    brought = {name: cell for name, cell in rows if cell.endswith(" iterations")}
    assert set(brought) == set(options("dataset"))
    for name, cell in brought.items():
        choices = choices_of(f"dataset={name}")
        assert cell.endswith(f"{composed(f'dataset={name}').iterations:,} iterations"), name
        assert all(choices[group] == option for group, option in re.findall(r"`(\w+)=(\w+)`", cell)), name
        assert ("`loss=" in cell) == (choices["loss"] != "non_saturating"), name


def test_every_loss_of_the_readme_exists_and_says_where_it_is_from():
    table = re.search(r"^## Losses$(.*?)^## ", README.read_text(), re.MULTILINE | re.DOTALL)
    assert table
    rows = re.findall(r"^\| `(\w+)` \| \[.+\]\((\S+)\) \| .+ \|$", table[1], re.MULTILINE)
    assert sorted(name for name, _ in rows) == options("loss")
    assert all(link.startswith(("https://", "docs/losses.md#")) for _, link in rows)


def test_the_readme_is_short():
    """But for the table of losses, which grows with them."""
    before, after = re.split(r"^## Losses$", README.read_text(), flags=re.MULTILINE)
    rest = re.sub(r"^\|.*\n", "", after.partition("\n## ")[0], flags=re.MULTILINE) + after.partition("\n## ")[2]
    assert 600 <= len((before + rest).split()) <= 811


def test_the_two_commands_of_the_readme_have_a_block_each():
    shown = blocks(README, "bash")
    assert "pip install uv && uv run gan-lab\n" in shown
    assert "pip install uv && uv run pytest\n" in shown
