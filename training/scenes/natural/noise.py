"""Noise from which surfaces are made, and the light on them. All arrays are float32."""

import numpy as np
from PIL import Image
from scipy import ndimage

from uncia.training.scenes.pixels import Pixels


def fractal_noise(
    height: int,
    width: int,
    cells: float,
    rng: np.random.Generator,
    *,
    octaves: int = 5,
    gain: float = 0.5,
    stretch: float = 1.0,
) -> Pixels:
    """Noise around 0 with a standard deviation of 1, (height, width).

    `cells` is the number of cells of the largest octave across; each further octave has twice as many and `gain` times
    the amplitude. `stretch` makes cells this much taller than wide.
    """
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        across = max(2, round(cells * 2**octave))
        down = max(2, round(across * height / width / stretch))
        if across > 2 * width or down > 2 * height:
            break
        grid = rng.standard_normal((down + 2, across + 2)).astype(np.float32)
        total += np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)) * gain**octave
    return np.asarray((total - total.mean()) / max(float(total.std()), 1e-6), np.float32)


def ridged(noise: Pixels) -> Pixels:
    """Noise with sharp crests, 0 to 1, as in bark and rock."""
    return np.asarray(1 - np.minimum(np.abs(noise), 2) / 2, np.float32)


def lit(heights: Pixels, direction: tuple[float, float, float]) -> Pixels:
    """Lambert's cosine on a surface of these heights (in pixels), 0 to 1; `direction` is right, up, to the eye."""
    down, right = np.gradient(heights)
    x, y, z = np.asarray(direction, np.float32) / np.linalg.norm(direction)
    cosine = (-right * x + down * y + z) / np.sqrt(1 + right**2 + down**2)
    return np.asarray(np.clip(cosine, 0, 1), np.float32)


def hairs(height: int, width: int, angle: float, length: float, rng: np.random.Generator) -> Pixels:
    """Noise of hairs in one direction (degrees above the horizontal), around 0 with a standard deviation of 1."""
    side = int(np.hypot(height, width)) + 4
    strands = ndimage.gaussian_filter(rng.standard_normal((side, side)).astype(np.float32), (0.75, length))
    strands += ndimage.gaussian_filter(rng.standard_normal((side, side)).astype(np.float32), (1.8, length * 1.6)) * 2
    turned = ndimage.rotate(strands, angle, reshape=False, order=1)
    top, left = (side - height) // 2, (side - width) // 2
    part = turned[top : top + height, left : left + width]
    return np.asarray((part - part.mean()) / part.std(), np.float32)


def patchwork(sample: Pixels, height: int, width: int, rng: np.random.Generator) -> Pixels:
    """A surface of this size from overlapping random patches of a zero-mean sample, (height, width, channels).

    Blending divides by the root of the summed squared weights, which keeps contrast where patches overlap (Heitz and
    Neyret 2018), so that there are no seams.
    """
    side = min(sample.shape[0], sample.shape[1], 40)
    step = side // 2
    ramp = np.sin(np.pi * (np.arange(side, dtype=np.float32) + 0.5) / side)
    window = np.outer(ramp, ramp).astype(np.float32)
    tall, wide = height + 2 * side, width + 2 * side
    total, weight = np.zeros((tall, wide, sample.shape[2]), np.float32), np.full((tall, wide), 1e-6, np.float32)
    for y in range(0, tall - side + 1, step):
        for x in range(0, wide - side + 1, step):
            top = int(rng.integers(0, sample.shape[0] - side + 1))
            left = int(rng.integers(0, sample.shape[1] - side + 1))
            total[y : y + side, x : x + side] += sample[top : top + side, left : left + side] * window[..., None]
            weight[y : y + side, x : x + side] += window**2
    surface = total / np.sqrt(weight)[..., None]
    return np.asarray(surface[side : side + height, side : side + width], np.float32)
