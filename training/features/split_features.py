"""The photographs of one side of a split, with their features: computed where they are missing, then gathered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from uncia.events.images import Box
from uncia.imaging.frames import FrameSpec
from uncia.training import TrainingError
from uncia.training.datasets.dataset import Sample
from uncia.training.feature_store.feature_table import FeatureTable, Indices, gather_rows
from uncia.training.features.backbone import Backbone
from uncia.training.features.extraction import cache_file, extract
from uncia.training.features.inputs import Augmentation, ImageRegion
from uncia.training.features.window_sampling import FeatureItem, InputMode

CROP = FrameSpec(width=224, height=224, crop_top=0, crop_bottom=0, window=224)
"""What a crop is scaled to."""


@dataclass(frozen=True)
class FeatureSource:
    """How photographs are looked at."""

    backbone: Backbone
    spec: FrameSpec
    look: InputMode
    augmentations: tuple[Augmentation, ...]
    cache: Path

    def as_is(self) -> "FeatureSource":
        """The same for photographs that nothing is learnt from: their frames, not augmented."""
        look: InputMode = "whole" if self.look == "whole" else "windows"
        return FeatureSource(self.backbone, self.spec, look, ("plain",), self.cache)

    def shown(self, picture: Sample) -> list[tuple[ImageRegion, FrameSpec]]:
        """What of a photograph is looked at, and at which size."""
        frame = (ImageRegion(picture.path), self.spec)
        if self.look == "crops" and picture.box is not None:
            return [frame, (ImageRegion(picture.path, picture.box), CROP)]
        return [frame]


@dataclass
class FileStatus:
    """What was read of the files of one run."""

    digests: dict[Path, str] = field(default_factory=dict)
    unreadable: dict[Path, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SplitFeatures:
    """Items and their rows. `pictures` and `items` are in the order of `table`."""

    pictures: tuple[Sample, ...]
    items: tuple[FeatureItem, ...]
    table: FeatureTable

    def checked(self) -> "SplitFeatures":
        """Raises `TrainingError` where the features are no numbers: the weights are broken."""
        for begin, end in self.table.stretches():
            if not np.isfinite(self.table.rows[self.table.first[begin] : self.table.first[end]]).all():
                raise TrainingError("the backbone answers with numbers that are none: its weights are broken")
        return self


def compute_features(
    pictures: Sequence[Sample],
    sighting: FeatureSource,
    cuts: tuple[str, ...],
    contents: FileStatus,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Have the rows of these photographs in the cache, for all cuts."""
    shown = [each for picture in pictures for each in sighting.shown(picture)]
    done = 0
    for spec in dict.fromkeys(spec for _, spec in shown):
        sights = list(dict.fromkeys(sight for sight, own in shown if own == spec))
        before = done

        def tell(part: int, _: int, before: int = before) -> None:
            progress(before + part, len(shown))

        found = extract(sights, sighting.augmentations, sighting.backbone, cuts, spec, sighting.cache, tell)
        contents.unreadable.update(found.unreadable)
        for sight, content in zip(sights, found.contents, strict=True):
            if content is not None:
                contents.digests[sight.path] = content
        done += len(sights)


def readable_pictures(pictures: Sequence[Sample], contents: FileStatus) -> list[Sample]:
    """Those that could be read. Raises `TrainingError` where there were two classes before, and are no longer."""
    kept = [picture for picture in pictures if picture.path not in contents.unreadable]
    labels = {picture.label for picture in kept}
    if len(labels) < 2 <= len({picture.label for picture in pictures}):
        path, why = next(
            (one.path, contents.unreadable[one.path]) for one in pictures if one.path in contents.unreadable
        )
        what = f"only those of {labels.pop()!r}" if labels else "none"
        raise TrainingError(
            f"of the {len(pictures):,} photographs to learn from, {what} can be read ({path}: {why}): "
            "`uncia data check` tells of each file what is wrong with it"
        )
    return kept


def load_features(
    pictures: Sequence[Sample], truth: Indices, sighting: FeatureSource, cut: str, contents: FileStatus, file: Path
) -> SplitFeatures:
    """Gather the rows of those photographs that could be read. Each augmentation is an item of its own."""
    kept, items, keys = [], [], []
    for picture, label in zip(pictures, truth, strict=True):
        if picture.path in contents.unreadable:
            continue
        for sight, spec in sighting.shown(picture):
            path = cache_file(sighting.cache, sighting.backbone, cut, spec)
            for augmentation in sighting.augmentations:
                kept.append(picture)
                box = mirror_box(picture.box) if augmentation == "mirror" and picture.box else picture.box
                items.append(FeatureItem(int(label), box, crop=sight.box is not None))
                keys.append((path, sight.key(contents.digests[picture.path], augmentation)))
    return SplitFeatures(tuple(kept), tuple(items), gather_rows(keys, file, whole=sighting.look == "whole"))


def mirror_box(box: Box) -> Box:
    x, y, width, height = box
    return (1 - x - width, y, width, height)
