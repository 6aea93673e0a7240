"""Copies a picture without its metadata: JPEG, PNG and WebP, without decoding a pixel.

What leaves the private tier is either encoded anew from pixels, where it is scaled or cut anyway, or passes through
`without_metadata`. The copy is built from a list of what a decoder needs, so that a new kind of metadata is left out as
well: EXIF, XMP, IPTC, colour profiles, maker notes, embedded thumbnails, comments, the index and the pictures of a
multi-picture file, bytes between the parts of the file, and everything behind its end.

Kept are the pixels, exactly: encoding an original anew would lose detail by which individuals are recognised. The
orientation remains as an EXIF block that has this one tag, because boxes refer to the pixels as they are stored.

What cannot be removed so is what is in the pixels, such as a strip with coordinates that a camera prints into them, and
what is hidden in the compressed data itself.

The work is linear in the size of the file, and the number of parts is limited: a file can contain anything.
"""

import re
import struct
import zlib
from collections.abc import Iterator

from uncia.errors import PermanentError
from uncia.imaging.exif_blocks import TIFF_ORDERS, exif_blocks
from uncia.imaging.jpeg_segments import (
    END_OF_IMAGE,
    MARKER,
    MAX_SEGMENTS,
    MAX_STRAY,
    START_OF_SCAN,
    WITHOUT_LENGTH,
    MemorySource,
)

__all__ = ["MetadataNotRemovable", "without_metadata"]

_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"
_HUFFMAN, _QUANTISATION, _ARITHMETIC, _LINES, _INTERVAL = 0xC4, 0xDB, 0xCC, 0xDC, 0xDD
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {_HUFFMAN, 0xC8, _ARITHMETIC})
_FIXED_LENGTHS = {_LINES: 2, _INTERVAL: 2}
_ADOBE, _ADOBE_BYTES = 0xEE, 12
_AFTER_ENTROPY_DATA = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""A marker that is no restart."""

_ORIENTATION, _SHORT = 0x0112, 3

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT"})
_PNG_TABLES = {b"IHDR": 13, b"PLTE": 768, b"tRNS": 256}
"""Chunks of one part, and their largest size."""

_WEBP_CHUNKS = frozenset({b"VP8 ", b"VP8L", b"ALPH"})
_WEBP_ALPHA = 0x10
"""The only flag of `VP8X` that is kept; the others announce a colour profile, EXIF, XMP and an animation."""


class MetadataNotRemovable(PermanentError):
    """The picture is of another format, or so damaged that its parts cannot be distinguished: it stays where it is."""

    def __init__(self, message: str) -> None:
        super().__init__("metadata-not-removable", f"metadata cannot be removed: {message}")


def without_metadata(data: bytes) -> bytes:
    """The picture with the same pixels and without metadata. Raises `MetadataNotRemovable`.

    The same for the same bytes, and unchanged by a second call. A JPEG whose image data break off is closed there.
    """
    if data.startswith(_SOI):
        return _bare_jpeg(data)
    if data.startswith(_PNG):
        return _bare_png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _bare_webp(data)
    raise MetadataNotRemovable("it is no JPEG, PNG or WebP")


def _bare_jpeg(data: bytes) -> bytes:
    parts, colours = [], b""
    has_frame = has_scan = False
    for marker, begin, end in _jpeg_segments(data):
        payload = data[begin:end]
        if marker == START_OF_SCAN:
            if not has_frame or len(payload) < 6 or len(payload) != 4 + 2 * payload[0]:
                raise MetadataNotRemovable("the JPEG has a scan without a valid header")
            has_scan = True
            parts += [_segment(marker, payload), *_entropy_data(data, end)]
        elif marker in _FRAMES:
            if has_frame or len(payload) < 6 or len(payload) != 6 + 3 * payload[5]:
                raise MetadataNotRemovable("the JPEG has an invalid frame header")
            has_frame = True
            parts.append(_segment(marker, payload))
        elif marker in (_HUFFMAN, _QUANTISATION, _ARITHMETIC) or marker in _FIXED_LENGTHS:
            if not _is_whole_table(marker, payload):
                raise MetadataNotRemovable("the JPEG has an invalid table")
            parts.append(_segment(marker, payload))
        elif marker == _ADOBE and payload[:5] == b"Adobe" and len(payload) >= _ADOBE_BYTES and not colours:
            # Without its last byte, the colour transform, some pictures would have other colours. The rest has no use.
            colours = _segment(_ADOBE, b"Adobe\0\x64\0\0\0\0" + payload[_ADOBE_BYTES - 1 : _ADOBE_BYTES])
    if not has_scan:
        raise MetadataNotRemovable("the JPEG contains no image")
    return b"".join((_SOI, _orientation_segment(data), colours, *parts, _EOI))


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker and payload (begin, end) of each segment up to the end of the image, also of those between scans.

    Ends at a second picture, and where image data break off; raises `MetadataNotRemovable` before them.
    """
    at, has_scan = 2, False
    for _ in range(MAX_SEGMENTS):
        found = MARKER.search(data, at, len(data) if has_scan else at + MAX_STRAY)
        if found is None:
            if has_scan:
                return
            raise MetadataNotRemovable("the JPEG breaks off in its header")
        marker, begin = data[found.end() - 1], found.end()
        if marker == END_OF_IMAGE or (marker == 0xD8 and has_scan):
            return
        if marker in WITHOUT_LENGTH:
            at = begin
            continue
        length = int.from_bytes(data[begin : begin + 2], "big")
        if length < 2 or begin + length > len(data):
            if has_scan:
                return
            raise MetadataNotRemovable("the JPEG breaks off in its header, or a segment is longer than the file")
        yield marker, begin + 2, begin + length
        at = begin + length
        if marker == START_OF_SCAN:
            has_scan = True
            at = _end_of_entropy_data(data, at)
    raise MetadataNotRemovable(f"the JPEG has more than {MAX_SEGMENTS:,} segments")


def _end_of_entropy_data(data: bytes, at: int) -> int:
    found = _AFTER_ENTROPY_DATA.search(data, at)
    return len(data) if found is None else found.start()


def _entropy_data(data: bytes, at: int) -> Iterator[bytes]:
    # A last byte 0xFF would make a marker of what follows.
    yield data[at : _end_of_entropy_data(data, at)].rstrip(b"\xff")


def _is_whole_table(marker: int, payload: bytes) -> bool:
    """Whether the payload consists of tables only: nothing can follow them in their segment."""
    if marker in _FIXED_LENGTHS:
        return len(payload) == _FIXED_LENGTHS[marker]
    if marker == _ARITHMETIC:
        return len(payload) % 2 == 0
    at = 0
    while at < len(payload):
        if marker == _QUANTISATION:
            at += 65 + 64 * (payload[at] >> 4 == 1)
        else:
            at += 17 + sum(payload[at + 1 : at + 17])
    return at == len(payload)


def _segment(marker: int, payload: bytes) -> bytes:
    return b"\xff%c%s%s" % (marker, struct.pack(">H", len(payload) + 2), payload)


def _orientation_segment(data: bytes) -> bytes:
    """APP1 with the orientation as its only tag; empty for an upright picture."""
    value = _orientation(data)
    if value is None:
        return b""
    tag = struct.pack(">HHIHH", _ORIENTATION, _SHORT, 1, value, 0)
    return _segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + tag + bytes(4))


def _orientation(data: bytes) -> int | None:
    """The orientation in the first EXIF block, 2 to 8; None where there is none, or the picture is upright."""
    block = next(iter(exif_blocks(MemorySource(data))), b"")
    order = TIFF_ORDERS.get(block[:4])
    if order is None or len(block) < 8:
        return None
    (at,) = struct.unpack_from(f"{order}I", block, 4)
    if at + 2 > len(block):
        return None
    (count,) = struct.unpack_from(f"{order}H", block, at)
    count = min(count, (len(block) - at - 2) // 12, 512)
    for tag, kind, values, value in struct.iter_unpack(f"{order}HHIH2x", block[at + 2 : at + 2 + 12 * count]):
        if tag == _ORIENTATION:
            return value if kind == _SHORT and values == 1 and 2 <= value <= 8 else None
    return None


def _bare_png(data: bytes) -> bytes:
    """The critical chunks and transparency. A PNG has no orientation but in EXIF, which decoders ignore there."""
    parts, at = [_PNG], len(_PNG)
    seen: set[bytes] = set()
    for _ in range(MAX_SEGMENTS * 16):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if len(kind) < 4 or at + 12 + length > len(data):
            raise MetadataNotRemovable("the PNG breaks off")
        if kind == b"IEND":
            if not {b"IHDR", b"IDAT"} <= seen:
                raise MetadataNotRemovable("the PNG contains no image")
            return b"".join((*parts, _png_chunk(kind, b"")))
        if kind in _PNG_CHUNKS:
            if length > _PNG_TABLES.get(kind, length) or (kind in _PNG_TABLES and kind in seen):
                raise MetadataNotRemovable("the PNG has an invalid chunk")
            seen.add(kind)
            parts.append(_png_chunk(kind, data[at + 8 : at + 8 + length]))
        at += 12 + length
    raise MetadataNotRemovable("the PNG has too many chunks")


def _png_chunk(kind: bytes, payload: bytes) -> bytes:
    return b"".join((struct.pack(">I", len(payload)), kind, payload, struct.pack(">I", zlib.crc32(kind + payload))))


def _bare_webp(data: bytes) -> bytes:
    """The image and its transparency; of an animation, which no camera writes, nothing."""
    end = min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    parts, at = [b"WEBP"], 12
    seen: set[bytes] = set()
    for _ in range(MAX_SEGMENTS):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 > end:
            break
        payload = data[at + 8 : at + 8 + length]
        if at + 8 + length > end or (kind in seen and kind in (*_WEBP_CHUNKS, b"VP8X")):
            raise MetadataNotRemovable("the WebP breaks off, or repeats a part")
        seen.add(kind)
        if kind == b"VP8X" and length == 10:
            parts.append(_webp_chunk(kind, bytes([payload[0] & _WEBP_ALPHA, 0, 0, 0]) + payload[4:]))
        elif kind in _WEBP_CHUNKS:
            parts.append(_webp_chunk(kind, payload))
        at += 8 + length + length % 2
    else:
        raise MetadataNotRemovable("the WebP has too many parts")
    if not seen & {b"VP8 ", b"VP8L"}:
        raise MetadataNotRemovable("the WebP contains no single image")
    body = b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _webp_chunk(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("<I", len(payload)) + payload + bytes(len(payload) % 2)
