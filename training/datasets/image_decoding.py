"""A user's picture file, of whatever kind, as the array that a model sees.

A JPEG takes the stream's own way (`uncia.imaging.frames.decode_frame`), so that training and serving never differ.
Other kinds never reach the stream; they are turned into 8-bit RGB and go through the same cut and scale.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from uncia.errors import RejectedImage
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels, decode_frame, scale_to_frame

MAX_PIXELS = 150_000_000
"""As the stream's default (`UNCIA_MAX_MEGAPIXELS`)."""
MAX_BYTES = 512 * 1024 * 1024
"""What is larger is no photograph."""

OTHER_FORMATS = ("BMP", "GIF", "PNG", "TIFF", "WEBP")
"""Pillow's decoders that are used in addition to the stream's. No others: some of them start programs (EPS runs
Ghostscript), and a file's name says nothing about its kind."""

_JPEG = b"\xff\xd8\xff"
_BEHIND = 127
"""The grey behind what is transparent: it says nothing to a network, whose inputs are centred there."""


def load_frame(path: Path, spec: FrameSpec, *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """What a model with this frame sees of the file: uint8, shape (spec.height, spec.width, 3), RGB.

    Raises `RejectedImage`: for a JPEG the reasons of `decode_frame`; for others `image-missing`, `image-empty`,
    `image-too-large`, `image-unknown-kind`, `image-truncated` or `image-corrupt`. Thread-safe.
    """
    data = read_bytes(path)
    if data.startswith(_JPEG):
        return decode_frame(data, spec, max_pixels=max_pixels).pixels
    return scale_to_frame(_decode(data, max_pixels), spec)


def read_bytes(path: Path) -> bytes:
    """The file's bytes. Raises `RejectedImage`: `image-missing`, `image-empty` or `image-too-large`."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise RejectedImage("image-too-large", f"{size:,} bytes: too large for a photograph")
        data = path.read_bytes()
    except OSError as error:
        raise RejectedImage("image-missing", f"it cannot be read: {error.strerror or error}") from error
    if not data:
        raise RejectedImage("image-empty", "the file is empty")
    return data


def rgb_of(image: Image.Image) -> Image.Image:
    """Any decoded picture as 8-bit RGB. Raises `RejectedImage` with reason `image-unknown-kind`."""
    if image.mode in ("RGB", "L"):
        return image.convert("RGB")
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return _deep(np.asarray(image))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        over = image.convert("RGBA")
        behind = Image.new("RGBA", over.size, (_BEHIND, _BEHIND, _BEHIND, 255))
        return Image.alpha_composite(behind, over).convert("RGB")
    return image.convert("RGB")


def _deep(values: np.ndarray) -> Image.Image:
    """16-bit grey, and what Pillow holds as 32-bit: the whole range of the type counts, not that of the picture.

    Stretching each picture to its own range would tell a dark night from a bright day no longer.
    """
    if values.dtype.kind == "f":
        if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
            raise RejectedImage("image-unknown-kind", "decimal pixels outside 0 to 1: save it with 8 or 16 bits")
        return Image.fromarray(np.round(values * 255).astype(np.uint8)).convert("RGB")
    if values.min() < 0 or values.max() > 0xFFFF:
        raise RejectedImage("image-unknown-kind", "pixels of more than 16 bits: save it with 8 or 16 bits")
    return Image.fromarray((values.astype(np.uint32) // 257).astype(np.uint8)).convert("RGB")


def _decode(data: bytes, max_pixels: int) -> Image.Image:
    try:
        with Image.open(io.BytesIO(data), formats=OTHER_FORMATS) as image:
            if image.width * image.height > max_pixels:
                size = f"{image.width} x {image.height} pixels, more than {max_pixels:,}"
                raise RejectedImage("image-too-large", size)
            image.load()
            return rgb_of(image)
    except UnidentifiedImageError as error:
        raise RejectedImage("image-unknown-kind", "no kind of picture that can be read") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise RejectedImage("image-too-large", str(error)) from error
    except OSError as error:
        if "truncated" in str(error):
            raise RejectedImage("image-truncated", f"it breaks off after {len(data):,} bytes") from error
        raise RejectedImage("image-corrupt", f"it cannot be decoded: {error}") from error
    except (SyntaxError, ValueError, TypeError, IndexError, KeyError, EOFError, MemoryError) as error:
        raise RejectedImage("image-corrupt", f"it cannot be decoded: {error}") from error
