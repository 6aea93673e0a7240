"""From a folder of recordings to the package of an audio classifier.

The package is made as that of an imported ONNX classifier of mel spectrograms is, so that `uncia models install` and
the worker `listen` take it.
"""

import tempfile
import warnings
from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from uncia.serving.labels import LabelSet
from uncia.serving.model_card import ModelCard
from uncia.sound.spec import SoundSpec
from uncia.training import TrainingError
from uncia.training.sound.evaluation import SoundFigures, choose_thresholds, evaluate
from uncia.training.sound.examples import Examples, Power, read_examples
from uncia.training.sound.folders import LabelledRecording, check_counts, read_sound_folder
from uncia.training.sound.network import CallNetwork, Epoch, SoundTraining, network_input, predict, train_network
from uncia.training.sound.splitting import SoundSplit, SplitBy, split_recordings
from uncia.triton_models.importing.sound_import import wrap_sound
from uncia.triton_models.packages.loading import PackageError, open_session
from uncia.triton_models.packages.validation import ModelRefused, validate_package
from uncia.triton_models.packages.writing import render_page, write_package

__all__ = ["SoundRecipe", "TrainedSound", "train_sound"]

Progress = Callable[[str, int, int], None]

_OPSET = 17
_COMPARED = 8
_TOLERANCE = 1e-4
_DEFAULT_THRESHOLD = 0.5
"""Of a class without a calibrated one, for the figures alone; `listen` then uses `UNCIA_LISTEN_THRESHOLD`."""


@dataclass(frozen=True)
class SoundRecipe:
    """What is trained, and on what."""

    spec: SoundSpec
    training: SoundTraining = field(default_factory=SoundTraining)
    split_by: SplitBy = "auto"
    precision: float = 0.9
    """Least precision of the thresholds on the windows of the validation side."""
    windows: int = 100
    """Windows of one recording, at the most."""
    seed: int = 0


@dataclass(frozen=True)
class TrainedSound:
    """A package and what is known of it."""

    folder: Path
    card: ModelCard
    figures: SoundFigures
    """On the test side."""
    split: SoundSplit
    epochs: list[Epoch]
    unusable: dict[Path, str]


def train_sound(
    folder: Path, out: Path, name: str, recipe: SoundRecipe, progress: Progress = lambda step, done, total: None
) -> TrainedSound:
    """Train on the recordings of a folder, and write the package `out`. Raises `TrainingError`; `out` is unchanged."""
    found = read_sound_folder(folder, name)
    unusable: dict[Path, str] = {}
    split, sides = _read(folder, found.recordings, recipe, unusable, progress)
    train, validation, test = sides
    classes = len(found.labels.classes)
    network, epochs = train_network(train, validation, classes, recipe.spec, recipe.training, recipe.seed, progress)
    chosen = choose_thresholds(predict(network, validation.power, recipe.spec), validation.truth, recipe.precision)
    labels = _with_thresholds(found.labels, chosen)
    figures = evaluate(predict(network, test.power, recipe.spec), test, chosen, _DEFAULT_THRESHOLD)
    page = _page(name, folder, recipe, labels, split, figures, epochs, unusable)
    progress("writing the package", 0, 0)
    card = _write(network, labels, recipe, out, name, page, test.power[:_COMPARED])
    return TrainedSound(out, card, figures, split, epochs, unusable)


def _read(
    folder: Path,
    recordings: tuple[LabelledRecording, ...],
    recipe: SoundRecipe,
    unusable: dict[Path, str],
    progress: Progress,
) -> tuple[SoundSplit, tuple[Examples, Examples, Examples]]:
    """The sides and their windows. What cannot be used is left out before the split."""
    everything = read_examples(recordings, recipe.spec, recipe.windows, unusable, progress)
    usable = tuple(one for one in recordings if one.path not in unusable)
    if lost := {one.folder for one in recordings} - {one.folder for one in usable}:
        first = next(one.path for one in recordings if one.folder in lost)
        raise TrainingError(f"no recording of {first.parent} can be used; {first.name}: {unusable[first]}")
    check_counts(usable, folder)
    split = split_recordings(usable, recipe.seed, recipe.split_by)
    number = {one.path: index for index, one in enumerate(recordings)}
    train, validation, test = (
        everything.of([number[one.path] for one in side]) for side in (split.train, split.validation, split.test)
    )
    return split, (train, validation, test)


def _with_thresholds(labels: LabelSet, chosen: list[float | None]) -> LabelSet:
    classes = tuple(
        entry.model_copy(update={"threshold": threshold})
        for entry, threshold in zip(labels.classes, chosen, strict=True)
    )
    return labels.model_copy(update={"classes": classes})


def _write(
    network: CallNetwork, labels: LabelSet, recipe: SoundRecipe, out: Path, name: str, page: str, sample: Power
) -> ModelCard:
    spec = recipe.spec
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "network.onnx"
        with warnings.catch_warnings():
            # The older exporter is used on purpose, as for networks of photographs, and it warns about that.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network,
                (torch.zeros(1, 1, spec.mels, spec.columns),),
                str(path),
                opset_version=_OPSET,
                dynamo=False,
                input_names=["spectrogram"],
                output_names=["logits"],
                dynamic_axes={"spectrogram": {0: "batch"}, "logits": {0: "batch"}},
            )
        try:
            graph = wrap_sound(path, spec, "sigmoid", "", len(labels.classes))
            _compare(network, open_session(graph), sample, spec)
            write_package(
                out,
                graph,
                model=name,
                frame=spec.frame,
                labels=labels,
                weights="trained from scratch",
                licence="to be chosen by the person who trained it",
                page=page,
                built_from=labels.source,
                sound=spec,
            )
            card = validate_package(out).card
        except (PackageError, ModelRefused) as error:
            raise TrainingError(f"the package could not be written: {error}") from error
    assert isinstance(card, ModelCard)
    return card


def _compare(network: CallNetwork, session: Any, sample: Power, spec: SoundSpec) -> None:
    """Raises `TrainingError` where the exported graph, given frames as `listen` sends them, differs from torch."""
    levels = (network_input(sample, spec).numpy() * 255).round().astype(np.uint8)
    frames = np.repeat(levels[:, 0, :, :, None], 3, axis=3)
    scores = session.run(["WHOLE"], {"FRAME": frames})[0]
    difference = float(np.abs(scores - predict(network, sample, spec)).max()) if len(sample) else 0.0
    if not difference <= _TOLERANCE:
        raise TrainingError(f"ONNX Runtime and torch differ by {difference:.2g}: nothing was written")


def _page(
    name: str,
    folder: Path,
    recipe: SoundRecipe,
    labels: LabelSet,
    split: SoundSplit,
    figures: SoundFigures,
    epochs: list[Epoch],
    unusable: dict[Path, str],
) -> str:
    spec, best = recipe.spec, min(epochs, key=lambda epoch: epoch.validation_loss)
    sides = {"training": split.train, "validation": split.validation, "test": split.test}
    rows: list[tuple[object, ...]] = [
        ("class", "taxon", "threshold", "test recordings", "right", "test windows", "heard", "false")
    ]
    for entry, own in zip(labels.classes, figures.classes, strict=True):
        threshold = "none" if entry.threshold is None else f"{entry.threshold:g}"
        rows.append((entry.label, entry.taxon, threshold, *astuple(own)))
    settings = [
        ("field", "value"),
        ("recordings", ", ".join(f"{len(side)} {what}" for what, side in sides.items())),
        ("split by", split.by),
        ("windows", f"{spec.window_s:g} s at {spec.sample_rate:,} Hz, every {spec.hop_s:g} s"),
        ("frequencies", f"{spec.low_hz:g} to {spec.high_hz:g} Hz in {spec.mels} mel bands"),
        ("precision", f"at least {recipe.precision:g} on the windows of the validation side"),
        ("epochs", f"{epochs[-1].number} of at most {recipe.training.epochs}; weights of epoch {best.number}"),
        ("seed", str(recipe.seed)),
    ]
    text = [
        f"Trained on the recordings of {folder.resolve().name}. {figures.accuracy:.1%} of {figures.recordings} "
        "recordings that were held back are right: the class with the highest score of all windows is theirs.",
        f"In {figures.background_heard} of {figures.background_windows} held-back windows of background a class was "
        "heard. At other places and with other recorders the figures are lower: listen to some of what is reported.",
    ]
    tables: dict[str, list[tuple[object, ...]]] = {"Test": rows, "Training": list(settings)}
    if unusable:
        tables["Left out"] = [("file", "why"), *((path.name, why) for path, why in sorted(unusable.items()))]
    return render_page(name, text, tables)
