"""Finds the end of a JPEG's image data and detects damage by a failing card.

libjpeg, as Pillow uses it, decodes damaged data without a warning: missing data becomes grey, foreign data becomes
noise. This module detects patterns that no encoder writes: header markers within the data, a cluster of zeros, restart
markers in the wrong order. Only the decoder can determine whether the amount of data is right
(`uncia.imaging.jpeg_decoder`). The search uses `bytes.find` and `re`: 0.1 ms for 300 KB, compared with 8 ms of
decoding.
"""

import re
from dataclasses import dataclass

from uncia.errors import RejectedImage
from uncia.imaging.jpeg_segments import END_OF_IMAGE, START_OF_SCAN

_MAX_SCANS = 64
"""Maximum number of scans. Encoders write about ten; each takes a pass over the image, so that thousands would block a
worker."""
_MAX_SEGMENTS = 4 * _MAX_SCANS

_ZEROS = bytes(512)
"""The size of a sector; an erased one contains zeros."""

_ONES = b"\xff" * 64
"""A run of 0xFF, which no encoder writes within the data: it adds a zero after each 0xFF. At such a run the decoder
asks for more bytes without consuming any, so that its time is quadratic in the length of the run."""

_LEAST_SHARE = 0.1
"""Minimum fraction of the data before the damage; with less, nothing recognisable remains."""

_NOT_PICTURE = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
_BETWEEN_SCANS = frozenset((0xC4, 0xDB, 0xDC, 0xDD, 0xFE, START_OF_SCAN, *range(0xE0, 0xF0)))
_HUFFMAN = 0xC4


@dataclass(frozen=True)
class ScanLayout:
    """How an image is divided into units (MCU) of blocks of 8 x 8 samples, in the order of the data."""

    unit_width: int
    """Pixels."""
    unit_height: int
    units_a_row: int
    rows: int
    blocks: int
    """Blocks in each unit."""
    one_scan: bool
    """True when the first scan contains the whole image, so that its data is one pass from top to bottom."""
    restart_interval: int
    """Units between two restart markers; 0 without restart markers."""

    @classmethod
    def of(cls, frame: bytes, process: str, *, scanned: int, restart_interval: int) -> "ScanLayout":
        """Parse a frame header (which starts with its length); `scan_components` is that of the first scan."""
        height, width = int.from_bytes(frame[3:5], "big"), int.from_bytes(frame[5:7], "big")
        factors = [(factor >> 4, factor & 15) for factor in frame[9 : 8 + 3 * frame[7] : 3]]
        if len(factors) < 2 or any(not 1 <= factor <= 4 for pair in factors for factor in pair):
            factors = [(1, 1)]  # one component is never interleaved; the decoder rejects invalid factors
        wide, high = 8 * max(across for across, _ in factors), 8 * max(down for _, down in factors)
        return cls(
            wide,
            high,
            units_a_row=-(-width // wide),
            rows=-(-height // high),
            blocks=sum(a * b for a, b in factors),
            one_scan=process != "progressive" and scanned == frame[7],
            restart_interval=restart_interval,
        )


@dataclass(frozen=True)
class Scan:
    """Position of the image data in a file."""

    begin: int
    """Offset of the first scan's marker."""
    end: int
    """Offset after the last byte for the decoder, without the end-of-image marker."""
    damage: tuple[str, ...] = ()
    """Damage in the data, as text."""


def read_scan(data: bytes, begin: int, data_begin: int, layout: ScanLayout, tables: bytes) -> Scan:
    """Find the end of the image data.

    `begin` is the offset of the first scan's marker, `data_begin` that of the end of its header, and `tables` the
    file's header without metadata. Raises `RejectedImage` with the reason `image-truncated` without an end-of-image
    marker, `image-too-large` for too many scans, `image-corrupt` when almost nothing precedes the damage.
    """
    end, broken = _end(data, data_begin, layout)
    whole = data.find(b"\xff\xd9", end)
    # libjpeg fills in missing data, including zeros from a failing card, and reports a complete image.
    if whole < 0:
        raise RejectedImage(
            "image-truncated", f"the JPEG is truncated: its {len(data):,} bytes contain no end-of-image marker"
        )
    damage = []
    if broken is not None:
        share = (end - data_begin) / max(1, whole - data_begin)
        if share < _LEAST_SHARE:
            raise RejectedImage("image-corrupt", f"{broken} after {share:.0%} of the image data")
        damage.append(f"{broken} after {share:.0%} of the image data")
    if layout.one_scan:
        damage += _zeros(data, data_begin, end, tables)
        damage += _restarts(data, data_begin, end, layout)
    return Scan(begin, end, tuple(damage))


def _end(data: bytes, at: int, layout: ScanLayout) -> tuple[int, str | None]:
    """Return the end of the data and, when it is not an end-of-image marker, the damage as text."""
    scans, begin = 1, at
    for _ in range(_MAX_SEGMENTS):
        found = _NOT_PICTURE.search(data, at)
        if found is None:
            return len(data), None
        marker, at = data[found.end() - 1], found.end()
        ones = data.find(_ONES, begin, found.start())
        if ones >= 0:
            filled = marker == END_OF_IMAGE and data.count(b"\xff", ones, at - 1) == at - 1 - ones
            return ones, None if filled else "erased bytes (0xff) stand amid the picture"
        if marker == END_OF_IMAGE:
            return found.start(), None
        begin = at
        length = int.from_bytes(data[at : at + 2], "big")
        if layout.one_scan or marker not in _BETWEEN_SCANS or length < 2:
            return found.start(), f"{_named(marker)} amid the picture"
        scans += marker == START_OF_SCAN
        if scans > _MAX_SCANS:
            break
        at += length
    raise RejectedImage("image-too-large", f"more than {_MAX_SCANS} scans: decoding would take minutes")


def _named(marker: int) -> str:
    if marker == 0xD8:
        return "another photograph begins"
    return f"a marker {marker:#04x} stands"


def _zeros(data: bytes, begin: int, end: int, tables: bytes) -> list[str]:
    """Find a cluster of zeros, unless this file encodes uniform areas as zeros."""
    at = data.find(_ZEROS, begin, end)
    if at < 0 or _zeros_are_plain(tables):
        return []
    rest = data[at:end]
    count = len(rest) - len(rest.lstrip(b"\0"))
    if at + count == end:
        return []  # some cameras pad the file; the decoder detects a hole that reaches the end
    return [f"{count:,} zero bytes amid the picture's data"]


def _zeros_are_plain(tables: bytes) -> bool:
    """Return whether zero bits encode unchanged blocks, as in tables that were optimised for a uniform image.

    The first symbol of a Huffman table has a code of zeros only (ITU T.81, annex C). A real image has thousands of
    consecutive zero bits only if this symbol means "no difference" and "end of block" in all tables.
    """
    firsts = []
    at = 2
    while at + 4 <= len(tables):
        end = at + 2 + int.from_bytes(tables[at + 2 : at + 4], "big")
        if tables[at + 1] == _HUFFMAN:
            place = at + 4
            while place + 17 < end:
                firsts.append(tables[place + 17])
                place += 17 + sum(tables[place + 1 : place + 17])
        at = end
    return bool(firsts) and not any(firsts)


def _restarts(data: bytes, begin: int, end: int, layout: ScanLayout) -> list[str]:
    """Check restart markers, which count from 0 to 7 and start again: a wrong number means missing or foreign data."""
    if not layout.restart_interval:
        return []
    expected = -(-layout.units_a_row * layout.rows // layout.restart_interval) - 1
    for count, found in enumerate(_RESTART.finditer(data, begin, end)):
        if count >= expected or found[1][0] & 7 != count & 7:
            return ["restart markers out of turn"]
    return []
