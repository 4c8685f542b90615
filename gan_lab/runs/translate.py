"""Pictures translated by a run's generator."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from gan_lab.datasets.batch import Request
from gan_lab.datasets.dataset import to_model_range
from gan_lab.datasets.folders import File, Folder, naming
from gan_lab.datasets.image_files import UnfitImage, converted, described, open_image, pixels_of
from gan_lab.errors import ConfigError, shown
from gan_lab.metrics.evaluator import generate
from gan_lab.models.conditions import takes_source
from gan_lab.models.cyclegan import Reverse
from gan_lab.runs.building import check_arguments, named_by
from gan_lab.runs.checkpoints import checkpoint_of, load_checkpoint, load_generator
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.latents import latent_prior
from gan_lab.runs.making import remove_made
from gan_lab.seeds import derive
from gan_lab.storage.pictures import save_picture

_BATCH = 64
_MODES = {1: "L", 3: "RGB"}


def asks_for_sources(config: DictConfig) -> bool:
    """Whether the configured generator is built for images to translate."""
    return "source_shape" in named_by(check_arguments(config, "model.generator"))


def translates_back(config: DictConfig) -> bool:
    """Whether the configured algorithm trains translators of both directions."""
    return bool(check_arguments(config, "algorithm").translates_back)


class Translator:
    """A run's generator, for pictures of the size and the channels that it was trained on.

    The generator gets pictures in batches of one size, as its last digits may depend on that. Where its dropout is
    noise, that of picture i depends on the seed and on i alone.

    Args:
        folder: the run.
        back: translate samples into sources, of a run that learned both (CycleGAN).
        seed: of the latents.
        weights: as of `load_generator`.
        allowed_targets: as of `load_generator`.

    Attributes:
        taken: ``(C, H, W)`` of the pictures to translate.
        made: ``(C, H, W)`` of the translations.
        side_by_side: whether the run read its sources from pictures of two images.

    Raises:
        ConfigError: for a run that translates no pictures, or not back.
    """

    def __init__(
        self,
        folder: RunFolder,
        back: bool = False,
        seed: int = 0,
        weights: str = "auto",
        allowed_targets: Sequence[str] = (),
    ) -> None:
        self.config = folder.configuration.read(allowed_targets)
        generator = load_generator(folder, weights, allowed_targets)
        if not takes_source(generator):
            raise ConfigError(
                f"run={folder.path}: its generator takes no pictures to translate; expected a run of such as "
                "dataset=digits_edges, or gan-lab-sample, which draws samples"
            )
        if back and not translates_back(self.config):
            raise ConfigError("back=true: the run learned one direction alone; expected false, or a run of cyclegan")
        checkpoint = load_checkpoint(checkpoint_of(folder, weights))
        shapes = [tuple(checkpoint[f"{side}_shape"]) for side in ("source", "sample")]
        self.taken: tuple[int, ...] = shapes[back]
        self.made: tuple[int, ...] = shapes[not back]
        self.network: nn.Module = Reverse(generator) if back else generator
        self.seed = derive(seed, "translate")
        data = self.config.dataset
        self.side_by_side = data._target_.endswith(".pairs") and data.path is not None

    def translate(self, pictures: Tensor, latents: Tensor) -> Tensor:
        """Translations, uint8 ``[N, *made]``, of pictures, uint8 ``[N, *taken]``, and latents ``[N, latent_dim]``."""
        made = []
        for some, own in zip(pictures.split(_BATCH), latents.split(_BATCH), strict=True):
            filled = torch.arange(_BATCH).clamp(max=len(some) - 1)  # the last one again, up to a whole batch
            request = Request(own[filled], source=to_model_range(some[filled]))
            made.append(generate(self.network, request)[: len(some)])
        return torch.cat(made)

    def latents(self, count: int) -> Tensor:
        """The latents of the first pictures, ``[count, latent_dim]``."""
        return latent_prior(self.config).first(count, self.seed)

    def read(self, file: File) -> Tensor:
        """A picture in a file, uint8 ``taken``, converted if need be; errors are those of `naming`."""
        self._check_channels(str(file.folder))
        with naming(file):
            image = open_image(file.path)
            if self.side_by_side and image.width >= 2 * image.height * self.taken[2] / self.taken[1]:
                raise UnfitImage("is of two images side by side, as those of the run; expected the source alone")
            pixels = pixels_of(image, self.taken[0], (self.taken[2], self.taken[1]))
        return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)

    def fitted(self, pictures: Tensor) -> Tensor:
        """Pictures ``[N, C, H, W]`` uint8 as ``[N, *taken]``, converted as those in files are.

        Raises:
            ConfigError: for pictures that are neither grey nor colour, where they have to be converted.
        """
        if tuple(pictures.shape[1:]) == self.taken:
            return pictures
        height, width = pictures.shape[2:]
        self._check_channels("pictures")
        if pictures.shape[1] not in _MODES:
            said = described((height, width, pictures.shape[1]))
            raise ConfigError(f"pictures: they are {said}, expected 1 channel (grey) or 3 (colour)")
        size = (self.taken[2], self.taken[1])
        images = (Image.fromarray(one.permute(1, 2, 0).squeeze(-1).contiguous().numpy()) for one in pictures)
        made = [converted(image, _MODES[self.taken[0]], size) for image in images]
        return torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2)

    def _check_channels(self, what: str) -> None:
        """Raise ConfigError if pictures would have to be converted to other channels than grey or colour."""
        if self.taken[0] not in _MODES:
            raise ConfigError(
                f"{what}: the run was trained on pictures of {self.taken[0]} channels, expected an array of as many, "
                "for Run.translate"
            )


def as_pictures(given: Any) -> Tensor:
    """What a program hands over as pictures, an array or a tensor; ConfigError unless it is uint8 ``[N, C, H, W]``."""
    if isinstance(given, np.ndarray) and given.dtype == np.uint8:
        given = torch.from_numpy(np.ascontiguousarray(given))
    if not isinstance(given, Tensor) or given.dtype != torch.uint8 or given.ndim != 4 or not given.numel():
        kind = getattr(given, "dtype", type(given).__name__)
        said = f"{str(kind).removeprefix('torch.')} {list(getattr(given, 'shape', []))}"
        raise ConfigError(f"pictures: they are {said}, expected a folder, or uint8 [N, C, H, W]")
    return given.cpu()


def translate_files(translator: Translator, folder: Folder, out: Path) -> int:
    """Write the translation of each image in a folder under its name, as PNG, into a new folder; returns how many.

    The new folder appears once it is complete.

    Args:
        translator: translates.
        folder: read as `gan_lab.datasets.image_folder` reads one, with its subfolders.
        out: the new folder.

    Raises:
        ConfigError: if a file cannot be used, two have one name but for the suffix, or ``out`` cannot be written.
    """
    check_out(out, folder.path)
    check_written(translator)
    files = folder.by_name()
    with _complete(out) as place:
        for name, picture in _translated(translator, files):
            save_picture(place / name.parent / f"{name.name}.png", picture.permute(1, 2, 0).squeeze(-1).numpy())
    return len(files)


def translate_folder(translator: Translator, folder: Folder) -> Tensor:
    """The translations of the images in a folder, uint8 ``[N, *made]``, in the order of their names."""
    return torch.stack([picture for _, picture in _translated(translator, folder.by_name())])


def _translated(translator: Translator, files: Mapping[Path, File]) -> Iterator[tuple[Path, Tensor]]:
    latents, names = translator.latents(len(files)), list(files)
    with tqdm(total=len(names), desc="translating", delay=2, disable=None, leave=False) as bar:
        for start in range(0, len(names), _BATCH):
            chosen = names[start : start + _BATCH]
            pictures = torch.stack([translator.read(files[name]) for name in chosen])
            yield from zip(chosen, translator.translate(pictures, latents[start : start + _BATCH]), strict=True)
            bar.update(len(chosen))


def check_out(out: Path, within: Path | None = None) -> None:
    """Raise ConfigError for a folder that exists, cannot be made, or lies in that of the pictures."""
    if os.path.lexists(out):
        raise ConfigError(f"out={out}: it exists; name another")
    if above := [parent for parent in out.parents if parent.is_file()]:
        raise ConfigError(f"out={out}: {above[0]} is a file, expected a folder")
    if within is not None and within.resolve() in out.resolve().parents:
        raise ConfigError(
            f"out={out}: it lies in in={within}, whose pictures would then be more; expected another place"
        )


def check_written(translator: Translator) -> None:
    """Raise ConfigError for translations that a PNG cannot hold."""
    if translator.made[0] not in _MODES:
        raise ConfigError(
            f"out: the translations have {translator.made[0]} channels, which no PNG holds; expected Run.translate"
        )


@contextmanager
def _complete(out: Path) -> Iterator[Path]:
    """A folder to fill, which gets its name at the end; after an error it is removed."""
    absent = [parent for parent in out.parents if not parent.exists()]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".half", dir=out.parent))
        try:
            yield place
            umask = os.umask(0)
            os.umask(umask)
            place.chmod(0o777 & ~umask)  # mkdtemp lets the owner alone look
            place.rename(out)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            remove_made(absent)
            raise
    except OSError as error:
        raise ConfigError(f"out={shown(out)}: it cannot be written: {error.strerror}") from error
