"""Generates photographs, and files that only look like photographs."""

import io
import secrets
import struct
import zlib

from PIL import Image


def photograph(
    seed: int = 0,
    time: str | None = "2026:05:01 10:00:00",
    make: str = "TestCam",
    size: tuple[int, int] = (1024, 768),
    note: bytes = b"",
) -> bytes:
    """A JPEG whose content depends on the seed.

    `time` is its DateTimeOriginal, None for a file without EXIF; `note` is its maker note.
    """
    image = Image.linear_gradient("L").rotate(seed % 360).resize(size).convert("RGB")
    image.putpixel((0, 0), (seed % 256, seed // 256 % 256, seed // 65536 % 256))
    tags = Image.Exif()
    tags[271] = make
    tags.get_ifd(0x8769)[36867] = time or ""
    if note:
        tags.get_ifd(0x8769)[37500] = note
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90, exif=tags if time is not None else b"")
    return file.getvalue() + seed.to_bytes(8, "big")


def fresh_photograph() -> bytes:
    """A JPEG whose content no other test uploads, for tests in which equal content means the same photograph."""
    return photograph(secrets.randbits(62))


def bomb(side: int = 20_000) -> bytes:
    """A valid JPEG of `side` x `side` pixels in few bytes (a decompression bomb)."""
    file = io.BytesIO()
    Image.new("L", (side, side), 128).save(file, "JPEG", quality=30)
    return file.getvalue()


def png() -> bytes:
    """A PNG of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(4))) + chunk(b"IEND", b"")


def iso_media(brand: bytes) -> bytes:
    """The beginning of an ISO media file: HEIC, MP4."""
    return struct.pack(">I4s4sI4s", 20, b"ftyp", brand, 0, brand) + bytes(4000)


def with_broken_exif(seed: int = 0) -> bytes:
    """A valid JPEG whose EXIF directory is garbage."""
    data = photograph(seed)
    start = data.index(b"Exif\0\0") + 6 + 8
    return data[:start] + b"\xff" * 24 + data[start + 24 :]
