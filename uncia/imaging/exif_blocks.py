"""Finds the EXIF blocks of an image file: JPEG and, for training, PNG, WebP and TIFF. The work is bounded."""

from collections.abc import Iterator

from uncia.imaging.jpeg_segments import MAX_SEGMENTS, ByteSource, iterate_segments

TIFF_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
"""First bytes of a block and the byte order that they stand for."""

_MAX_BLOCKS = 8
_MAX_BYTES = 1 << 20

_APP1, _MARK = 0xE1, b"Exif\0"
_PNG = b"\x89PNG\r\n\x1a\n"


def exif_blocks(source: ByteSource) -> list[bytes]:
    """Return the TIFF structures of a file, in order: at most 8, with at most 1 MB in total."""
    head = source.read(0, 12)
    if head.startswith(_PNG):
        found = _chunks(source, 8, "big", b"eXIf", trailer=4)
    elif head[:4] == b"RIFF" and head[8:] == b"WEBP":
        found = _chunks(source, 12, "little", b"EXIF", trailer=0)
    elif head[:4] in TIFF_ORDERS:
        found = iter([source.read(0, _MAX_BYTES)])
    else:
        found = _of_jpeg(source)
    blocks: list[bytes] = []
    taken = 0
    for block in found:
        taken += len(block)
        if taken > _MAX_BYTES:
            break
        if blocks and block[:4] not in TIFF_ORDERS:
            blocks[-1] += block  # continued in the next segment
        elif len(blocks) < _MAX_BLOCKS:
            blocks.append(block)
        else:
            break
    return blocks


def _of_jpeg(source: ByteSource) -> Iterator[bytes]:
    for segment in iterate_segments(source):
        if segment.marker == _APP1 and source.read(segment.begin, len(_MARK)) == _MARK:
            yield source.read(segment.begin + 6, max(0, segment.end - segment.begin - 6))


def _chunks(source: ByteSource, at: int, order: str, wanted: bytes, *, trailer: int) -> Iterator[bytes]:
    """Yield the chunks of a PNG (length, type, data, checksum) or a WebP (type, length, data, padding to even)."""
    for _ in range(MAX_SEGMENTS):
        head = source.read(at, 8)
        if len(head) < 8:
            return
        kind, length = (head[4:], head[:4]) if order == "big" else (head[:4], head[4:])
        size = int.from_bytes(length, "big" if order == "big" else "little")
        if kind == wanted:
            yield source.read(at + 8, min(size, _MAX_BYTES)).removeprefix(_MARK + b"\0")
        at += 8 + size + trailer + (size % 2 if order == "little" else 0)
