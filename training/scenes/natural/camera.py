"""The camera trap that photographs a natural scene: daylight or infrared flash, lens, sensor and its processing."""

from functools import lru_cache

import numpy as np
from PIL import Image
from scipy import ndimage

from uncia.events.values import Box
from uncia.training.scenes.cut_outs import CutOut, crop_to_matte
from uncia.training.scenes.exposure import LitScene
from uncia.training.scenes.natural.landscape import SKY, NaturalScene
from uncia.training.scenes.natural.noise import fractal_noise
from uncia.training.scenes.pixels import Pixels, gaussian_blur, to_image, to_pixels
from uncia.training.scenes.plan import Burst, Pose

_FLASH_METRES = 1.55
"""Distance at which the flash exposes correctly."""
_LENS = 0.00055
"""Radius of the lens blur, in frame heights."""
_MOST_HIDDEN = 0.4
_NOISE_TILE = (768, 1024)
_DEVELOPED_ROWS = 32


def light_naturally(scene: NaturalScene, burst: Burst) -> LitScene:
    """The empty scene in the light of a burst, seen through the lens and sharpened by the camera; without noise."""
    height, width = scene.near.shape
    rng = np.random.default_rng(burst.seed)
    if burst.infrared:
        flash = _flash(scene.metres, burst, rng)
        colours = _infrared_tone(_infrared_albedo(scene) * flash)[..., None]
    else:
        clouds = 0.86 + 0.14 * np.clip(fractal_noise(height // 8, width // 8, 6, rng, octaves=4), -1.4, 1.4)
        patches = to_pixels(
            Image.fromarray((clouds * 127).astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
        )
        colours = _daylight_tone(scene.colours * (patches * np.float32(255 / 127))[..., None], burst)
    return LitScene(scene, _through_lens(colours), burst)


def expose_naturally(
    lit: LitScene, cut_out: CutOut | None, pose: Pose | None, frame: int
) -> tuple[Image.Image, Box | None]:
    """One frame in RGB, and the box of the visible part of the animal as shares of the frame; None without one."""
    colours, box = lit.colours, None
    if cut_out is not None and pose is not None:
        colours = colours.copy()
        box = _place(colours, lit, cut_out, pose)
    return _develop(colours, lit.burst, np.random.default_rng([lit.burst.seed, frame])), box


def _infrared_albedo(scene: NaturalScene) -> Pixels:
    """Leaves and grass are brighter in infrared than to the eye, soil and stone darker; the sky reflects nothing."""
    green = np.clip(scene.colours[..., 1] * 2 - scene.colours[..., 0] - scene.colours[..., 2], 0, 1)
    grey = scene.colours.mean(axis=2)
    albedo = np.where(scene.plants, 0.22 + 1.15 * grey, 1.15 * grey**1.7 + 0.01) + 0.9 * green
    return np.asarray(np.where(scene.metres >= SKY, 0, albedo), np.float32)


def _flash(metres: Pixels, burst: Burst, rng: np.random.Generator) -> Pixels:
    """Light of the flash by the inverse square of the distance, in a cone that is weaker towards the corners."""
    height, width = metres.shape
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :] - np.float32(rng.uniform(-0.12, 0.12))
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    return np.asarray(burst.level * _cone(x, y) * (_FLASH_METRES / np.maximum(metres, 0.9)) ** 2, np.float32)


def _cone(x: Pixels, y: Pixels) -> Pixels:
    """Share of the flash at a place in the frame, from -1 to 1 across and down: the ground before the camera gets
    little."""
    return np.asarray(np.exp(-0.75 * x**2 - 0.85 * y**2), np.float32)


def _infrared_tone(light: Pixels) -> Pixels:
    """The camera's curve at night: lifts shadows, rolls off highlights."""
    return np.asarray((1 - np.exp(-1.75 * np.maximum(light, 0))) ** 0.58, np.float32)


def _daylight_tone(colours: Pixels, burst: Burst) -> Pixels:
    tint = np.asarray([1 + 0.10 * burst.warmth, 1.0, 1 - 0.14 * burst.warmth], np.float32)
    exposed = colours * (tint * np.float32(burst.level * 1.32))
    np.clip(exposed, 0, 1, out=exposed)
    # exposed * (0.62 + exposed * (1.14 - 0.76 * exposed)), in place: new arrays of 35 MB take longer than the sums.
    curve = exposed * np.float32(-0.76)
    curve += np.float32(1.14)
    curve *= exposed
    curve += np.float32(0.62)
    curve *= exposed
    return np.asarray(curve, np.float32)


def _through_lens(colours: Pixels) -> Pixels:
    """Blur of lens and sensor, then the halo that a camera's sharpening leaves."""
    radius = max(_LENS * colours.shape[0], 0.3)
    soft = gaussian_blur(colours, radius)
    sharp = gaussian_blur(soft, 2.2 * radius)
    # soft + 0.45 * (soft - sharp)
    sharp *= np.float32(-0.45)
    soft *= np.float32(1.45)
    soft += sharp
    return soft


def _place(colours: Pixels, lit: LitScene, cut_out: CutOut, pose: Pose) -> Box | None:
    """Put the animal behind what hides it, in place; returns the box of its visible part, or None."""
    height, width = colours.shape[:2]
    scene = lit.scene
    assert isinstance(scene, NaturalScene)
    sprite, matte = _sprite(cut_out, pose, lit.burst, width, height)
    tall, wide = matte.shape
    foot = pose.foot * height
    left, top = round(pose.x * width - wide / 2), round(foot - tall)
    x0, x1, y0, y1 = max(left, 0), min(left + wide, width), max(top, 0), min(top + tall, height)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return None
    _shade_ground(colours, matte, (left, top), foot, lit.burst)
    part, window = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)), (slice(y0, y1), slice(x0, x1))
    behind = (scene.front[window] > foot).astype(np.float32)
    if (matte[part] * behind).sum() > _MOST_HIDDEN * matte[part].sum():
        # No person could name such an animal.
        behind = np.zeros_like(behind)
    visible = matte[part] * (1 - ndimage.gaussian_filter(behind, 0.7))
    if lit.burst.infrared:
        metres = float(scene.metres[min(int(foot), height - 1)].min())
        across = np.linspace(-1, 1, width, dtype=np.float32)[None, x0:x1]
        down = np.linspace(-1, 1, height, dtype=np.float32)[y0:y1, None]
        light = lit.burst.level * _cone(across, down) * (_FLASH_METRES / max(metres, 0.9)) ** 2
        shown = _infrared_tone(sprite[part] * light[..., None])
    else:
        shown = _daylight_tone(sprite[part], lit.burst)
    colours[window] += (_through_lens(shown) - colours[window]) * visible[..., None]
    ys, xs = np.nonzero(visible > 0.4)
    if ys.size < 4:
        return None
    box = (x0 + xs.min(), y0 + ys.min(), xs.max() - xs.min() + 1, ys.max() - ys.min() + 1)
    return float(box[0]) / width, float(box[1]) / height, float(box[2]) / width, float(box[3]) / height


def _sprite(cut_out: CutOut, pose: Pose, burst: Burst, width: int, height: int) -> tuple[Pixels, Pixels]:
    """Colours and matte of the animal at its size in the frame, blurred by its movement. Infrared has one channel."""
    image = to_image(cut_out.pixels, "RGBA")
    if burst.mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = crop_to_matte(image.rotate(pose.tilt, Image.Resampling.BICUBIC, expand=True))
    ratio = image.width / image.height
    tall = min((pose.area * width * height / ratio) ** 0.5, height * 0.8)
    values = to_pixels(image.resize((max(4, round(tall * ratio)), max(4, round(tall))), Image.Resampling.BICUBIC))
    smear = pose.smear * height
    if smear > 1:
        # Weighted by the matte, or the transparent colours would show at the edges.
        weighted = np.concatenate([values[..., :3] * values[..., 3:], values[..., 3:]], axis=2)
        weighted = ndimage.uniform_filter1d(weighted, max(2, round(smear)), axis=1, mode="constant")
        values = np.concatenate([weighted[..., :3] / np.maximum(weighted[..., 3:], 1e-3), weighted[..., 3:]], axis=2)
    colours = np.clip(values[..., :3], 0, 1)
    if burst.infrared:
        # Fur is bright in infrared, and its markings are faint.
        grey = colours.mean(axis=2, keepdims=True)
        colours = np.clip(0.95 * grey**1.25, 0, 1)
    return np.asarray(colours, np.float32), np.asarray(values[..., 3], np.float32)


def _shade_ground(colours: Pixels, matte: Pixels, corner: tuple[int, int], foot: float, burst: Burst) -> None:
    """The animal's shadow, in place: flattened onto the ground by day, a dark seam under the paws always."""
    height, width = colours.shape[:2]
    left = corner[0]
    tall, wide = matte.shape
    pad = max(8, tall // 12)
    shadow = np.zeros((tall // 2 + 2 * pad, wide + 2 * pad), np.float32)
    paws = matte[int(tall * 0.93) :].max(axis=0)
    line = shadow.shape[0] // 2
    shadow[line - max(2, tall // 60) : line + max(2, tall // 60), pad : pad + wide] = paws
    contact = np.clip(ndimage.gaussian_filter(shadow, (tall / 70, tall / 35)) * 2.0, 0, 1) * 0.62
    if not burst.infrared:
        flat = np.asarray(
            Image.fromarray((matte * 255).astype(np.uint8)).resize((wide, max(4, tall // 7)), Image.Resampling.BOX)
        )[::-1] / np.float32(255)
        cast = np.zeros_like(shadow)
        begin = line - flat.shape[0] // 3
        cast[begin : begin + flat.shape[0], pad : pad + wide] = flat
        contact = np.maximum(contact, ndimage.gaussian_filter(cast, (tall / 55, tall / 28)) * 0.50)
    y, x = round(foot) - line - max(1, tall // 50), left - pad
    y0, y1, x0, x1 = max(y, 0), min(y + shadow.shape[0], height), max(x, 0), min(x + shadow.shape[1], width)
    if y1 > y0 and x1 > x0:
        colours[y0:y1, x0:x1] *= (1 - contact[y0 - y : y1 - y, x0 - x : x1 - x])[..., None]


def _develop(colours: Pixels, burst: Burst, rng: np.random.Generator) -> Image.Image:
    """Noise of the sensor, coarser and stronger at night, with faint rows, as 8-bit RGB."""
    height, width = colours.shape[:2]
    top, left = int(rng.integers(0, _NOISE_TILE[0])), int(rng.integers(0, _NOISE_TILE[1]))
    tile = np.roll(_noise_tile(burst.infrared), (top, left), (0, 1))
    noise = np.tile(tile, (-(-height // tile.shape[0]), -(-width // tile.shape[1])))[:height, :width]
    if burst.infrared:
        noise = noise + 0.25 * rng.standard_normal((height, 1), np.float32)
    eight = np.empty(colours.shape, np.uint8)
    # Few rows at a time, which stay in the processor's cache.
    for begin in range(0, height, _DEVELOPED_ROWS):
        rows = slice(begin, begin + _DEVELOPED_ROWS)
        light = np.clip(colours[rows, :, 0 if burst.infrared else 1], 0, 1)
        root = np.sqrt(light)
        strength = 0.011 + 0.022 * root * (1.2 - light) if burst.infrared else 0.006 + 0.016 * root
        values = colours[rows] + (noise[rows] * strength)[..., None]
        eight[rows] = np.clip(values, 0, 1) * np.float32(255)
    return Image.fromarray(eight[..., 0] if burst.infrared else eight).convert("RGB")


@lru_cache(maxsize=2)
def _noise_tile(infrared: bool) -> Pixels:
    """Noise with a standard deviation of 1 that is as coarse as noise reduction leaves it."""
    rng = np.random.default_rng(17)
    raw = rng.standard_normal(_NOISE_TILE).astype(np.float32)
    fine = ndimage.gaussian_filter(raw, 0.9 if infrared else 0.6, mode="wrap")
    coarse = ndimage.gaussian_filter(np.roll(raw, 99, 1), 3.5 if infrared else 2.5, mode="wrap")
    mixed = fine / fine.std() + (0.7 if infrared else 0.4) * coarse / coarse.std()
    return np.asarray(mixed / mixed.std(), np.float32)
