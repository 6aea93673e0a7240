"""What readers of other formats deliver: deployments, photographs and observations, in any order."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from uncia.events import DeploymentChanged

__all__ = ["ImportedMedia", "ImportedObservation", "ItemSink"]

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class ImportedMedia:
    """A photograph. `id` is final: derived from the origin, or ours."""

    id: str
    camera: str
    captured_at: datetime
    """By the camera's clock, without an offset."""
    utc_offset_minutes: int
    path: str
    trigger: str = "unknown"
    width: int | None = None
    height: int | None = None
    make: str | None = None
    model: str | None = None
    serial: str | None = None
    comment: str = ""
    detected: bool = False
    """Whether a detector looked at it, even if no observation says so."""


@dataclass(frozen=True, slots=True)
class ImportedObservation:
    """An observation of a whole event, or of a photograph."""

    human: bool
    category: str | None
    """animal, person, vehicle or blank; None: it cannot be told."""
    burst: str | None = None
    """Final id of the burst; None: that of the photograph, which is grouped by time."""
    media: str | None = None
    """Id of the photograph; None: of the whole event."""
    camera: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    """Of the event, by the camera's clock."""
    utc_offset_minutes: int = 0
    about_burst: bool = False
    """Of a photograph, but meant for its burst."""
    classified: bool = True
    """False: neither a person nor a model looked at it."""
    taxon: str | None = None
    label: str | None = None
    rank: str | None = None
    count: int | None = None
    probability: float | None = None
    by: str = ""
    at: datetime | None = None
    box: Box | None = None
    tags: dict[str, list[str]] = field(default_factory=dict)
    ours: bool = False
    """Written by Uncia: what its tags do not say is not so."""
    comment: str = ""

    def tag(self, name: str) -> str | None:
        """The first value of a tag."""
        return next(iter(self.tags.get(name, ())), None)


class ItemSink(Protocol):
    """Where readers put what they read."""

    def deployment(self, event: DeploymentChanged) -> None:
        """Add a deployment."""

    def media(self, item: ImportedMedia) -> None:
        """Add a photograph. Raises `ValueError` where its id is taken."""

    def observation(self, item: ImportedObservation) -> None:
        """Add an observation."""
