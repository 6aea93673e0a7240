"""The store's clock, as far as it can be believed. Pure."""

from datetime import UTC, datetime, timedelta

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""Where a clock without battery begins: wrong, and still a clock."""

_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def believable(moment: datetime) -> datetime | None:
    """An aware moment as UTC; None outside 1970 to 2199, where no store's clock stands.

    Such a moment breaks what computes with it: 9999-12-31T23:59:59-14:00 is not even a moment in UTC.
    """
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        return None
    return moment if _EARLIEST <= moment < _LATEST else None


def believable_seconds(seconds: float) -> datetime | None:
    """The same of seconds since 1970."""
    if not 0 <= seconds < (_LATEST - _EARLIEST).total_seconds():
        return None
    return _EARLIEST + timedelta(seconds=seconds)
