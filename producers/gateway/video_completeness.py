"""Decides by the parts of its container whether a video is complete. Reads the headers of the parts alone.

MP4 and QuickTime (ISO/IEC 14496-12) consist of boxes and AVI of RIFF chunks, each with its size. Cameras write the
index (`moov`) and the sizes when they close the file.
"""

import struct
from typing import BinaryIO

from uncia.producers.gateway.completeness import Completeness, Shape

_FIRST_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"})
_NO_END = "the video has no end yet"
_NO_INDEX = "the video has no index yet"
_MAX_PARTS = 100_000
"""Fragmented videos have two boxes for each second or so."""


def video_completeness(file: BinaryIO, size: int) -> Completeness | None:
    """The completeness of an open MP4, QuickTime or AVI file of `size` bytes; None for any other content.

    Raises `OSError` where it cannot be read.
    """
    head = _read(file, 0, 12)
    if head[4:8] in _FIRST_BOXES:
        reason = _missing_boxes(file, size)
    elif head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        reason = _missing_chunks(file, size)
    else:
        return None
    return Completeness(Shape.PARTIAL if reason else Shape.WHOLE, reason, size)


def _missing_boxes(file: BinaryIO, size: int) -> str:
    at, kinds = 0, set()
    for _ in range(_MAX_PARTS):
        header = _read(file, at, 16)
        if len(header) < 8:
            break
        length, kind = struct.unpack(">I4s", header[:8])
        if not kind.isascii() or b"\0" in kind:
            break  # padding after the last box, or bytes that have not arrived
        if length == 1 and len(header) == 16:
            (length,) = struct.unpack(">Q", header[8:])
        elif length == 0:
            length = size - at  # to the end of the file
        if length < 8 or at + length > size:
            return _NO_END
        kinds.add(kind)
        at += length
    return "" if {b"moov", b"mdat"} <= kinds else _NO_INDEX


def _missing_chunks(file: BinaryIO, size: int) -> str:
    end = 8 + int.from_bytes(_read(file, 4, 4), "little")
    if end > size:
        return _NO_END
    at = 12
    for _ in range(_MAX_PARTS):
        header = _read(file, at, 12)
        if at + 12 > end or b"\0" in header[:4]:
            break
        if header[:4] == b"LIST" and header[8:] == b"movi":
            return ""
        length = int.from_bytes(header[4:8], "little")
        at += 8 + length + length % 2
    return _NO_INDEX


def _read(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)
