"""Selects the capture time of a photograph. Gateway, workers and training use the same order of sources:

    1. EXIF DateTimeOriginal     the capture time according to EXIF
    2. EXIF DateTimeDigitized    the same time for a digital camera
    3. the maker note            never changed by software, but only to the second
    4. EXIF DateTime             last change of the file; often the only time that a camera writes
    5. the file name             with a valid date and time of day
    6. the modification time     when the file was written or copied: the last resort

An implausible time among the first four (a clock that was never set, exactly midnight on New Year, a year after 2100,
an unusual format) is used only when no source has a better one. It is then still useful, because a wrong clock keeps
bursts together. Every choice except the first adds a warning.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from uncia.imaging.camera_time import time_in_file_name
from uncia.imaging.exif import Exif, ExifTime, TimeTag
from uncia.imaging.maker_notes import MakerNote

FIRST_YEAR, LAST_YEAR = 2001, 2100
"""First plausible year. Camera traps are newer; a clock that lost power restarts in 1970, 1980, 1999 or 2000."""


class TimeOrigin(StrEnum):
    """Precise source of a capture time. In events it is a plain string, because values may be added."""

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
"""Sources in the content of the photograph."""

_BY_TAG = {
    TimeTag.ORIGINAL: TimeOrigin.DATE_TIME_ORIGINAL,
    TimeTag.DIGITIZED: TimeOrigin.DATE_TIME_DIGITIZED,
    TimeTag.MODIFIED: TimeOrigin.DATE_TIME,
}


@dataclass(frozen=True)
class CaptureTime:
    """A capture time by the camera's clock, and its source."""

    time: datetime
    origin: TimeOrigin
    utc_offset_minutes: int | None = None
    """UTC offset in EXIF, in minutes. It is not applied to `time`."""
    warnings: tuple[str, ...] = ()


def find_capture_time(exif: Exif, note: MakerNote | None, file_name: str) -> CaptureTime | None:
    """Return the best time in the photograph or its file name; None when neither contains one.

    The warnings concern the choice of the source; `exif.warnings` names the tags that could not be read.
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
    # Sorting is stable: equally plausible times keep the order of sources.
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
    """Return 0 for a plausible time, and more for less plausible ones."""
    time = stated.time
    if not FIRST_YEAR <= time.year <= LAST_YEAR:
        return 3
    if (time.month, time.day, time.hour, time.minute, time.second) == (1, 1, 0, 0, 0):
        return 2
    return int(stated.unsure)
