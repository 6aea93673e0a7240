"""What a network is shown of a photograph: the frame or a crop of it, as it is or augmented."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from PIL import Image

from uncia.events.images import Box
from uncia.imaging.frames import FrameSpec, Pixels
from uncia.training.datasets.image_decoding import load_frame

Augmentation = Literal["plain", "mirror", "colour"]
AUGMENTATIONS: tuple[Augmentation, ...] = get_args(Augmentation)

_MARGIN = 0.15
"""A crop is wider than its box by this share on each side: context helps, and boxes are never exact."""
_LEAST = 0.08
"""No crop is smaller than this share of the photograph, or it is nothing but pixels blown up."""
_CANVAS = FrameSpec(width=1344, height=1008, crop_top=0, crop_bottom=0, window=1344)
"""Crops are cut out of the whole photograph at this size."""


@dataclass(frozen=True, slots=True)
class ImageRegion:
    """One photograph, or a box of it."""

    path: Path
    box: Box | None = None

    def key(self, content: str, augmentation: Augmentation) -> str:
        """Under which its rows are kept: by content, not by name."""
        box = "" if self.box is None else ",".join(f"{share:.5f}" for share in self.box)
        return f"{content}:{box}:{augmentation}"


def load_pixels(sight: ImageRegion, spec: FrameSpec) -> Pixels:
    """uint8 (height, width, 3) as the stream would see it, or the crop at this size. Errors as `load_frame`."""
    if sight.box is None:
        return load_frame(sight.path, spec)
    canvas = Image.fromarray(load_frame(sight.path, _CANVAS))
    left, top, right, bottom = crop_edges(sight.box)
    box = (left * canvas.width, top * canvas.height, right * canvas.width, bottom * canvas.height)
    return np.asarray(canvas.resize((spec.width, spec.height), Image.Resampling.BOX, box=box))


def crop_edges(box: Box) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the crop around a box, shares of the photograph; about as wide as high."""
    x, y, width, height = box
    side = max(width, height, _LEAST)
    wide, high = (min(1.0, (side + max(own, _LEAST)) / 2 * (1 + 2 * _MARGIN)) for own in (width, height))
    left = min(max(0.0, x + width / 2 - wide / 2), 1 - wide)
    top = min(max(0.0, y + height / 2 - high / 2), 1 - high)
    return left, top, left + wide, top + high


def augment(pixels: Pixels, augmentation: Augmentation, content: str) -> Pixels:
    """The frame as it is, mirrored, or in other light. `content` decides the light: the same in every run."""
    if augmentation == "mirror":
        return np.ascontiguousarray(pixels[:, ::-1])
    if augmentation == "colour":
        return _other_light(pixels, int(hashlib.sha256(content.encode()).hexdigest()[:8], 16))
    return pixels


def _other_light(pixels: Pixels, seed: int) -> Pixels:
    """Brightness, contrast, tint and saturation drawn anew; every third is grey, as infrared frames are."""
    draw = np.random.default_rng(seed)
    shifted = pixels.astype(np.float32)
    grey = shifted @ np.array([0.299, 0.587, 0.114], np.float32)
    saturation = 0.0 if draw.random() < 1 / 3 else draw.uniform(0.5, 1.4)
    shifted = grey[..., None] + saturation * (shifted - grey[..., None])
    contrast, brightness = draw.uniform(0.7, 1.3), draw.uniform(-30, 30)
    tint = draw.uniform(0.92, 1.08, 3) if saturation else np.ones(3)
    mean = float(grey.mean())
    lit = (mean + (shifted - mean) * contrast + brightness) * tint.astype(np.float32)
    return lit.clip(0, 255).astype(np.uint8)
