"""When a tick may be used to judge silence.

A worker that was down for a day reads ticks of that day before it has read what the cameras sent meanwhile. A tick
states the end of the predictions when it was written; the end of the status reports is read from the broker when the
tick arrives. It applies after all messages before both. At most one tick of a partition waits, the first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

__all__ = ["ContactOrder"]


@dataclass
class ContactOrder:
    """The contacts of one partition that were read, and the tick that waits for others."""

    read: dict[str, int] = field(default_factory=dict)
    """By topic, the next offset to read."""
    _waiting: tuple[datetime, Mapping[str, int]] | None = None
    _applied: datetime | None = None

    def complete(self, topic: str, offset: int) -> datetime | None:
        """Record that a message was read. Returns the time of a tick that is due now."""
        self.read[topic] = max(self.read.get(topic, 0), offset + 1)
        return self._due()

    def wants(self, now: datetime, interval: timedelta) -> bool:
        """Whether a tick of this time would be used: none waits, and the last one is at least so long ago."""
        return self._waiting is None and (self._applied is None or now - self._applied >= interval)

    def receive(self, now: datetime, ends: Mapping[str, int]) -> datetime | None:
        """Take a tick, which applies after the messages before `ends`. Returns its time where it is due now."""
        if self._waiting is None:
            self._waiting = (now, ends)
        return self._due()

    def _due(self) -> datetime | None:
        if self._waiting is None or any(self.read.get(topic, 0) < end for topic, end in self._waiting[1].items()):
            return None
        (now, _), self._waiting = self._waiting, None
        if self._applied is not None and now <= self._applied:
            return None
        self._applied = now
        return now
