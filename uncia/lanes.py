"""Live or backfill: the lane of a stored photograph, from its key, its upload time and the uploader's choice. Pure."""

import contextlib
import re
from datetime import UTC, datetime

from uncia.events import Lane
from uncia.imaging.capture_time import TimeOrigin

LANE_METADATA = "uncia-lane"
"""S3 user metadata (`x-amz-meta-uncia-lane`) by which an uploader chooses the lane: `live` or `backfill`."""

LANE_PRIORITIES = {Lane.LIVE: 1, Lane.BACKFILL: 2}
"""Triton's priority levels; 1 goes first. A model that is served without levels takes all alike."""

_KEY_TIME = re.compile(r"(?P<time>\d{8}T\d{6})(?P<ms>\d{3})?(?P<origin>-(?:file-name|file-time))?-[0-9a-f]{16}\.[^./]+")
"""A file name as our gateway gives it: capture time, where it is from if not from the photograph itself, 16 digits of
the content's hash."""


def choose_lane(key: str, uploaded_at: datetime, *, backfill_after_s: float, declared: str | None = None) -> Lane:
    """The uploader's choice; else by the time between capture and upload; live where neither is known.

    `declared` is the value of `LANE_METADATA`; anything but a lane's name is ignored. A name's time is by the camera's
    clock, which has no offset: an age of less than a day may be a time zone. A clock ahead of the upload is live.
    """
    with contextlib.suppress(ValueError):
        return Lane((declared or "").strip().lower())
    taken = capture_time_in_key(key)
    if taken is None:
        return Lane.LIVE
    age = uploaded_at.astimezone(UTC).replace(tzinfo=None) - taken
    return Lane.BACKFILL if age.total_seconds() > backfill_after_s else Lane.LIVE


def capture_time_in_key(key: str) -> datetime | None:
    """The capture time that our gateway wrote into the file name: naive, by the camera's clock, to the millisecond."""
    found = _KEY_TIME.fullmatch(key.rpartition("/")[2])
    if found is None:
        return None
    with contextlib.suppress(ValueError):
        moment = datetime.strptime(found["time"], "%Y%m%dT%H%M%S")
        return moment.replace(microsecond=int(found["ms"] or 0) * 1000)
    return None


def time_origin_in_key(key: str) -> TimeOrigin | None:
    """Where our gateway read the time that it wrote into this key: None where the key is not the gateway's.

    `KEY` where the key does not say: the time was in the photograph, or the gateway's version did not record it.
    """
    found = _KEY_TIME.fullmatch(key.rpartition("/")[2])
    if found is None:
        return None
    return TimeOrigin(found["origin"][1:]) if found["origin"] else TimeOrigin.KEY
