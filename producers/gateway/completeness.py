"""Decides by its bytes alone whether a file is a complete photograph; pure.

Size and time are no evidence: FTP and SMB transfers pause for seconds and continue, and SMB, `rsync --preallocate` and
downloaders set the size and time of a file before its bytes, which are zeros until they arrive. A JPEG is evidence: it
ends with an end-of-image marker after its last scan, and its compressed data contain no long runs of zeros.
"""

import hashlib
import re
from dataclasses import dataclass, field
from enum import StrEnum

HOLE = 4096
"""So many zeros in a row count as bytes that have not arrived: one page, the unit in which space is reserved."""

_IN_HEADER = re.compile(rb"\xff[^\x00\xff]")
_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_HOLE = bytes(HOLE)
_NO_LENGTH = {0x01, *range(0xD0, 0xD9)}
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


class Shape(StrEnum):
    """What the bytes of a file are."""

    WHOLE = "whole"
    """A JPEG from its first marker to its last, or a video with all parts of its container."""
    PARTIAL = "partial"
    """Empty, a JPEG or video without its end, or a file with reserved space instead of bytes."""
    OTHER = "other"
    """Neither: nothing shows where it ends."""


@dataclass(frozen=True)
class Completeness:
    """The shape, the reason why it is not whole, and the size of the stable prefix: later bytes may be filled in."""

    shape: Shape
    reason: str
    stable_size: int
    image_digest: str | None = field(default=None, compare=False)
    """Of the compressed image data of a whole JPEG, without its metadata; else None."""


class CompletenessReader:
    """Receives the bytes of a file once, in chunks of any size, and buffers only the last few of them.

    Holes are searched in compressed data and in files that are not JPEG; cameras pad their metadata with zeros.
    """

    def __init__(self) -> None:
        self._size = 0
        self._unparsed = b""
        self._skip = 0
        self._jpeg: bool | None = None
        self._in_scan = False
        self._ended = False
        self._zeros = 0
        """Zeros in a row just before the next bytes."""
        self._hole_at: int | None = None
        self._content_end = self._content_end_before = 0
        """Offset after the last byte that is not zero, and the same before the latest chunk."""
        self._image = hashlib.blake2b(digest_size=16)
        self._image_at: int | None = None
        """Offset of the first byte of image data that is not hashed yet; None before the first scan."""
        self._image_end: int | None = None

    def feed(self, data: bytes) -> None:
        """Receive the next bytes."""
        self._content_end_before = self._content_end
        if last := len(data.rstrip(b"\0")):
            self._content_end = self._size + last
        self._size += len(data)
        if self._ended:
            return
        data = self._unparsed + data
        if self._jpeg is None and len(data) >= 3:
            self._jpeg = data.startswith(b"\xff\xd8\xff")
        if self._jpeg:
            parsed = self._parse(data)
            self._hash_image(data, parsed)
            self._unparsed = data[parsed:]
        elif self._jpeg is None:
            self._unparsed = data
        else:
            self._find_hole(data, 0, len(data))
            self._unparsed = b""

    def result(self) -> Completeness:
        """The completeness of the bytes so far."""
        if self._content_end == 0:
            return Completeness(Shape.PARTIAL, "it contains only zeros" if self._size else "it is empty", 0)
        if self._hole_at is not None:
            return Completeness(Shape.PARTIAL, "it has a hole of zeros", self._hole_at)
        if self._ended:
            return Completeness(Shape.WHOLE, "", self._content_end, self._image.hexdigest())
        if self._jpeg or b"\xff\xd8\xff".startswith(self._unparsed or b"?"):
            return Completeness(Shape.PARTIAL, "the JPEG has no end yet", self._content_end)
        return Completeness(Shape.OTHER, "", self._content_end)

    def _parse(self, data: bytes) -> int:
        """Walk over segments and scans. Returns the offset of the bytes that are parsed again with the next chunk."""
        at = 0
        while True:
            step = min(self._skip, len(data) - at)
            at, self._skip = at + step, self._skip - step
            if self._skip:
                return at
            found = (_IN_SCAN if self._in_scan else _IN_HEADER).search(data, at)
            end = found.start() if found else max(at, len(data) - data.endswith(b"\xff"))
            if self._in_scan:
                self._find_hole(data, at, end)
            at = end
            if found is None:
                return at
            marker = data[at + 1]
            if marker == _END_OF_IMAGE and self._in_scan:
                self._ended = True
                self._image_end = self._size - len(data) + at
                return len(data)
            if marker in _NO_LENGTH or marker == _END_OF_IMAGE:
                at += 2
                continue
            if len(data) < at + 4:
                return at
            if marker == _START_OF_SCAN and not self._in_scan:
                self._in_scan, self._image_at = True, self._size - len(data) + at
            self._zeros = 0
            self._skip = max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
            at += 2

    def _hash_image(self, data: bytes, parsed: int) -> None:
        """Hash what the parsed part of `data`, the latest bytes, contains of the image data: from the first scan to the
        end marker, whose first byte may be the last of a chunk."""
        if self._image_at is None:
            return
        begins = self._size - len(data)
        end = begins + parsed if self._image_end is None else self._image_end
        self._image.update(data[self._image_at - begins : end - begins])
        self._image_at = end

    def _find_hole(self, data: bytes, start: int, end: int) -> None:
        if self._hole_at is not None or start >= end:
            return
        part = data[start:end]
        lead = len(part) - len(part.lstrip(b"\0"))
        if self._zeros + lead >= HOLE:
            self._hole_at = self._start_of_zeros(data, start)
        elif (at := part.find(_HOLE)) >= 0:
            self._hole_at = self._start_of_zeros(data, start + at)
        self._zeros = self._zeros + lead if lead == len(part) else len(part) - len(part.rstrip(b"\0"))

    def _start_of_zeros(self, data: bytes, at: int) -> int:
        """The file offset at which the zeros before `at` begin: they may begin in a segment before the scan."""
        content = data[:at].rstrip(b"\0")
        return self._size - len(data) + len(content) if content else min(self._content_end_before, self._size)
