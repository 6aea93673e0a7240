"""Reads the EXIF tags that Uncia uses. Never raises on invalid data, checks every value, and does bounded work.

No library is used, because those available read every tag and follow every pointer: 69 KB of directories that refer to
each other occupied exifread for hours. This module reads two directories of each EXIF block, at most 512 entries of
each, and at most a few hundred bytes of each entry (maker notes: up to the end of their segment). Layout: TIFF 6.0 and
EXIF 2.32.
"""

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO, NamedTuple

from uncia.imaging.camera_time import InvalidTimeError, parse_camera_time, parse_offset
from uncia.imaging.exif_blocks import TIFF_ORDERS, exif_blocks
from uncia.imaging.jpeg_segments import ByteSource, FileSource, MemorySource

_MAX_ENTRIES = 512
_MAX_TEXT = 200

_MAKE, _MODEL, _EXIF_DIRECTORY, _MAKER_NOTE, _BODY_SERIAL = 0x010F, 0x0110, 0x8769, 0x927C, 0xA431
_ASCII, _LONG, _IFD = 2, 4, 13
_BYTES = (1, 7)
"""BYTE, which some software writes, and UNDEFINED, as the standard requires."""

_NO_TIME = re.compile(r"[\s:0\-/.]*")
"""Only zeros, blanks and separators: an unknown time in EXIF."""


class TimeTag(StrEnum):
    """The EXIF tags with a time, best first."""

    ORIGINAL = "DateTimeOriginal"
    DIGITIZED = "DateTimeDigitized"
    MODIFIED = "DateTime"


_TIME_TAGS = {
    TimeTag.ORIGINAL: (0x9003, 0x9291, 0x9011),
    TimeTag.DIGITIZED: (0x9004, 0x9292, 0x9012),
    TimeTag.MODIFIED: (0x0132, 0x9290, 0x9010),
}
"""For each: the tags of the time, of its fraction of a second, and of its UTC offset."""

_WANTED = frozenset(
    (_MAKE, _MODEL, _EXIF_DIRECTORY, _MAKER_NOTE, _BODY_SERIAL, *(tag for tags in _TIME_TAGS.values() for tag in tags))
)


@dataclass(frozen=True)
class ExifTime:
    """One time in EXIF, by the camera's clock, to the millisecond."""

    tag: TimeTag
    time: datetime
    utc_offset_minutes: int | None = None
    oddity: str | None = None
    """Deviations from the standard format, as text."""
    unsure: bool = False
    """True when the text could also mean another time."""


@dataclass(frozen=True)
class Exif:
    """The metadata in a photograph. `time` is by the camera's clock, without a UTC offset, to the millisecond."""

    time: datetime | None = None
    """The best of `times`, if any. `uncia.imaging.capture_time` compares it with the other sources."""
    make: str | None = None
    model: str | None = None
    serial: str | None = None
    maker_note: bytes | None = None
    warnings: tuple[str, ...] = ()
    times: tuple[ExifTime, ...] = ()
    """All valid times: the best tag first, and for equal tags that of the first block."""


def read_exif(data: bytes) -> Exif:
    """Read EXIF from a photograph's bytes. Never raises; invalid parts are reported in `warnings`."""
    return _read(MemorySource(data))


def read_exif_file(file: BinaryIO) -> Exif:
    """Read EXIF from a seekable file, whose position changes. Raises only the `OSError` of the file."""
    return _read(FileSource(file))


def _read(source: ByteSource) -> Exif:
    warnings: list[str] = []
    blocks = [block for block in (_Block.read(raw, warnings) for raw in exif_blocks(source)) if block is not None]
    if not blocks:
        return Exif(warnings=(*warnings, "no EXIF"))
    if len(blocks) > 1:
        warnings.append(f"{len(blocks)} EXIF blocks: something wrote a second one")
    times = [time for tag in TimeTag for block in blocks if (time := block.time(tag, warnings)) is not None]
    # Make and model come from the block with the selected time: software that resizes can add another block.
    dated = [block for block in blocks if times and block.time(times[0].tag, []) == times[0]]
    blocks = dated[:1] + [block for block in blocks if block not in dated[:1]]
    if not times and not any("not a time" in warning for warning in warnings):
        warnings.append("EXIF without a time")
    return Exif(
        time=times[0].time if times else None,
        make=_first(block.text(_MAKE) for block in blocks),
        model=_first(block.text(_MODEL) for block in blocks),
        serial=_first(block.text(_BODY_SERIAL) for block in blocks),
        maker_note=next((note for block in blocks if (note := block.maker_note())), None),
        warnings=tuple(dict.fromkeys(warnings)),
        times=tuple(times),
    )


def _first(texts: Iterable[str | None]) -> str | None:
    return next((text for text in texts if text), None)


class _Entry(NamedTuple):
    """One directory entry: type, number of values, and four bytes with the value or its offset."""

    kind: int
    values: int
    value: bytes


class _Block:
    """One EXIF block; only its first directory and its EXIF directory are read."""

    def __init__(self, tiff: bytes, order: str, entries: dict[int, _Entry]) -> None:
        self._tiff, self._order, self._entries = tiff, order, entries

    @classmethod
    def read(cls, tiff: bytes, warnings: list[str]) -> "_Block | None":
        """Find the entries that are used. Returns None, with a warning, when this is not a TIFF structure."""
        order = TIFF_ORDERS.get(tiff[:4])
        if order is None or len(tiff) < 8:
            warnings.append("EXIF cannot be read: it does not begin as TIFF does")
            return None
        (first,) = struct.unpack_from(f"{order}I", tiff, 4)
        entries = cls._directory(tiff, order, first, warnings)
        pointer = entries.pop(_EXIF_DIRECTORY, None)
        if pointer is not None and pointer.kind in (_LONG, _IFD) and pointer.values:
            (second,) = struct.unpack(f"{order}I", pointer.value)
            if second != first:
                entries |= cls._directory(tiff, order, second, warnings)
        return cls(tiff, order, entries)

    @staticmethod
    def _directory(tiff: bytes, order: str, at: int, warnings: list[str]) -> dict[int, _Entry]:
        """Read a directory: a count, then entries of 12 bytes. The first entry of a repeated tag is used."""
        if at + 2 > len(tiff):
            warnings.append("EXIF cannot be read: a directory lies outside of it")
            return {}
        (claimed,) = struct.unpack_from(f"{order}H", tiff, at)
        count = min(claimed, (len(tiff) - at - 2) // 12, _MAX_ENTRIES)
        if count < claimed:
            warnings.append(f"EXIF is damaged: a directory of {claimed} entries, of which {count} are read")
        found: dict[int, _Entry] = {}
        for tag, kind, values, value in struct.iter_unpack(f"{order}HHI4s", tiff[at + 2 : at + 2 + 12 * count]):
            if tag in _WANTED and tag not in found:
                found[tag] = _Entry(kind, values, value)
        return found

    def text(self, tag: int) -> str | None:
        """Return a tag's text without padding; None when it is missing, empty or not text."""
        entry = self._entries.get(tag)
        if entry is None or entry.kind not in (_ASCII, *_BYTES):
            return None
        raw = self._bytes(entry, _MAX_TEXT).split(b"\0", 1)[0]
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        return "".join(letter if letter.isprintable() else "?" for letter in text.strip()) or None

    def maker_note(self) -> bytes | None:
        """Return its unmodified bytes, for `uncia.imaging.maker_notes`."""
        entry = self._entries.get(_MAKER_NOTE)
        if entry is None or entry.kind not in _BYTES or entry.values <= 4:
            return None
        return self._bytes(entry, entry.values) or None

    def time(self, tag: TimeTag, warnings: list[str]) -> ExifTime | None:
        """Return the time of this tag, with the fraction of a second and the UTC offset of the related tags."""
        time_tag, fraction_tag, offset_tag = _TIME_TAGS[tag]
        text = self.text(time_tag)
        if text is None:
            return None
        try:
            found = parse_camera_time(text)
        except InvalidTimeError as error:
            why = "it is empty" if _NO_TIME.fullmatch(text) else error
            warnings.append(f"EXIF {tag} is not a time: {text[:40]!r} ({why})")
            return None
        moment = found.moment
        fraction = re.match(r"\d+", self.text(fraction_tag) or "")
        if fraction and not moment.microsecond:
            moment = moment.replace(microsecond=int(f"{fraction[0]:0<3}"[:3]) * 1000)
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        offset = parse_offset(self.text(offset_tag) or "") if found.offset_minutes is None else found.offset_minutes
        if found.oddity:
            warnings.append(f"EXIF {tag} is written oddly: {text[:40]!r} ({found.oddity})")
        return ExifTime(tag, moment, offset, found.oddity, found.unsure)

    def _bytes(self, entry: _Entry, most: int) -> bytes:
        size = min(entry.values, most)
        if entry.values <= 4:
            return entry.value[:size]
        (at,) = struct.unpack(f"{self._order}I", entry.value)
        return self._tiff[at : at + size]
