"""The photographs of one subset of a split with their features: computed where missing, then gathered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from uncia.events.values import Box
from uncia.imaging.frame_spec import FrameSpec
from uncia.training import TrainingError
from uncia.training.datasets.dataset import Sample
from uncia.training.feature_store.feature_table import FeatureTable, Indices, gather_rows
from uncia.training.features.backbone import Backbone
from uncia.training.features.extraction import cache_file, extract
from uncia.training.features.inputs import Augmentation, ImageRegion
from uncia.training.features.window_sampling import FeatureItem, InputMode

CROP = FrameSpec(width=224, height=224, crop_top=0, crop_bottom=0, window=224)
"""The frame that a crop is scaled to."""


@dataclass(frozen=True)
class FeatureSource:
    """How photographs become features, and the folder that caches them."""

    backbone: Backbone
    spec: FrameSpec
    input_mode: InputMode
    augmentations: tuple[Augmentation, ...]
    cache: Path

    def for_evaluation(self) -> "FeatureSource":
        """The same for photographs that are not trained on: whole frames or windows, not augmented."""
        input_mode: InputMode = "whole" if self.input_mode == "whole" else "windows"
        return replace(self, input_mode=input_mode, augmentations=("plain",))

    def regions(self, sample: Sample) -> list[tuple[ImageRegion, FrameSpec]]:
        """The regions of a photograph that are used, and the frame that each is scaled to."""
        frame = (ImageRegion(sample.path), self.spec)
        if self.input_mode == "crops" and sample.box is not None:
            return [frame, (ImageRegion(sample.path, sample.box), CROP)]
        return [frame]


@dataclass
class FileStatus:
    """What is known of the files of one run."""

    digests: dict[Path, str] = field(default_factory=dict)
    """SHA-256 of the content."""
    unreadable: dict[Path, str] = field(default_factory=dict)
    """The reason."""


@dataclass(frozen=True)
class SplitFeatures:
    """Items and their rows. `samples` and `items` are in the order of `table`."""

    samples: tuple[Sample, ...]
    items: tuple[FeatureItem, ...]
    table: FeatureTable

    @property
    def truth(self) -> Indices:
        """The class of each item, (N,)."""
        return np.array([item.truth for item in self.items], np.int64)

    def check_finite(self) -> None:
        """Raises `TrainingError` where features are NaN or infinite: the weights are broken."""
        for begin, end in self.table.chunks():
            if not np.isfinite(self.table.rows[self.table.first[begin] : self.table.first[end]]).all():
                raise TrainingError("the backbone returned NaN or infinite features: its weights are broken")


def compute_features(
    samples: Sequence[Sample],
    source: FeatureSource,
    cuts: tuple[str, ...],
    files: FileStatus,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Compute the rows of these photographs that the cache lacks, for all cuts. Adds what it learns to `files`."""
    wanted = [entry for sample in samples for entry in source.regions(sample)]
    done = 0
    for spec in dict.fromkeys(spec for _, spec in wanted):
        regions = list(dict.fromkeys(region for region, own in wanted if own == spec))
        before = done

        def report(part: int, _: int, before: int = before) -> None:
            progress(before + part, len(wanted))

        result = extract(regions, source.augmentations, source.backbone, cuts, spec, source.cache, report)
        files.unreadable.update(result.unreadable)
        for region, digest in zip(regions, result.digests, strict=True):
            if digest is not None:
                files.digests[region.path] = digest
        done += len(regions)


def readable_samples(samples: Sequence[Sample], files: FileStatus) -> list[Sample]:
    """The samples whose files could be read. Raises `TrainingError` where fewer than two classes remain of several."""
    readable = [sample for sample in samples if sample.path not in files.unreadable]
    labels = {sample.label for sample in readable}
    if len(labels) < 2 <= len({sample.label for sample in samples}):
        path, reason = next(
            (sample.path, files.unreadable[sample.path]) for sample in samples if sample.path in files.unreadable
        )
        which = f"only those of {labels.pop()!r}" if labels else "none"
        raise TrainingError(
            f"of the {len(samples):,} training photographs {which} can be read ({path}: {reason}): "
            "`uncia data check` reports what is wrong with each file"
        )
    return readable


def load_features(
    samples: Sequence[Sample], truth: Indices, source: FeatureSource, cut: str, files: FileStatus, table_file: Path
) -> SplitFeatures:
    """Gather the cached rows of the readable photographs in `table_file`. Each augmentation is an item of its own."""
    used, items, keys = [], [], []
    for sample, label in zip(samples, truth, strict=True):
        if sample.path in files.unreadable:
            continue
        for region, spec in source.regions(sample):
            path = cache_file(source.cache, source.backbone, cut, spec)
            for augmentation in source.augmentations:
                used.append(sample)
                box = mirror_box(sample.box) if augmentation == "mirror" and sample.box else sample.box
                items.append(FeatureItem(int(label), box, crop=region.box is not None, weight=sample.weight))
                keys.append((path, region.key(files.digests[sample.path], augmentation)))
    table = gather_rows(keys, table_file, frame_only=source.input_mode == "whole")
    return SplitFeatures(tuple(used), tuple(items), table)


def mirror_box(box: Box) -> Box:
    """The box in the mirrored photograph."""
    x, y, width, height = box
    return (1 - x - width, y, width, height)
