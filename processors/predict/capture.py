"""When and how a photograph was taken: from the photograph, else the key, else the upload. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from uncia.events import Capture, CaptureTimeSource, ImageUploaded
from uncia.imaging.capture_time import EMBEDDED_ORIGINS, FIRST_YEAR, CaptureTime, TimeOrigin, find_capture_time
from uncia.imaging.exif import Exif
from uncia.imaging.maker_notes import MakerNote, read_maker_note
from uncia.lanes import capture_time_in_key, time_origin_in_key

_MAX_LEAD = timedelta(hours=26)
"""A camera's clock states no UTC offset: it may be up to 14 hours ahead of UTC, plus some tolerance."""


_SOURCES = {
    TimeOrigin.FILE_NAME: CaptureTimeSource.KEY,
    TimeOrigin.FILE_TIME: CaptureTimeSource.KEY,
    TimeOrigin.KEY: CaptureTimeSource.KEY,
    TimeOrigin.UPLOAD: CaptureTimeSource.UPLOAD,
}
_KEY_WARNINGS = {
    TimeOrigin.FILE_NAME: "the time is the file name's, as the gateway read it: the photograph holds none",
    TimeOrigin.FILE_TIME: "the time is the file's modification time, the last resort: the photograph holds none",
    TimeOrigin.KEY: "the time is the object key's: the photograph holds none, or could not be read",
}


def read_capture(
    exif: Exif,
    upload: ImageUploaded,
    *,
    width: int | None = None,
    height: int | None = None,
    damage: Sequence[str] = (),
) -> Capture:
    """Collect everything that the camera recorded about a capture.

    `width` and `height` are pixels of the stored photograph, where it was decoded; `damage` lists the defects of its
    image data.
    """
    note = read_maker_note(exif.maker_note)
    warnings = list(exif.warnings)
    taken = _capture_time(exif, note, upload)
    warnings += taken.warnings
    if taken.origin in EMBEDDED_ORIGINS:
        warnings += _clock_warnings(taken.time, upload.uploaded_at)
    warnings += [f"image-damaged: {what}" for what in damage]
    return Capture(
        time=taken.time.replace(microsecond=taken.time.microsecond // 1000 * 1000),
        time_source=_SOURCES.get(taken.origin, CaptureTimeSource.EXIF),
        time_origin=taken.origin.value,
        utc_offset_minutes=taken.utc_offset_minutes,
        make=exif.make,
        model=exif.model,
        width=width,
        height=height,
        warnings=tuple(warnings),
        **_maker_fields(note or MakerNote(), exif),
    )


def _maker_fields(note: MakerNote, exif: Exif) -> dict[str, object]:
    return {
        "trigger": note.trigger,
        "sequence": note.sequence,
        "sequence_length": note.sequence_length,
        "event_number": note.event_number,
        "temperature_c": note.temperature_c,
        "battery_v": note.battery_v,
        "infrared": note.infrared,
        "serial": exif.serial or note.serial,
    }


def _capture_time(exif: Exif, note: MakerNote | None, upload: ImageUploaded) -> CaptureTime:
    """The time by the order of `uncia.imaging.capture_time`; after the file's name, the time in a gateway's key."""
    named, origin = capture_time_in_key(upload.key), time_origin_in_key(upload.key)
    # Keys of our gateway contain a time that is not part of a file's name.
    taken = find_capture_time(exif, note, upload.key if origin is None else "")
    if taken is not None:
        return taken
    if named is not None and origin is not None:
        return CaptureTime(named, origin, warnings=(_KEY_WARNINGS[origin],))
    uploaded = upload.uploaded_at.astimezone(UTC).replace(tzinfo=None)
    return CaptureTime(uploaded, TimeOrigin.UPLOAD, warnings=("the time is the upload's: no other time is known",))


def _clock_warnings(taken: datetime, uploaded_at: datetime) -> list[str]:
    """Warnings about an implausible time. The time stays: even a wrong clock shows which frames belong together."""
    if taken.year < FIRST_YEAR:
        return [f"the camera's clock says {taken.year}: it was never set"]
    if taken > uploaded_at.astimezone(UTC).replace(tzinfo=None) + _MAX_LEAD:
        return [f"the camera's clock says {taken:%Y-%m-%d %H:%M}, which is after the upload"]
    return []
