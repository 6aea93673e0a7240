"""When a tick may be applied.

A tick states: log time has reached `now`, and every frame before `position` was logged by then. It is **legal** when
every frame at or after `position` is logged at or after `now`. The worker makes legal ticks: it reads its clock
first and requests the end of the partition afterwards, and both topics carry the broker's own append time, which does
not run backwards within a partition. (A broker whose clock is behind the worker's by d seconds makes ticks that are
early by d: a frame that arrives within that time revises a burst that a tick closed, instead of joining it while open.
Nothing is lost.)

A tick is **applied after all frames before `position`**: a worker that is catching up would otherwise close bursts
whose next frame it has not read yet. At most one tick is deferred, the first; others that arrive meanwhile are
dropped, since there is another within the second. A tick that is no later than one already applied has no effect.
"""

from dataclasses import dataclass
from datetime import datetime

from uncia.events import ClockTicked


@dataclass
class PartitionClock:
    """Decides for one partition when ticks take effect."""

    next_offset: int
    """Every frame before this offset was processed."""
    applied: datetime | None = None
    deferred: ClockTicked | None = None

    def complete_frame(self, offset: int) -> datetime | None:
        """Record that the frame at `offset` was processed. Returns the time of a deferred tick that is now due."""
        self.next_offset = max(self.next_offset, offset + 1)
        if self.deferred is None or self.deferred.position > self.next_offset:
            return None
        tick, self.deferred = self.deferred, None
        return self._apply(tick)

    def receive_tick(self, tick: ClockTicked) -> datetime | None:
        """Take a tick. Returns its time when it takes effect now, None when it is deferred or has no effect."""
        if tick.position > self.next_offset:
            self.deferred = self.deferred or tick
            return None
        return self._apply(tick)

    def _apply(self, tick: ClockTicked) -> datetime | None:
        if self.applied is not None and tick.now <= self.applied:
            return None
        self.applied = tick.now
        return tick.now
