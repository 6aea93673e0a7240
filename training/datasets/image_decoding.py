"""Decode an image file of any common format into the frame that a model sees.

JPEG files are decoded by the code of the stream (`uncia.imaging.frames.decode_frame`), so that training and serving
never differ. Files of other formats never reach the stream; they are converted to 8-bit RGB, then cropped and scaled
by the same code.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from uncia.errors import RejectedImage
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels, decode_frame, scale_to_frame
from uncia.imaging.jpeg_header import read_jpeg_header

MAX_PIXELS = 150_000_000
"""The stream's default (`UNCIA_MAX_MEGAPIXELS`)."""
MAX_BYTES = 512 * 1024 * 1024
"""Larger files are refused: no photograph is that large."""

OTHER_FORMATS = ("BMP", "GIF", "PNG", "TIFF", "WEBP")
"""Pillow decoders that are allowed in addition to the stream's. Others may start programs (EPS runs Ghostscript), and
the name of a file does not reveal its format."""

_JPEG = b"\xff\xd8\xff"
_BACKGROUND_GREY = 127
"""Grey behind transparent pixels: the value around which the inputs of networks are centred."""


def load_frame(path: Path, spec: FrameSpec, *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Decode, crop and scale a file to the frame `spec`: uint8, (spec.height, spec.width, 3), RGB. Thread-safe.

    Raises `RejectedImage`: for a JPEG the reasons of `decode_frame`; for others `image-missing`, `image-empty`,
    `image-too-large`, `image-unknown-kind`, `image-truncated` or `image-corrupt`.
    """
    data = read_bytes(path)
    if data.startswith(_JPEG):
        return decode_frame(data, spec, max_pixels=max_pixels).pixels
    return scale_to_frame(_decode(data, max_pixels), spec)


def image_size(path: Path, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Width and height in pixels, from the header. Raises `RejectedImage` as `load_frame` does."""
    data = read_bytes(path)
    if data.startswith(_JPEG):
        header = read_jpeg_header(data, max_pixels=max_pixels)
        return header.width, header.height
    try:
        with Image.open(io.BytesIO(data), formats=OTHER_FORMATS) as image:
            return image.size
    except UnidentifiedImageError as error:
        raise RejectedImage("image-unknown-kind", "not an image in a supported format") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise RejectedImage("image-corrupt", f"it cannot be decoded: {error}") from error


def read_bytes(path: Path) -> bytes:
    """Read a file. Raises `RejectedImage`: `image-missing`, `image-empty` or `image-too-large`."""
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


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert a decoded image of any mode to 8-bit RGB. Raises `RejectedImage` with reason `image-unknown-kind`."""
    if image.mode in ("RGB", "L"):
        return image.convert("RGB")
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return _scale_to_8_bits(np.asarray(image))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        background = Image.new("RGBA", rgba.size, (_BACKGROUND_GREY,) * 3 + (255,))
        return Image.alpha_composite(background, rgba).convert("RGB")
    return image.convert("RGB")


def _scale_to_8_bits(values: np.ndarray) -> Image.Image:
    """Scale 16-bit grey, which Pillow may hold as 32-bit, by the range of its type.

    Stretching an image to the range of its own values would make a dark night look like a bright day.
    """
    if values.dtype.kind == "f":
        if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
            raise RejectedImage("image-unknown-kind", "floating-point pixels outside 0 to 1: save it with 8 or 16 bits")
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
            return to_rgb(image)
    except UnidentifiedImageError as error:
        raise RejectedImage("image-unknown-kind", "not an image in a supported format") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise RejectedImage("image-too-large", str(error)) from error
    except OSError as error:
        if "truncated" in str(error):
            raise RejectedImage("image-truncated", f"it ends after {len(data):,} bytes") from error
        raise RejectedImage("image-corrupt", f"it cannot be decoded: {error}") from error
    except (SyntaxError, ValueError, TypeError, IndexError, KeyError, EOFError, MemoryError) as error:
        raise RejectedImage("image-corrupt", f"it cannot be decoded: {error}") from error
