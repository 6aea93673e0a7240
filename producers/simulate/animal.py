"""The cat: scikit-image's photograph of one, cut out by a soft matte, and given the ears and the body that it lacks.

The photograph ends just above the eyes' brow and at the shoulder. Ears are cut from the forehead's fur mirrored
upwards; the body is the same fur laid over a walking cat's outline. At the size of an animal in a camera trap's frame,
with its noise and blur, that is enough to be believed; `docs` and `truth.json` call it what it is, a composite.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from skimage import data

Pixels = NDArray[np.float32]

_LEFT, _UP = 420, 110
"""Where the photograph's corner is on the canvas: room for the body, and for the ears."""
_SIZE = (820, 560)
_SCALE = 0.74
"""Of the head against the body."""
_NECK = (56, -4)
"""Where the head's corner is, from the body's."""

_HEAD = [(48, 40), (75, 12), (130, -6), (200, -10), (262, -4), (312, 14), (346, 44), (362, 92), (364, 140), (352, 178),
         (330, 214), (300, 248), (268, 276), (236, 286), (196, 276), (150, 262), (104, 246), (68, 214), (46, 168),
         (38, 110)]  # fmt: skip
_EARS = (((52, 44), (78, -88), (158, 2)), ((246, 2), (334, -84), (356, 66)))
_INNER = (((74, 20), (86, -58), (130, 4)), ((276, 6), (326, -56), (342, 40)))
_EYES = ((171, 116), (321, 136))
_TORSO = [(110, 120), (40, 70), (-60, 52), (-180, 60), (-280, 86), (-330, 130), (-346, 200), (-330, 262), (-270, 286),
          (-160, 292), (-40, 300), (70, 310), (150, 290), (190, 240)]  # fmt: skip
_NEAR_LEGS = (
    [(20, 240), (14, 330), (22, 396), (16, 426), (34, 438), (80, 438), (84, 422), (72, 390), (82, 320), (110, 250)],
    [(-330, 190), (-338, 270), (-318, 330), (-336, 392), (-322, 436), (-270, 438), (-272, 420), (-292, 396),
     (-270, 330), (-220, 280), (-210, 210)],
)  # fmt: skip
_FAR_LEGS = (
    [(110, 250), (120, 330), (136, 392), (134, 424), (188, 426), (186, 410), (170, 386), (166, 320), (170, 250)],
    [(-250, 210), (-226, 290), (-196, 336), (-204, 392), (-196, 424), (-148, 426), (-152, 408), (-168, 384),
     (-152, 330), (-150, 260)],
)  # fmt: skip
_TAIL = [(-318, 120), (-366, 128), (-396, 176), (-404, 240), (-392, 300), (-372, 330)]


@dataclass(frozen=True)
class CutOut:
    """The animal: colours (height, width, 3) and matte (height, width), float32, 0 to 1; eyes in pixels (x, y)."""

    colours: Pixels
    matte: Pixels
    eyes: tuple[tuple[float, float], ...]


@lru_cache(maxsize=1)
def cat() -> CutOut:
    """The cut-out, facing right; the same on every call."""
    photograph = data.chelsea().astype(np.float32) / 255
    width, height = _SIZE
    fur = _fur(photograph, width, height)
    far, torso, near = _mask(*_FAR_LEGS, blur=3), _mask(_TORSO, blur=5), _mask(*_NEAR_LEGS, blur=3)
    tail = _stroke(_TAIL, 34)
    ears, head = _mask(*map(_placed, _EARS), blur=2), _mask(_placed(_HEAD), blur=4)
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    round_body = _roundness(np.maximum(torso, near))

    colours = fur * 0.42
    matte = np.zeros((height, width), np.float32)
    for mask, light in (
        (far, 0.45 + 0 * down),
        (tail, 0.72 + 0 * down),
        (np.maximum(torso, near), (1.12 - 0.62 * down) * round_body),
    ):
        colours = _over(colours, fur * light[..., None], mask)
        matte = np.maximum(matte, mask)
    chest = _mask([(70, 210), (150, 270), (180, 330), (120, 350), (60, 300)], blur=22) * matte
    colours = _over(colours, np.asarray([0.78, 0.70, 0.64], np.float32) * (0.9 - 0.3 * down)[..., None], 0.55 * chest)
    # The head stands before the body and darkens it.
    shade = np.roll(_mask(_placed(_HEAD), blur=22), (12, -16), (0, 1))
    colours *= 1 - 0.5 * shade[..., None]

    face = np.pad(photograph, ((_UP, 0), (0, 0), (0, 0)), mode="reflect")
    small = Image.fromarray((face * 255).astype(np.uint8))
    small = small.resize((round(small.width * _SCALE), round(small.height * _SCALE)), Image.Resampling.LANCZOS)
    x, y = _LEFT + _NECK[0], round(_UP + _NECK[1] - _UP * _SCALE)
    layer = np.zeros((height, width, 3), np.float32)
    layer[y : y + small.height, x : x + small.width] = np.asarray(small, np.float32)[:, : width - x] / 255
    inner = _mask(*map(_placed, _INNER), blur=5)
    eared = _over(layer * 0.82, np.asarray([0.55, 0.36, 0.32], np.float32) * np.ones_like(layer), 0.7 * inner)
    colours = _over(colours, eared, ears)
    colours = _over(colours, layer, head)
    matte = np.maximum.reduce([matte, ears, head])
    eyes = tuple((x + _LEFT, y + _UP) for x, y in _placed(_EYES))
    # The photograph was taken in warm light indoors.
    colours = _over(colours, colours.mean(axis=2, keepdims=True), np.full_like(matte, 0.28))
    return CutOut(np.clip(colours, 0, 1).astype(np.float32), matte.astype(np.float32), eyes)


def _fur(photograph: Pixels, width: int, height: int) -> Pixels:
    """A tabby's coat: the hairs of the forehead, mirrored without seams, over stripes that run down the body."""
    patch = photograph[18:66, 104:196]
    image = Image.fromarray((patch * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(7))
    hairs = 0.85 * (patch - np.asarray(image, np.float32) / 255)
    tile = np.concatenate([hairs, hairs[:, ::-1]], axis=1)
    tile = np.concatenate([tile, tile[::-1]], axis=0)
    rows, columns = -(-height // tile.shape[0]), -(-width // tile.shape[1])
    coat = np.tile(tile, (rows, columns, 1))[:height, :width]
    x = np.arange(width, dtype=np.float32)[None, :]
    y = np.arange(height, dtype=np.float32)[:, None]
    bend = 9 * np.sin(y / 31 + x / 57) + 0.10 * y + 7 * np.sin(x / 23)
    stripes = np.clip(np.sin((x + bend) / 7.4) * 1.6 - 0.35 + 0.6 * np.sin(y / 41 + x / 29), 0, 1)
    tone = np.asarray([0.66, 0.53, 0.40], np.float32) * (1 - 0.30 * stripes[..., None])
    return np.asarray(np.clip(tone + coat, 0, 1), np.float32)


def _placed(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """From the photograph's pixels to the body's."""
    return [(x * _SCALE + _NECK[0], y * _SCALE + _NECK[1]) for x, y in points]


def _mask(*outlines: Sequence[tuple[float, float]], blur: float) -> Pixels:
    canvas = Image.new("L", _SIZE)
    draw = ImageDraw.Draw(canvas)
    for outline in outlines:
        draw.polygon([(x + _LEFT, y + _UP) for x, y in outline], fill=255)
    return np.asarray(canvas.filter(ImageFilter.GaussianBlur(blur)), np.float32) / np.float32(255)


def _stroke(line: list[tuple[int, int]], width: int) -> Pixels:
    canvas = Image.new("L", _SIZE)
    draw = ImageDraw.Draw(canvas)
    points = [(x + _LEFT, y + _UP) for x, y in line]
    draw.line(points, fill=255, width=width, joint="curve")
    for x, y in points:
        draw.ellipse([x - width / 2, y - width / 2, x + width / 2, y + width / 2], fill=255)
    return np.asarray(canvas.filter(ImageFilter.GaussianBlur(3)), np.float32) / np.float32(255)


def _roundness(mask: Pixels) -> Pixels:
    """Darker towards the outline, as round bodies are."""
    image = Image.fromarray((mask * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(28))
    return np.asarray(0.45 + 0.55 * np.asarray(image, np.float32) / 255, np.float32)


def _over(below: Pixels, above: Pixels, matte: Pixels) -> Pixels:
    return below + (above - below) * matte[..., None]
