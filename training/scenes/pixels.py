"""Arrays of pixels: float32, 0 to 1, (height, width) or (height, width, channels)."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.float32]


def to_pixels(image: Image.Image) -> Pixels:
    """The image's values divided by 255."""
    return np.asarray(np.asarray(image, np.float32) / 255, np.float32)


def to_image(pixels: Pixels, mode: str | None = None) -> Image.Image:
    """An 8-bit image; values must be within 0 to 1."""
    return Image.fromarray((pixels * 255).astype(np.uint8), mode)


def mirror_tile(tile: Pixels) -> Pixels:
    """A tile of twice the height and width that repeats without seams: its mirror images to the right and below."""
    wide = np.concatenate([tile, tile[:, ::-1]], axis=1)
    seamless: Pixels = np.concatenate([wide, wide[::-1]], axis=0)
    return seamless


def smooth_noise(height: int, width: int, cells: int, rng: np.random.Generator) -> Pixels:
    """Noise of three octaves, 0 to 1, with `cells` cells of the largest octave across; (height, width)."""
    total = np.zeros((height, width), np.float32)
    for octave in range(3):
        across = cells * 2**octave
        grid = rng.random((max(2, across * height // width + 2), across + 2)).astype(np.float32)
        total += np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)) / 2**octave
    return np.asarray(np.clip((total / 1.75 - 0.5) * 1.6 + 0.5, 0, 1), np.float32)
