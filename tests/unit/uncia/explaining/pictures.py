"""Pictures of dark grain with chequered discs, and a scorer whose reasons are known."""

import numpy as np
from numpy.typing import NDArray

from uncia.events.values import Box
from uncia.imaging.frames import Pixels

HEIGHT, WIDTH = 96, 128


def picture(*discs: tuple[float, float]) -> Pixels:
    """A dark, grainy picture with a chequered disc at each place (shares of width and height)."""
    rng = np.random.default_rng(5)
    pixels = rng.integers(20, 60, (HEIGHT, WIDTH, 3))
    down, across = np.mgrid[0:HEIGHT, 0:WIDTH]
    for x, y in discs:
        disc = (across - x * WIDTH) ** 2 + (down - y * HEIGHT) ** 2 <= 12**2
        pixels[disc] = 190
        pixels[disc & ((across + down) % 2 == 0)] = 255
    planted: Pixels = pixels.astype(np.uint8)
    return planted


def disc_box(x: float, y: float) -> Box:
    """The box of a disc."""
    return (x - 12 / WIDTH, y - 12 / HEIGHT, 24 / WIDTH, 24 / HEIGHT)


def brightness(images: Pixels) -> NDArray[np.float64]:
    """A score that is linear in what is shown: the share of the brightest pixels, of which mean colours have none."""
    return np.asarray((images[..., 0] > 240).mean(axis=(1, 2)) * 8, dtype=np.float64)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)
