"""A JPEG's picture data: where they end, and whether a failing card spoilt them.

libjpeg decodes damaged data without a word, as Pillow uses it: what is missing becomes grey, what is foreign becomes
noise. Damage is seen here by what no encoder writes: markers of a header amid the data, a cluster of zeros, restart
markers out of turn. Whether the data are as many as the picture needs, only the decoder knows
(`uncia.imaging.jpeg_decoder`). Searching is done by `bytes.find` and `re`: 0.1 ms for 300 KB, of 8 ms for the decoder.
"""

import re
from dataclasses import dataclass

from uncia.errors import RejectedImage
from uncia.imaging.jpeg_segments import END_OF_IMAGE, START_OF_SCAN

_MAX_SCANS = 64
"""Encoders write about ten. Each costs a pass over the whole picture, so thousands are an attack on the clock."""
_MAX_SEGMENTS = 4 * _MAX_SCANS

_ZEROS = bytes(512)
"""A sector of an erased card."""

_ONES = b"\xff" * 64
"""Nothing that an encoder writes within the data: it puts a zero behind each 0xFF. The decoder stops at such a run and
asks for more bytes without taking any, which costs the square of the run's length."""

_LEAST_SHARE = 0.1
"""Of the data that must precede a break; less is no picture any more."""

_NOT_PICTURE = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
_BETWEEN_SCANS = frozenset((0xC4, 0xDB, 0xDC, 0xDD, 0xFE, START_OF_SCAN, *range(0xE0, 0xF0)))
_HUFFMAN = 0xC4


@dataclass(frozen=True)
class ScanLayout:
    """How a picture is cut into units (MCU) of blocks of 8 x 8 samples, which is the order of its data."""

    unit_width: int
    """Pixels."""
    unit_height: int
    units_a_row: int
    rows: int
    blocks: int
    """Blocks in each unit."""
    one_scan: bool
    """Whether the first scan holds all of the picture, so that its data come from the top to the bottom once."""
    restart_interval: int
    """Units between two restart markers; 0 where there are none."""

    @classmethod
    def of(cls, frame: bytes, process: str, *, scanned: int, restart_interval: int) -> "ScanLayout":
        """From a frame header (length first), and the number of components in the first scan."""
        height, width = int.from_bytes(frame[3:5], "big"), int.from_bytes(frame[5:7], "big")
        factors = [(factor >> 4, factor & 15) for factor in frame[9 : 8 + 3 * frame[7] : 3]]
        if len(factors) < 2 or any(not 1 <= factor <= 4 for pair in factors for factor in pair):
            factors = [(1, 1)]  # one component is never interleaved; nonsense is the decoder's to refuse
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
    """Where the picture's data lie in a file."""

    begin: int
    """The first scan's marker."""
    end: int
    """After the last byte that the decoder may have, the end of image not included."""
    damage: tuple[str, ...] = ()
    """What is wrong with the data, in words."""


def read_scan(data: bytes, begin: int, data_begin: int, layout: ScanLayout, tables: bytes) -> Scan:
    """Find the end of the data. `begin` is the first scan's marker, `data_begin` where its header ends, `tables` the
    file's header without metadata.

    Raises `RejectedImage`: `image-truncated` without an end of image, `image-too-large` for too many scans,
    `image-corrupt` where damage leaves next to nothing.
    """
    end, broken = _end(data, data_begin, layout)
    whole = data.find(b"\xff\xd9", end)
    # libjpeg makes up what is missing, zeros on a failing card included, and calls the picture whole.
    if whole < 0:
        raise RejectedImage("image-truncated", f"the JPEG breaks off: no end of image in its {len(data):,} bytes")
    damage = []
    if broken is not None:
        share = (end - data_begin) / max(1, whole - data_begin)
        if share < _LEAST_SHARE:
            raise RejectedImage("image-corrupt", f"{broken} after {share:.0%} of the picture's data")
        damage.append(f"{broken} after {share:.0%} of the picture's data")
    if layout.one_scan:
        damage += _zeros(data, data_begin, end, tables)
        damage += _restarts(data, data_begin, end, layout)
    return Scan(begin, end, tuple(damage))


def _end(data: bytes, at: int, layout: ScanLayout) -> tuple[int, str | None]:
    """Where the data end: at the end of image, or at what does not belong there, with words for that."""
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
    """A cluster of zeros, unless zeros are how this file writes a plain surface."""
    at = data.find(_ZEROS, begin, end)
    if at < 0 or _zeros_are_plain(tables):
        return []
    rest = data[at:end]
    count = len(rest) - len(rest.lstrip(b"\0"))
    if at + count == end:
        return []  # some cameras fill the file up before its end; a hole that reaches the end, the decoder sees
    return [f"{count:,} zero bytes amid the picture's data"]


def _zeros_are_plain(tables: bytes) -> bool:
    """Whether zero bits are blocks without any change, as tables made for a plain picture may have it.

    The first symbol of a Huffman table has the code of zeros alone (ITU T.81, annex C). A natural picture has a
    run of thousands of zero bits only where that symbol says "no difference" and "end of block" in every table.
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
    """Restart markers count from 0 to 7 and anew; a missing one is a hole, another one belongs to other data."""
    if not layout.restart_interval:
        return []
    expected = -(-layout.units_a_row * layout.rows // layout.restart_interval) - 1
    for count, found in enumerate(_RESTART.finditer(data, begin, end)):
        if count >= expected or found[1][0] & 7 != count & 7:
            return ["restart markers out of turn"]
    return []
