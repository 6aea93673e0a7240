"""Determines the lane of a photograph, live or backfill, from key, upload time and the uploader's choice. Pure."""

import contextlib
import re
from datetime import UTC, datetime

from uncia.events import Lane
from uncia.imaging.capture_time import TimeOrigin

LANE_METADATA = "uncia-lane"
"""S3 user metadata (`x-amz-meta-uncia-lane`) with the uploader's choice of the lane: `live` or `backfill`."""

LANE_PRIORITIES = {Lane.LIVE: 1, Lane.BACKFILL: 2}
"""Triton's priority levels; 1 is the highest. A model without priority levels serves all requests in order."""

_KEY_TIME = re.compile(r"(?P<time>\d{8}T\d{6})(?P<ms>\d{3})?(?P<origin>-(?:file-name|file-time))?-[0-9a-f]{16}\.[^./]+")
"""A file name by the gateway: capture time, the source of that time unless it is the photograph, and 16 digits of the
content's hash."""


def choose_lane(key: str, uploaded_at: datetime, *, backfill_after_s: float, declared: str | None = None) -> Lane:
    """Return the uploader's choice, else the lane by the time between capture and upload, else live.

    `declared` is the value of `LANE_METADATA`; invalid values are ignored. The time in a file name is by the camera's
    clock, without a UTC offset, so that an age of less than a day can be due to a time zone. A capture time after the
    upload is live.
    """
    with contextlib.suppress(ValueError):
        return Lane((declared or "").strip().lower())
    taken = capture_time_in_key(key)
    if taken is None:
        return Lane.LIVE
    age = uploaded_at.astimezone(UTC).replace(tzinfo=None) - taken
    return Lane.BACKFILL if age.total_seconds() > backfill_after_s else Lane.LIVE


def capture_time_in_key(key: str) -> datetime | None:
    """Return the capture time in a file name by the gateway: naive, by the camera's clock, to the millisecond."""
    found = _KEY_TIME.fullmatch(key.rpartition("/")[2])
    if found is None:
        return None
    with contextlib.suppress(ValueError):
        moment = datetime.strptime(found["time"], "%Y%m%dT%H%M%S")
        return moment.replace(microsecond=int(found["ms"] or 0) * 1000)
    return None


def time_origin_in_key(key: str) -> TimeOrigin | None:
    """Return the source of the time in a key by the gateway; None for other keys.

    `KEY` when the key does not contain the source: the time was in the photograph, or an older gateway wrote the key.
    """
    found = _KEY_TIME.fullmatch(key.rpartition("/")[2])
    if found is None:
        return None
    return TimeOrigin(found["origin"][1:]) if found["origin"] else TimeOrigin.KEY
