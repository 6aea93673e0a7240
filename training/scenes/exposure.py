"""From a place and an animal to what the sensor sees: size, blur, shadow, light, noise, the printed strips."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from uncia.events.images import Box
from uncia.training.scenes.cut_outs import CutOut
from uncia.training.scenes.plan import Burst, Pose
from uncia.training.scenes.scenes import Pixels, Scene, clouds

TOP_STRIP, BOTTOM_STRIP = 0.032, 0.055
"""What the camera prints over, shares of the height: a little less than the stream cuts off."""

_HIDDEN = 0.5
"""What is behind trunks and stones for more than this share of it stands before them instead."""


@dataclass(frozen=True)
class Lit:
    """A place in the light of one burst: (height, width, 3), or one channel in infrared."""

    scene: Scene
    colours: Pixels
    burst: Burst


def light(scene: Scene, burst: Burst) -> Lit:
    """The empty place as it is in this burst, without noise."""
    height, width = scene.near.shape
    rng = np.random.default_rng(burst.seed)
    if not burst.infrared:
        # Shadows of leaves and clouds wander: another pattern in every burst.
        patches = 0.80 + 0.36 * clouds(height, width, 5, rng)
        return Lit(scene, scene.colours * (patches[..., None] * _tint(burst)), burst)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    aim = np.float32(rng.uniform(-0.25, 0.25))
    flash = 0.015 + _reach(scene.near) * np.exp(-0.9 * (x - aim) ** 2 - 0.5 * (y - 0.15) ** 2)
    return Lit(scene, (scene.colours.mean(axis=2) * flash * np.float32(burst.level))[..., None], burst)


def with_things(lit: Lit, things: tuple[CutOut, ...]) -> Lit:
    """The same place with what lies about in this burst."""
    if not things or not lit.burst.lying:
        return lit
    colours = lit.colours.copy()
    for each in lit.burst.lying:
        burst = replace(lit.burst, mirrored=each.mirrored, shade=each.shade)
        _put(colours, replace(lit, burst=burst), things[each.variant % len(things)], each.pose)
    return replace(lit, colours=colours)


def expose(lit: Lit, cut_out: CutOut | None, pose: Pose | None, frame: int) -> tuple[Image.Image, Box | None]:
    """One frame without its strips, and the box of what can be seen of the animal, as shares of the frame."""
    colours, box = lit.colours, None
    if cut_out is not None and pose is not None:
        colours = colours.copy()
        box = _put(colours, lit, cut_out, pose)
    return _develop(colours, lit.burst, np.random.default_rng([lit.burst.seed, frame])), box


def _tint(burst: Burst) -> Pixels:
    tint = np.asarray([1 + 0.18 * burst.warmth, 1.0, 1 - 0.22 * burst.warmth], np.float32)
    level: Pixels = tint * np.float32(burst.level)
    return level


def _reach(near: Pixels) -> Pixels:
    """How much of the flash comes back: strong near, hardly any far."""
    return np.asarray(1.25 * np.maximum(near, 0) ** 1.8, np.float32)


def _put(colours: Pixels, lit: Lit, cut_out: CutOut, pose: Pose) -> Box | None:
    height, width = colours.shape[:2]
    sprite, matte = _sprite(cut_out, pose, lit.burst, width, height)
    tall, wide = matte.shape
    foot = pose.foot * height
    left, top = round(pose.x * width - wide / 2), round(foot - tall)
    x0, x1, y0, y1 = max(left, 0), min(left + wide, width), max(top, 0), min(top + tall, height)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return None
    _shadow(colours, pose.x * width, foot, wide, tall, lit.burst)
    part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    behind = lit.scene.front[y0:y1, x0:x1] > foot
    if (matte[part] * behind).sum() > _HIDDEN * matte[part].sum():
        # Nobody could say what that is, and what is learnt from it would be that trunks are animals.
        behind = np.zeros_like(behind)
    # Grass before the feet: the ground shows through in ragged lines.
    rows = np.arange(y0, y1, dtype=np.float32)[:, None]
    blades = clouds(2, x1 - x0, 40, np.random.default_rng([lit.burst.seed, 5]))[0][None, :]
    grass = rows > foot - blades * tall * 0.14
    seen = matte[part] * ~(behind | grass)
    near = float(lit.scene.near[min(int(foot), height - 1), width // 2])
    shown = sprite[part] * _animal_light(lit.burst, near, pose)
    if not lit.burst.infrared:
        haze = np.asarray([0.62, 0.66, 0.66], np.float32) * np.float32(lit.burst.level)
        shown = shown + (haze - shown) * np.float32(0.18 * (1 - near))
    colours[y0:y1, x0:x1] += (shown - colours[y0:y1, x0:x1]) * seen[..., None]
    ys, xs = np.nonzero(seen > 0.4)
    if ys.size < 4:
        return None
    box = (x0 + xs.min(), y0 + ys.min(), xs.max() - xs.min() + 1, ys.max() - ys.min() + 1)
    return float(box[0]) / width, float(box[1]) / height, float(box[2]) / width, float(box[3]) / height


def _animal_light(burst: Burst, near: float, pose: Pose) -> Pixels:
    if not burst.infrared:
        return _tint(burst)
    aside = np.exp(-0.9 * (2 * pose.x - 1) ** 2)
    return np.asarray([burst.level * (0.04 + 1.35 * near**1.8 * aside)], np.float32)


def _sprite(cut_out: CutOut, pose: Pose, burst: Burst, width: int, height: int) -> tuple[Pixels, Pixels]:
    """The animal at its size, facing its way, tilted by its step and smeared by its movement."""
    image = Image.fromarray((cut_out.pixels * 255).astype(np.uint8), "RGBA")
    if burst.mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = image.rotate(pose.tilt, Image.Resampling.BICUBIC, expand=True)
    image = image.crop(image.getchannel("A").point([255 * (level > 24) for level in range(256)]).getbbox())
    aspect = image.width / image.height * burst.stretch
    tall = min((pose.area * width * height / aspect) ** 0.5, height * 0.8)
    size = (max(4, round(tall * aspect)), max(4, round(tall)))
    # What is larger than its cut-out would be softer than the place: that is a clue no camera gives, and so the
    # place's own softness (`_develop`) comes over both.
    values = _shares(image.resize(size, Image.Resampling.BICUBIC))
    smear = round(pose.smear * height)
    if smear > 1:
        padded = np.pad(values, ((0, 0), (smear, smear), (0, 0)))
        padded[..., :3] *= padded[..., 3:]
        sums = np.cumsum(padded, axis=1)
        values = np.asarray((sums[:, smear:] - sums[:, :-smear]) / smear, np.float32)
        values[..., :3] /= np.maximum(values[..., 3:], 1e-3)
    colours = np.clip(values[..., :3] * np.asarray(burst.shade, np.float32), 0, 1)
    if burst.infrared:
        # Fur shines in infrared, and its colours are gone.
        colours = np.clip(colours.mean(axis=2, keepdims=True) * 0.85 + 0.16, 0, 1)
    return np.asarray(colours, np.float32), values[..., 3]


def _shares(image: Image.Image) -> Pixels:
    return np.asarray(np.asarray(image, np.float32) / 255, np.float32)


def _shadow(colours: Pixels, x: float, foot: float, wide: int, tall: int, burst: Burst) -> None:
    """Where the feet touch the ground it is darker: narrow in flash, wide and soft under the sky."""
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
    """Shot noise, which grows with the root of the light, and a curve that lifts the dark in infrared."""
    colours = _soft(colours, burst.softness * colours.shape[0])
    fixed, shot = (0.012, 0.055) if burst.infrared else (0.006, 0.028)
    grey = colours[..., 0] if burst.infrared else colours[..., 1]
    grain = _grain(rng, grey.shape) * (fixed + shot * np.sqrt(np.clip(grey, 0, 1)))
    values = np.clip(colours + grain[..., None], 0, 1) * np.float32(255)
    image = Image.fromarray(values.astype(np.uint8)[..., 0] if burst.infrared else values.astype(np.uint8))
    if burst.infrared:
        image = image.point([round(255 * (level / 255) ** 0.72) for level in range(256)])
    return image.convert("RGB")


def _soft(colours: Pixels, radius: float) -> Pixels:
    """Through the lens: all of the frame alike, so that no cut-out is told by how sharp it is."""
    if radius < 0.3:
        return colours
    blur = ImageFilter.GaussianBlur(radius)
    eight = (np.clip(colours, 0, 1) * np.float32(255)).astype(np.uint8)
    image = Image.fromarray(eight[..., 0] if eight.shape[2] == 1 else eight)
    return _shares(image.filter(blur)).reshape(colours.shape)


def _grain(rng: np.random.Generator, shape: tuple[int, ...]) -> Pixels:
    """Normal noise as soft as a sensor's after its JPEG engine; one tile repeated, as drawing all would be half of
    the work."""
    tile = rng.standard_normal((256, 256), np.float32)
    tile += 0.5 * (np.roll(tile, 1, 0) + np.roll(tile, 1, 1)) + 0.25 * np.roll(tile, (1, 1), (0, 1))
    tile *= 0.55
    return np.tile(tile, (-(-shape[0] // 256), -(-shape[1] // 256)))[: shape[0], : shape[1]]


def print_strips(picture: Image.Image, camera: str, taken: datetime, number: int, of: int, celsius: int) -> None:
    """The black strips with time, place and frame that cameras print, in place."""
    width, height = picture.size
    top, bottom = round(height * TOP_STRIP), round(height * BOTTOM_STRIP)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, width, top - 1), fill="black")
    draw.rectangle((0, height - bottom, width, height), fill="black")
    if top < 8:
        return
    font = _font(round(top * 0.72))
    draw.text((width * 0.02, top / 2), f"{taken:%Y-%m-%d  %H:%M:%S}", fill="white", font=font, anchor="lm")
    draw.text((width * 0.45, top / 2), f"M {number}/{of}", fill="white", font=font, anchor="lm")
    draw.text((width * 0.98, top / 2), f"{celsius} °C", fill="white", font=font, anchor="rm")
    draw.text((width * 0.02, height - bottom / 2), camera.upper(), fill="white", font=font, anchor="lm")
    draw.text((width * 0.98, height - bottom / 2), "COMPOSITE", fill=(110, 190, 120), font=font, anchor="rm")


@lru_cache(maxsize=4)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
