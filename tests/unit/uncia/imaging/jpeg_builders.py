"""JPEG files made in memory, good and bad."""

import io
import struct
from typing import Any

import numpy as np
from PIL import Image


def photograph(width: int = 1024, height: int = 768, mode: str = "RGB", **options: Any) -> bytes:
    """A JPEG with a different colour in each quarter: red, green, blue, white from the top left, row by row."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[: height // 2, : width // 2] = (255, 0, 0)
    pixels[: height // 2, width // 2 :] = (0, 255, 0)
    pixels[height // 2 :, : width // 2] = (0, 0, 255)
    pixels[height // 2 :, width // 2 :] = (255, 255, 255)
    return encoded(Image.fromarray(pixels).convert(mode), **options)


def noise(width: int = 1024, height: int = 768, **options: Any) -> bytes:
    """A JPEG whose data fill the file to its end."""
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return encoded(Image.fromarray(pixels), **options)


def encoded(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def claiming(data: bytes, width: int, height: int) -> bytes:
    """The same file, with other dimensions in its frame header."""
    at = min(found for found in (data.find(b"\xff\xc0"), data.find(b"\xff\xc2")) if found > 0)
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


def with_segment(data: bytes, marker: int, payload: bytes) -> bytes:
    """The same file, with one more segment right at its beginning."""
    return data[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload + data[2:]
