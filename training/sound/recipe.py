"""A small convolutional network on mel spectrograms, trained on folders of recordings named by class.

One window of each recording is used: that with the most energy above its background. Recordings of a folder are
divided into training and held-out ones; the accuracy is that on the held-out ones, which no augmentation touches.
"""

import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from uncia.camtrap.vocabulary import group_of
from uncia.errors import PermanentError
from uncia.serving.labels import Group, LabelClass, LabelSet
from uncia.sound.recording import Recording, Samples
from uncia.sound.spec import SoundSpec
from uncia.sound.spectrogram import spectrogram_levels
from uncia.sound.windows import cut_windows, resampled
from uncia.storage.recording_names import is_recording_name
from uncia.training import TrainingError
from uncia.training.sound.augmentation import augmented
from uncia.triton_models.importing.sound_import import wrap_sound
from uncia.triton_models.packages.loading import model_name_for
from uncia.triton_models.packages.writing import render_page, write_package

__all__ = ["SoundResult", "SoundSettings", "train_sound"]

_HELD_OUT = 4
"""Every fourth recording of a class is held out."""
_BATCH = 32
_WIDTHS = (1, 16, 32, 64)
"""Channels of the maps; each layer halves their sides."""
_OPSET = 17
_NOT_A_CALL = frozenset({"noise", "silence", "wind", "rain"})
"""Class names of the group `nothing`, in addition to those of the vocabulary."""

_SPEC = SoundSpec(sample_rate=22_050, window_s=3.0, hop_s=1.5, high_hz=10_000)

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class SoundSettings:
    """How to train."""

    epochs: int = 30
    rate: float = 2e-3
    seed: int = 0
    spec: SoundSpec = _SPEC


@dataclass(frozen=True)
class SoundResult:
    """What was trained, and how it does on held-out recordings."""

    classes: tuple[str, ...]
    trained_on: int
    held_out: int
    accuracy: float
    recall: dict[str, float]
    """By class."""
    unreadable: tuple[str, ...]


@dataclass(frozen=True)
class _Clips:
    samples: list[Samples]
    labels: NDArray[np.int64]


class SoundNetwork(nn.Module):
    """In: float32 (B, 1, mels, columns) from 0 to 1. Out: logits (B, classes).

    The loudest column counts, wherever it is; the rows stay apart, because the frequency of a call matters.
    """

    def __init__(self, classes: int, spec: SoundSpec) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for wide_in, wide_out in pairwise(_WIDTHS):
            blocks += [nn.Conv2d(wide_in, wide_out, 3, padding=1), nn.BatchNorm2d(wide_out), nn.ReLU(), nn.MaxPool2d(2)]
        self.maps = nn.Sequential(*blocks)
        self.scores = nn.Linear(_WIDTHS[-1] * (spec.mels >> (len(_WIDTHS) - 1)), classes)

    def forward(self, pictures: Tensor) -> Tensor:
        maps: Tensor = self.maps(pictures)
        logits: Tensor = self.scores(maps.amax(dim=3).flatten(1))
        return logits


def train_sound(
    source: Path, out: Path, settings: SoundSettings, progress: Progress = lambda step, done, total: None
) -> SoundResult:
    """Train on `source/<class>/*.wav|flac`, and write a package to `out`. Raises `TrainingError` and `PackageError`."""
    names = tuple(sorted(path.name for path in source.iterdir() if path.is_dir() and not path.name.startswith(".")))
    if len(names) < 2:
        raise TrainingError(f"{source} needs a folder for each of at least two classes")
    unreadable: list[str] = []
    train, held_out = _load(source, names, settings.spec, unreadable, progress)
    network = _fit(train, len(names), settings, progress)
    found = _predict(network, held_out.samples, settings.spec).argmax(axis=1)
    correct = found == held_out.labels
    result = SoundResult(
        classes=names,
        trained_on=len(train.samples),
        held_out=len(held_out.samples),
        accuracy=float(correct.mean()),
        recall={name: float(correct[held_out.labels == index].mean()) for index, name in enumerate(names)},
        unreadable=tuple(unreadable),
    )
    _write(network, names, settings, result, out)
    return result


def _load(
    source: Path, names: Sequence[str], spec: SoundSpec, unreadable: list[str], progress: Progress
) -> tuple[_Clips, _Clips]:
    subsets: tuple[list[tuple[Samples, int]], list[tuple[Samples, int]]] = ([], [])
    for index, name in enumerate(names):
        progress("reading", index, len(names))
        clips = []
        for path in sorted(path for path in (source / name).iterdir() if is_recording_name(path.name)):
            try:
                clips.append(loudest_window(path, spec))
            except PermanentError as error:
                unreadable.append(f"{path}: {error}")
        if len(clips) < _HELD_OUT:
            raise TrainingError(
                f"{source / name} has {len(clips)} readable recordings; at least {_HELD_OUT} are needed"
            )
        for number, samples in enumerate(clips):
            subsets[number % _HELD_OUT == 0].append((samples, index))
    train, held_out = (
        _Clips([samples for samples, _ in subset], np.array([index for _, index in subset], np.int64))
        for subset in subsets
    )
    return train, held_out


def loudest_window(path: Path, spec: SoundSpec) -> Samples:
    """The window of a recording that stands out most from its background. Raises `PermanentError`."""
    with path.open("rb") as file:
        recording = Recording(file, path.stat().st_size)
        windows = cut_windows(recording.blocks(), recording.sample_rate, spec)
        sounds = (resampled(window, recording.sample_rate, spec) for window in windows)
        return max(sounds, key=lambda samples: int(spectrogram_levels(samples, spec).sum()))


def _fit(train: _Clips, classes: int, settings: SoundSettings, progress: Progress) -> SoundNetwork:
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    network = SoundNetwork(classes, settings.spec)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.rate)
    # Rare classes count as much as frequent ones.
    counts = np.bincount(train.labels, minlength=classes)
    loss_of = nn.CrossEntropyLoss(weight=torch.tensor(counts.mean() / counts, dtype=torch.float32))
    by_class = [[train.samples[at] for at in np.flatnonzero(train.labels == index)] for index in range(classes)]
    network.train()
    for epoch in range(settings.epochs):
        progress("training", epoch, settings.epochs)
        order = rng.permutation(len(train.samples))
        # Batch normalisation needs two of a batch.
        for batch in np.array_split(order, max(1, len(order) // _BATCH)):
            sounds = [augmented(train.samples[at], by_class[train.labels[at]], rng) for at in batch]
            optimizer.zero_grad()
            loss = loss_of(network(_pictures(sounds, settings.spec)), torch.from_numpy(train.labels[batch]))
            loss.backward()
            optimizer.step()
    return network.eval()


def _predict(network: SoundNetwork, samples: Sequence[Samples], spec: SoundSpec) -> NDArray[np.float32]:
    with torch.no_grad():
        scores: NDArray[np.float32] = network(_pictures(samples, spec)).numpy()
    return scores


def _pictures(samples: Sequence[Samples], spec: SoundSpec) -> Tensor:
    levels = np.stack([spectrogram_levels(one, spec) for one in samples])
    return torch.from_numpy(levels[:, None].astype(np.float32) / 255)


def _write(
    network: SoundNetwork, names: Sequence[str], settings: SoundSettings, result: SoundResult, out: Path
) -> None:
    spec, model = settings.spec, model_name_for(out)
    labels = LabelSet(
        name=model.replace("_", "-"),
        source="folders of recordings",
        classes=tuple(
            LabelClass(index=index, label=name, taxon=_taxon(name), group=_group(name))
            for index, name in enumerate(names)
        ),
    )
    with tempfile.TemporaryDirectory(prefix="uncia-sound-") as folder:
        path = Path(folder) / "network.onnx"
        example = torch.zeros(2, 1, spec.mels, spec.columns)
        with warnings.catch_warnings():
            # The older exporter, as for all graphs of Uncia; it warns about itself.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network,
                (example,),
                str(path),
                input_names=["spectrogram"],
                output_names=["logits"],
                dynamic_axes={"spectrogram": {0: "batch"}, "logits": {0: "batch"}},
                opset_version=_OPSET,
                dynamo=False,
            )
        graph = wrap_sound(path, spec, "logits", "", len(names))
    rows = [
        ("class", "recall on held-out recordings"),
        *((name, f"{value:.2f}") for name, value in result.recall.items()),
    ]
    text = [
        f"A small network on mel spectrograms, trained on {result.trained_on} recordings; accuracy "
        f"{result.accuracy:.3f} on {result.held_out} held-out ones. Its scores are not calibrated."
    ]
    write_package(
        out,
        graph,
        model=model,
        frame=spec.frame,
        labels=labels,
        weights="trained from scratch",
        licence="to be chosen by the person who trained it",
        page=render_page(model, text, {"Classes": rows}),
        sound=spec,
    )


def _group(name: str) -> Group:
    return "nothing" if name.lower() in _NOT_A_CALL else group_of(name)


def _taxon(name: str) -> str:
    return "" if _group(name) == "nothing" else name
