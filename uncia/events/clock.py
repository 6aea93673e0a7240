"""Clock ticks: the progress of log time, as an event."""

from typing import ClassVar

from pydantic import Field, NonNegativeInt

from uncia.events.base import Event, UtcTime


class ClockTicked(Event):
    """Log time has reached `now` in this partition, after all messages before `position`.

    The time at which a tick is read has no effect. A burst closes at its own deadline, so that a replay of the log,
    with different ticks or none, closes the same bursts at the same times.
    """

    topic: ClassVar[str] = "camera.clock.ticked.v1"

    partition: NonNegativeInt
    now: UtcTime
    position: NonNegativeInt = Field(
        description="end offset of `camera.image.predicted.v1` in this partition when the tick was written: the tick "
        "applies after all messages before this offset"
    )
