"""Pictures translated by a run: as its generator translates them, under their names, completely or not at all."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from command_runs import ended, refusal
from PIL import Image, ImageOps

from gan_lab import Run
from gan_lab.cli.sample import main as sample_main
from gan_lab.cli.summary import _next_commands
from gan_lab.cli.translate import main
from gan_lab.datasets.folders import Folder
from gan_lab.errors import ConfigError
from gan_lab.runs import translate
from gan_lab.runs.checkpoints import load_generator
from gan_lab.runs.translate import Translator, translate_files, translate_folder
from gan_lab.seeds import derive
from gan_lab.storage.pictures import save_picture


@pytest.fixture
def folder(tmp_path):
    """Pictures of 8x8 grey pixels, in a subfolder too, and one that is larger, not square, and in colour."""
    draw = np.random.default_rng(0)
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for name in ("a.png", "b.c.bmp", "sub/a.png"):
        Image.fromarray(draw.integers(0, 256, (8, 8), dtype=np.uint8)).save(tmp_path / "in" / name)
    Image.fromarray(draw.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(tmp_path / "in" / "d.png")
    return tmp_path / "in"


def pixels(file) -> torch.Tensor:
    return torch.from_numpy(np.array(Image.open(file)))


def translated_by(network, picture, latents) -> torch.Tensor:
    """One grey picture ``[8, 8]`` translated by a network as it is."""
    with torch.no_grad():
        made = network(latents, picture[None, None].float() / 127.5 - 1)
    return ((made + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)[0, 0]


def near(found, wanted) -> bool:
    """Whether pictures are equal but for a level: a batch of one may round otherwise."""
    return (found.int() - wanted.int()).abs().max() <= 1


@pytest.mark.parametrize("back", [False, True])
def test_files_are_what_the_run_makes_of_them(cycle_run, folder, monkeypatch, tmp_path, capsys, back):
    words = [f"run={cycle_run.path}", "in=in", "out=new/out", *(["back=true"] if back else [])]
    assert ended(monkeypatch, tmp_path, main, "gan-lab-translate", *words) == 0
    assert capsys.readouterr().out == f"4 translations by {cycle_run.path} in new/out\n"
    made = sorted(file.relative_to(tmp_path / "new" / "out") for file in (tmp_path / "new").rglob("*.*"))
    assert list(map(str, made)) == ["a.png", "b.c.png", "d.png", "sub/a.png"]
    network = load_generator(cycle_run, "ema").get_submodule("to_source" if back else "to_sample")
    for name in ("a.png", "b.c.bmp", "sub/a.png"):
        file = tmp_path / "new" / "out" / name.replace("bmp", "png")
        assert near(pixels(file), translated_by(network, pixels(folder / name), None)), name
    # the middle square, antialiased, grey as of ITU-R 601: what image_folder does
    smaller = ImageOps.fit(Image.open(folder / "d.png").convert("L"), (8, 8), Image.Resampling.BICUBIC)
    wanted = translated_by(network, torch.from_numpy(np.array(smaller)), None)
    assert near(pixels(tmp_path / "new" / "out" / "d.png"), wanted)


def test_dropout_is_noise_by_seed_and_place(paired_run, folder):
    """The latent of picture i is draw i of the seed's stream, however many follow."""
    run = Run(paired_run.path)
    pictures = torch.stack([pixels(folder / name) for name in ("a.png", "b.c.bmp", "sub/a.png")])[:, None]
    made = run.translate(pictures)
    latents = run.config.latent_dim
    drawn = torch.randn(64, latents, generator=torch.Generator().manual_seed(derive(0, "translate")))
    network = load_generator(paired_run, "auto")
    for index in range(3):
        assert near(made[index, 0], translated_by(network, pictures[index, 0], drawn[index : index + 1]))
    assert (made.dtype, made.shape) == (torch.uint8, (3, 1, 8, 8))
    assert torch.equal(run.translate(pictures.repeat(30, 1, 1, 1).numpy())[:3], made)
    assert torch.equal(run.translate(pictures[:2], seed=0), made[:2])
    assert not torch.equal(run.translate(pictures, seed=1), made)
    same = run.translate(pictures[:1].repeat(2, 1, 1, 1))
    assert not torch.equal(same[0], same[1])


def test_a_folder_and_an_array_are_the_same(paired_run, folder):
    run = Run(paired_run.path)
    colour = pixels(folder / "d.png").permute(2, 0, 1)[None]
    for file in ("a.png", "b.c.bmp"):
        (folder / file).unlink()
    shutil.rmtree(folder / "sub")
    assert torch.equal(run.translate(str(folder)), run.translate(colour))
    assert torch.equal(run.translate(folder), run.translate(colour.numpy()))


def test_grey_pictures_are_made_colour():
    """A run of RGB sources, 4 high and 6 wide: grey pixels get three equal channels."""
    translator = object.__new__(Translator)
    translator.taken = (3, 4, 6)
    fitted = translator.fitted(torch.arange(24, dtype=torch.uint8).view(1, 1, 4, 6))
    assert torch.equal(fitted, torch.arange(24, dtype=torch.uint8).view(1, 1, 4, 6).expand(1, 3, 4, 6))
    assert translator.fitted(torch.zeros(2, 3, 30, 20, dtype=torch.uint8)).shape == (2, 3, 4, 6)
    with pytest.raises(ConfigError, match=r"^pictures: they are 6x4 with 2 channels, expected 1 channel \(grey\) or 3"):
        translator.fitted(torch.zeros(2, 2, 4, 6, dtype=torch.uint8))
    translator.taken = (2, 4, 6)
    assert translator.fitted(torch.ones(2, 2, 4, 6, dtype=torch.uint8)).sum() == 96
    with pytest.raises(ConfigError, match=r"^pictures: the run was trained on pictures of 2 channels, "):
        translator.fitted(torch.zeros(2, 3, 4, 6, dtype=torch.uint8))


def test_an_error_leaves_nothing(cycle_run, folder, monkeypatch, tmp_path):
    def fails(path, picture):
        if path.name == "d.png":
            raise OSError(28, "No space left on device", str(path))
        save_picture(path, picture)

    translator, before = Translator(cycle_run), sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(translate, "save_picture", fails)
    with pytest.raises(ConfigError, match=r"^out=\S+/new/out: it cannot be written: No space left on device$"):
        translate_files(translator, Folder.named("in", str(folder)), tmp_path / "new" / "out")
    assert sorted(tmp_path.rglob("*")) == before


def test_each_picture_has_its_own_latent_in_batches_of_one_size(paired_run, folder, monkeypatch):
    """A generator that draws the latent's sign: in batches of two, each filled up, picture i shows that of latent i."""
    sizes = []

    class Sign(torch.nn.Linear):
        def forward(self, latents, source):
            sizes.append(len(source))
            return latents[:, :1, None, None].sign().expand(-1, 1, 8, 8)

    translator = Translator(paired_run)
    translator.network = Sign(1, 1)
    monkeypatch.setattr(translate, "_BATCH", 2)
    (folder / "d.png").unlink()
    found = translate_folder(translator, Folder.named("in", str(folder)))[:, 0, 0, 0]
    drawn = torch.randn(64, 100, generator=torch.Generator().manual_seed(derive(0, "translate")))
    assert torch.equal(found == 255, drawn[:3, 0] > 0)
    assert len(found.unique()) == 2
    assert sizes == [2, 2]


def test_pictures_in_files_fit_shapes_that_are_not_square(folder):
    """As `Run.translate` fits the same pixels: 4 high and 6 wide."""
    translator = object.__new__(Translator)
    translator.taken, translator.side_by_side = (3, 4, 6), False
    file = Folder.named("in", str(folder)).by_name()[Path("d")]
    assert torch.equal(translator.read(file), translator.fitted(pixels(folder / "d.png").permute(2, 0, 1)[None])[0])
    assert translator.read(file).shape == (3, 4, 6)


def test_of_pictures_of_two_images_the_source_alone_is_taken(tmp_path):
    """A run on side-by-side pictures: their middle would be half source and half target."""
    translator = object.__new__(Translator)
    translator.taken, translator.side_by_side = (1, 4, 4), True
    for name, width in (("source", 6), ("both", 8)):
        Image.new("L", (width, 4)).save(tmp_path / f"{name}.png")
    files = Folder.named("in", str(tmp_path)).by_name()
    assert translator.read(files[Path("source")]).shape == (1, 4, 4)
    with pytest.raises(ConfigError, match=r"both\.png is of two images side by side, as those of the run"):
        translator.read(files[Path("both")])


WRONG = {
    "out=new": "in=...: missing; gan-lab-translate --help explains it",
    "in=in": "out=...: missing; gan-lab-translate --help explains it",
    "in=nowhere out=new": "in=nowhere: nowhere cannot be read: No such file or directory; expected a folder of images",
    "in=in/a.png out=new": "in=in/a.png: it is a file, expected a folder of images",
    "in=empty out=new": "in=empty: it holds no images (.png, .jpg, .jpeg, .bmp, .webp, .tif, .tiff)",
    "in=in out=in": "out=in: it exists; name another",
    "in=in out=in/new": "out=in/new: it lies in in=in, whose pictures would then be more; expected another place",
    "in=in out=in/a.png/new": "out=in/a.png/new: in/a.png is a file, expected a folder",
    "in=twins out=new": "in=twins: twins/a.bmp and twins/a.png differ in their suffixes alone, expected one image of "
    "each name",
    "in=broken out=new": "in=broken: broken/a.png is not an image that can be read: its format is unknown",
    "in=in out=new back=true": "back=true: the run learned one direction alone; expected false, or a run of cyclegan",
    "in=in out=new back=2": "back=2: expected true or false",
    "in=in out=new seed=-1": "seed=-1: expected a whole number from 0 to 4294967295",
    "in=in out=new weights=best": "run=RUN: it has no checkpoints/best.ckpt yet; expected a run with "
    "checkpoint.best=METRIC",
    "in=in out=new weights=ema": "weights=ema: the run kept no moving average; expected generator or auto",
    "in=in out=new bakc=true": "bakc: there is no such key; did you mean 'back'? Allowed: allowed_targets, back, in, "
    "out, run, seed, weights",
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_words_are_told_in_a_sentence(paired_run, folder, monkeypatch, tmp_path, words):
    (tmp_path / "empty").mkdir()
    for name in ("twins", "broken"):
        shutil.copytree(folder / "sub", tmp_path / name)
    Image.open(folder / "a.png").save(tmp_path / "twins" / "a.bmp")
    (tmp_path / "broken" / "a.png").write_text("no picture")
    before = sorted(tmp_path.rglob("*"))
    said = refusal(monkeypatch, tmp_path, main, "gan-lab-translate", f"run={paired_run.path}", *words.split())
    assert said == f"gan-lab: {WRONG[words].replace('RUN', str(paired_run.path))}"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_run_that_translates_nothing_is_refused(calm, folder, monkeypatch, tmp_path):
    from configurations import composed_of
    from omegaconf import OmegaConf
    from training_runs import OFTEN, SMALL

    shutil.copytree(calm.path, tmp_path / "run", symlinks=True)
    (tmp_path / "run" / ".hydra").mkdir()
    OmegaConf.save(composed_of(*SMALL, *OFTEN), tmp_path / "run" / ".hydra" / "config.yaml")
    said = refusal(monkeypatch, tmp_path, main, "gan-lab-translate", "run=run", "in=in", "out=new")
    assert said == (
        "gan-lab: run=run: its generator takes no pictures to translate; expected a run of such as "
        "dataset=digits_edges, or gan-lab-sample, which draws samples"
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (torch.zeros(2, 1, 8, 8), "pictures: they are float32 [2, 1, 8, 8], expected a folder, or uint8 [N, C, H, W]"),
        (np.zeros((8, 8), np.uint8), "pictures: they are uint8 [8, 8], expected a folder, or uint8 [N, C, H, W]"),
        (torch.zeros(0, 1, 8, 8, dtype=torch.uint8), "pictures: they are uint8 [0, 1, 8, 8], expected a folder, or "
         "uint8 [N, C, H, W]"),
        (3, "pictures: they are int [], expected a folder, or uint8 [N, C, H, W]"),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_refused(paired_run, given, sentence):
    with pytest.raises(ConfigError) as error:
        Run(paired_run.path).translate(given)
    assert str(error.value) == sentence


def test_sampling_names_the_way_to_translate(paired_run, monkeypatch, tmp_path):
    said = refusal(monkeypatch, tmp_path, sample_main, "gan-lab-sample", f"run={paired_run.path}")
    assert said == (
        f"gan-lab: run={paired_run.path}: its generator translates pictures; expected gan-lab-translate run=RUN "
        "in=FOLDER out=FOLDER, or Run.translate"
    )


def test_the_end_of_a_run_names_the_command_that_fits(paired_run):
    config, result = paired_run.configuration.read(), paired_run.result()
    config.lr_schedule = "linear"  # of the others the command to make it longer is told, which needs Hydra's files
    words = ["run=x", "in=FOLDER", "out=FOLDER"]
    assert dict(_next_commands("x", result, paired_run, config))["samples"] == ["gan-lab-translate", *words]
    config.model.generator = {"_target_": "gan_lab.models.DCGANGenerator"}
    assert dict(_next_commands("x", result, paired_run, config))["samples"] == ["gan-lab-sample", "run=x"]
