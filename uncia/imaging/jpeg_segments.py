"""The segments in front of a JPEG's picture data, found without reading what they hold.

A file may claim anything, so the walk is bounded: in segments, and in stray bytes between them. It costs one small
read a segment, whatever its size.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, Protocol

MAX_SEGMENTS = 4096
"""Genuine files have ten or twenty; 64 MB of the largest segments are a thousand."""

MAX_STRAY = 64 * 1024
"""Bytes between two segments that are skipped, as libjpeg does."""

MARKER = re.compile(rb"\xff[^\x00\xff]")
WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))
START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9


class ByteSource(Protocol):
    """Where bytes can be read from any place."""

    def read(self, at: int, count: int) -> bytes:
        """At most `count` bytes from `at` on; fewer where they end."""
        ...


class MemorySource:
    """A file that is held whole."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, at: int, count: int) -> bytes:
        """A slice."""
        return self._data[at : at + count]


class FileSource:
    """An open file that can seek. `OSError` of the file goes through."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, at: int, count: int) -> bytes:
        """Seek and read."""
        self._file.seek(at)
        return self._file.read(count)


class Segment(NamedTuple):
    """One segment: its marker's second byte, and where its payload lies (after the two bytes of its length)."""

    marker: int
    begin: int
    end: int


def iterate_segments(source: ByteSource) -> Iterator[Segment]:
    """The segments before the first scan, in order. Ends silently where the file does, or where a bound is reached."""
    if source.read(0, 2) != b"\xff\xd8":
        return
    at = 2
    for _ in range(MAX_SEGMENTS):
        head = source.read(at, 4)
        if len(head) < 4:
            return
        if head[0] != 0xFF or head[1] in (0x00, 0xFF):
            found = MARKER.search(source.read(at, MAX_STRAY))
            if found is None:
                return
            at += found.start()
            head = source.read(at, 4)
        marker = head[1]
        if marker in (START_OF_SCAN, END_OF_IMAGE):
            return
        if marker in WITHOUT_LENGTH:
            at += 2
            continue
        length = int.from_bytes(head[2:4], "big")
        if len(head) < 4 or length < 2:
            return
        yield Segment(marker, at + 4, at + 2 + length)
        at += 2 + length
