"""Synthetic scenes, one per camera and seed: ground in perspective, grass and stones on it, and a background."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from uncia.training.scenes.pixels import Pixels, mirror_tile, smooth_noise, to_image, to_pixels


@dataclass(frozen=True)
class Scene:
    """The field of view of a camera in even light. All arrays have the frame's height and width."""

    colours: Pixels
    """(height, width, 3), 0 to 1."""
    near: Pixels
    """Nearness of the ground: 1 at the camera, 0 far away."""
    front: Pixels
    """Row of the foot of the trunk or stone at each pixel, else 0. An animal whose foot is above that row is behind."""
    horizon: float
    """Where the ground begins, as a share of the height."""


_GROUNDS = (
    # Texture, dark colour, light colour, density of grass: forest floor, dry meadow, scree, snow, sand, moor.
    ("gravel", (0.11, 0.09, 0.06), (0.46, 0.38, 0.27), 0.5),
    ("grass", (0.12, 0.14, 0.05), (0.62, 0.60, 0.33), 0.9),
    ("gravel", (0.20, 0.19, 0.18), (0.72, 0.70, 0.66), 0.2),
    ("grass", (0.42, 0.45, 0.50), (0.93, 0.94, 0.96), 0.15),
    ("gravel", (0.40, 0.31, 0.20), (0.84, 0.72, 0.53), 0.25),
    ("grass", (0.09, 0.11, 0.07), (0.44, 0.46, 0.24), 1.0),
)
_BLADES = 14
"""Blades of grass in a tuft."""
_BACKGROUNDS = ("forest", "hills", "rock", "thicket")


def synthetic_scene(camera: int, seed: int, width: int, height: int) -> Scene:
    """The scene of a camera; the same for the same camera, seed and size."""
    rng = np.random.default_rng([seed, camera, 41])
    texture, dark, light, tufts = _GROUNDS[(camera + seed) % len(_GROUNDS)]
    background = _BACKGROUNDS[int(rng.integers(len(_BACKGROUNDS)))]
    horizon = float(rng.uniform(0.16, 0.36))
    grey, near = _perspective_ground(_texture(texture), horizon, float(rng.uniform(0.7, 1.5)), rng, width, height)
    grey = grey * np.float32(0.75) + np.float32(0.5) * smooth_noise(height, width, 9, rng) - np.float32(0.12)
    low, high = np.asarray(dark, np.float32), np.asarray(light, np.float32)
    colours = low + (high - low) * np.clip(grey, 0, 1)[..., None]
    colours *= (0.8 + 0.4 * smooth_noise(height, width, 4, rng))[..., None]
    _add_background(colours, background, round(horizon * height), rng)
    front = np.zeros((height, width), np.float32)
    for _ in range(int(240 * tufts)):
        _add_tuft(colours, horizon, low, high, rng)
    for _ in range(int(rng.integers(2, 9))):
        _add_stone(colours, front, horizon, rng)
    if background in ("forest", "thicket"):
        for _ in range(int(rng.integers(1, 6))):
            _add_trunk(colours, near, front, horizon, rng)
    return Scene(np.clip(colours, 0.01, 1), near, front, horizon)


@lru_cache(maxsize=4)
def _texture(name: str) -> Pixels:
    """One of scikit-image's grey ground textures as a seamless tile; (side, side), 0 to 1."""
    from skimage import data

    return mirror_tile(getattr(data, name)().astype(np.float32) / 255)


def _perspective_ground(
    texture: Pixels, horizon: float, grain: float, rng: np.random.Generator, width: int, height: int
) -> tuple[Pixels, Pixels]:
    """The texture on a plane seen from above, and the plane's nearness, each (height, width).

    Distant rows come from blurred copies of the texture: sampled from the sharp one they would show moiré patterns.
    """
    side = texture.shape[0]
    image = to_image(texture)
    levels: list[Pixels] = [
        texture,
        *(to_pixels(image.filter(ImageFilter.GaussianBlur(radius))) for radius in (1.5, 3, 6, 12)),
    ]
    depth = _depth(horizon, height)
    step = depth * 780 / width * 0.42 / grain
    sharpness = np.clip(np.log2(np.maximum(step, 1)) + 0.3, 0, 4).astype(int)
    across = np.arange(width, dtype=np.float32) - width / 2
    start = rng.integers(0, side, 2)
    columns = (across[None, :] * step[:, None] + start[0]).astype(np.int64) % side
    lines = (depth * 560 / grain + start[1]).astype(np.int64) % side
    grey = np.stack(levels)[sharpness[:, None], lines[:, None], columns]
    return grey, nearness(horizon, width, height)


def _depth(horizon: float, height: int) -> Pixels:
    """Distance of the ground in each row, (height,); rows above the horizon have the greatest distance."""
    rows = np.arange(height, dtype=np.float32) / height
    return np.asarray(1 / np.maximum(rows - horizon + 0.05, 0.04), np.float32)


def nearness(horizon: float, width: int, height: int) -> Pixels:
    """`Scene.near` of flat ground that begins at `horizon`, a share of the height."""
    near = np.clip(1.25 - _depth(horizon, height) * 0.19, 0, 1).astype(np.float32)
    return np.repeat(near[:, None], width, axis=1)


def _add_background(colours: Pixels, kind: str, horizon: int, rng: np.random.Generator) -> None:
    """Paint the background above the horizon, in place, and fade it into the ground over a few rows."""
    height, width = colours.shape[:2]
    fade = max(4, height // 22)
    reach = horizon + fade
    painted: NDArray[np.floating]
    if kind == "rock":
        side = _texture("gravel")
        tile = np.asarray(Image.fromarray(side[: reach or 1, :300]).resize((width, reach), Image.Resampling.BICUBIC))
        painted = (0.2 + 0.5 * tile * smooth_noise(reach, width, 12, rng))[..., None] * np.asarray(
            [1, 0.96, 0.9], np.float32
        )
    elif kind == "hills":
        down = np.linspace(0, 1, reach, dtype=np.float32)[:, None]
        painted = np.asarray([0.62, 0.70, 0.80], np.float32) + np.float32(0.22) * down[..., None] * np.ones(
            (1, width, 1), np.float32
        )
        for far in (0.75, 0.45, 0.15):
            line = reach * (0.25 + 0.55 * (1 - far) * smooth_noise(2, width, 5, rng)[0])
            inside = np.clip(np.arange(reach, dtype=np.float32)[:, None] - line[None, :], 0, 1)[..., None]
            rock = 0.22 + 0.28 * smooth_noise(reach, width, 14, rng)[..., None] * np.asarray(
                [0.9, 1.0, 0.8], np.float32
            )
            painted = painted + (rock * (1 - far) + 0.66 * far - painted) * inside
    else:
        streaks = smooth_noise(2, width, 70 if kind == "forest" else 30, rng)[:1]
        leaves = smooth_noise(reach, width, 40, rng)
        light = np.clip((streaks - 0.45) * 2.2, 0, 1) * 0.5 + 0.5 * leaves if kind == "forest" else leaves
        tint = np.asarray([0.42, 0.50, 0.28] if kind == "thicket" else [0.50, 0.52, 0.42], np.float32)
        painted = (0.06 + 0.85 * light**2)[..., None] * tint
    strength = np.clip((reach - np.arange(reach, dtype=np.float32)) / fade, 0, 1)[:, None, None]
    colours[:reach] += (painted.astype(np.float32) - colours[:reach]) * strength


def _add_tuft(colours: Pixels, horizon: float, low: Pixels, high: Pixels, rng: np.random.Generator) -> None:
    """Paint blades of grass that grow from one point and bend more towards their tips, in place."""
    height, width = colours.shape[:2]
    depth = float(rng.uniform(0.02, 1) ** 0.8)
    foot, middle = (horizon + (1 - horizon) * depth) * height, rng.uniform(0, width)
    size = height * (0.012 + 0.06 * depth) * rng.uniform(0.6, 1.4)
    colour = (low + (high - low) * np.float32(rng.uniform(0.2, 1.1))) * np.asarray([0.95, 1.05, 0.8], np.float32)
    lean, side = rng.normal(0, 0.5, (_BLADES, 1)) * size, rng.normal(0, 0.35, (_BLADES, 1)) * size
    tall, light = rng.uniform(0.5, 1, (_BLADES, 1)) * size, rng.uniform(0.7, 1.15, (_BLADES, 1))
    steps = np.linspace(0, 1, max(4, int(size)))[None, :]
    xs = (middle + side + lean * steps**1.7).astype(int)
    ys = (foot - tall * steps).astype(int)
    inside = (xs >= 0) & (xs < width) & (ys >= 0) & (ys < height)
    shade = (light * (0.55 + 0.45 * steps)).astype(np.float32)
    colours[ys[inside], xs[inside]] = colour * shade[inside][:, None]


def _add_stone(colours: Pixels, front: Pixels, horizon: float, rng: np.random.Generator) -> None:
    height, width = colours.shape[:2]
    depth = float(rng.uniform(0.05, 0.95))
    foot = (horizon + (1 - horizon) * depth) * height
    wide = height * (0.03 + 0.13 * depth) * rng.uniform(0.5, 1.5)
    tall = wide * rng.uniform(0.4, 0.8)
    middle = rng.uniform(0, width)
    x0, x1 = int(max(middle - wide, 0)), int(min(middle + wide, width))
    y0, y1 = int(max(foot - 1.6 * tall, 0)), int(min(foot + 0.3 * tall, height))
    if x1 - x0 < 3 or y1 - y0 < 3:
        return
    x = (np.arange(x0, x1, dtype=np.float32)[None, :] - middle) / wide
    y = (np.arange(y0, y1, dtype=np.float32)[:, None] - foot + 0.55 * tall) / (0.9 * tall)
    bumps = smooth_noise(y1 - y0, x1 - x0, 5, rng)
    inside = np.clip((0.8 + 0.35 * (bumps - 0.5) - np.abs(x) ** 2.4 - np.abs(y) ** 2) * 9, 0, 1)[..., None]
    light = 0.20 + 0.32 * bumps - 0.14 * x - 0.16 * y
    stone = light[..., None] * np.asarray([1.0, 0.96, 0.9], np.float32)
    colours[y0:y1, x0:x1] += (stone.astype(np.float32) - colours[y0:y1, x0:x1]) * inside
    front[y0:y1, x0:x1] = np.where(inside[..., 0] > 0.5, np.float32(foot), front[y0:y1, x0:x1])


def _add_trunk(colours: Pixels, near: Pixels, front: Pixels, horizon: float, rng: np.random.Generator) -> None:
    height, width = colours.shape[:2]
    depth = float(rng.uniform(0.02, 0.8))
    foot = int((horizon + (1 - horizon) * depth) * height)
    wide = height * (0.012 + 0.06 * depth) * rng.uniform(0.6, 1.5)
    middle = float(rng.uniform(0, width)) + rng.normal(0, 0.06) * (foot - np.arange(foot, dtype=np.float32))
    x = (np.arange(width, dtype=np.float32)[None, :] - middle[:, None]) / wide
    inside = np.clip((1 - np.abs(x)) * wide * 0.5, 0, 1)
    bark = smooth_noise(foot, width, 60, rng)
    light = (0.14 + 0.30 * bark) * (1 - 0.45 * np.clip(x, -1, 1))
    colour = light[..., None] * np.asarray([0.95, 0.86, 0.72], np.float32)
    colours[:foot] += (colour.astype(np.float32) - colours[:foot]) * inside[..., None]
    solid = inside > 0.5
    front[:foot] = np.where(solid, np.float32(foot), front[:foot])
    near[:foot] = np.where(solid, near[min(foot, height - 1), 0], near[:foot])
