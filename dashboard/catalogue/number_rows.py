"""What counts of bursts are made of."""

from dataclasses import dataclass
from datetime import date, datetime

__all__ = ["BurstNumbers", "CameraCount", "ConfusedPair", "DayCount", "HourCount", "SubjectCount"]


@dataclass(frozen=True)
class SubjectCount:
    """What was seen how often. `subject`: a taxon, else a label, else a category."""

    subject: str
    label: str
    category: str
    bursts: int
    independent: int
    """Independent detections at the requested interval."""
    cameras: int
    first_seen: datetime

    def rank(self) -> tuple[int, str, str]:
        """Orders the most frequent first."""
        return -self.independent, self.label, self.subject


@dataclass(frozen=True)
class HourCount:
    """Independent detections of a subject by hour of the day, of the cameras' clocks."""

    subject: str
    hour: int
    count: int


@dataclass(frozen=True)
class DayCount:
    """Bursts of a category on one day."""

    day: date
    category: str
    count: int


@dataclass(frozen=True)
class ConfusedPair:
    """How many reviewed bursts the models call one thing, and people another."""

    model: str
    human: str
    count: int


@dataclass(frozen=True)
class CameraCount:
    """Bursts of one camera."""

    bursts: int
    blank: int
    independent: int
    """Independent detections of animals, or of the categories of the filter, at the requested interval."""
    taxa: int
    """Number of names of animals, species and higher taxa alike."""


@dataclass(frozen=True)
class BurstNumbers:
    """All counts of the bursts that a filter allows."""

    subjects: list[SubjectCount]
    """What was seen, the most frequent first."""
    hours: list[HourCount]
    """Independent detections by subject and hour."""
    days: list[DayCount]
    """Bursts by day and category, in the order of the days."""
    confusion: list[ConfusedPair]
    """Reviewed bursts by what the models call them and what people call them."""
    by_camera: dict[str, CameraCount]
    """Of the cameras with a burst that the filter allows."""
