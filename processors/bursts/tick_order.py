"""When a tick may be applied.

A tick says: log time has reached `now`, and every frame before `position` was logged by then. It is **legal** when
every frame at or after `position` is logged at or after `now`. The worker makes legal ticks: it reads its clock
first and asks the broker for the end of the partition afterwards, and both topics carry the broker's own time of
writing, which does not run backwards within a partition. (A broker whose clock is behind the worker's by d seconds
makes ticks that are early by d: a frame that comes within that time revises a burst that a tick closed, instead of
joining it while open. Nothing is lost.)

A tick is **applied after all frames before `position`**: a worker that is catching up would otherwise close bursts
whose next frame it has not read yet. At most one tick waits for its turn, the first; others that come meanwhile are
passed over, since there is another within the second. A tick that is no later than one already applied says
nothing.
"""

from dataclasses import dataclass
from datetime import datetime

from uncia.events import ClockTicked


@dataclass
class PartitionClock:
    """Decides for one partition when ticks take effect."""

    read: int
    """Every frame before this offset was processed."""
    applied: datetime | None = None
    waiting: ClockTicked | None = None

    def frame_done(self, offset: int) -> datetime | None:
        """The frame at `offset` was processed. Returns the time of a waiting tick whose turn this makes it."""
        self.read = max(self.read, offset + 1)
        if self.waiting is None or self.waiting.position > self.read:
            return None
        tick, self.waiting = self.waiting, None
        return self._apply(tick)

    def tick(self, tick: ClockTicked) -> datetime | None:
        """A tick was read. Returns its time when it takes effect now."""
        if tick.position > self.read:
            self.waiting = self.waiting or tick
            return None
        return self._apply(tick)

    def _apply(self, tick: ClockTicked) -> datetime | None:
        if self.applied is not None and tick.now <= self.applied:
            return None
        self.applied = tick.now
        return tick.now
