"""Decodes photographs into the input arrays of models, for the workers and for training.

Only JPEG is accepted, because camera traps write nothing else. The header is checked before a decoder reads the file:
file type, size in pixels, completeness. EXIF orientation is ignored: camera traps are fixed to trees, so that the tag
is usually wrong, and boxes must refer to the photograph as it is stored.
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

_DECODED_FOR = FrameSpec(width=640, height=480)
"""The frame of the default detector. Every photograph is decoded large enough for it, with a detector or without, in
the stream, in training and offline: a decoder's smaller scale gives other pixels, and scores that differ by some per
cent."""

# Maximum number of decoded pixels for any aspect ratio: 4 bytes per pixel and thread.
_MAX_DECODED = 24_000_000


@dataclass(frozen=True)
class DecodedFrame:
    """One decoded photograph: the input of a model."""

    pixels: Pixels
    """uint8, shape (height, width, 3), RGB."""
    photo_width: NonNegativeInt
    """Pixels of the stored photograph."""
    photo_height: NonNegativeInt
    damage: tuple[str, ...] = ()
    """Damage in the image data, as text; the image was decoded nevertheless."""


@dataclass(frozen=True)
class DecodedPhotograph:
    """One photograph, decoded once: the whole picture, printed strips included."""

    image: Image.Image
    """At the scale of the decode: a half, a quarter or an eighth of the photograph's size, or the photograph itself."""
    width: NonNegativeInt
    """Pixels of the stored photograph."""
    height: NonNegativeInt
    damage: tuple[str, ...] = ()
    """Damage in the image data, as text; the image was decoded nevertheless."""


def decode_frame(data: bytes, spec: FrameSpec, *, max_pixels: int) -> DecodedFrame:
    """Decode a JPEG to the input of one model. Raises as `decode_photograph` does."""
    photograph = decode_photograph(data, (spec,), max_pixels=max_pixels)
    pixels = scale_to_frame(photograph.image, spec)
    return DecodedFrame(pixels, photograph.width, photograph.height, photograph.damage)


def decode_photograph(data: bytes, specs: Sequence[FrameSpec], *, max_pixels: int) -> DecodedPhotograph:
    """Decode a JPEG once, at the smallest scale that still fills every one of these frames; without any, at full scale.

    `max_pixels` limits width x height of the photograph; larger ones are rejected before memory is allocated. More
    than 24 megapixels are decoded at a smaller scale in any case.
    Raises `RejectedImage` with reason `image-empty`, `image-not-jpeg`, `image-too-large`, `image-truncated`,
    `image-corrupt` or `video-not-analysed`. Thread-safe; most of the time is spent outside the interpreter's lock.
    """
    header = read_jpeg_header(data, max_pixels=max_pixels)
    scale = _scale(header, (*specs, _DECODED_FOR) if specs else ())
    try:
        # Not Image.open: it tries every format, follows multi-picture indices and warns at its own size limit.
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
            raise RejectedImage("image-truncated", f"the JPEG is truncated after {len(data):,} bytes") from error
        raise _corrupt(error) from error
    except (SyntaxError, ValueError, TypeError, IndexError, KeyError, UnidentifiedImageError) as error:
        raise _corrupt(error) from error
    return DecodedPhotograph(image, header.width, header.height, damage)


def scale_to_frame(image: Image.Image, spec: FrameSpec) -> Pixels:
    """Crop the strips and scale in one pass. Returns uint8 RGB of shape (height, width, 3), as in the spec.

    For an image that is already decoded; use `decode_frame` for the bytes of a photograph.

    The box filter is the cheapest and the sharpest, and sharp frames score higher: the lowest score of ten real night
    frames of a snow leopard was 0.17 (bicubic 0.06, bilinear 0.05), while 19 frames of other animals, a vehicle and
    blanks scored below 0.01 with each filter. The order was the same for mirrored, cropped and grey frames.
    """
    rows = image.height
    box = (0, rows * spec.crop_top, image.width, rows * (1 - spec.crop_bottom))
    # Grey frames are scaled in one channel, which takes a third of the time.
    plain = image if image.mode in ("RGB", "L") else image.convert("RGB")
    # Where the picture is more than twice the frame, as when it was decoded for a larger frame as well, it is halved
    # first, as the decoder would have done it: a third of the work.
    small = plain.resize((spec.width, spec.height), Image.Resampling.BOX, box=box, reducing_gap=1.0)
    return np.asarray(small.convert("RGB"))


def self_test_pattern(spec: FrameSpec) -> Pixels:
    """Return the input of the self-test: discs on a grey gradient, uint8 of shape (height, width, 3).

    Computed with integers only, so that the result is the same on every machine.
    """
    y, x = np.mgrid[0 : spec.height, 0 : spec.width].astype(np.int64)
    shade = 60 + x * 60 // spec.width + y * 60 // spec.height
    rings = ((x % 96 - 48) ** 2 + (y % 80 - 40) ** 2) // 160
    spots = np.where(rings % 4 == 0, -50, np.where(rings % 4 == 2, 40, 0)) * (rings < 9)
    tint = np.array([12, 4, -10], dtype=np.int64)
    pattern: Pixels = (shade[..., None] + spots[..., None] + tint).clip(0, 255).astype(np.uint8)
    return pattern


def _scale(header: JpegHeader, specs: Sequence[FrameSpec]) -> int:
    """Return 1, 2, 4 or 8: libjpeg reduces the image by this factor while decoding, which is faster."""
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
