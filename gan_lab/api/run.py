"""`gan_lab.Run`."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from gan_lab.api.calls import as_path, as_plain, as_whole, called, check_direction
from gan_lab.api.html import of_run
from gan_lab.api.launch import launch
from gan_lab.api.tables import Curve, Curves
from gan_lab.cli.sample import MOST
from gan_lab.errors import ConfigError, shown
from gan_lab.report.reading import read_run
from gan_lab.report.sample_pictures import BROKEN
from gan_lab.runs.folder import RunFolder

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

    from gan_lab.runs.sample import Samples


class Run:
    """A run: what was asked for, how it went, what came of it.

    Nothing is kept: every property and method reads the folder again, so that a run can be followed while it trains.

    Args:
        folder: the run's.
        config_dir: the folder of YAML files that it was begun with, if it is to go on.
        allowed_targets: packages of your own whose classes its configuration may name.

    Raises:
        ConfigError: if there is no run in the folder, or a link leads out of it.
    """

    def __init__(
        self,
        folder: str | PathLike[str],
        *,
        config_dir: str | PathLike[str] | None = None,
        allowed_targets: Sequence[str] = (),
    ) -> None:
        with called(allowed_targets):
            self._records = RunFolder.existing(as_path("folder", folder).absolute(), key="folder")
            if config_dir is not None:
                as_path("config_dir", config_dir)
        self._config_dir, self._allowed = config_dir, allowed_targets

    @property
    def folder(self) -> Path:
        """The run's folder, absolute."""
        return self._records.path

    @property
    def config(self) -> DictConfig:
        """The configuration, resolved."""
        with called(self._allowed):
            return self._records.configuration.read(self._allowed)

    @property
    def status(self) -> dict[str, Any]:
        """The content of ``status.json``; ``status["state"]`` is ``running``, ``done``, ``diverged`` …"""
        with called():
            return self._records.status()

    @property
    def result(self) -> dict[str, Any]:
        """The content of ``result.json``: metrics, their floor, the verdict, the budget.

        Raises:
            ConfigError: if the run is not done.
        """
        with called():
            if not self._records.result_file.exists():
                state = self._records.status()["state"]
                raise ConfigError(f"{self.folder}: no result yet, as the run is {state}; resume() goes on with it")
            return self._records.result()

    @property
    def metrics(self) -> dict[str, float]:
        """The final value of each metric; the errors are those of `result`."""
        metrics: dict[str, float] = self.result["metrics"]
        return metrics

    def curves(self) -> Curves:
        """The curves in ``metrics.csv``: a dictionary of arrays, whose ``to_pandas()`` makes a DataFrame."""
        import numpy as np

        with called():
            curves = self._records.curves()
        made = Curves()
        for name, points in curves.items():
            iterations = sorted(points)
            values = np.array([points[iteration] for iteration in iterations], dtype=np.float64)
            made[name] = Curve(np.array(iterations, dtype=np.int64), values)
        return made

    @property
    def picture(self) -> "Image":
        """The final picture of samples; of a run that is not done, the newest one.

        Raises:
            ConfigError: if there is none, or it cannot be read.
        """
        from PIL import Image

        with called():
            folder = self._records.samples
            final, others = [*folder.glob("final.png")], sorted(folder.glob("iteration_*.png"))
            done = self._records.status()["state"] == "done"
            found = [*others, *final] if done else [*final, *others]  # made longer, a run has its former final picture
            if not found:
                raise ConfigError(f"{folder}: no picture yet")
            try:
                picture = Image.open(found[-1], formats=("PNG",))
                picture.load()
            except (*BROKEN, Image.DecompressionBombError) as error:
                raise ConfigError(f"{found[-1]}: it cannot be read as a PNG picture") from error
            return picture

    def generator(self, weights: str = "auto") -> "nn.Module":
        """The generator of the last or the best checkpoint, on the CPU in eval mode.

        It maps latents ``[N, latent_dim]``, and labels and sources if it takes them, to samples.

        Args:
            weights: ``generator``; ``ema``, its moving average, with BatchNorm statistics of its own; ``best``, those
                selected on validation samples (``checkpoint.best``); or ``auto``, the average if the run kept one.

        Raises:
            ConfigError: if there is no checkpoint yet, or it has no such weights.
        """
        with called(self._allowed):
            import gan_lab.storage.plotting  # noqa: F401  # before Lightning and matplotlib
            from gan_lab.runs.checkpoints import load_generator

            return load_generator(self._records, weights, self._allowed)

    def discriminator(self) -> "nn.Module":
        """The discriminator of the last checkpoint, on the CPU in eval mode: samples in model range to logits.

        Pixels are from −1 to 1, as the generator makes them.

        Raises:
            ConfigError: if there is no checkpoint yet.
        """
        with called(self._allowed):
            import gan_lab.storage.plotting  # noqa: F401  # before Lightning and matplotlib
            from gan_lab.runs.checkpoints import load_player

            return load_player(self._records, "discriminator", self._allowed)

    def sample(
        self,
        n: int,
        labels: int | Sequence[int] | None = None,
        seed: int = 0,
        weights: str = "auto",
        truncation: float | None = None,
    ) -> "Samples":
        """Samples, as ``gan-lab-sample`` draws them.

        Args:
            n: how many.
            labels: the classes to draw, one after the other and again from the beginning, or one for all; None draws
                all in turn. Of a generator without labels: None.
            seed: of the latents.
            weights: as of `generator`.
            truncation: as of ``gan-lab-sample``; None for none.

        Returns:
            ``values``, uint8 pixels ``[N, C, H, W]`` or points ``[N, D]``, and ``labels``, ``[N]`` int64 or None.

        Raises:
            ConfigError: for values that cannot be, or if there is no checkpoint yet.
        """
        with called(self._allowed):
            n, seed = as_whole("n", n, 1, MOST), as_whole("seed", seed, 0, 2**32 - 1)
            import gan_lab.storage.plotting  # noqa: F401  # before Lightning and matplotlib
            from gan_lab.runs.sample import sample

            listed = as_plain(labels)
            asked = listed if listed is None or isinstance(listed, Sequence) else [listed]
            return sample(self._records, n, 0, weights, seed, self._allowed, asked, as_plain(truncation))

    def translate(self, pictures: Any, back: bool = False, seed: int = 0, weights: str = "auto") -> "Tensor":
        """Translations of pictures, as ``gan-lab-translate`` makes them.

        Args:
            pictures: a folder of images, read in the order of their names, or an array or tensor, uint8
                ``[N, C, H, W]``. Each gets the size and the channels that the run was trained on.
            back: translate samples into sources, of a run of CycleGAN.
            seed: of the latents, where the generator's dropout is noise.
            weights: as of `generator`.

        Returns:
            uint8 pixels ``[N, C, H, W]``.

        Raises:
            ConfigError: for values that cannot be, a run that translates nothing, or if there is no checkpoint yet.
        """
        with called(self._allowed):
            seed = as_whole("seed", seed, 0, 2**32 - 1)
            check_direction(back)
            import gan_lab.storage.plotting  # noqa: F401  # before Lightning and matplotlib
            from gan_lab.datasets.folders import Folder
            from gan_lab.runs.translate import Translator, as_pictures, translate_folder

            translator = Translator(self._records, back, seed, weights, self._allowed)
            if isinstance(pictures, str | PathLike):
                return translate_folder(translator, Folder.named("pictures", str(pictures)))
            given = translator.fitted(as_pictures(pictures))
            return translator.translate(given, translator.latents(len(given)))

    def evaluate(self, *overrides: str, weights: str = "auto") -> dict[str, Any]:
        """The metrics of the last checkpoint, as ``gan-lab-evaluate`` computes them and adds them to ``result.json``.

        Args:
            overrides: of the evaluation, such as ``"evaluation/extractor=pixels", "evaluation.samples=1000"``; without
                them the run is measured as it was in training.
            weights: as of `generator`.

        Returns:
            ``run``, ``fingerprint``, ``metrics``, ``floor``, ``ceiling`` and ``signals``.

        Raises:
            ConfigError: if there is no checkpoint yet, or the run cannot be measured so.
        """
        with called(self._allowed):
            for word in overrides:
                if not isinstance(word, str) or not word.startswith(("evaluation.", "evaluation/")):
                    raise ConfigError(
                        f"{shown(word)}: expected overrides of the evaluation, such as 'evaluation/extractor=pixels'"
                    )
            import gan_lab.storage.plotting  # noqa: F401  # before Lightning and matplotlib
            from gan_lab.runs.evaluate import evaluate_run

            return evaluate_run(self._records, weights, list(overrides), self._allowed)

    def export(self, out: str | Path, weights: str = "auto", back: bool = False) -> Path:
        """Write the generator to a new file for other programs, as ``gan-lab-export`` does.

        Args:
            out: ``NAME.pt2``, ``NAME.onnx`` or ``NAME.safetensors``.
            weights: as of `generator`.
            back: of a run of cyclegan, the translator of its samples into its sources.

        Returns:
            The file.

        Raises:
            ConfigError: if it cannot be written so, or there is no checkpoint yet.
        """
        with called(self._allowed):
            check_direction(back)
            import gan_lab.storage.plotting  # noqa: F401  # before Lightning and matplotlib
            from gan_lab.runs.export import export

            return export(self._records, as_path("out", out), weights, self._allowed, back)

    def resume(self, *overrides: str, iterations: int | None = None) -> "Run":
        """Go on with a run that was stopped, or make one that is done longer; as ``gan-lab resume=RUN`` does.

        Args:
            overrides: what is to change, of the keys that may (docs/resuming.md).
            iterations: train until so many are done in all; None for as many as the run was begun with.

        Returns:
            The run, which is done.

        Raises:
            ConfigError: if it cannot go on so.
            Diverged: as of `gan_lab.train`.
        """
        if named := [word for word in overrides if str(word).partition("=")[0].lstrip("+") == "resume"]:
            raise ConfigError(f"{shown(named[0])}: expected none, as the run goes on in its own folder")
        words = [f"resume={self.folder}", *overrides]
        if iterations is not None:
            words.append(f"iterations={iterations}")
        launch(words, None, self._config_dir, self._allowed)
        return Run(self.folder, config_dir=self._config_dir, allowed_targets=self._allowed)

    def __repr__(self) -> str:
        return f"gan_lab.Run('{shown(self.folder)}')"

    def _repr_html_(self) -> str:
        return of_run(read_run(self.folder, shown(self.folder.name)))
