"""Frames and their boxes as training sees them: cropped or shrunk, mirrored, in other light."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels
from uncia.training.features.inputs import augment

FrameBoxes = NDArray[np.float64]
"""(G, 4): x, y, width, height as shares of the FRAME (not of the photograph)."""

_VISIBLE = 0.3
"""A box of which less than this share is left in the crop is dropped."""
_LEAST_SIDE = 0.01
_PADDING = 114
"""Grey around a frame that was shrunk, as YOLOX pads its inputs."""
_COLOUR_SHARE = 0.5


@dataclass(frozen=True)
class Crop:
    """A part of the frame, as shares of it; it may exceed the frame."""

    left: float
    top: float
    side: float
    """Share of the width and of the height."""


WHOLE = Crop(0.0, 0.0, 1.0)


def to_frame(boxes: FrameBoxes, spec: FrameSpec) -> FrameBoxes:
    """From shares of the photograph to shares of the frame, which has no strips; clipped to it."""
    kept = 1 - spec.crop_top - spec.crop_bottom
    scaled = boxes.reshape(-1, 4) / np.array([1, kept, 1, kept])
    scaled[:, 1] -= spec.crop_top / kept
    return clip(scaled)


def to_photograph(boxes: FrameBoxes, spec: FrameSpec) -> FrameBoxes:
    """From shares of the frame to shares of the photograph."""
    kept = 1 - spec.crop_top - spec.crop_bottom
    stored: FrameBoxes = boxes.reshape(-1, 4) * np.array([1, kept, 1, kept]) + np.array([0, spec.crop_top, 0, 0])
    return stored


def clip(boxes: FrameBoxes) -> FrameBoxes:
    """Boxes clipped to the frame; what lies outside has a width or height of 0."""
    low = boxes[:, :2].clip(0, 1)
    high = (boxes[:, :2] + boxes[:, 2:]).clip(0, 1)
    return np.concatenate([low, (high - low).clip(0)], axis=1)


def crop_boxes(boxes: FrameBoxes, crop: Crop) -> tuple[FrameBoxes, NDArray[np.bool_]]:
    """Boxes as shares of a crop, and which of them are visible enough to be kept."""
    moved = (boxes - np.array([crop.left, crop.top, 0, 0])) / crop.side
    clipped = clip(moved)
    areas, left = boxes[:, 2:].prod(axis=1), clipped[:, 2:].prod(axis=1) * crop.side**2
    visible = (left >= _VISIBLE * areas) & (clipped[:, 2:] >= _LEAST_SIDE).all(axis=1)
    return clipped, visible


def draw_crop(random: np.random.Generator, sides: tuple[float, float]) -> Crop:
    """A crop of random size and place; one larger than the frame contains all of it."""
    side = float(random.uniform(*sides))
    low, high = min(0.0, 1 - side), max(0.0, 1 - side)
    return Crop(float(random.uniform(low, high)), float(random.uniform(low, high)), side)


def apply_crop(pixels: Pixels, crop: Crop, width: int, height: int) -> Pixels:
    """The crop at this size, uint8 (height, width, 3); grey where it exceeds the frame."""
    rows, columns = pixels.shape[:2]
    box = (crop.left * columns, crop.top * rows, (crop.left + crop.side) * columns, (crop.top + crop.side) * rows)
    image = Image.fromarray(pixels)
    if crop.side <= 1:
        return np.asarray(image.resize((width, height), Image.Resampling.BOX, box=box))
    scaled = image.resize((round(width / crop.side), round(height / crop.side)), Image.Resampling.BOX)
    canvas = Image.new("RGB", (width, height), (_PADDING,) * 3)
    canvas.paste(scaled, (round(-crop.left / crop.side * width), round(-crop.top / crop.side * height)))
    return np.asarray(canvas)


def augment_frame(
    pixels: Pixels, boxes: FrameBoxes, size: tuple[int, int], sides: tuple[float, float], seed_text: str
) -> tuple[Pixels, FrameBoxes, NDArray[np.bool_]]:
    """A random crop at `size` (width, height), mirrored or not, in other light or not; `seed_text` decides.

    Returns the pixels, the boxes, and which of them are visible enough to be kept.
    """
    random = np.random.default_rng(list(seed_text.encode()))
    crop = draw_crop(random, sides)
    mirrored, coloured = random.random() < 0.5, random.random() < _COLOUR_SHARE
    pixels = apply_crop(pixels, crop, *size)
    boxes, visible = crop_boxes(boxes, crop)
    if mirrored:
        pixels = augment(pixels, "mirror", seed_text)
        boxes[:, 0] = 1 - boxes[:, 0] - boxes[:, 2]
    if coloured:
        pixels = augment(pixels, "colour", seed_text)
    return pixels, boxes, visible
