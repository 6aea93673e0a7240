"""What a camera looks at: ground in perspective, ridges behind it, sky; from scikit-image's grey ground textures."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from skimage import data

Pixels = NDArray[np.float32]

WIDTH, HEIGHT = 2048, 1440


@dataclass(frozen=True)
class Look:
    """One place. Colours are red, green, blue, 0 to 1; `horizon` a share of the height; `grain` a texture's size."""

    texture: str
    dark: tuple[float, float, float]
    light: tuple[float, float, float]
    horizon: float
    grain: float
    boulders: int


LOOKS = {
    "ridge": Look("gravel", (0.20, 0.18, 0.16), (0.80, 0.77, 0.72), 0.30, 1.0, 9),
    "river": Look("grass", (0.10, 0.13, 0.05), (0.66, 0.68, 0.40), 0.27, 1.15, 4),
    "hut": Look("brick", (0.22, 0.19, 0.17), (0.70, 0.62, 0.54), 0.33, 0.9, 3),
}


@dataclass(frozen=True)
class Scene:
    """A place as it stands: colours (HEIGHT, WIDTH, 3) in even light; `distance` (HEIGHT, WIDTH) 0 near to 1 far."""

    colours: Pixels
    distance: Pixels
    horizon: int


@lru_cache(maxsize=8)
def scene(place: str, seed: int) -> Scene:
    """The same place for the same seed: a camera does not move between its photographs."""
    look = LOOKS[place]
    rng = np.random.default_rng([seed, 17])
    horizon = round(look.horizon * HEIGHT)
    texture = getattr(data, look.texture)().astype(np.float32) / 255
    grey, distance = _ground(texture, horizon, look.grain, rng)
    stones = data.gravel().astype(np.float32) / 255
    low, high = (np.asarray(colour, np.float32) for colour in (look.dark, look.light))
    colours = low + (high - low) * np.clip(grey, 0, 1)[..., None]
    _sky(colours[:horizon], rng)
    distance[:horizon] = 1
    for far, height in ((0.9, 0.62), (0.6, 0.38), (0.25, 0.17)):
        _ridge(colours, distance, stones, horizon, far, height, rng)
    for _ in range(look.boulders):
        _boulder(colours, stones, horizon, rng)
    return Scene(np.clip(colours, 0, 1), distance, horizon)


def _ground(texture: Pixels, horizon: int, grain: float, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """The texture on a plane seen by an eye above it; far rows from blurred copies, so that nothing glitters."""
    mirrored = np.concatenate([texture, texture[:, ::-1]], axis=1)
    mirrored = np.concatenate([mirrored, mirrored[::-1]], axis=0)
    size = mirrored.shape[0]
    rows = np.arange(HEIGHT, dtype=np.float32)
    depth = HEIGHT / np.maximum(rows - horizon + 24, 1)
    across = (np.arange(WIDTH, dtype=np.float32) - WIDTH / 2) * 0.42 / grain
    levels = [mirrored]
    image = Image.fromarray((mirrored * 255).astype(np.uint8))
    for radius in (1.2, 2.5, 5, 10):
        levels.append(np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), np.float32) / 255)
    spots = _clouds((HEIGHT, WIDTH), 13, rng, wide=0.3)
    grey = np.empty((HEIGHT, WIDTH), np.float32)
    for row in range(horizon, HEIGHT):
        level = int(np.clip(np.log2(max(depth[row] * 0.42 / grain, 1)) + 0.4, 0, 4))
        columns = (across * depth[row] + size * 0.37).astype(np.int32) % size
        line = int(depth[row] * 620 / grain) % size
        grey[row] = levels[level][line, columns]
    grey[:horizon] = 0
    grey += 0.30 * (spots - 0.5)
    distance = np.broadcast_to((np.clip((depth - 1) / 9, 0, 1))[:, None], (HEIGHT, WIDTH)).astype(np.float32)
    return grey, np.array(distance)


def _sky(rows: Pixels, rng: np.random.Generator) -> None:
    down = np.linspace(0, 1, rows.shape[0], dtype=np.float32)[:, None, None]
    top, low = np.asarray([0.50, 0.63, 0.80], np.float32), np.asarray([0.90, 0.92, 0.92], np.float32)
    clouds = _clouds(rows.shape[:2], 5, rng)[..., None]
    rows[:] = top + (low - top) * down + 0.22 * (clouds - 0.5)


def _ridge(
    colours: Pixels, distance: Pixels, stones: Pixels, horizon: int, far: float, height: float, rng: np.random.Generator
) -> None:
    """One line of hills, paler the farther it stands."""
    x = np.arange(WIDTH, dtype=np.float32)
    outline = np.zeros(WIDTH, np.float32)
    for octave in range(2, 8):
        points = rng.normal(size=2**octave + 2)
        outline += np.interp(x, np.linspace(0, WIDTH, points.size), points).astype(np.float32) / 2 ** (octave - 1.4)
    top = horizon - (outline - outline.min()) / np.ptp(outline) * height * horizon - 8
    bottom = horizon + 26
    rows = np.arange(bottom, dtype=np.float32)[:, None]
    inside = np.clip(rows - top[None, :], 0, 1)
    tile = np.tile(np.concatenate([stones, stones[:, ::-1]], axis=1), (3, 2))[:bottom, :WIDTH]
    light = 0.26 + 0.26 * tile + 0.30 * _clouds((bottom, WIDTH), 7, rng)
    haze = np.asarray([0.72, 0.77, 0.80], np.float32)
    rock = light[..., None] * np.asarray([0.92, 0.88, 0.80], np.float32)
    rock = rock * (1 - 0.72 * far) + haze * 0.72 * far
    fade = inside * np.clip((bottom - rows) / 26, 0, 1)
    colours[:bottom] += (rock - colours[:bottom]) * fade[..., None]
    distance[:bottom] += (np.float32(0.94 + 0.06 * far) - distance[:bottom]) * fade


def _boulder(colours: Pixels, stones: Pixels, horizon: int, rng: np.random.Generator) -> None:
    """A stone with light from the upper left and its shadow on the ground; smaller where it lies farther."""
    foot = round(horizon + (HEIGHT - horizon) * rng.uniform(0.06, 0.62) ** 1.4)
    width = round((70 + 330 * (foot - horizon) / (HEIGHT - horizon)) * rng.uniform(0.6, 1.5))
    height = round(width * rng.uniform(0.45, 0.75))
    left, top = round(rng.uniform(-0.2, 1) * WIDTH), foot - height
    angles = np.linspace(0, 2 * np.pi, 23)[:-1]
    reach = 0.34 * (1 + 0.16 * np.convolve(rng.normal(size=angles.size + 2), np.ones(3) / 3, "valid"))
    outline = [
        (float(width * (0.5 + r * np.cos(a))), float(height * (0.5 + r * np.sin(a) * (1 if np.sin(a) < 0 else 0.9))))
        for a, r in zip(angles, reach, strict=True)
    ]
    canvas = Image.new("L", (width, height))
    ImageDraw.Draw(canvas).polygon(outline, fill=255)
    matte = np.asarray(canvas.filter(ImageFilter.GaussianBlur(1.5)), np.float32) / 255
    soft = np.asarray(canvas.filter(ImageFilter.GaussianBlur(width / 14)), np.float32) / 255
    corner = rng.integers(0, 380, 2)
    patch = Image.fromarray((stones[corner[0] : corner[0] + 90, corner[1] : corner[1] + 120] * 255).astype(np.uint8))
    skin = np.asarray(patch.filter(ImageFilter.GaussianBlur(3)).resize((width, height)), np.float32) / 255
    lit = np.linspace(1.1, 0.35, height, dtype=np.float32)[:, None] * np.linspace(1.1, 0.8, width, dtype=np.float32)
    rough = rng.normal(0, 0.035, (height, width)).astype(np.float32)
    grey = (0.22 + 0.5 * skin + rough) * lit * (0.45 + 0.55 * soft)
    x0, x1, y1 = max(left, 0), min(left + width, WIDTH), min(foot, HEIGHT)
    if x1 <= x0 or y1 <= top:
        return
    part = (slice(0, y1 - top), slice(x0 - left, x1 - left))
    shadow = slice(min(top + height // 8, HEIGHT), min(foot + height // 8, HEIGHT))
    dark = soft[: shadow.stop - shadow.start, x0 - left : x1 - left]
    colours[shadow, x0:x1] *= 1 - 0.6 * dark[..., None]
    rock = grey[part][..., None] * np.asarray([0.98, 0.94, 0.88], np.float32)
    colours[top:y1, x0:x1] += (rock - colours[top:y1, x0:x1]) * matte[part][..., None]


def _clouds(shape: tuple[int, int], cells: int, rng: np.random.Generator, wide: float = 1.4) -> Pixels:
    """Smooth noise, 0 to 1, of three octaves."""
    total = np.zeros(shape, np.float32)
    for octave, weight in ((1, 0.55), (2, 0.30), (4, 0.15)):
        small = rng.random((cells * octave, max(2, round(cells * octave * wide)))) * 255
        large = Image.fromarray(small.astype(np.uint8)).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
        total += weight * np.asarray(large, np.float32) / 255
    return total
