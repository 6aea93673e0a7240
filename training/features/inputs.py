"""What a network sees of a photograph: the frame or a crop of it, unchanged or augmented."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from PIL import Image

from uncia.events.values import Box
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels
from uncia.training.datasets.image_decoding import load_frame

Augmentation = Literal["plain", "mirror", "colour"]
AUGMENTATIONS: tuple[Augmentation, ...] = get_args(Augmentation)

_MARGIN = 0.15
"""A crop is wider than its box by this share on each side: context helps, and boxes are never exact."""
_MIN_SIDE = 0.08
"""Smallest crop, as a share of the photograph: a smaller one would be magnified pixels only."""
_CANVAS = FrameSpec(width=1344, height=1008, crop_top=0, crop_bottom=0, window=1344)
"""Crops are cut out of the whole photograph at this size."""


@dataclass(frozen=True, slots=True)
class ImageRegion:
    """One photograph, or a box in it."""

    path: Path
    box: Box | None = None

    def key(self, digest: str, augmentation: Augmentation) -> str:
        """The key of its features in the cache: by content digest of the file, not by name."""
        box = "" if self.box is None else ",".join(f"{share:.5f}" for share in self.box)
        return f"{digest}:{box}:{augmentation}"


def load_pixels(region: ImageRegion, spec: FrameSpec) -> Pixels:
    """uint8 (height, width, 3): the frame as in the stream, or the crop at this size. Raises as `load_frame`."""
    if region.box is None:
        return load_frame(region.path, spec)
    canvas = Image.fromarray(load_frame(region.path, _CANVAS))
    left, top, right, bottom = crop_edges(region.box)
    box = (left * canvas.width, top * canvas.height, right * canvas.width, bottom * canvas.height)
    return np.asarray(canvas.resize((spec.width, spec.height), Image.Resampling.BOX, box=box))


def crop_edges(box: Box) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the nearly square crop around a box, as shares of the photograph."""
    x, y, width, height = box
    side = max(width, height, _MIN_SIDE)
    wide, high = (min(1.0, (side + max(own, _MIN_SIDE)) / 2 * (1 + 2 * _MARGIN)) for own in (width, height))
    left = min(max(0.0, x + width / 2 - wide / 2), 1 - wide)
    top = min(max(0.0, y + height / 2 - high / 2), 1 - high)
    return left, top, left + wide, top + high


def augment(pixels: Pixels, augmentation: Augmentation, seed_text: str) -> Pixels:
    """The frame unchanged, mirrored, or in other light; `seed_text` determines the light, the same in every run."""
    if augmentation == "mirror":
        return np.ascontiguousarray(pixels[:, ::-1])
    if augmentation == "colour":
        return _jitter_colours(pixels, int(hashlib.sha256(seed_text.encode()).hexdigest()[:8], 16))
    return pixels


def _jitter_colours(pixels: Pixels, seed: int) -> Pixels:
    """Random brightness, contrast, tint and saturation; every third frame becomes grey, as infrared frames are."""
    random = np.random.default_rng(seed)
    shifted = pixels.astype(np.float32)
    grey = shifted @ np.array([0.299, 0.587, 0.114], np.float32)
    saturation = 0.0 if random.random() < 1 / 3 else random.uniform(0.5, 1.4)
    shifted = grey[..., None] + saturation * (shifted - grey[..., None])
    contrast, brightness = random.uniform(0.7, 1.3), random.uniform(-30, 30)
    tint = random.uniform(0.92, 1.08, 3) if saturation else np.ones(3)
    mean = float(grey.mean())
    lit = (mean + (shifted - mean) * contrast + brightness) * tint.astype(np.float32)
    return lit.clip(0, 255).astype(np.uint8)
