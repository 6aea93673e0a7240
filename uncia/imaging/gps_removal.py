"""Removes the position from a JPEG without decoding a pixel and without moving a byte.

The values are overwritten where they are: zeros in the GPS directories of EXIF, blanks in XMP. The file keeps its size,
and everything else its place: maker notes, thumbnails and the index of a multi-picture file refer to offsets. The
result depends on the bytes alone, and a second removal changes nothing, so that an upload can be repeated.

The whole file is searched, not its header only: thumbnails, further pictures and what is behind the end have metadata
of their own. The work is bounded: a file can contain anything.

Not recognised: positions in maker notes, names of places in IPTC or XMP, and coordinates printed into the pixels.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from uncia.imaging.exif_blocks import TIFF_ORDERS

__all__ = ["MAX_BYTES", "GpsRemoval", "Position", "remove_gps"]

MAX_BYTES = 64 << 20
"""Larger files are not searched: they would have to fit into the memory of a small board."""

Position = dict[str, float | str]
"""What was found, by name: `latitude` and `longitude` in degrees, `altitude_m`, `datum`, or texts of XMP."""

_MAX_FOUND = 256
"""Blocks of EXIF and properties of XMP in a file; real ones have a handful."""
_MAX_ENTRIES = 512

_BLOCK = re.compile(rb"\xff\xe1(..)Exif\0.(?=II\*\0|MM\0\*)", re.DOTALL)
_BLOCK_ELSEWHERE = re.compile(rb"Exif\0.(?=II\*\0|MM\0\*)", re.DOTALL)
_EXIF_POINTER, _GPS_POINTER = 0x8769, 0x8825
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}

_XMP_NAME = re.compile(rb":gps", re.IGNORECASE)
_XMP_ATTRIBUTE = re.compile(rb"([\w.-]{0,40}:gps\w{0,40})\s{0,8}=\s{0,8}(?:\"([^\"<]{0,300})\"|'([^'<]{0,300})')", re.I)
_XMP_ELEMENT = re.compile(
    rb"<([\w.-]{0,40}:gps\w{0,40})(?:\s[^<>]{0,300})?(?:/>|>(.{0,600}?)</\1\s{0,4}>)", re.IGNORECASE | re.DOTALL
)
_XMP_LEFT = re.compile(rb":gps_?(?:lat|lon|pos|coord)", re.IGNORECASE)
_BEFORE, _AFTER = 41, 1100


@dataclass(frozen=True)
class GpsRemoval:
    """The bytes without a position, and what was removed."""

    data: bytes
    position: Position | None = None
    """None: there was none, or an empty one."""
    problem: str | None = None
    """Why a position may remain; the bytes are then unchanged."""


def remove_gps(data: bytes) -> GpsRemoval:
    """Overwrite every position in EXIF and XMP. Never raises."""
    if not data.startswith(b"\xff\xd8"):
        return GpsRemoval(data, problem="it is no JPEG")
    if len(data) > MAX_BYTES:
        return GpsRemoval(data, problem=f"it has more than {MAX_BYTES >> 20} MB")
    made, position = bytearray(data), Position()
    try:
        for begin, end in _blocks(data):
            _clear_block(made, begin, end, position)
        _clear_xmp(made, position)
    except _NotRemovable as error:
        return GpsRemoval(data, problem=str(error))
    return GpsRemoval(bytes(made), position or None)


class _NotRemovable(Exception):
    """The message says why."""


def _blocks(data: bytes) -> Iterator[tuple[int, int]]:
    """Begin and end of each TIFF structure in an APP1 segment, wherever in the file the segment is."""
    begins: set[int] = set()
    for found in _BLOCK.finditer(data):
        if len(begins) >= _MAX_FOUND:
            raise _NotRemovable(f"it has more than {_MAX_FOUND} blocks of EXIF")
        begins.add(found.end())
        yield found.end(), min(len(data), found.start() + 2 + int.from_bytes(found[1], "big"))
    for found in _BLOCK_ELSEWHERE.finditer(data):
        if found.end() not in begins:
            raise _NotRemovable("it has EXIF outside of the segment for it")


def _clear_block(data: bytearray, begin: int, end: int, position: Position) -> None:
    tiff = bytes(data[begin:end])
    order = TIFF_ORDERS.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return
    (first,) = struct.unpack_from(f"{order}I", tiff, 4)
    waiting, seen, gps = [(first, True)], set[int](), list[int]()
    while waiting:
        at, is_chained = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        for tag, _, _, value in _entries(tiff, at, order):
            if tag == _GPS_POINTER:
                (directory,) = struct.unpack(f"{order}I", value)
                # The header is at 0: cameras without a receiver write the pointer all the same.
                if directory:
                    gps.append(directory)
            elif tag == _EXIF_POINTER:
                waiting.append((struct.unpack(f"{order}I", value)[0], False))
        following = _next_directory(tiff, at, order) if is_chained and len(seen) < 4 else 0
        if following:
            waiting.append((following, True))
    for at in dict.fromkeys(gps):
        if at + 2 > len(tiff):
            # In another segment, or nowhere.
            raise _NotRemovable("its EXIF refers to a position outside of its segment")
        _clear_directory(data, tiff, begin, at, order, position)


def _clear_directory(data: bytearray, tiff: bytes, begin: int, at: int, order: str, position: Position) -> None:
    entries = list(_entries(tiff, at, order))
    (claimed,) = struct.unpack_from(f"{order}H", tiff, at)
    if claimed != len(entries):
        raise _NotRemovable("its directory of GPS tags is damaged")
    values: dict[int, bytes] = {}
    for tag, kind, count, value in entries:
        size = _SIZES.get(kind, 1) * count
        if size <= 4:
            values.setdefault(tag, value[:size])
            continue
        (offset,) = struct.unpack(f"{order}I", value)
        if offset + size > len(tiff) or offset < 8:
            raise _NotRemovable("its EXIF refers to a position outside of its segment")
        values.setdefault(tag, tiff[offset : offset + size])
        data[begin + offset : begin + offset + size] = bytes(size)
    data[begin + at : begin + at + 2 + 12 * claimed] = bytes(2 + 12 * claimed)
    for name, found in _position(values, order).items():
        position.setdefault(name, found)


def _entries(tiff: bytes, at: int, order: str) -> Iterator[tuple[int, int, int, bytes]]:
    """Tag, type, count and the four bytes of the value or its offset."""
    if at + 2 > len(tiff):
        return
    (claimed,) = struct.unpack_from(f"{order}H", tiff, at)
    count = min(claimed, (len(tiff) - at - 2) // 12, _MAX_ENTRIES)
    yield from struct.iter_unpack(f"{order}HHI4s", tiff[at + 2 : at + 2 + 12 * count])


def _next_directory(tiff: bytes, at: int, order: str) -> int:
    if at + 2 > len(tiff):
        return 0
    (count,) = struct.unpack_from(f"{order}H", tiff, at)
    place = at + 2 + 12 * count
    return int(struct.unpack_from(f"{order}I", tiff, place)[0]) if place + 4 <= len(tiff) else 0


def _position(values: dict[int, bytes], order: str) -> Position:
    """The tags of EXIF 2.32, section 4.6.6, that say where; a value that is none is left out."""
    found = Position()
    for name, tag, reference, negative in (("latitude", 2, 1, b"S"), ("longitude", 4, 3, b"W")):
        degrees = _sexagesimal(values.get(tag, b""), order)
        if degrees is not None:
            found[name] = -degrees if values.get(reference, b"")[:1] == negative else degrees
    altitude = _rationals(values.get(6, b""), order)
    if altitude and altitude[0] is not None:
        found["altitude_m"] = -altitude[0] if values.get(5, b"")[:1] == b"\x01" else altitude[0]
    if datum := values.get(0x12, b"").split(b"\0")[0].decode("latin-1").strip():
        found["datum"] = datum[:40]
    return found if "latitude" in found and "longitude" in found else Position()


def _sexagesimal(raw: bytes, order: str) -> float | None:
    parts = _rationals(raw, order)[:3]
    if not parts or parts[0] is None:
        return None
    return round(sum(((part or 0.0) / float(60**power) for power, part in enumerate(parts)), 0.0), 8)


def _rationals(raw: bytes, order: str) -> list[float | None]:
    pairs = struct.iter_unpack(f"{order}2I", raw[: len(raw) // 8 * 8])
    return [int(above) / int(below) if below else None for above, below in pairs]


def _clear_xmp(data: bytearray, position: Position) -> None:
    for count, found in enumerate(_XMP_NAME.finditer(bytes(data))):
        if count >= _MAX_FOUND:
            raise _NotRemovable(f"it has more than {_MAX_FOUND} GPS properties in XMP")
        begin = max(0, found.start() - _BEFORE)
        window = bytes(data[begin : found.end() + _AFTER])
        for pattern in (_XMP_ELEMENT, _XMP_ATTRIBUTE):
            for property_ in pattern.finditer(window):
                if not property_.start() <= found.start() - begin < property_.end():
                    continue
                text = next((group for group in property_.groups()[1:] if group), b"")
                if text.strip():
                    position.setdefault(property_[1].decode("latin-1"), text.decode("latin-1").strip()[:60])
                data[begin + property_.start() : begin + property_.end()] = b" " * len(property_[0])
                break
    if _XMP_LEFT.search(data):
        raise _NotRemovable("it has a position in XMP that cannot be told from the rest")
