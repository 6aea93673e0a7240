"""Train the head, write its package, and join it with a model of kinds."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from uncia.storage.atomic_dir import STAGING_PREFIX, staging_directory
from uncia.training.animal_or_not.dataset import label_by_group, split_by_kind
from uncia.training.datasets.dataset import Dataset
from uncia.training.datasets.splits import Split
from uncia.training.ensembles.concatenate import concatenate_models
from uncia.triton_models.packages.loading import OpenPackage, model_name_for, open_package

NAME = "animal_or_not"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class GroupModel:
    """The trained packages and what they were evaluated on."""

    package: OpenPackage
    """The head alone, or joined with the kinds."""
    head: OpenPackage | None
    """The head alone, where it was written separately."""
    split: Split
    figures: dict[str, dict[str, float]]
    """Metrics on the test bursts: name to `low`, `value`, `high`."""


def train_group_model(
    data: Dataset,
    out: Path,
    *,
    kinds: OpenPackage | None = None,
    head_folder: Path | None = None,
    backbone: str = "efficientnet-lite0",
    precision: float = 0.95,
    seed: int = 1,
    cache: Path,
    progress: Progress = lambda what, done, total: None,
) -> GroupModel:
    """Train on the frozen backbone and write the package `out`, joined with the model `kinds` where one is given.

    The windows are then those of `kinds`; `head_folder` receives a package of the head alone. Each group's threshold
    is chosen so that at least a share of `precision` of the held-out bursts above it show the group. Raises
    `GroupsError`, `TrainingError` or `PackageError`; `out` is then unchanged.
    """
    from uncia.training.features.backbone_registry import load_backbone
    from uncia.training.heads.training import HeadSettings, train_head
    from uncia.training.model_packages.package_writing import write_trained_package

    grouped = label_by_group(data)
    parts = split_by_kind(grouped, seed=seed)
    settings = HeadSettings(input_mode="windows", augmentations=("plain", "mirror", "colour"))
    if kinds is not None:
        settings = HeadSettings(input_mode="windows", augmentations=settings.augmentations, spec=kinds.card.frame)
    trained = train_head(parts, load_backbone(backbone), settings, cache, progress)
    out.parent.mkdir(parents=True, exist_ok=True)
    with staging_directory(out.parent, f"{STAGING_PREFIX}{out.name}-") as scratch:
        folder = head_folder or (out if kinds is None else scratch / NAME)
        written = write_trained_package(
            trained,
            grouped,
            parts,
            folder,
            name=NAME,
            seed=seed,
            least_precision=precision,
            progress=lambda step: progress(step, 0, 0),
        )
        head = open_package(folder)
        package = head if kinds is None else concatenate_models(out, [kinds, head], name=model_name_for(out))
        return GroupModel(package, head if head_folder else None, parts, written.figures)
