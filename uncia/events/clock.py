"""Time passing, as an event."""

from typing import ClassVar

from pydantic import Field, NonNegativeInt

from uncia.events.base import Event, UtcTime


class ClockTicked(Event):
    """Log time has reached `now` in this partition, once everything before `position` was read.

    A tick reveals that time passed; it never decides anything by when it happens to be read. Whoever closes a
    burst does so at the burst's own deadline, so that replaying the log, with other ticks or none, gives the
    same closes.
    """

    topic: ClassVar[str] = "camera.clock.ticked.v1"

    partition: NonNegativeInt
    now: UtcTime
    position: NonNegativeInt = Field(
        description="end offset of `camera.image.predicted.v1` in this partition when the tick was made: the tick "
        "applies after every message before it"
    )
