"""From a place and an animal to what the camera's sensor sees: position, blur, shadow, light, noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from uncia.producers.simulate.animal import CutOut
from uncia.producers.simulate.scenery import HEIGHT, WIDTH, Scene

Pixels = NDArray[np.float32]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Pose:
    """Where the animal is: its feet's middle in pixels, its height in pixels, how far it moves while the shutter is
    open, which way it faces, and the step that it is in (0 to 1)."""

    x: float
    foot: float
    height: float
    blur: float
    facing_left: bool
    step: float


@dataclass(frozen=True)
class Light:
    """`warmth` shifts from blue (-1) to orange (1); `level` is the exposure; `infrared` the camera's own flash."""

    level: float
    warmth: float
    infrared: bool


def empty(scene: Scene, light: Light) -> Pixels:
    """The place in this light, without noise: (HEIGHT, WIDTH, 3), or one channel in infrared."""
    if not light.infrared:
        return scene.colours * _daylight(light)
    # Flash: strong near, nothing far, brighter in the middle of the frame.
    x = np.linspace(-1, 1, WIDTH, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, HEIGHT, dtype=np.float32)[:, None]
    flash = 0.012 + 1.2 * (1 - scene.distance) ** 2.2 * np.exp(-0.9 * x**2 - 0.55 * (y - 0.1) ** 2)
    return np.asarray((scene.colours.mean(axis=2) * flash)[..., None], np.float32)


def expose(
    scene: Scene, lit: Pixels, light: Light, cut_out: CutOut | None, pose: Pose | None, seed: int
) -> tuple[Image.Image, Box | None]:
    """The picture without its strips, and the animal's box as shares of the picture (None: not in it).

    `lit` is `empty(scene, light)`: the same for all frames of a burst, and left as it is.
    """
    box = None
    if cut_out is not None and pose is not None:
        lit = lit.copy()
        box = _put(lit, scene, cut_out, pose, light)
    return _develop(lit, light, np.random.default_rng(seed)), box


def _daylight(light: Light) -> Pixels:
    tint = np.asarray([1 + 0.10 * light.warmth, 1.0, 1 - 0.14 * light.warmth], np.float32)
    return np.asarray(light.level * tint, np.float32)


def _put(lit: Pixels, scene: Scene, cut_out: CutOut, pose: Pose, light: Light) -> Box | None:
    colours, matte = _sprite(cut_out, pose, light)
    height, width = matte.shape
    left, top = round(pose.x - width / 2), round(pose.foot - height)
    x0, x1, y0, y1 = max(left, 0), min(left + width, WIDTH), max(top, 0), min(top + height, HEIGHT)
    if x1 - x0 < 8 or y1 - y0 < 8:
        return None
    _shadow(lit, pose, matte.shape, light)
    part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    near = float(1 - scene.distance[min(round(pose.foot), HEIGHT - 1), WIDTH // 2])
    if light.infrared:
        middle = (pose.x / WIDTH * 2 - 1) ** 2
        shown = colours * np.float32(1.35 * near**1.4 * np.exp(-0.5 * middle) + 0.03)
    else:
        shown = colours * _daylight(light) * np.float32(1.05)
        shown = shown + (np.asarray([0.72, 0.77, 0.80], np.float32) * light.level - shown) * np.float32(
            0.10 * (1 - near)
        )
    soft = matte[part][..., None]
    lit[y0:y1, x0:x1] += (shown[part] - lit[y0:y1, x0:x1]) * soft
    rows, columns = np.nonzero(matte[part] > 0.5)
    if rows.size == 0:
        return None
    return (
        float(x0 + columns.min()) / WIDTH,
        float(y0 + rows.min()) / HEIGHT,
        float(columns.max() - columns.min() + 1) / WIDTH,
        float(rows.max() - rows.min() + 1) / HEIGHT,
    )


def _sprite(cut_out: CutOut, pose: Pose, light: Light) -> tuple[Pixels, Pixels]:
    """The animal at its size, facing its way, blurred by its movement; the eyes shine in infrared."""
    colours = cut_out.colours
    if light.infrared:
        colours = np.repeat(np.clip(colours.mean(axis=2, keepdims=True) * 1.25, 0, 1), 3, axis=2)
        colours = _eyeshine(colours, cut_out.eyes)
    both = np.concatenate([colours, cut_out.matte[..., None]], axis=2)
    image = Image.fromarray((both * 255).astype(np.uint8), "RGBA")
    bounds = image.getchannel("A").getbbox()
    image = image.crop(bounds)
    # A walking body rises and tilts a little with every step.
    image = image.rotate(1.6 * np.sin(2 * np.pi * pose.step), Image.Resampling.BICUBIC)
    scale = pose.height / image.height
    size = (max(8, round(image.width * scale * (1 + 0.02 * np.cos(2 * np.pi * pose.step)))), max(8, round(pose.height)))
    image = image.resize(size, Image.Resampling.LANCZOS)
    if pose.facing_left:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    values = np.asarray(image, np.float32) / 255
    smear = round(pose.blur)
    if smear > 1:
        padded = np.pad(values, ((0, 0), (smear, smear), (0, 0)))
        padded[..., :3] *= padded[..., 3:]
        sums = np.cumsum(padded, axis=1)
        values = (sums[:, smear:] - sums[:, :-smear]) / smear
        values[..., :3] /= np.maximum(values[..., 3:], 1e-3)
    return np.asarray(values[..., : 1 if light.infrared else 3]), np.asarray(values[..., 3])


def _eyeshine(colours: Pixels, eyes: tuple[tuple[float, float], ...]) -> Pixels:
    rows, columns = np.indices(colours.shape[:2], np.float32)
    glow = np.zeros(colours.shape[:2], np.float32)
    for x, y in eyes:
        glow += np.exp(-(((columns - x) ** 2 + (rows - y) ** 2) / 45))
    return np.clip(colours + 1.6 * glow[..., None], 0, 1)


def _shadow(lit: Pixels, pose: Pose, size: tuple[int, ...], light: Light) -> None:
    """Where the feet touch the ground it is darker: hard and narrow in flash, wide and soft under the sky."""
    height, width = size
    reach = 0.10 if light.infrared else 0.16
    x0, x1 = max(0, round(pose.x - width * 0.7)), min(WIDTH, round(pose.x + width * 0.7))
    y0, y1 = max(0, round(pose.foot - height * 0.3)), min(HEIGHT, round(pose.foot + height * 0.3))
    if x1 <= x0 or y1 <= y0:
        return
    x = (np.arange(x0, x1, dtype=np.float32)[None, :] - pose.x) / (width * 0.42)
    y = (np.arange(y0, y1, dtype=np.float32)[:, None] - pose.foot + height * 0.03) / (height * reach)
    lit[y0:y1, x0:x1] *= (1 - 0.62 * np.exp(-(x**4) - y**2))[..., None]


def _develop(lit: Pixels, light: Light, rng: np.random.Generator) -> Image.Image:
    """Shot noise (its strength grows with the root of the light), gamma in infrared."""
    grey = lit[..., 0] if light.infrared else lit[..., 1]
    fixed, shot = (0.010, 0.045) if light.infrared else (0.006, 0.020)
    grain = _noise(rng, grey.shape) * (fixed + shot * np.sqrt(np.maximum(grey, 0)))
    values = np.clip(lit + grain[..., None], 0, 1) * np.float32(255)
    image = Image.fromarray(values.astype(np.uint8)[..., 0] if light.infrared else values.astype(np.uint8))
    if light.infrared:
        image = image.point([round(255 * (level / 255) ** 0.72) for level in range(256)])
    return image.convert("RGB")


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> Pixels:
    """Normal noise as soft as a sensor's after its JPEG engine; one tile repeated, because drawing and blurring every
    pixel would be half of the work."""
    tile = rng.standard_normal((512, 512), np.float32)
    tile += 0.5 * (np.roll(tile, 1, 0) + np.roll(tile, 1, 1)) + 0.25 * np.roll(tile, (1, 1), (0, 1))
    tile *= 0.55
    rows, columns = -(-shape[0] // 512), -(-shape[1] // 512)
    return np.asarray(np.tile(tile, (rows, columns))[: shape[0], : shape[1]])
