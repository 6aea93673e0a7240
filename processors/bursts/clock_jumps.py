"""Numbered sequences whose camera's clock jumped between two frames: where their frames belong in time.

Daylight saving or a reset in mid-trigger sets the clock an hour or years forward or back, and capture times alone
would part `1 of 3` from `2 of 3`. The camera's own count says that they belong together. It is believed when

- serial number, event number and sequence length are the same, and no number of the sequence comes twice;
- the file names agree: the same folder and name but for a number, which rises with the number in the sequence. Counters
  that were reset weeks apart use other file numbers. Where names carry no file number (the gateway's carry time and
  hash), the uploads must lie within `UPLOADED_WITHIN`, and there may be one jump only.

The frames behind a jump are placed by the clock as it ran before it (`Frame.placed_at`); their capture times stay as
the camera wrote them.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from uncia.lanes import capture_time_in_key
from uncia.processors.bursts.config import SEQUENCE_REACH
from uncia.processors.bursts.frames import Frame

UPLOADED_WITHIN = timedelta(minutes=10)
"""Frames of one trigger are uploaded one after the other; a gateway on a bad uplink takes minutes."""

_NUMBER = re.compile(r"(?P<prefix>.*?)(?P<number>\d{1,7})")
_DATE = re.compile(r"\d{8}")


def placements(frames: Collection[Frame]) -> dict[str, datetime | None]:
    """Upload id to the time at which a frame is placed, None for its capture time.

    `frames` share serial number, event number and sequence length (`Frame.numbered_as`).
    """
    placed: dict[str, datetime | None] = {each.upload_id: None for each in frames}
    if _all_usual(frames):
        return placed
    by_name: defaultdict[tuple[str, str, int] | None, list[Frame]] = defaultdict(list)
    for each in frames:
        by_name[_file_series(each)].append(each)
    for series, members in by_name.items():
        chain = sorted(members, key=lambda each: each.sequence or 0)
        if len({each.sequence for each in chain}) < len(chain):
            continue
        times, jumps = _walk(chain)
        if not jumps or (series is None and (jumps > 1 or not _uploaded_together(chain))):
            continue
        for each, time in zip(chain, times, strict=True):
            placed[each.upload_id] = time if time != each.captured_at else None
    return placed


def _all_usual(frames: Collection[Frame]) -> bool:
    """The capture times rise with the numbers: nothing jumped, which is almost always so."""
    chain = sorted(frames, key=lambda each: each.sequence or 0)
    return all(_usual(a, b) for a, b in pairwise(chain))


def runs_on(one: Frame, other: Frame) -> bool:
    """Nothing between two frames of a numbered sequence speaks of a clock that jumped, now or before."""
    if one.placed_at is not None or other.placed_at is not None:
        return False
    earlier, later = (one, other) if (one.sequence or 0) < (other.sequence or 0) else (other, one)
    return _usual(earlier, later)


def _usual(earlier: Frame, later: Frame) -> bool:
    return timedelta(0) <= later.captured_at - earlier.captured_at <= SEQUENCE_REACH


def _walk(chain: Sequence[Frame]) -> tuple[list[datetime], int]:
    """Times by the clock as it ran at the first frame, and how often it jumped."""
    times, jumps = [chain[0].captured_at], 0
    for earlier, later in pairwise(chain):
        usual = _usual(earlier, later)
        jumps += not usual
        times.append(times[-1] + (later.captured_at - earlier.captured_at if usual else timedelta(0)))
    return times, jumps


def _uploaded_together(frames: Sequence[Frame]) -> bool:
    moments = [each.uploaded_at for each in frames]
    return max(moments) - min(moments) <= UPLOADED_WITHIN


def _file_series(frame: Frame) -> tuple[str, str, int] | None:
    """Folder, prefix, and file number less the number in the sequence; None where the name has no file number."""
    folder, _, name = frame.key.rpartition("/")
    stem = name.rpartition(".")[0] or name
    found = _NUMBER.fullmatch(stem)
    if found is None or _DATE.search(stem) or capture_time_in_key(frame.key) is not None:
        return None
    return folder, found["prefix"].casefold(), int(found["number"]) - (frame.sequence or 0)
