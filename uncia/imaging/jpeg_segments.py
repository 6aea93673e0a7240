"""Finds the segments before a JPEG's image data without reading their content.

The numbers of segments and of stray bytes between them are limited, because a file can contain anything. Each segment
takes one small read, regardless of its size.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, Protocol

MAX_SEGMENTS = 4096
"""Maximum number of segments. Real files have ten or twenty; 64 MB of segments of the maximum size are a thousand."""

MAX_STRAY = 64 * 1024
"""Maximum number of bytes between two segments that are skipped, as libjpeg does."""

MARKER = re.compile(rb"\xff[^\x00\xff]")
WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))
START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9


class ByteSource(Protocol):
    """A source with random access to bytes."""

    def read(self, at: int, count: int) -> bytes:
        """Return `count` bytes from offset `at`; fewer at the end."""
        ...


class MemorySource:
    """A file in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, at: int, count: int) -> bytes:
        """Return a slice of the bytes."""
        return self._data[at : at + count]


class FileSource:
    """An open, seekable file. Its `OSError` is passed on."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, at: int, count: int) -> bytes:
        """Seek to `at` and read."""
        self._file.seek(at)
        return self._file.read(count)


class Segment(NamedTuple):
    """One segment: the second byte of its marker and the position of its payload, after the two bytes of the length."""

    marker: int
    begin: int
    end: int


def iterate_segments(source: ByteSource) -> Iterator[Segment]:
    """Yield the segments before the first scan, in order. Ends at the end of the file or when a limit is reached."""
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
