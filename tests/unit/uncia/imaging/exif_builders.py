"""Makes EXIF byte by byte, good, odd and hostile. TIFF 6.0: a count, entries of 12 bytes, the offset of the next."""

import io
import struct
from collections.abc import Mapping

import numpy as np
from PIL import Image

MAKE, MODEL, DATE_TIME, EXIF_DIRECTORY, GPS_DIRECTORY = 0x010F, 0x0110, 0x0132, 0x8769, 0x8825
DATE_TIME_ORIGINAL, DATE_TIME_DIGITIZED = 0x9003, 0x9004
SUB_SECOND, SUB_SECOND_ORIGINAL, OFFSET, OFFSET_ORIGINAL = 0x9290, 0x9291, 0x9010, 0x9011
MAKER_NOTE, BODY_SERIAL = 0x927C, 0xA431

ASCII, LONG, RATIONAL, UNDEFINED = 2, 4, 5, 7

Values = Mapping[int, str | bytes]
Entry = tuple[int, int, int, bytes]
"""Tag, type, count, and the value or, longer than four bytes, what its offset leads to."""


def entries(values: Values) -> list[Entry]:
    """Text as ASCII, bytes as UNDEFINED."""
    made = []
    for tag, value in sorted(values.items()):
        raw = value.encode() + b"\0" if isinstance(value, str) else value
        made.append((tag, ASCII if isinstance(value, str) else UNDEFINED, len(raw), raw))
    return made


def directory(made: list[Entry], at: int, order: str = "<") -> bytes:
    """A directory that lies `at` bytes into its block, and behind it the values that do not fit into it."""
    rows, values, place = b"", b"", at + 2 + 12 * len(made) + 4
    for tag, kind, count, raw in made:
        rows += struct.pack(f"{order}HHI", tag, kind, count)
        if len(raw) > 4:
            rows += struct.pack(f"{order}I", place + len(values))
            values += raw + b"\0" * (len(raw) % 2)
        else:
            rows += raw.ljust(4, b"\0")
    return struct.pack(f"{order}H", len(made)) + rows + bytes(4) + values


def block(image: Values | None = None, exif: Values | None = None, order: str = "<") -> bytes:
    """A whole TIFF structure: the first directory, and the EXIF directory behind it."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    first = entries(image or {})
    if exif is None:
        return head + directory(first, 8, order)
    pointer = (EXIF_DIRECTORY, LONG, 1, bytes(4))
    second = 8 + len(directory(sorted([*first, pointer]), 8, order))
    pointer = (EXIF_DIRECTORY, LONG, 1, struct.pack(f"{order}I", second))
    return head + directory(sorted([*first, pointer]), 8, order) + directory(entries(exif), second, order)


def segment(marker: int, payload: bytes) -> bytes:
    """A JPEG's segment."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload


def exif_segment(image: Values | None = None, exif: Values | None = None, order: str = "<") -> bytes:
    """APP1 with a block."""
    return segment(0xE1, b"Exif\0\0" + block(image, exif, order))


def jpeg(*segments: bytes, width: int = 64, height: int = 48, seed: int = 0) -> bytes:
    """A small whole JPEG with these segments in front of all others."""
    pixels = np.random.default_rng(seed).integers(60, 160, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=80)
    whole = file.getvalue()
    return whole[:2] + b"".join(segments) + whole[2:]


def photograph(image: Values | None = None, exif: Values | None = None, order: str = "<", seed: int = 0) -> bytes:
    """A JPEG with one EXIF block."""
    return jpeg(exif_segment(image, exif, order), seed=seed)
