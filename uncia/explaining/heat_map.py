"""Renders an explanation over its photograph: red where the picture raises the score, blue where it lowers it."""

import io

import numpy as np
from PIL import Image, ImageDraw

from uncia.events.values import Box
from uncia.explaining.explanation import Explanation
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels, decode_frame
from uncia.imaging.jpeg_header import read_jpeg_header

_WIDTH = 640
"""Pixels of a heat map, at most: a PNG of a photograph has about 400 KB then."""
_OPACITY = 0.6
_RAISES, _LOWERS = (215, 25, 28), (44, 123, 182)
_OUTLINE = (255, 221, 51)


def decode_backdrop(data: bytes, *, max_pixels: int) -> Pixels:
    """A photograph as a heat map shows it: all of it, at most 640 pixels wide. Raises `RejectedImage`."""
    header = read_jpeg_header(data, max_pixels=max_pixels)
    width = min(_WIDTH, header.width)
    height = max(1, min(2 * _WIDTH, round(width * header.height / header.width)))
    spec = FrameSpec(width=width, height=height, crop_top=0, crop_bottom=0)
    return decode_frame(data, spec, max_pixels=max_pixels).pixels


def to_photograph(box: Box, spec: FrameSpec) -> Box:
    """A box of the frame as shares of the photograph, whose strips the frame lacks."""
    x, y, width, height = box
    kept = 1 - spec.crop_top - spec.crop_bottom
    return (round(x, 6), round(spec.crop_top + kept * y, 6), round(width, 6), round(kept * height, 6))


def render_heat_map(backdrop: Pixels, explanation: Explanation, spec: FrameSpec) -> bytes:
    """A PNG without metadata. `backdrop` is the whole photograph (`decode_backdrop`), `spec` the model's frame.

    Equal arguments give equal bytes.
    """
    height, width = backdrop.shape[:2]
    top, bottom = round(spec.crop_top * height), max(1, round((1 - spec.crop_bottom) * height))
    weights = explanation.pixel_weights
    peak = float(np.abs(weights).max())
    if peak > 0:
        weights = weights / peak
    small = Image.fromarray(weights.astype(np.float32))
    strength = np.zeros((height, width), np.float32)
    strength[top:bottom] = np.asarray(small.resize((width, max(1, bottom - top)), Image.Resampling.BILINEAR))
    grey = backdrop.mean(axis=2, keepdims=True)
    colour = np.where(strength[..., None] > 0, np.array(_RAISES, np.float32), np.array(_LOWERS, np.float32))
    opacity = _OPACITY * np.abs(strength)[..., None]
    image = Image.fromarray(np.round(grey * (1 - opacity) + colour * opacity).clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for found in explanation.boxes:
        x, y, wide, high = to_photograph(found.box, spec)
        corners = (x * width, y * height, (x + wide) * width - 1, (y + high) * height - 1)
        if corners[2] >= corners[0] and corners[3] >= corners[1]:
            draw.rectangle(corners, outline=_OUTLINE, width=max(1, width // 200))
    file = io.BytesIO()
    image.save(file, "PNG", optimize=False)
    return file.getvalue()
