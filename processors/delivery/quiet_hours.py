"""Hours of a channel in which only urgent alerts are sent. Pure."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from uncia.events import Severity

__all__ = ["QuietHours", "severity_rank"]

_ORDER = tuple(Severity)


def severity_rank(severity: Severity) -> int:
    """The position of a severity, 0 for the least."""
    return _ORDER.index(severity)


@dataclass(frozen=True)
class QuietHours:
    """A part of every day, by the clocks of a time zone; it may include midnight."""

    first_minute: int
    """Minutes since midnight, as `end_minute`, which is the first one that is not quiet."""
    end_minute: int
    zone: str
    """Name in the time zone database, such as `Asia/Bishkek`."""
    exception: Severity | None = None
    """Alerts of this severity or more are sent all the same; None: none is."""

    def least_rank(self, moment: datetime) -> int:
        """The least `severity_rank` that is sent at a moment; one above all severities where none is."""
        local = moment.astimezone(ZoneInfo(self.zone))
        minute, first, end = local.hour * 60 + local.minute, self.first_minute, self.end_minute
        quiet = first <= minute < end if first < end else minute >= first or minute < end
        if not quiet:
            return 0
        return len(_ORDER) if self.exception is None else severity_rank(self.exception)
