"""Static objects of a camera: stones and stumps that the detector boxes in burst after burst."""

from typing import ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt

from uncia.events.base import BoundedTuple, Event, Name, UtcTime, WireModel
from uncia.events.values import Box


class StaticObject(WireModel):
    """One place at which boxes count as background."""

    box: Box
    bursts: PositiveInt = Field(description="bursts in which it was boxed")


class StaticObjectsChanged(Event):
    """The static objects of a camera, all of them, whenever one is found, forgotten or cleared. Key: `camera`."""

    topic: ClassVar[str] = "camera.static-objects.changed.v1"

    station: Name
    camera: Name
    objects: BoundedTuple[StaticObject] = Field(default=(), description="the one with most bursts first")
    bursts: NonNegativeInt = Field(default=0, description="bursts of this camera that were counted")
    changed_at: UtcTime = Field(description="log time")


class StaticObjectsCleared(Event):
    """An order to forget the static objects of a camera. Key: `camera`.

    A box that comes back counts again from 0.
    """

    topic: ClassVar[str] = "camera.static-objects.cleared.v1"

    camera: Name
    box: Box | None = Field(default=None, description="only the object at this box; None: all of them")
    cleared_at: UtcTime = Field(description="identifies the order: of two, the later counts; a repetition does not")
