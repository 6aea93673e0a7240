"""From a scene and a cut-out to the image on the sensor: light, size, motion blur, shadow, haze, lens and noise.

The order is that of a camera: `light` illuminates the empty scene once per burst, `add_distractors` adds what does not
move, and `expose` adds the animal of one frame and develops it.
"""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageFilter

from uncia.events.values import Box
from uncia.training.scenes.cut_outs import CutOut, crop_to_matte
from uncia.training.scenes.pixels import Pixels, smooth_noise, to_image, to_pixels
from uncia.training.scenes.plan import Burst, Pose
from uncia.training.scenes.terrain import Scene

_MOST_HIDDEN = 0.5
"""An animal of which trunks and stones would hide a larger share stands in front of them instead."""
_GRAIN_TILE = 256


@dataclass(frozen=True)
class LitScene:
    """A scene in the light of one burst."""

    scene: Scene
    colours: Pixels
    """(height, width, 3), or (height, width, 1) in infrared."""
    burst: Burst


def light(scene: Scene, burst: Burst) -> LitScene:
    """The empty scene in the light of a burst, without noise."""
    height, width = scene.near.shape
    rng = np.random.default_rng(burst.seed)
    if not burst.infrared:
        # Shadows of leaves and clouds move: every burst has a pattern of its own.
        patches = 0.80 + 0.36 * smooth_noise(height, width, 5, rng)
        return LitScene(scene, scene.colours * (patches[..., None] * _daylight(burst)), burst)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    aim = np.float32(rng.uniform(-0.25, 0.25))
    flash = 0.015 + _flash_on_ground(scene.near) * np.exp(-0.9 * (x - aim) ** 2 - 0.5 * (y - 0.15) ** 2)
    return LitScene(scene, (scene.colours.mean(axis=2) * flash * np.float32(burst.level))[..., None], burst)


def add_distractors(lit: LitScene, cut_outs: tuple[CutOut, ...]) -> LitScene:
    """The scene with the distractors of its burst, chosen among `cut_outs`."""
    if not cut_outs or not lit.burst.distractors:
        return lit
    colours = lit.colours.copy()
    for distractor in lit.burst.distractors:
        burst = replace(lit.burst, mirrored=distractor.mirrored, shade=distractor.shade)
        _compose(colours, replace(lit, burst=burst), cut_outs[distractor.variant % len(cut_outs)], distractor.pose)
    return replace(lit, colours=colours)


def expose(lit: LitScene, cut_out: CutOut | None, pose: Pose | None, frame: int) -> tuple[Image.Image, Box | None]:
    """One frame in RGB, and the box of the visible part of the animal as shares of the frame; None without one.

    `lit` is left unchanged; it is shared by the frames of a burst. `frame` seeds the noise.
    """
    colours, box = lit.colours, None
    if cut_out is not None and pose is not None:
        colours = colours.copy()
        box = _compose(colours, lit, cut_out, pose)
    return _develop(colours, lit.burst, np.random.default_rng([lit.burst.seed, frame])), box


def _daylight(burst: Burst) -> Pixels:
    tint = np.asarray([1 + 0.18 * burst.warmth, 1.0, 1 - 0.22 * burst.warmth], np.float32)
    level: Pixels = tint * np.float32(burst.level)
    return level


def _flash_on_ground(near: Pixels) -> Pixels:
    """The share of the flash that ground reflects, by its nearness: hardly any of it from far away."""
    return np.asarray(1.25 * np.maximum(near, 0) ** 1.8, np.float32)


def _compose(colours: Pixels, lit: LitScene, cut_out: CutOut, pose: Pose) -> Box | None:
    """Blend a cut-out into `colours`, in place; returns the box of its visible part, or None where there is none."""
    height, width = colours.shape[:2]
    sprite, matte = _sprite(cut_out, pose, lit.burst, width, height)
    tall, wide = matte.shape
    foot = pose.foot * height
    left, top = round(pose.x * width - wide / 2), round(foot - tall)
    x0, x1, y0, y1 = max(left, 0), min(left + wide, width), max(top, 0), min(top + tall, height)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return None
    _cast_shadow(colours, pose.x * width, foot, wide, tall, lit.burst)
    part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    visible = matte[part] * ~_occluded(lit, matte[part], foot, tall, (x0, x1, y0, y1))
    near = float(lit.scene.near[min(int(foot), height - 1), width // 2])
    shown = sprite[part] * _light_on_animal(lit.burst, near, pose)
    if not lit.burst.infrared:
        haze = np.asarray([0.62, 0.66, 0.66], np.float32) * np.float32(lit.burst.level)
        shown = shown + (haze - shown) * np.float32(0.18 * (1 - near))
    colours[y0:y1, x0:x1] += (shown - colours[y0:y1, x0:x1]) * visible[..., None]
    ys, xs = np.nonzero(visible > 0.4)
    if ys.size < 4:
        return None
    box = (x0 + xs.min(), y0 + ys.min(), xs.max() - xs.min() + 1, ys.max() - ys.min() + 1)
    return float(box[0]) / width, float(box[1]) / height, float(box[2]) / width, float(box[3]) / height


def _occluded(
    lit: LitScene, matte: Pixels, foot: float, tall: int, window: tuple[int, int, int, int]
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Where trunks, stones and grass hide an animal. `window` is x0, x1, y0, y1 of `matte` in the frame."""
    x0, x1, y0, y1 = window
    behind = lit.scene.front[y0:y1, x0:x1] > foot
    if (matte * behind).sum() > _MOST_HIDDEN * matte.sum():
        # No person could name such an animal, and a model would learn from it that trunks are animals.
        behind = np.zeros_like(behind)
    # Grass in front of the feet: the ground shows through in ragged lines.
    rows = np.arange(y0, y1, dtype=np.float32)[:, None]
    blades = smooth_noise(2, x1 - x0, 40, np.random.default_rng([lit.burst.seed, 5]))[0][None, :]
    return np.asarray(behind | (rows > foot - blades * tall * 0.14))


def _light_on_animal(burst: Burst, near: float, pose: Pose) -> Pixels:
    if not burst.infrared:
        return _daylight(burst)
    off_axis = np.exp(-0.9 * (2 * pose.x - 1) ** 2)
    return np.asarray([burst.level * (0.04 + 1.35 * near**1.8 * off_axis)], np.float32)


def _sprite(cut_out: CutOut, pose: Pose, burst: Burst, width: int, height: int) -> tuple[Pixels, Pixels]:
    """Colours and matte of the animal: mirrored, tilted, scaled to its area and blurred by its movement."""
    image = to_image(cut_out.pixels, "RGBA")
    if burst.mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = crop_to_matte(image.rotate(pose.tilt, Image.Resampling.BICUBIC, expand=True))
    aspect = image.width / image.height * burst.stretch
    tall = min((pose.area * width * height / aspect) ** 0.5, height * 0.8)
    size = (max(4, round(tall * aspect)), max(4, round(tall)))
    # An enlarged cut-out is softer than the scene, a clue that no camera gives; `_develop` therefore blurs both.
    values = to_pixels(image.resize(size, Image.Resampling.BICUBIC))
    smear = round(pose.smear * height)
    if smear > 1:
        values = _motion_blur(values, smear)
    colours = np.clip(values[..., :3] * np.asarray(burst.shade, np.float32), 0, 1)
    if burst.infrared:
        # Fur is bright in infrared, and has no colours.
        colours = np.clip(colours.mean(axis=2, keepdims=True) * 0.85 + 0.16, 0, 1)
    return np.asarray(colours, np.float32), values[..., 3]


def _motion_blur(values: Pixels, length: int) -> Pixels:
    """RGBA averaged over `length` pixels to the side."""
    padded = np.pad(values, ((0, 0), (length, length), (0, 0)))
    padded[..., :3] *= padded[..., 3:]
    sums = np.cumsum(padded, axis=1)
    blurred = np.asarray((sums[:, length:] - sums[:, :-length]) / length, np.float32)
    blurred[..., :3] /= np.maximum(blurred[..., 3:], 1e-3)
    return blurred


def _cast_shadow(colours: Pixels, x: float, foot: float, wide: int, tall: int, burst: Burst) -> None:
    """Darken the ground around the feet, in place: narrow in flash, wide and soft by daylight."""
    height, width = colours.shape[:2]
    reach = 0.05 if burst.infrared else 0.09
    x0, x1 = max(0, round(x - wide * 0.7)), min(width, round(x + wide * 0.7))
    y0, y1 = max(0, round(foot - tall * 0.25)), min(height, round(foot + tall * 0.2))
    if x1 <= x0 or y1 <= y0:
        return
    across = (np.arange(x0, x1, dtype=np.float32)[None, :] - x) / (wide * 0.45)
    down = (np.arange(y0, y1, dtype=np.float32)[:, None] - foot + tall * 0.02) / (tall * reach)
    colours[y0:y1, x0:x1] *= (1 - 0.55 * np.exp(-(across**4) - down**2))[..., None]


def _develop(colours: Pixels, burst: Burst, rng: np.random.Generator) -> Image.Image:
    """Lens blur, shot noise (which grows with the root of the light), and a gamma curve in infrared."""
    colours = _lens_blur(colours, burst.softness * colours.shape[0])
    constant, shot = (0.012, 0.055) if burst.infrared else (0.006, 0.028)
    grey = colours[..., 0] if burst.infrared else colours[..., 1]
    noise = _sensor_noise(rng, grey.shape) * (constant + shot * np.sqrt(np.clip(grey, 0, 1)))
    values = np.clip(colours + noise[..., None], 0, 1) * np.float32(255)
    image = Image.fromarray(values.astype(np.uint8)[..., 0] if burst.infrared else values.astype(np.uint8))
    if burst.infrared:
        image = image.point([round(255 * (level / 255) ** 0.72) for level in range(256)])
    return image.convert("RGB")


def _lens_blur(colours: Pixels, radius: float) -> Pixels:
    """Blur the entire frame, so that sharpness does not reveal a cut-out. `radius` in pixels."""
    if radius < 0.3:
        return colours
    blur = ImageFilter.GaussianBlur(radius)
    eight = (np.clip(colours, 0, 1) * np.float32(255)).astype(np.uint8)
    image = Image.fromarray(eight[..., 0] if eight.shape[2] == 1 else eight)
    return to_pixels(image.filter(blur)).reshape(colours.shape)


def _sensor_noise(rng: np.random.Generator, shape: tuple[int, ...]) -> Pixels:
    """Normal noise, as soft as a sensor's noise after the camera's JPEG encoder.

    One tile is repeated: to draw and blur noise for every pixel would take half of the rendering time.
    """
    side = _GRAIN_TILE
    tile = rng.standard_normal((side, side), np.float32)
    tile += 0.5 * (np.roll(tile, 1, 0) + np.roll(tile, 1, 1)) + 0.25 * np.roll(tile, (1, 1), (0, 1))
    tile *= 0.55
    return np.tile(tile, (-(-shape[0] // side), -(-shape[1] // side)))[: shape[0], : shape[1]]
