"""What the pictures of translations and of auto-encoders show, and that looking changes no training."""

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from training_runs import weights_of
from translators import trained

from gan_lab.callbacks import views
from gan_lab.datasets import digits, digits_edges
from gan_lab.metrics.evaluator import generate
from gan_lab.runs.checkpoints import load_generator, load_player
from gan_lab.runs.latents import fixed_request, latent_prior
from gan_lab.seeds import derive
from gan_lab.storage.pictures import draw_grid, draw_groups
from gan_lab.training.pictures import interpolations


def shown(folder, name) -> np.ndarray:
    return np.asarray(Image.open(folder.samples / name))


def made_by(network, *inputs) -> torch.Tensor:
    """The pixels of what a network makes."""
    with torch.no_grad():
        return ((network(*inputs) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def in_range(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.float() / 127.5 - 1


def alike(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Whether pictures are equal but for two levels: another size of batch rounds otherwise, and enlarging adds."""
    return found.shape == wanted.shape and np.abs(found.astype(int) - wanted.astype(int)).max() <= 2


def test_pairs_show_source_translation_and_target(paired_run):
    data = digits_edges()
    request = fixed_request(paired_run.configuration.read(), "samples", 6, None, data.source.test)
    made = generate(load_generator(paired_run, "auto"), request)
    for name in ("final.png", "iteration_0000002.png"):
        assert alike(shown(paired_run, name), draw_groups([data.source.test[:6], made, data.test[:6]]))
    assert not alike(shown(paired_run, "final.png"), draw_groups([data.source.test[:6], made, data.test[1:7]]))
    events = EventAccumulator(str(paired_run.path)).Reload()
    assert events.Tags()["images"] == ["samples"]
    shown_there = events.Images("samples")[-1]
    assert shown_there.encoded_image_string == (paired_run.samples / "final.png").read_bytes()
    assert (shown_there.height, shown_there.width, 3) == shown(paired_run, "final.png").shape


def test_cycles_show_source_translation_and_what_comes_back(cycle_run):
    both, sources = load_generator(cycle_run, "ema"), digits_edges().source.test[:6]
    made = made_by(both.to_sample, None, in_range(sources))
    back = made_by(both.to_source, None, in_range(made))
    assert alike(shown(cycle_run, "final.png"), draw_groups([sources, made, back]))


@pytest.fixture(scope="module")
def encoding(tmp_path_factory):
    """A run of VAE/GAN."""
    words = ["dataset=digits", "model=vae_gan", "model.encoder.channels=4"]
    return trained(tmp_path_factory.mktemp("encoding") / "run", *words)


def test_auto_encoders_show_reconstructions_and_interpolations(encoding):
    """Rows lie on the line between the means that the encoder gives two neighbours among the held-out pictures."""
    test, generator = digits_edges().test[:16], load_generator(encoding, "auto")
    with torch.no_grad():
        means = load_player(encoding, "encoder")(in_range(test))[0]
    rows = []
    for first in range(0, 16, 2):
        way = [means[first] + (means[first + 1] - means[first]) * step / 7 for step in range(8)]
        rows += [test[first : first + 1], made_by(generator, torch.stack(way)), test[first + 1 : first + 2]]
    again = made_by(generator, means[:6])
    assert alike(shown(encoding, "reconstructions.png"), draw_groups([test[:6], again]))
    assert alike(shown(encoding, "interpolations.png"), draw_grid(torch.cat(rows), 10))
    events = EventAccumulator(str(encoding.path)).Reload()
    assert sorted(events.Tags()["images"]) == ["interpolations", "reconstructions", "samples"]


@pytest.mark.parametrize("words", [["dataset=digits_edges", "model=cyclegan", "model.generator.blocks=1"],
                                   ["dataset=digits", "model=vae_gan", "model.encoder.channels=4"],
                                   ["dataset=digits_edges", "model=unet"]])  # fmt: skip
def test_looking_changes_no_training(tmp_path, words):
    often, never = (trained(tmp_path / str(every), *words, f"pictures.every={every}") for every in (1, 2))
    assert len(list(often.samples.glob("iteration_*"))) == 2
    assert all(torch.equal(one, weights_of(never)[name]) for name, one in weights_of(often).items())


class Brightness:
    """An encoder whose latent is a picture's brightness, and a generator of grey pictures, or of its label."""

    class Encoder(torch.nn.Linear):
        def forward(self, samples):
            return samples.mean((2, 3)), None

    class Generator(torch.nn.Linear):
        def forward(self, latents):
            return latents[:, :, None, None].expand(-1, 1, 8, 8)

    class Labelled(torch.nn.Linear):
        def forward(self, latents, labels):
            return (labels[:, None, None, None] / 127.5 - 1).expand(-1, 1, 8, 8)

    def __init__(self, labelled=False):
        self.inference = self.Encoder(1, 1)
        self.sampler = self.Labelled(1, 1) if labelled else self.Generator(1, 1)


def grey(level: int) -> torch.Tensor:
    return torch.full((1, 1, 8, 8), level, dtype=torch.uint8)


def row_of(picture: np.ndarray) -> list[int]:
    """The levels across the middle of a picture, but for white."""
    middle = picture[picture.shape[0] // 2, :, 0].tolist()
    return list(dict.fromkeys(level for level in middle if level != 255))


def test_rows_go_from_the_start_to_the_end():
    """Seven steps of 10 levels."""
    ends = views.Batch(grey(20)), views.Batch(grey(90))
    assert row_of(views.Interpolations(*ends)(Brightness())) == [20, 30, 40, 50, 60, 70, 80, 90]
    pictures = torch.cat([grey(20), grey(90)])
    drawn = views.Reconstructions(views.Batch(pictures))(Brightness())
    assert np.array_equal(drawn, draw_groups([pictures, pictures]))


def test_each_end_of_a_row_has_its_own_label():
    """Four steps of the first class and four of the second."""
    ends = [views.Batch(grey(0), torch.tensor([label])) for label in (40, 90)]
    picture = views.Interpolations(*ends)(Brightness(labelled=True))
    assert row_of(picture) == [0, 40, 90]
    middle = picture[picture.shape[0] // 2, :, 0]
    assert (middle == 40).sum() == (middle == 90).sum()


# ---- interpolations of generators without an encoder ----


def test_rows_go_from_one_latent_to_another_and_keep_their_class(composed):
    dataset, config = digits(), composed("dataset=digits", "conditional=projection")
    view = interpolations(config, dataset)
    latents, labels = view.request.latents.unflatten(0, (8, 8)), view.request.labels.unflatten(0, (8, 8))
    ends = latent_prior(config).first(16, derive(config.seed, "interpolations"))
    assert torch.allclose(latents[:, 0], ends[0::2], atol=1e-5)
    assert torch.allclose(latents[:, -1], ends[1::2], atol=1e-5)
    assert labels.tolist() == [[label] * 8 for label in range(8)]
    assert interpolations(composed("dataset=digits"), dataset).columns == 8


def test_they_are_drawn_once_training_is_over(calm, stopped):
    assert (calm.samples / "interpolations.png").is_file()
    assert not (stopped / "samples" / "interpolations.png").exists()
    assert list((stopped / "samples").glob("iteration_*"))
