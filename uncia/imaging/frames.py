"""Decodes a photograph into the array that a model takes, for the stream and for training alike.

Only JPEG is accepted, because camera traps write nothing else. The file's own header is checked
before any decoder reads it: its kind, its size in pixels, whether it is whole. Pixels are taken as they are stored:
EXIF orientation is ignored, because traps are bolted to trees, and what the tag claims is then mostly wrong, while
boxes must point into the stored photograph.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from pydantic import NonNegativeInt

from uncia.errors import RejectedImage
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.jpeg_decoder import PADDING, MonitoredJpeg
from uncia.imaging.jpeg_header import JpegHeader, read_jpeg_header

Pixels = NDArray[np.uint8]

# Pixels decoded at most, whatever the shape of the photograph: 4 bytes a pixel, per thread.
_MAX_DECODED = 24_000_000


@dataclass(frozen=True)
class DecodedFrame:
    """One decoded photograph: a model's input."""

    pixels: Pixels
    """uint8, shape (height, width, 3), RGB."""
    photo_width: NonNegativeInt
    """Pixels of the stored photograph."""
    photo_height: NonNegativeInt
    damage: tuple[str, ...] = ()
    """What is wrong with the picture's data, in words; it was decoded all the same."""


@dataclass(frozen=True)
class DecodedPhotograph:
    """One photograph, decoded once: the whole picture, printed strips included."""

    image: Image.Image
    """At the scale of the decode: a half, a quarter or an eighth of the photograph's size, or the photograph itself."""
    width: NonNegativeInt
    """Pixels of the stored photograph."""
    height: NonNegativeInt
    damage: tuple[str, ...] = ()
    """What is wrong with the picture's data, in words; it was decoded all the same."""


def decode_frame(data: bytes, spec: FrameSpec, *, max_pixels: int) -> DecodedFrame:
    """Decode a JPEG to the input of one model. Raises as `decode_photograph` does."""
    photograph = decode_photograph(data, (spec,), max_pixels=max_pixels)
    pixels = scale_to_frame(photograph.image, spec)
    return DecodedFrame(pixels, photograph.width, photograph.height, photograph.damage)


def decode_photograph(data: bytes, specs: Sequence[FrameSpec], *, max_pixels: int) -> DecodedPhotograph:
    """Decode a JPEG once, at the smallest scale that still fills every one of these frames; without any, at full scale.

    `max_pixels` bounds width x height of the photograph; larger ones are refused before anything is allocated. More
    than 24 megapixels are decoded at a smaller scale in any case.
    Raises `RejectedImage` with reason `image-empty`, `image-not-jpeg`, `image-too-large`, `image-truncated` or
    `image-corrupt`. Thread-safe; most of the time is spent outside the interpreter's lock.
    """
    header = read_jpeg_header(data, max_pixels=max_pixels)
    scale = _scale(header, specs)
    try:
        # Not Image.open: it would try every format it knows, follow multi-picture indices, warn at its own limit.
        scan = memoryview(data)[header.scan.begin : header.scan.end]
        bare = b"".join((header.bare, scan, PADDING, b"\xff\xd9"))
        with MonitoredJpeg(io.BytesIO(bare)) as image:
            image.draft("RGB", (header.width // scale or 1, header.height // scale or 1))
            if header.layout.one_scan and not header.scan.damage:
                image.watch(len(bare), bytes(scan[-512:]))
            image.load()
            damage = header.scan.damage + image.damage
    except OSError as error:
        if "truncated" in str(error):
            raise RejectedImage("image-truncated", f"the JPEG breaks off after {len(data):,} bytes") from error
        raise _corrupt(error) from error
    except (SyntaxError, ValueError, TypeError, IndexError, KeyError, UnidentifiedImageError) as error:
        raise _corrupt(error) from error
    return DecodedPhotograph(image, header.width, header.height, damage)


def scale_to_frame(image: Image.Image, spec: FrameSpec) -> Pixels:
    """Cut the strips and scale, in one pass: uint8, shape (height, width, 3), RGB, as the spec says.

    For a picture of any kind that is decoded already; `decode_frame` is the way for a photograph's bytes.

    The box filter is the cheapest and leaves the picture crisp, which the network rewards: on ten genuine night frames
    of a snow leopard the least score was 0.17 (bicubic 0.06, bilinear 0.05), while 19 frames of other animals,
    a vehicle and blanks stayed below 0.01 with each; the same order held when all were mirrored, cut and made grey.
    """
    rows = image.height
    box = (0, rows * spec.crop_top, image.width, rows * (1 - spec.crop_bottom))
    # Grey frames are scaled as grey: a third of the work.
    plain = image if image.mode in ("RGB", "L") else image.convert("RGB")
    # Where the picture is more than twice the frame, as when it was decoded for a larger frame as well, it is halved
    # first, as the decoder would have done it: a third of the work.
    small = plain.resize((spec.width, spec.height), Image.Resampling.BOX, box=box, reducing_gap=1.0)
    return np.asarray(small.convert("RGB"))


def self_test_pattern(spec: FrameSpec) -> Pixels:
    """The self-test's input: discs on a grey slope, integers only, so that every machine draws the same.

    uint8, shape (height, width, 3).
    """
    y, x = np.mgrid[0 : spec.height, 0 : spec.width].astype(np.int64)
    shade = 60 + x * 60 // spec.width + y * 60 // spec.height
    rings = ((x % 96 - 48) ** 2 + (y % 80 - 40) ** 2) // 160
    spots = np.where(rings % 4 == 0, -50, np.where(rings % 4 == 2, 40, 0)) * (rings < 9)
    tint = np.array([12, 4, -10], dtype=np.int64)
    pattern: Pixels = (shade[..., None] + spots[..., None] + tint).clip(0, 255).astype(np.uint8)
    return pattern


def _scale(header: JpegHeader, specs: Sequence[FrameSpec]) -> int:
    """1, 2, 4 or 8: libjpeg drops that much while it decodes, which costs a fraction of a full decode."""
    scale = min((_scale_of(header, spec) for spec in specs), default=1)
    while scale < 8 and header.pixels // scale**2 > _MAX_DECODED:
        scale *= 2
    return scale


def _scale_of(header: JpegHeader, spec: FrameSpec) -> int:
    kept = 1 - spec.crop_top - spec.crop_bottom
    fills = [s for s in (8, 4, 2) if header.width >= spec.width * s and header.height * kept >= spec.height * s]
    return fills[0] if fills else 1


def _corrupt(error: Exception) -> RejectedImage:
    return RejectedImage("image-corrupt", f"the JPEG cannot be decoded: {error}")
