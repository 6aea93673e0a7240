"""When and how a photograph was taken: EXIF first, then the key, then the upload. Pure: bytes and events in."""

from datetime import UTC, datetime, timedelta

from uncia.events import Capture, CaptureTimeSource, ImageUploaded
from uncia.exif import Exif
from uncia.lanes import time_in_key
from uncia.maker_notes import MakerNote, read_maker_note

_EARLIEST_YEAR = 2000
"""Digital camera traps are younger; a clock that lost its battery starts again in 1970 or 1980 or 1999."""

_AHEAD = timedelta(hours=26)
"""A camera's clock has no offset: up to 14 hours ahead of UTC, and a day may be written wrongly."""


def read_capture(exif: Exif, upload: ImageUploaded, *, width: int | None = None, height: int | None = None) -> Capture:
    """Everything the camera says. `width` and `height` are pixels of the stored photograph, where it was decoded."""
    note = read_maker_note(exif.maker_note)
    warnings = list(exif.warnings)
    time, source = _time(exif, note, upload, warnings)
    return Capture(
        time=time.replace(microsecond=time.microsecond // 1000 * 1000),
        time_source=source,
        make=exif.make,
        model=exif.model,
        width=width,
        height=height,
        warnings=tuple(warnings),
        **_noted(note or MakerNote(), exif),
    )


def _noted(note: MakerNote, exif: Exif) -> dict[str, object]:
    return {
        "trigger": note.trigger,
        "sequence": note.sequence,
        "sequence_length": note.sequence_length,
        "event_number": note.event_number,
        "temperature_c": note.temperature_c,
        "infrared": note.infrared,
        "serial": exif.serial or note.serial,
    }


def _time(
    exif: Exif, note: MakerNote | None, upload: ImageUploaded, warnings: list[str]
) -> tuple[datetime, CaptureTimeSource]:
    taken = exif.time
    if taken is None and note is not None and note.time is not None:
        taken = note.time
        warnings.append("the time is the maker note's: EXIF has none")
    if taken is not None:
        _doubt(taken, upload.uploaded_at, warnings)
        return taken, CaptureTimeSource.EXIF
    named = time_in_key(upload.key)
    if named is not None:
        return named, CaptureTimeSource.KEY
    return upload.uploaded_at.astimezone(UTC).replace(tzinfo=None), CaptureTimeSource.UPLOAD


def _doubt(taken: datetime, uploaded_at: datetime, warnings: list[str]) -> None:
    """A wrong clock is still a clock: it keeps a burst together. So the time stays, with a warning."""
    if taken.year < _EARLIEST_YEAR:
        warnings.append(f"the camera's clock says {taken.year}: it was never set")
    elif taken > uploaded_at.astimezone(UTC).replace(tzinfo=None) + _AHEAD:
        warnings.append(f"the camera's clock says {taken:%Y-%m-%d %H:%M}, which is after the upload")
