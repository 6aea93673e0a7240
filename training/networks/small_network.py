"""A small network from scratch: LeNet's size, the whole frame at once. It trains in minutes, on folders of hundreds.

LeCun and others, "Gradient-based learning applied to document recognition" (1998), with rectifiers, max pooling and
three colours.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.labels import LabelClass
from uncia.training import TrainingError
from uncia.training.datasets.splits import Split
from uncia.training.features.inputs import Augmentation
from uncia.training.model_packages.trained_model import (
    TrainedModel,
    coverage_notes,
    frame_wide_classes,
    label_classes,
    with_known_labels,
)
from uncia.training.networks.training_loop import (
    LoopSettings,
    TrainingData,
    describe_epochs,
    predict_samples,
    train_epochs,
)
from uncia.triton_models.recipes.dense_pass import DensePass

Progress = Callable[[str, int, int], None]

CHECKPOINT = "small.pt"
_FEATURES = 84
_MIN_SIDE = 20
"""Pixels; two convolutions of 5 with their pooling leave nothing of a smaller frame."""


@dataclass(frozen=True)
class SmallSettings:
    """How to train a small network."""

    width: int = 64
    height: int = 48
    epochs: int = 40
    patience: int = 8
    batch: int = 32
    rate: float = 1e-3
    augmentations: tuple[Augmentation, ...] = ("plain", "mirror")


class LeNetTrunk(nn.Module):
    """In: float32 (B, 3, height, width). Out: (B, 84, 1, 1)."""

    def __init__(self, spec: FrameSpec) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)
        )
        rows, columns = (((size - 4) // 2 - 4) // 2 for size in (spec.height, spec.width))
        self.layers = nn.Sequential(
            nn.Linear(16 * rows * columns, 120), nn.ReLU(), nn.Linear(120, _FEATURES), nn.ReLU()
        )

    def forward(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.layers(self.convolutions(pixels).flatten(1))
        return features[:, :, None, None]


def train_small(
    split: Split,
    settings: SmallSettings,
    seed: int,
    work: Path,
    progress: Progress = lambda step, done, total: None,
) -> TrainedModel:
    """Train. Checkpoints are in the folder `work`, from which the same call resumes. Raises `TrainingError`."""
    classes = label_classes(split.train)
    if min(settings.width, settings.height) < _MIN_SIDE:
        raise TrainingError(
            f"a frame of {settings.width} x {settings.height} is too small: at least {_MIN_SIDE} x {_MIN_SIDE} pixels"
        )
    spec = FrameSpec(width=settings.width, height=settings.height, window=max(settings.width, settings.height))
    network = _new_network(spec, classes, seed)
    loop = LoopSettings(
        epochs=settings.epochs,
        patience=settings.patience,
        batch=settings.batch,
        rate=settings.rate,
        trunk_rate=settings.rate,
        augmentations=tuple(name for name in settings.augmentations if name != "plain"),
        seed=seed,
    )
    train, held_out, test = (with_known_labels(subset, classes) for subset in split.subsets)
    data = TrainingData(spec, classes, train, held_out)
    curve, unreadable = train_epochs(network, list(network.trunk.parameters()), data, loop, work / CHECKPOINT, progress)
    return TrainedModel(
        network=network,
        spec=spec,
        classes=classes,
        held_out=predict_samples(network, data, held_out, settings.batch, unreadable),
        test=predict_samples(network, data, test, settings.batch, unreadable),
        curve=curve,
        curve_step="epoch",
        # The keys are part of the JSON output of `uncia train`.
        settings={
            "way": "a small network from scratch (LeNet's size), on whole frames",
            "augmentation": ", ".join(settings.augmentations),
            "learning rate": f"{settings.rate:g}",
            "batch": str(settings.batch),
            "epochs": describe_epochs(curve, settings.epochs),
        },
        weights="trained from scratch",
        licence="to be chosen by the person who trained it",
        unreadable=unreadable,
        notes=coverage_notes(split, classes),
    )


def _new_network(spec: FrameSpec, classes: tuple[LabelClass, ...], seed: int) -> DensePass:
    """A network whose initial weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        trunk, head = LeNetTrunk(spec), nn.Linear(_FEATURES, len(classes))
    return DensePass(
        trunk,
        head,
        spec,
        feature_stride=1,
        mean=(127.0,) * 3,
        std=(64.0,) * 3,
        whole="windows",
        frame_wide=frame_wide_classes(classes),
    )
