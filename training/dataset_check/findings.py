"""Check a dataset; the findings are plain values for terminal, JSON and HTML report."""

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
    """Embeds image files."""

    def __call__(
        self, paths: Sequence[Path], progress: ProgressCallback | None = None, /
    ) -> tuple[list[Path], NDArray[np.float32]]:
        """The N files that can be read, and their embeddings, (N, D)."""
        ...


@dataclass(frozen=True)
class Findings:
    """Findings of a check. The fields are keys of the JSON output."""

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
    """How the labels were checked, or why they were not."""

    @property
    def must_be_mended(self) -> bool:
        """Whether files cannot be read, or one photograph has contradicting labels."""
        return bool(self.unreadable) or any(group.contradict for group in self.duplicates)

    def as_json(self) -> dict[str, Any]:
        """The findings as values for JSON; paths are strings."""
        values: dict[str, Any] = _plain(dataclasses.asdict(self))
        return {**values, "must_be_mended": self.must_be_mended}


def check_dataset(
    data: Dataset,
    embed: EmbedImages | None,
    *,
    seed: int = 1,
    reading: ProgressCallback | None = None,
    embedding: ProgressCallback | None = None,
) -> Findings:
    """Check a dataset. Without `embed`, labels are not checked.

    `seed` is that of the split across which duplicates leak; `reading` and `embedding` are called with the progress of
    the two slow steps.
    """
    paths = list(dict.fromkeys(sample.path for sample in data.samples))
    contents, broken = read_contents(paths, reading)
    readable = tuple(sample for sample in data.samples if sample.path in contents)
    counts = count_classes(readable)
    cameras = len({sample.camera for sample in data.samples if sample.camera})
    parts = split(data.with_samples(readable), seed=seed)
    issues, how = _check_labels(readable, embed, embedding, seed)
    return Findings(
        source=data.source,
        pictures=len(data),
        files=len(paths),
        bursts=len({sample.burst for sample in data.samples}),
        cameras=cameras,
        classes=tuple(counts),
        class_notes=tuple(class_warnings(counts, cameras)),
        unreadable=tuple(broken),
        duplicates=tuple(find_duplicates(readable, contents, parts)),
        doubts=tuple(issues),
        labels_checked=how,
    )


def _check_labels(
    samples: Sequence[Sample], embed: EmbedImages | None, progress: ProgressCallback | None, seed: int
) -> tuple[list[LabelIssue], str]:
    if embed is None:
        return [], "labels were not checked: that needs the network"
    if len({sample.label for sample in samples}) < 2:
        return [], "labels were not checked: there is only one class"
    found, features = embed(list(dict.fromkeys(sample.path for sample in samples)), progress)
    row_of = {path: row for row, path in enumerate(found)}
    embedded = [sample for sample in samples if sample.path in row_of]
    rows = np.array([row_of[sample.path] for sample in embedded], np.int64)
    how = "by a classifier on the features of a published network, fitted on the other bursts only"
    return find_label_issues(embedded, features, rows, seed), how


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
