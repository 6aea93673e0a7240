"""A dataset: labelled image files, and what is known about them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from uncia.events.values import Box

FORMATS = ("folders", "camtrap-dp", "coco", "table")
"""Formats that `read_dataset` reads."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One label of one image file. An image with two species is two samples.

    The file may be missing or corrupt: readers do not open it.
    """

    path: Path
    label: str
    burst: str
    """Samples of one burst show the same moment, and are never separated by a split. Unique in the dataset."""
    camera: str
    """Camera or deployment; empty where it is unknown."""
    taken: datetime | None = None
    """Capture time on the camera's clock, without offset."""
    box: Box | None = None
    """The animal: x, y, width, height as shares of the image."""
    taxon: str = ""
    """Scientific name, at the rank of the label."""
    group: str = ""
    """animal, person, vehicle or nothing; empty where it is unknown."""
    dataset: str = ""
    """Name of the data set, where several were merged."""
    weight: float = 1.0
    """How much the sample counts in training, above 0 and at most 1: below 1 where its label is doubtful."""


@dataclass(frozen=True)
class Dataset:
    """Samples in the order of their source, which is the same each time it is read."""

    samples: tuple[Sample, ...]
    source: str
    """Description of the source and of what was left out; every report on the dataset states it."""

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """All labels, sorted."""
        return tuple(sorted({sample.label for sample in self.samples}))

    def __len__(self) -> int:
        return len(self.samples)

    def with_samples(self, samples: Iterable[Sample], note: str = "") -> "Dataset":
        """A dataset of other samples from the same source; `note` describes the selection."""
        return Dataset(tuple(samples), f"{self.source}; {note}" if note else self.source)
