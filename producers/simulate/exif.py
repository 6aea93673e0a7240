"""Metadata that cameras write: EXIF, and for Reconyx the maker note of the HyperFire 2 in its genuine layout."""

import struct
from dataclasses import dataclass
from datetime import datetime

from PIL import ExifTags, Image

MAKER_NOTE = 0x927C

_SERIAL_AT, _SERIAL_LETTERS = 0x7E, 15
_LENGTH = 0x9C + 0x40


@dataclass(frozen=True)
class ExifValues:
    """Values in the metadata of one photograph."""

    time: datetime
    make: str
    model: str
    serial: str
    infrared: bool
    temperature_c: int
    sequence: int
    sequence_length: int
    event_number: int
    label: str
    reconyx: bool


def exif(values: ExifValues) -> Image.Exif:
    """The EXIF block of a photograph, with a maker note for a Reconyx."""
    block = Image.Exif()
    block[ExifTags.Base.Make] = values.make
    block[ExifTags.Base.Model] = values.model
    block[ExifTags.Base.DateTime] = values.time.strftime("%Y:%m:%d %H:%M:%S")
    inner = block.get_ifd(ExifTags.IFD.Exif)
    inner[ExifTags.Base.DateTimeOriginal] = values.time.strftime("%Y:%m:%d %H:%M:%S")
    inner[ExifTags.Base.DateTimeDigitized] = values.time.strftime("%Y:%m:%d %H:%M:%S")
    inner[ExifTags.Base.SubsecTimeOriginal] = f"{values.time.microsecond // 1000:03d}"
    inner[ExifTags.Base.ISOSpeedRatings] = 1600 if values.infrared else 200
    inner[ExifTags.Base.Flash] = 25 if values.infrared else 24
    inner[ExifTags.Base.BodySerialNumber] = values.serial
    if values.reconyx:
        inner[MAKER_NOTE] = maker_note(values)
    return block


def maker_note(values: ExifValues) -> bytes:
    """The maker note of a HyperFire 2: little-endian fields at fixed offsets, named as in ExifTool's Reconyx tables."""
    note = bytearray(_LENGTH)
    note[0:10] = b"RECONYXH2\0"
    struct.pack_into("<HH", note, 0x10, values.event_number * 10 + values.sequence, 100)  # file, folder
    note[0x34:0x36] = b"M\0"  # triggered by motion
    struct.pack_into("<HH", note, 0x36, values.sequence, values.sequence_length)
    struct.pack_into("<HH", note, 0x3A, values.event_number >> 16, values.event_number & 0xFFFF)
    time = values.time
    struct.pack_into("<6H", note, 0x3E, time.second, time.minute, time.hour, time.month, time.day, time.year)
    struct.pack_into("<HH", note, 0x4A, time.isoweekday() % 7 + 1, _moon(time))
    struct.pack_into("<hh", note, 0x4E, round(values.temperature_c * 9 / 5 + 32), values.temperature_c)
    struct.pack_into("<4H", note, 0x52, 128, 0, 32, 0)  # contrast, brightness, sharpness, saturation
    struct.pack_into("<H", note, 0x5A, int(values.infrared))
    struct.pack_into("<4H", note, 0x60, 90, 7814, 9521, 1)  # sensitivity, millivolts now and on average, battery
    note[0x68 : 0x68 + 22] = values.label.encode("ascii", "replace")[:21].ljust(22, b"\0")
    serial = values.serial[: _SERIAL_LETTERS - 1].encode("utf-16-le")
    note[_SERIAL_AT : _SERIAL_AT + len(serial)] = serial
    return bytes(note)


def _moon(time: datetime) -> int:
    """Phase of the moon, 0 (new) to 7, by the mean synodic month since a known new moon."""
    days = (time - datetime(2000, 1, 6, 18, 14)).total_seconds() / 86400
    return round(days / 29.530588 * 8) % 8
