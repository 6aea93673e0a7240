"""A small network from scratch: LeNet's size, the whole frame at once. It learns in minutes, on folders of hundreds.

LeCun and others, "Gradient-based learning applied to document recognition" (1998), with rectifiers, max pooling and
three colours.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from uncia.imaging.frames import FrameSpec
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
from uncia.training.networks.training_loop import LoopSettings, describe_epochs, predict_pictures, train_epochs
from uncia.triton_models.recipes.dense_pass import DensePass

Progress = Callable[[str, int, int], None]

CHECKPOINT = "small.pt"
_FEATURES = 84
_LEAST = 20
"""Pixels; two convolutions of 5 with their pooling leave nothing of less."""


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
        self.look = nn.Sequential(
            nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)
        )
        left = [((size - 4) // 2 - 4) // 2 for size in (spec.height, spec.width)]
        self.think = nn.Sequential(
            nn.Linear(16 * left[0] * left[1], 120), nn.ReLU(), nn.Linear(120, _FEATURES), nn.ReLU()
        )

    def forward(self, pixels: Tensor) -> Tensor:
        found: Tensor = self.think(self.look(pixels).flatten(1))
        return found[:, :, None, None]


def train_small(
    split: Split,
    settings: SmallSettings,
    seed: int,
    work: Path,
    progress: Progress = lambda what, done, total: None,
) -> TrainedModel:
    """Checkpoints lie in `work`; the same call goes on from there. Raises `TrainingError`."""
    classes = label_classes(split.train)
    if min(settings.width, settings.height) < _LEAST:
        raise TrainingError(f"a frame of {settings.width} x {settings.height} is too small: at least {_LEAST} each way")
    spec = FrameSpec(width=settings.width, height=settings.height, window=max(settings.width, settings.height))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        trunk, head = LeNetTrunk(spec), nn.Linear(_FEATURES, len(classes))
    network = DensePass(
        trunk,
        head,
        spec,
        step=1,
        mean=(127.0,) * 3,
        std=(64.0,) * 3,
        whole="windows",
        everywhere=frame_wide_classes(classes),
    )
    loop = LoopSettings(
        epochs=settings.epochs,
        patience=settings.patience,
        batch=settings.batch,
        rate=settings.rate,
        trunk_rate=settings.rate,
        augmentations=tuple(each for each in settings.augmentations if each != "plain"),
        seed=seed,
    )
    train, held_out, test = (list(with_known_labels(side, classes)) for side in split.subsets)
    curve, unreadable = train_epochs(
        network, list(trunk.parameters()), spec, classes, train, held_out, loop, work / CHECKPOINT, progress
    )
    return TrainedModel(
        network=network,
        spec=spec,
        classes=classes,
        held_out=predict_pictures(network, spec, classes, held_out, settings.batch, unreadable),
        test=predict_pictures(network, spec, classes, test, settings.batch, unreadable),
        curve=curve,
        curve_step="epoch",
        settings={
            "way": "a small network from scratch (LeNet's size), on whole frames",
            "augmentation": ", ".join(settings.augmentations),
            "learning rate": f"{settings.rate:g}",
            "batch": str(settings.batch),
            "epochs": describe_epochs(curve, settings.epochs),
        },
        weights="learnt from scratch",
        licence="as whoever trained it decides",
        unreadable=unreadable,
        notes=coverage_notes(split, classes),
    )
