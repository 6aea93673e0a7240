"""Whether a file holds a whole photograph, by its bytes alone; pure.

Size and time say little: FTP and SMB transfers rest for seconds and go on, and SMB, `rsync --preallocate` and
downloaders set a file's size and time before its bytes, which are zeros until they arrive. A JPEG says more: it ends
with an end-of-image marker behind its last scan, and its compressed data hold no long runs of zeros.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

HOLE = 4096
"""Zeros in a row that count as bytes which have not arrived: one page, the unit in which room is reserved."""

_IN_HEADER = re.compile(rb"\xff[^\x00\xff]")
_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_HOLE = bytes(HOLE)
_NO_LENGTH = {0x01, *range(0xD0, 0xD9)}
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


class Shape(StrEnum):
    """What the bytes look like."""

    WHOLE = "whole"
    """A JPEG from its first marker to its last."""
    PARTIAL = "partial"
    """Empty, a JPEG without its end, or a file with room for bytes that are not there."""
    OTHER = "other"
    """No JPEG: nothing tells where it ends."""


@dataclass(frozen=True)
class Completeness:
    """The shape, why, and how many of the first bytes are certain: what follows them may be filled in later."""

    shape: Shape
    reason: str
    certain: int


class CompletenessReader:
    """Follows a file's bytes in pieces of any size, once, and keeps none but the last few of them.

    Holes are looked for in compressed data and in files that are no JPEG; cameras fill up their metadata with zeros.
    """

    def __init__(self) -> None:
        self._size = 0
        self._rest = b""
        self._skip = 0
        self._jpeg: bool | None = None
        self._in_scan = False
        self._ended = False
        self._zeros = 0
        """Zeros in a row just before the bytes that come next."""
        self._hole_at: int | None = None
        self._content_end = self._content_end_before = 0
        """Behind the last byte that is not zero; and the same before the latest piece."""

    def feed(self, data: bytes) -> None:
        """The next bytes."""
        self._content_end_before = self._content_end
        if last := len(data.rstrip(b"\0")):
            self._content_end = self._size + last
        self._size += len(data)
        if self._ended:
            return
        data = self._rest + data
        if self._jpeg is None and len(data) >= 3:
            self._jpeg = data.startswith(b"\xff\xd8\xff")
        if self._jpeg:
            self._rest = data[self._parse(data) :]
        elif self._jpeg is None:
            self._rest = data
        else:
            self._look_for_hole(data, 0, len(data))
            self._rest = b""

    def result(self) -> Completeness:
        """What all the bytes so far say."""
        if self._content_end == 0:
            return Completeness(Shape.PARTIAL, "it holds zeros alone" if self._size else "it is empty", 0)
        if self._hole_at is not None:
            return Completeness(Shape.PARTIAL, "it has a hole of zeros", self._hole_at)
        if self._ended:
            return Completeness(Shape.WHOLE, "", self._content_end)
        if self._jpeg or b"\xff\xd8\xff".startswith(self._rest or b"?"):
            return Completeness(Shape.PARTIAL, "the JPEG has no end yet", self._content_end)
        return Completeness(Shape.OTHER, "", self._content_end)

    def _parse(self, data: bytes) -> int:
        """Walk over segments and scans; returns where the bytes begin that are looked at again with the next piece."""
        at = 0
        while True:
            step = min(self._skip, len(data) - at)
            at, self._skip = at + step, self._skip - step
            if self._skip:
                return at
            found = (_IN_SCAN if self._in_scan else _IN_HEADER).search(data, at)
            end = found.start() if found else max(at, len(data) - data.endswith(b"\xff"))
            if self._in_scan:
                self._look_for_hole(data, at, end)
            at = end
            if found is None:
                return at
            marker = data[at + 1]
            if marker == _END_OF_IMAGE and self._in_scan:
                self._ended = True
                return len(data)
            if marker in _NO_LENGTH or marker == _END_OF_IMAGE:
                at += 2
                continue
            if len(data) < at + 4:
                return at
            self._in_scan = self._in_scan or marker == _START_OF_SCAN
            self._zeros = 0
            self._skip = max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
            at += 2

    def _look_for_hole(self, data: bytes, start: int, end: int) -> None:
        if self._hole_at is not None or start >= end:
            return
        part = data[start:end]
        lead = len(part) - len(part.lstrip(b"\0"))
        if self._zeros + lead >= HOLE:
            self._hole_at = self._zeros_before(data, start)
        elif (at := part.find(_HOLE)) >= 0:
            self._hole_at = self._zeros_before(data, start + at)
        self._zeros = self._zeros + lead if lead == len(part) else len(part) - len(part.rstrip(b"\0"))

    def _zeros_before(self, data: bytes, at: int) -> int:
        """Where the zeros began that reach up to this place: a segment before a scan may have begun with them."""
        content = data[:at].rstrip(b"\0")
        return self._size - len(data) + len(content) if content else min(self._content_end_before, self._size)
