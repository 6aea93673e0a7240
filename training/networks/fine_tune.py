"""Fine-tuning: a head first, then the network's last blocks, or all of them, learn along with it."""

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
from uncia.training.networks.training_loop import LoopSettings, describe_epochs, predict_pictures, train_epochs

Progress = Callable[[str, int, int], None]

CHECKPOINT = "fine-tune.pt"


@dataclass(frozen=True)
class FineTuneSettings:
    """How to fine-tune."""

    head: HeadSettings = field(default_factory=HeadSettings)
    """The head that it starts from. Its look, cut and frame are kept."""
    blocks: int | None = 3
    """How many of the last blocks learn; None: all."""
    epochs: int = 20
    patience: int = 4
    batch: int = 16
    rate: float = 1e-3
    trunk_rate: float = 1e-4


def fine_tune(
    split: Split,
    backbone: Backbone,
    settings: FineTuneSettings,
    seed: int,
    cache: Path,
    work: Path,
    progress: Progress = lambda what, done, total: None,
) -> TrainedModel:
    """Checkpoints lie in `work`; the same call goes on from there. Raises `TrainingError`."""
    trained = train_head(split, backbone, settings.head, cache, progress)
    network, spec, classes = trained.network, served_spec(settings.head), trained.classes
    groups = blocks_of(network.trunk)
    count = len(groups) if settings.blocks is None else settings.blocks
    if not 1 <= count <= len(groups):
        raise TrainingError(f"this cut of {backbone.name} has {len(groups)} blocks: 1 to {len(groups)} can learn")
    learning = [parameter for group in groups[-count:] for parameter in group]
    loop = LoopSettings(
        epochs=settings.epochs,
        patience=settings.patience,
        batch=settings.batch,
        rate=settings.rate,
        trunk_rate=settings.trunk_rate,
        # Drawn anew in each epoch; "plain" is what is left when nothing is drawn.
        augmentations=tuple(each for each in settings.head.augmentations if each != "plain"),
        seed=seed,
    )
    train, held_out, test = (
        [picture for picture in with_known_labels(side, classes) if picture.path not in trained.unreadable]
        for side in split.subsets
    )
    part, prepare = split_network(network, backbone, spec, count, cache)
    curve, unreadable = train_epochs(
        part, learning, spec, classes, train, held_out, loop, work / CHECKPOINT, progress, prepare
    )
    unreadable.update(trained.unreadable)
    trained.curve, trained.curve_step = curve, "epoch"
    trained.held_out = predict_pictures(part, spec, classes, held_out, settings.batch, unreadable, prepare)
    trained.test = predict_pictures(part, spec, classes, test, settings.batch, unreadable, prepare)
    trained.unreadable = unreadable
    trained.settings |= {
        "way": "fine-tuning, from a head on the frozen backbone",
        "blocks that learn": f"the last {count} of {len(groups)}",
        "learning rate": f"{settings.rate:g}, in the blocks {settings.trunk_rate:g}",
        "batch": str(settings.batch),
        "epochs": describe_epochs(curve, settings.epochs),
    }
    return trained


def blocks_of(trunk: nn.Module) -> list[list[nn.Parameter]]:
    """The trunk's parameters, block by block, from the frame to the head."""
    groups: dict[str, list[nn.Parameter]] = {}
    for name, parameter in trunk.named_parameters():
        parts = [part for part in name.split(".") if part not in ("maps", "extract")]
        numbered = len(parts) > 1 and parts[1].isdigit() and parts[0] not in ("stem", "head")
        groups.setdefault(".".join(parts[: 2 if numbered else 1]), []).append(parameter)
    return list(groups.values())
