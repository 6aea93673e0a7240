"""Fine-tuning: train a head first, then the network's last blocks, or all of them, together with it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from uncia.training import TrainingError
from uncia.training.datasets.splits import Split
from uncia.training.features.backbone import Backbone
from uncia.training.heads.training import HeadSettings, served_spec, train_head
from uncia.training.model_packages.trained_model import TrainedModel, with_known_labels
from uncia.training.networks.frozen_prefix import split_network
from uncia.training.networks.training_loop import (
    LoopSettings,
    TrainingData,
    describe_epochs,
    predict_samples,
    train_epochs,
)

Progress = Callable[[str, int, int], None]

CHECKPOINT = "fine-tune.pt"


@dataclass(frozen=True)
class FineTuneSettings:
    """How to fine-tune."""

    head: HeadSettings = field(default_factory=HeadSettings)
    """The head to start from. Its input mode, cut and frame are those of the result."""
    blocks: int | None = 3
    """How many of the last blocks are trained; None: all."""
    epochs: int = 20
    patience: int = 4
    batch: int = 16
    rate: float = 1e-3
    """Learning rate of the head."""
    trunk_rate: float = 1e-4
    """Learning rate of the blocks."""


def fine_tune(
    split: Split,
    backbone: Backbone,
    settings: FineTuneSettings,
    seed: int,
    cache: Path,
    work: Path,
    progress: Progress = lambda step, done, total: None,
) -> TrainedModel:
    """Train. Checkpoints are in the folder `work`, from which the same call resumes. Raises `TrainingError`."""
    trained = train_head(split, backbone, settings.head, cache, progress)
    spec, classes = served_spec(settings.head), trained.classes
    blocks = parameter_blocks(trained.network.trunk)
    count = len(blocks) if settings.blocks is None else settings.blocks
    if not 1 <= count <= len(blocks):
        raise TrainingError(
            f"this cut of {backbone.name} has {len(blocks)} blocks: choose 1 to {len(blocks)} with --blocks"
        )
    train, held_out, test = (
        [sample for sample in with_known_labels(subset, classes) if sample.path not in trained.unreadable]
        for subset in split.subsets
    )
    network, transform = split_network(trained.network, backbone, spec, count, cache)
    loop = LoopSettings(
        epochs=settings.epochs,
        patience=settings.patience,
        batch=settings.batch,
        rate=settings.rate,
        trunk_rate=settings.trunk_rate,
        # Drawn again in each epoch; a frame for which none is drawn stays plain.
        augmentations=tuple(name for name in settings.head.augmentations if name != "plain"),
        seed=seed,
    )
    data = TrainingData(spec, classes, train, held_out, transform)
    trained_blocks = [parameter for block in blocks[-count:] for parameter in block]
    curve, unreadable = train_epochs(network, trained_blocks, data, loop, work / CHECKPOINT, progress)
    unreadable.update(trained.unreadable)
    trained.curve, trained.curve_step = curve, "epoch"
    trained.held_out = predict_samples(network, data, held_out, settings.batch, unreadable)
    trained.test = predict_samples(network, data, test, settings.batch, unreadable)
    trained.unreadable = unreadable
    # The keys are part of the JSON output of `uncia train`.
    trained.settings |= {
        "way": "fine-tuning, from a head on the frozen backbone",
        "blocks that learn": f"the last {count} of {len(blocks)}",
        "learning rate": f"{settings.rate:g}, in the blocks {settings.trunk_rate:g}",
        "batch": str(settings.batch),
        "epochs": describe_epochs(curve, settings.epochs),
    }
    return trained


def parameter_blocks(trunk: nn.Module) -> list[list[nn.Parameter]]:
    """The trunk's parameters, block by block, from the frame to the head."""
    blocks: dict[str, list[nn.Parameter]] = {}
    for name, parameter in trunk.named_parameters():
        parts = [part for part in name.split(".") if part not in ("maps", "extract")]
        numbered = len(parts) > 1 and parts[1].isdigit() and parts[0] not in ("stem", "head")
        blocks.setdefault(".".join(parts[: 2 if numbered else 1]), []).append(parameter)
    return list(blocks.values())
