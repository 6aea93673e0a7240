"""What a photograph's EXIF says. Reads the bytes' beginning only, raises nothing, believes nothing blindly."""

import io
import logging
import re
import struct
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import exifread

# It warns about every file without EXIF; our caller says what matters in `warnings`.
logging.getLogger("exifread").setLevel(logging.CRITICAL)

READ_BYTES = 128 * 1024
"""EXIF is in a JPEG's first segments, of 64 KB at most each."""

_EXIF_IFD = "Image ExifOffset"
_MAKER_NOTE = 0x927C
_BYTES = (1, 7)
"""BYTE, which some writers use, and UNDEFINED, which the standard asks for."""
_TIME = re.compile(r"\s*(\d{4})[:\-/.](\d{1,2})[:\-/.](\d{1,2})[ T](\d{1,2}):(\d{1,2})(?::(\d{1,2}))?")


@dataclass(frozen=True)
class Exif:
    """What the camera wrote. `time` is its own clock, without offset, to the millisecond."""

    time: datetime | None = None
    make: str | None = None
    model: str | None = None
    serial: str | None = None
    maker_note: bytes | None = None
    warnings: tuple[str, ...] = ()


def read_exif(data: bytes) -> Exif:
    """Read EXIF from a photograph, or from its first 128 KB. Never raises: what is broken becomes a warning."""
    data = data[:READ_BYTES]
    try:
        # details=False: exifread would take the maker note apart byte by byte, at four times the cost.
        tags: dict[str, Any] = exifread.process_file(io.BytesIO(data), details=False, extract_thumbnail=False)
    except Exception as error:  # the library raises whatever the bytes make it stumble over
        return Exif(warnings=(f"EXIF cannot be read: {type(error).__name__}",))
    warnings: list[str] = []
    time = _time(tags, warnings)
    if time is None and not warnings:
        warnings.append("EXIF without a time" if tags else "no EXIF")
    return Exif(
        time=time,
        make=_text(tags.get("Image Make")),
        model=_text(tags.get("Image Model")),
        serial=_text(tags.get("EXIF BodySerialNumber")),
        maker_note=_maker_note(data, tags),
        warnings=tuple(warnings),
    )


def _time(tags: dict[str, Any], warnings: list[str]) -> datetime | None:
    """DateTimeOriginal, else DateTimeDigitized, with the sub-second that belongs to it."""
    for name, sub_second in (
        ("EXIF DateTimeOriginal", "EXIF SubSecTimeOriginal"),
        ("EXIF DateTimeDigitized", "EXIF SubSecTimeDigitized"),
    ):
        text = _text(tags.get(name))
        if text is None:
            continue
        found = _TIME.match(text)
        try:
            if found is None:
                raise ValueError
            moment = datetime(*(int(part or 0) for part in found.groups()))  # type: ignore[arg-type]
        except ValueError:
            warnings.append(f"EXIF time is not a time: {text[:40]!r}")
            continue
        fraction = re.match(r"\d+", _text(tags.get(sub_second)) or "")
        return moment.replace(microsecond=int(f"{fraction[0]:0<3}"[:3]) * 1000) if fraction else moment
    return None


def _text(tag: Any) -> str | None:
    """A tag's text without padding; None when it is absent, empty or not text."""
    if tag is None or not isinstance(tag.values, str):
        return None
    return tag.values.split("\0")[0].strip()[:200] or None


def _maker_note(data: bytes, tags: dict[str, Any]) -> bytes | None:
    """The maker note's bytes, found in the EXIF directory whose offset exifread gives.

    TIFF 6.0: a directory is a count and entries of 12 bytes: tag, type, count of values, value or its offset.
    """
    begin = data.find(b"Exif\0\0")
    if begin < 0 or _EXIF_IFD not in tags:
        return None
    tiff = data[begin + 6 :]
    order = "<" if tiff[:2] == b"II" else ">"
    try:
        directory = int(tags[_EXIF_IFD].values[0])
        (entries,) = struct.unpack_from(f"{order}H", tiff, directory)
        for place in range(directory + 2, directory + 2 + 12 * entries, 12):
            tag, kind, count, offset = struct.unpack_from(f"{order}HHII", tiff, place)
            if tag == _MAKER_NOTE and kind in _BYTES and count > 4:
                return tiff[offset : offset + count] or None
    except (struct.error, ValueError, IndexError, TypeError):
        return None
    return None
