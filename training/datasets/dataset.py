"""A data set: pictures on disk, and what is known of each."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from uncia.events.images import Box

FORMATS = ("folders", "camtrap-dp", "coco", "table")
"""Formats that `read_dataset` reads."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled picture. The file itself may be missing or broken: nobody has opened it yet."""

    path: Path
    label: str
    burst: str
    """Pictures of one burst show the same moment: never on two sides of a split. Unique in the whole data set."""
    camera: str
    """The place that took it; empty where nobody told."""
    taken: datetime | None = None
    """The camera's own clock, without offset."""
    box: Box | None = None
    """Where the animal is: x, y, width, height as shares of the picture."""
    taxon: str = ""
    """Scientific name, as narrow as the label is."""
    group: str = ""
    """animal, person, vehicle or nothing; empty where nobody told."""


@dataclass(frozen=True)
class Dataset:
    """Pictures in the order of their source, which is the same at every reading."""

    samples: tuple[Sample, ...]
    source: str
    """What data it was, in words: it stands in every report made from it."""

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """All labels, sorted."""
        return tuple(sorted({picture.label for picture in self.samples}))

    def __len__(self) -> int:
        return len(self.samples)

    def with_samples(self, pictures: Iterable[Sample], told: str = "") -> "Dataset":
        """Other pictures of the same source; `told` says which, in words."""
        return Dataset(tuple(pictures), f"{self.source}; {told}" if told else self.source)
