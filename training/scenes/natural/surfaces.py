"""Things in a landscape, painted into its colours: rocks, trunks, grass and leaves, each with its light and shade."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from uncia.training.scenes.natural.noise import fractal_noise, lit, ridged
from uncia.training.scenes.pixels import Pixels

SUN = (-0.55, 0.75, 0.55)


@dataclass
class Canvas:
    """What is painted so far; every array has the frame's height and width."""

    colours: Pixels
    front: Pixels
    """Row of the foot of what hides an animal, else 0."""
    metres: Pixels
    """Distance from the camera."""
    plants: NDArray[np.bool_]
    """Where grass grows."""

    @classmethod
    def empty(cls, metres: Pixels) -> "Canvas":
        """A black canvas with these distances."""
        black = np.zeros((*metres.shape, 3), np.float32)
        return cls(black, np.zeros(metres.shape, np.float32), metres, np.zeros(metres.shape, bool))


def colour_ramp(values: Pixels, dark: tuple[float, ...], middle: tuple[float, ...], light: tuple[float, ...]) -> Pixels:
    """Colours by values from 0 (dark) over 0.5 (middle) to 1 (light)."""
    low, half, high = (np.asarray(colour, np.float32) for colour in (dark, middle, light))
    share = np.clip(values, 0, 1)[..., None] * np.float32(2)
    colours = np.minimum(share, 1) * (half - low)
    colours += low
    colours += np.maximum(share - 1, 0) * (high - half)
    return np.asarray(colours, np.float32)


def add_rock(
    canvas: Canvas, x: float, foot: float, wide: float, metres: float, rng: np.random.Generator, texture: Pixels
) -> None:
    """A boulder: the solid between random planes, weathered, with lichen, half sunk into the ground."""
    height, width = canvas.front.shape
    tall = wide * float(rng.uniform(0.55, 0.8))
    x0, x1 = int(max(x - wide, 0)), int(min(x + wide, width))
    y0, y1 = int(max(foot - 2 * tall, 0)), int(min(foot + 0.35 * tall, height))
    if x1 - x0 < 12 or y1 - y0 < 12:
        return
    across = (np.arange(x0, x1, dtype=np.float32)[None, :] - x) / wide
    up = (foot - 0.15 * tall - np.arange(y0, y1, dtype=np.float32)[:, None]) / tall
    bumps = fractal_noise(y1 - y0, x1 - x0, 5, rng, octaves=6, gain=0.55)
    across, up = across + 0.030 * bumps, up + 0.030 * bumps[::-1, ::-1]
    depth = np.full(bumps.shape, 0.9, np.float32)
    planes = rng.normal(size=(17, 3)) * (1.0, 1.0, 0.6)
    planes = planes / np.linalg.norm(planes, axis=1, keepdims=True)
    for a, b, c in planes:
        c = max(abs(c), 0.16)
        depth = np.minimum(depth, (float(rng.uniform(0.62, 0.78)) - a * across - b * (up - 0.15)) / c)
    depth = np.minimum(depth, (0.93 - across**2 * 0.9 - (up - 0.1) ** 2 * 0.62) * 2.2)
    matte = np.clip(depth * wide * 0.35, 0, 1) * np.clip((up + 0.22 + 0.05 * bumps) * 9, 0, 1)
    relief = ndimage.gaussian_filter(np.maximum(depth, -0.1), wide * 0.012) * wide * 0.8 + bumps * wide * 0.006
    light = 0.22 + 0.20 * np.clip(0.5 + up * 0.6, 0, 1) + 0.62 * lit(relief, SUN)
    stone = (
        np.resize(texture, bumps.shape) if texture.shape < bumps.shape else texture[: bumps.shape[0], : bumps.shape[1]]
    )
    lichen = np.clip(fractal_noise(y1 - y0, x1 - x0, 7, rng, octaves=6, gain=0.7) - 0.75, 0, 0.7)
    tint = np.asarray([0.56, 0.535, 0.50], np.float32) * float(rng.uniform(0.75, 1.05))
    value = 0.72 + 0.16 * fractal_noise(y1 - y0, x1 - x0, 12, rng, octaves=7, gain=0.8) + 0.35 * (stone - 0.5)
    colour = tint * np.clip(value, 0.25, 1.5)[..., None]
    colour += (np.asarray([0.60, 0.61, 0.47], np.float32) - colour) * lichen[..., None]
    colour = colour * light[..., None]
    part = (slice(y0, y1), slice(x0, x1))
    # Shadow on the ground next to it and where it touches the ground.
    near = ndimage.gaussian_filter(matte, wide * 0.055)
    shadow = np.roll(near, (int(tall * 0.10), int(wide * 0.13)), (0, 1)) * np.clip(0.55 - up, 0, 1)
    canvas.colours[part] *= (1 - 0.62 * np.clip(shadow * 1.3, 0, 1))[..., None]
    canvas.colours[part] += (colour - canvas.colours[part]) * matte[..., None]
    solid = matte > 0.5
    canvas.front[part] = np.where(solid, np.float32(foot), canvas.front[part])
    canvas.metres[part] = np.where(solid, np.float32(metres), canvas.metres[part])
    canvas.plants[part] &= ~solid


def add_trunk(
    canvas: Canvas, x: float, foot: float, wide: float, metres: float, haze: float, rng: np.random.Generator
) -> None:
    """A trunk with bark, lit from the side, that widens towards its roots. `wide` is its radius in pixels."""
    height, width = canvas.front.shape
    bottom = int(min(foot + wide * 0.25, height))
    reach = wide * 2.4
    lean = float(rng.normal(0, 0.045))
    rows = np.arange(bottom, dtype=np.float32)[:, None]
    sway = lean * (foot - rows) + wide * 0.5 * np.sin(
        rows / height * float(rng.uniform(2, 6)) + float(rng.uniform(0, 6))
    )
    x0, x1 = int(max(x - reach - abs(lean) * foot, 0)), int(min(x + reach + abs(lean) * foot, width))
    if x1 - x0 < 4 or bottom < 12:
        return
    radius = wide * (1 + 0.85 * np.exp(-(foot - rows) / (wide * 1.3)) - 0.12 * (foot - rows) / height)
    edge = fractal_noise(bottom, x1 - x0, max(3, (x1 - x0) / wide * 2), rng, octaves=4, stretch=5)
    side = (np.arange(x0, x1, dtype=np.float32)[None, :] - x - sway) / radius + 0.03 * edge
    matte = np.clip((1 - np.abs(side)) * radius * 0.6, 0, 1)
    around = np.arcsin(np.clip(side, -0.999, 0.999))
    # Bark is sampled around the cylinder: its plates get narrower towards the outline.
    plate = ridged(fractal_noise(bottom, 256, 16, rng, octaves=5, gain=0.6, stretch=4.5))
    column = np.clip((around / np.pi + 0.5) * 255, 0, 255)
    bark = np.take_along_axis(plate, column.astype(int), axis=1)
    fine = fractal_noise(bottom, x1 - x0, max(8, (x1 - x0) / 5), rng, octaves=3, gain=0.7, stretch=2.5)
    relief = (bark - 0.5) * wide * 0.16 + fine * 0.25
    shade = 0.26 + 0.74 * np.clip(-0.62 * side + 0.62 * np.sqrt(np.clip(1 - side**2, 0, 1)), 0, 1)
    light = shade * (0.45 + 0.75 * lit(relief, (-0.7, 0.25, 0.8)))
    tone = colour_ramp(0.15 + 0.75 * bark + 0.07 * fine, (0.10, 0.085, 0.07), (0.36, 0.31, 0.26), (0.62, 0.58, 0.52))
    moss = np.clip(fractal_noise(bottom, x1 - x0, 5, rng) * 0.5 + 0.9 - (foot - rows) / (wide * 6), 0, 0.75)
    tone = tone + (np.asarray([0.24, 0.28, 0.11], np.float32) * (0.5 + bark)[..., None] - tone) * moss[..., None]
    colour = tone * light[..., None]
    colour = colour + (np.asarray([0.60, 0.65, 0.60], np.float32) - colour) * np.float32(haze)
    part = (slice(0, bottom), slice(x0, x1))
    matte = matte * np.clip((foot + 0.14 * wide * edge - rows) * 0.12 + 0.5, 0, 1)
    canvas.colours[part] += (colour - canvas.colours[part]) * matte[..., None]
    solid = matte > 0.5
    canvas.front[part] = np.where(solid, np.float32(foot), canvas.front[part])
    canvas.metres[part] = np.where(solid, np.float32(metres), canvas.metres[part])
    canvas.plants[part] &= ~solid


def add_grass(
    canvas: Canvas,
    roots: Pixels,
    lengths: Pixels,
    widths: Pixels,
    colours: Pixels,
    rng: np.random.Generator,
    hides: bool = True,
) -> None:
    """Blades of grass. `roots` are x, y in pixels, in the order of painting: far ones first.

    Every blade is a curve that bends more towards its tip, tapers, and is darker at its root.
    """
    height, width = canvas.front.shape
    for begin in range(0, len(roots), 1500):
        root, length, thick, colour = (values[begin : begin + 1500] for values in (roots, lengths, widths, colours))
        count = len(root)
        steps = int(min(max(8, length.max() * 1.15), 260))
        t = np.linspace(0, 1, steps, dtype=np.float32)[None, :, None]
        lean = rng.normal(0, 0.32, (count, 1, 1)).astype(np.float32)
        bend = rng.normal(0, 0.45, (count, 1, 1)).astype(np.float32)
        across = int(max(2, np.ceil(thick.max())))
        offset = np.linspace(-0.5, 0.5, across, dtype=np.float32)[None, None, :]
        size = length[:, None, None]
        x = root[:, :1, None] + size * (lean * t + bend * t**2.4) + offset * thick[:, None, None] * (1 - 0.85 * t)
        y = root[:, 1:, None] - size * t * (1 - 0.28 * np.abs(bend) * t**1.5) + 0 * offset
        shade = (0.42 + 0.62 * t**0.7) * (1 - 0.22 * (offset + 0.5)) + 0 * x
        xs, ys = np.rint(x).astype(np.int32).ravel(), np.rint(y).astype(np.int32).ravel()
        index = np.repeat(np.arange(count), steps * across)
        inside = (xs >= 0) & (xs < width) & (ys >= 0) & (ys < height)
        xs, ys, index = xs[inside], ys[inside], index[inside]
        canvas.colours[ys, xs] = colour[index] * shade.ravel()[inside, None]
        canvas.plants[ys, xs] = True
        if hides:
            canvas.front[ys, xs] = root[index, 1]


def add_leaves(
    colours: Pixels, places: Pixels, sizes: Pixels, tones: Pixels, rng: np.random.Generator, flat: float = 0.8
) -> None:
    """Leaves as turned ellipses with a lighter half, (x, y) `places` in the order of painting, `sizes` in pixels."""
    height, width = colours.shape[:2]
    for begin in range(0, len(places), 250):
        place, size, tone = (values[begin : begin + 250] for values in (places, sizes, tones))
        count = len(place)
        side = int(max(3, np.ceil(size.max() * 1.7)))
        grid = np.linspace(-1, 1, side, dtype=np.float32)
        u, v = (axis.ravel()[None, :] for axis in np.meshgrid(grid, grid))
        slim = rng.uniform(0.35, 0.75, (count, 1)).astype(np.float32)
        angle = rng.uniform(0, np.pi, (count, 1)).astype(np.float32)
        inside = u**2 + v**2 < 1
        x = place[:, :1] + size[:, None] * (u * np.cos(angle) - v * slim * np.sin(angle))
        y = place[:, 1:] + size[:, None] * flat * (u * np.sin(angle) + v * slim * np.cos(angle))
        light = 1 + 0.22 * np.sign(v) * rng.uniform(0, 1, (count, 1)).astype(np.float32) - 0.10 * u
        xs, ys = np.rint(x).astype(np.int32), np.rint(y).astype(np.int32)
        kept = inside & (xs >= 0) & (xs < width) & (ys >= 0) & (ys < height)
        rows = np.nonzero(kept)[0]
        colours[ys[kept], xs[kept]] = tone[rows] * light[kept][:, None]
