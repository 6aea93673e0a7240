"""A whole check, from a data set to what was found."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from uncia.training.dataset_check.classes import ClassCount, class_warnings, count_classes
from uncia.training.dataset_check.contents import UnreadableFile, read_contents
from uncia.training.dataset_check.duplicates import DuplicateGroup, find_duplicates
from uncia.training.dataset_check.labels import LabelIssue, find_label_issues
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.splits import split
from uncia.training.progress import ProgressCallback


class EmbedImages(Protocol):
    """From files to those that could be read, and a row of features for each."""

    def __call__(
        self, paths: Sequence[Path], progress: ProgressCallback | None = None, /
    ) -> tuple[list[Path], NDArray[np.float32]]: ...


@dataclass(frozen=True)
class Findings:
    """All that was found."""

    source: str
    pictures: int
    files: int
    bursts: int
    cameras: int
    classes: tuple[ClassCount, ...]
    class_notes: tuple[str, ...]
    unreadable: tuple[UnreadableFile, ...]
    duplicates: tuple[DuplicateGroup, ...]
    doubts: tuple[LabelIssue, ...]
    labels_checked: str
    """How labels were judged, or why they were not."""

    @property
    def must_be_mended(self) -> bool:
        """There are files that cannot be read, or one photograph under labels that contradict each other."""
        return bool(self.unreadable) or any(group.contradict for group in self.duplicates)

    def as_json(self) -> dict[str, Any]:
        """Plain values; paths as text."""
        told: dict[str, Any] = _plain(dataclasses.asdict(self))
        return {**told, "must_be_mended": self.must_be_mended}


def check_dataset(
    data: Dataset,
    see: EmbedImages | None,
    *,
    seed: int = 1,
    reading: ProgressCallback | None = None,
    embedding: ProgressCallback | None = None,
) -> Findings:
    """Look the data over. Without `see`, labels are not judged. `reading` and `embedding` hear how far each part is."""
    paths = list(dict.fromkeys(picture.path for picture in data.samples))
    contents, broken = read_contents(paths, reading)
    readable = tuple(picture for picture in data.samples if picture.path in contents)
    counts = count_classes(readable)
    cameras = len({picture.camera for picture in data.samples if picture.camera})
    parts = split(data.with_samples(readable), seed=seed)
    doubts, how = _doubts(readable, see, embedding, seed)
    return Findings(
        source=data.source,
        pictures=len(data),
        files=len(paths),
        bursts=len({picture.burst for picture in data.samples}),
        cameras=cameras,
        classes=tuple(counts),
        class_notes=tuple(class_warnings(counts, cameras)),
        unreadable=tuple(broken),
        duplicates=tuple(find_duplicates(readable, contents, parts)),
        doubts=tuple(doubts),
        labels_checked=how,
    )


def _doubts(
    pictures: Sequence[Sample], see: EmbedImages | None, progress: ProgressCallback | None, seed: int
) -> tuple[list[LabelIssue], str]:
    if see is None:
        return [], "labels were not judged: that needs the network"
    if len({picture.label for picture in pictures}) < 2:
        return [], "labels were not judged: there is one class only"
    found, features = see(list(dict.fromkeys(picture.path for picture in pictures)), progress)
    row_of = {path: place for place, path in enumerate(found)}
    seen = [picture for picture in pictures if picture.path in row_of]
    rows = np.array([row_of[picture.path] for picture in seen], np.int64)
    how = "by a classifier on a published network's features, which learnt on the other bursts only"
    return find_label_issues(seen, features, rows, seed), how


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value
