"""Time passing, as an event."""

from typing import ClassVar

from pydantic import Field, NonNegativeInt

from uncia.events.base import Event, UtcTime


class ClockTicked(Event):
    """Log time has reached `now` in this partition, once everything before `position` was read.

    A tick only reveals that time passed; the moment at which it is read decides nothing. A burst closes at its own
    deadline, so that a replay of the log, with other ticks or none, closes the same bursts at the same times.
    """

    topic: ClassVar[str] = "camera.clock.ticked.v1"

    partition: NonNegativeInt
    now: UtcTime
    position: NonNegativeInt = Field(
        description="end offset of `camera.image.predicted.v1` in this partition when the tick was made: the tick "
        "applies after every message before it"
    )
