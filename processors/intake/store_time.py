"""Plausibility of times from the store. Pure."""

from datetime import UTC, datetime, timedelta

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""Where a clock without battery starts: wrong, but usable."""

_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def plausible_time(moment: datetime) -> datetime | None:
    """An aware time in UTC; None outside 1970 to 2199, which no store's clock shows.

    Computations with such a time fail: 9999-12-31T23:59:59-14:00 cannot even be expressed in UTC.
    """
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        return None
    return moment if _EARLIEST <= moment < _LATEST else None


def plausible_seconds(seconds: float) -> datetime | None:
    """The same for seconds since 1970."""
    if not 0 <= seconds < (_LATEST - _EARLIEST).total_seconds():
        return None
    return _EARLIEST + timedelta(seconds=seconds)
