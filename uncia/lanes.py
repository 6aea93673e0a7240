"""Determines the lane of a photograph, live or backfill, from key, upload time and the uploader's choice. Pure."""

import contextlib
import re
from datetime import UTC, datetime

from uncia.events import Lane
from uncia.imaging.camera_time import time_in_file_name
from uncia.imaging.capture_time import FIRST_YEAR, TimeOrigin

LANE_METADATA = "uncia-lane"
"""S3 user metadata (`x-amz-meta-uncia-lane`) with the uploader's choice of the lane: `live` or `backfill`."""

LANE_PRIORITIES = {Lane.LIVE: 1, Lane.BACKFILL: 2}
"""Triton's priority levels; 1 is the highest. A model without priority levels serves all requests in order."""

_KEY_TIME = re.compile(r"(?P<time>\d{8}T\d{6})(?P<ms>\d{3})?(?P<origin>-(?:file-name|file-time))?-[0-9a-f]{16}\.[^./]+")
"""A file name by the gateway: capture time, the source of that time unless it is the photograph, and 16 digits of the
content's hash."""


def declared_lane(declared: str | None) -> Lane | None:
    """The uploader's choice from the value of `LANE_METADATA`; None without one, and for invalid values."""
    with contextlib.suppress(ValueError):
        return Lane((declared or "").strip().lower())
    return None


def choose_lane(
    key: str,
    uploaded_at: datetime,
    *,
    backfill_after_s: float,
    declared: str | None = None,
    file_time: datetime | None = None,
) -> Lane:
    """Return the uploader's choice, else the lane by the time between capture and upload, else live.

    `declared` is the value of `LANE_METADATA`; invalid values are ignored. `file_time` (aware) counts where the file's
    name has no time: when the file was last changed, if the client stored that. The time in a file name is by the
    camera's clock, without a UTC offset, so that an age of less than a day can be due to a time zone. A capture time
    after the upload is live, and so is one of a clock that was never set.
    """
    if (chosen := declared_lane(declared)) is not None:
        return chosen
    taken = capture_time_of_name(key)
    if taken is None and file_time is not None:
        taken = file_time.astimezone(UTC).replace(tzinfo=None)
    return lane_by_age(taken, uploaded_at, backfill_after_s=backfill_after_s)


def lane_by_age(taken: datetime | None, uploaded_at: datetime, *, backfill_after_s: float) -> Lane:
    """The lane by the capture time (naive, by the camera's clock); live where it is unknown or cannot be right."""
    if taken is None or taken.year < FIRST_YEAR:
        return Lane.LIVE
    age = uploaded_at.astimezone(UTC).replace(tzinfo=None) - taken
    return Lane.BACKFILL if age.total_seconds() > backfill_after_s else Lane.LIVE


def capture_time_of_name(key: str) -> datetime | None:
    """The capture time in any file name: the gateway's, or one such as `IMG_20260514_213600.JPG`; naive."""
    return capture_time_in_key(key) or time_in_file_name(key)


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
