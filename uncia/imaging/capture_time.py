"""When a photograph was taken: one order of sources, for the gateway, the stream and the recipes alike.

    1. EXIF DateTimeOriginal     what EXIF calls the moment of capture
    2. EXIF DateTimeDigitized    the same moment, with a digital camera
    3. the maker note            never rewritten by software, but to the second
    4. EXIF DateTime             the last change of the file; often the only time that a camera writes
    5. the file's name           date and time of day, both valid
    6. the file's time           when it was written, or copied: the last resort

Of the first four one that cannot be right (a clock that was never set, exactly New Year's midnight, a year beyond
2100, a text that is written oddly) counts only where no other is better. Then it stays, since a wrong clock keeps a
burst together still. Every choice but the first comes with a warning.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from uncia.imaging.camera_time import time_in_file_name
from uncia.imaging.exif import Exif, ExifTime, TimeTag
from uncia.imaging.maker_notes import MakerNote

FIRST_YEAR, LAST_YEAR = 2001, 2100
"""Camera traps are younger; a clock that lost its battery begins again in 1970, 1980, 1999 or 2000."""


class TimeOrigin(StrEnum):
    """Exactly where a capture time was read. On the wire a plain string, since more may come."""

    DATE_TIME_ORIGINAL = "date-time-original"
    DATE_TIME_DIGITIZED = "date-time-digitized"
    MAKER_NOTE = "maker-note"
    DATE_TIME = "date-time"
    FILE_NAME = "file-name"
    FILE_TIME = "file-time"
    KEY = "key"
    UPLOAD = "upload"


EMBEDDED_ORIGINS = frozenset(
    (TimeOrigin.DATE_TIME_ORIGINAL, TimeOrigin.DATE_TIME_DIGITIZED, TimeOrigin.MAKER_NOTE, TimeOrigin.DATE_TIME)
)
"""Origins that are in the photograph's own bytes."""

_BY_TAG = {
    TimeTag.ORIGINAL: TimeOrigin.DATE_TIME_ORIGINAL,
    TimeTag.DIGITIZED: TimeOrigin.DATE_TIME_DIGITIZED,
    TimeTag.MODIFIED: TimeOrigin.DATE_TIME,
}


@dataclass(frozen=True)
class CaptureTime:
    """A capture time by the camera's own clock, and where it was read."""

    time: datetime
    origin: TimeOrigin
    utc_offset_minutes: int | None = None
    """The offset that EXIF states with the time; `time` is not shifted by it."""
    warnings: tuple[str, ...] = ()


def find_capture_time(exif: Exif, note: MakerNote | None, file_name: str) -> CaptureTime | None:
    """The best time in the photograph or its file's name; None where neither has one.

    `exif.warnings` name the tags that could not be read; the warnings here are about the choice.
    """
    found = _in_photograph(exif, note)
    if found is not None:
        return found
    named = time_in_file_name(file_name)
    if named is None:
        return None
    return CaptureTime(named, TimeOrigin.FILE_NAME, None, ("the time is the file name's: the photograph holds none",))


def _in_photograph(exif: Exif, note: MakerNote | None) -> CaptureTime | None:
    candidates = [(_BY_TAG[stated.tag], stated) for stated in _stated(exif)]
    if note is not None and note.time is not None:
        place = sum(origin is not TimeOrigin.DATE_TIME for origin, _ in candidates)
        candidates.insert(place, (TimeOrigin.MAKER_NOTE, ExifTime(TimeTag.ORIGINAL, note.time)))
    if not candidates:
        return None
    # Sorting is stable: among equals the order of sources decides.
    origin, best = min(candidates, key=lambda candidate: _doubt(candidate[1]))
    warnings = []
    if origin is TimeOrigin.MAKER_NOTE:
        why = "EXIF has none" if not exif.times else "EXIF's cannot be right"
        if TimeOrigin.DATE_TIME in (origin for origin, _ in candidates) and len(candidates) == 2:
            why = "EXIF has only DateTime, which is the file's last change"
        warnings.append(f"the time is the maker note's: {why}")
    elif origin is not TimeOrigin.DATE_TIME_ORIGINAL:
        passed_over = [stated for source, stated in candidates if source is TimeOrigin.DATE_TIME_ORIGINAL]
        why = (
            f"{TimeTag.ORIGINAL} is {passed_over[0].time}, which is less likely"
            if passed_over
            else f"there is no good {TimeTag.ORIGINAL}"
        )
        warnings.append(f"the time is EXIF's {best.tag}: {why}")
    return CaptureTime(best.time, origin, best.utc_offset_minutes, tuple(warnings))


def _stated(exif: Exif) -> tuple[ExifTime, ...]:
    if exif.times or exif.time is None:
        return exif.times
    return (ExifTime(TimeTag.ORIGINAL, exif.time),)


def _doubt(stated: ExifTime) -> int:
    """0 for a time that may be right; more for what is less likely."""
    time = stated.time
    if not FIRST_YEAR <= time.year <= LAST_YEAR:
        return 3
    if (time.month, time.day, time.hour, time.minute, time.second) == (1, 1, 0, 0, 0):
        return 2
    return int(stated.unsure)
