"""Numbered sequences whose camera's clock jumped between two frames: the corrected times of their frames.

Daylight saving, or a reset in the middle of a trigger, sets the clock an hour or years forward or back, and capture
times alone would separate `1 of 3` from `2 of 3`. The camera's own numbers show that they belong together. They are
trusted when

- serial number, event number and sequence length are the same, and no number of the sequence occurs twice;
- the file names agree: the same folder and name but for a number, which rises with the number in the sequence. Counters
  that were reset weeks apart use other file numbers. Where names carry no file number (the gateway's carry time and
  hash), the uploads must lie within `UPLOADED_WITHIN`, and there may be one jump only.

The frames behind a jump are placed by the clock as it ran before the jump (`FrameRecord.placed_at`); their capture
times stay as the camera wrote them.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from uncia.lanes import capture_time_in_key
from uncia.processors.bursts.config import MAX_SEQUENCE_STEP
from uncia.processors.bursts.frame_record import FrameRecord

UPLOADED_WITHIN = timedelta(minutes=10)
"""Frames of one trigger are uploaded one after the other; a gateway on a bad uplink takes minutes."""

_NUMBER = re.compile(r"(?P<prefix>.*?)(?P<number>\d{1,7})")
_DATE = re.compile(r"\d{8}")


def correct_times(frames: Collection[FrameRecord]) -> dict[str, datetime | None]:
    """From upload id to the corrected time of a frame, None where its capture time holds.

    `frames` share serial number, event number and sequence length (`FrameRecord.sequence_link`).
    """
    placed: dict[str, datetime | None] = {frame.upload_id: None for frame in frames}
    if _all_in_order(frames):
        return placed
    by_name: defaultdict[tuple[str, str, int] | None, list[FrameRecord]] = defaultdict(list)
    for frame in frames:
        by_name[_file_series(frame)].append(frame)
    for series, members in by_name.items():
        chain = sorted(members, key=lambda frame: frame.sequence or 0)
        if len({frame.sequence for frame in chain}) < len(chain):
            continue
        times, jumps = _continue_clock(chain)
        if not jumps or (series is None and (jumps > 1 or not _uploaded_together(chain))):
            continue
        for frame, time in zip(chain, times, strict=True):
            placed[frame.upload_id] = time if time != frame.captured_at else None
    return placed


def _all_in_order(frames: Collection[FrameRecord]) -> bool:
    """Whether the capture times rise with the numbers: no jump, which is almost always so."""
    chain = sorted(frames, key=lambda frame: frame.sequence or 0)
    return all(_in_order(a, b) for a, b in pairwise(chain))


def clock_is_continuous(one: FrameRecord, other: FrameRecord) -> bool:
    """Whether two frames of a numbered sequence show no clock jump, neither now nor before."""
    if one.placed_at is not None or other.placed_at is not None:
        return False
    earlier, later = (one, other) if (one.sequence or 0) < (other.sequence or 0) else (other, one)
    return _in_order(earlier, later)


def _in_order(earlier: FrameRecord, later: FrameRecord) -> bool:
    return timedelta(0) <= later.captured_at - earlier.captured_at <= MAX_SEQUENCE_STEP


def _continue_clock(chain: Sequence[FrameRecord]) -> tuple[list[datetime], int]:
    """Times by the clock as it ran at the first frame, and the number of jumps."""
    times, jumps = [chain[0].captured_at], 0
    for earlier, later in pairwise(chain):
        in_order = _in_order(earlier, later)
        jumps += not in_order
        times.append(times[-1] + (later.captured_at - earlier.captured_at if in_order else timedelta(0)))
    return times, jumps


def _uploaded_together(frames: Sequence[FrameRecord]) -> bool:
    moments = [frame.uploaded_at for frame in frames]
    return max(moments) - min(moments) <= UPLOADED_WITHIN


def _file_series(frame: FrameRecord) -> tuple[str, str, int] | None:
    """Folder, prefix, and file number minus the number in the sequence; None where the name has no file number."""
    folder, _, name = frame.key.rpartition("/")
    stem = name.rpartition(".")[0] or name
    found = _NUMBER.fullmatch(stem)
    if found is None or _DATE.search(stem) or capture_time_in_key(frame.key) is not None:
        return None
    return folder, found["prefix"].casefold(), int(found["number"]) - (frame.sequence or 0)
