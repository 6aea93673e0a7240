"""The recipe: learn the head, write its package, and put it beside a model of kinds."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from uncia.storage.atomic_dir import DRAFT, draft
from uncia.training.animal_or_not.dataset import label_by_group, split_by_kind
from uncia.training.datasets.dataset import Dataset
from uncia.training.datasets.splits import Split
from uncia.training.ensembles.concatenate import concatenate_models
from uncia.triton_models.packages.loading import OpenPackage, model_name_for, open_package

NAME = "animal_or_not"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class GroupModel:
    """What came of it."""

    package: OpenPackage
    """The head alone, or beside the kinds."""
    head: OpenPackage | None
    """The head alone, where it was kept."""
    split: Split
    figures: dict[str, dict[str, float]]
    """Of the test side: name to low, value, high."""


def train_group_model(
    data: Dataset,
    out: Path,
    *,
    beside: OpenPackage | None = None,
    keep_head: Path | None = None,
    load_backbone: str = "efficientnet-lite0",
    precision: float = 0.95,
    seed: int = 1,
    cache: Path,
    progress: Progress = lambda what, done, total: None,
) -> GroupModel:
    """Train on the frozen backbone with the windows of `beside`, and write the package `out`.

    Thresholds: of the held-out bursts called an animal, at least `precision` show one; likewise the other groups.
    Raises `GroupsError`, `TrainingError` or `PackageError`; `out` is then as it was.
    """
    from uncia.training.features.backbone_registry import load_backbone as backbone_of
    from uncia.training.heads.training import HeadSettings, train_head
    from uncia.training.model_packages.package_writing import write_trained_package

    grouped = label_by_group(data)
    parts = split_by_kind(grouped, seed=seed)
    settings = HeadSettings(look="windows", augmentations=("plain", "mirror", "colour"))
    if beside is not None:
        settings = HeadSettings(look="windows", augmentations=settings.augmentations, spec=beside.card.frame)
    trained = train_head(parts, backbone_of(load_backbone), settings, cache, progress)
    out.parent.mkdir(parents=True, exist_ok=True)
    with draft(out.parent, f"{DRAFT}{out.name}-") as scratch:
        alone = keep_head or (out if beside is None else scratch / NAME)
        told = write_trained_package(
            trained,
            grouped,
            parts,
            alone,
            name=NAME,
            seed=seed,
            least_precision=precision,
            progress=lambda step: progress(step, 0, 0),
        )
        head = open_package(alone)
        package = head if beside is None else concatenate_models(out, [beside, head], name=model_name_for(out))
        return GroupModel(package, head if keep_head else None, parts, told.figures)
