"""Decides by its header whether a sound recording is complete. Reads 12 bytes.

Silence is zeros, and FLAC encoders reserve kilobytes of them for tags: in a recording they are no bytes that have not
arrived. A WAV states its size; recorders write it when they close the file. Nothing shows where a FLAC ends.
"""

from typing import BinaryIO

from uncia.producers.gateway.completeness import Completeness, Shape

__all__ = ["recording_completeness"]

_OPEN_SIZES = frozenset({0, 0xFFFFFFFF})
"""Sizes of recorders that never return to the header, and of RF64."""


def recording_completeness(file: BinaryIO, size: int) -> Completeness | None:
    """The completeness of an open WAV or FLAC file of `size` bytes; None for any other content.

    Raises `OSError` where it cannot be read.
    """
    file.seek(0)
    head = file.read(12)
    if head.startswith(b"fLaC"):
        return Completeness(Shape.OTHER, "", size)
    if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        return None
    stated = int.from_bytes(head[4:8], "little")
    if stated in _OPEN_SIZES:
        return Completeness(Shape.OTHER, "", size)
    if stated + 8 > size:
        return Completeness(Shape.PARTIAL, "the recording has no end yet", size)
    return Completeness(Shape.WHOLE, "", size)
