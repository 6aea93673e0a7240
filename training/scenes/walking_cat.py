"""A walking cat: scikit-image's photograph of a cat's head, with ears and a body that the photograph lacks.

The photograph ends just above the brows and at the shoulder. The ears are cut from the fur of the forehead, mirrored
upwards; the body is the same fur laid over the outline of a walking cat. At the size of an animal in a camera trap's
frame, with noise and blur, a classifier recognises it; `truth.json` and the docs state that it is a composite.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from skimage import data

from uncia.training.scenes.cut_outs import CutOut
from uncia.training.scenes.pixels import Pixels, mirror_tile, to_image, to_pixels

_Point = tuple[float, float]

_LEFT, _UP = 420, 110
"""Position of the photograph's corner on the canvas, which leaves room for the body and the ears."""
_SIZE = (820, 560)
_SCALE = 0.74
"""Scale of the head relative to the body."""
_NECK = (56, -4)
"""Position of the head's corner relative to the body's."""

_HEAD = [(48, 40), (75, 12), (130, -6), (200, -10), (262, -4), (312, 14), (346, 44), (362, 92), (364, 140), (352, 178),
         (330, 214), (300, 248), (268, 276), (236, 286), (196, 276), (150, 262), (104, 246), (68, 214), (46, 168),
         (38, 110)]  # fmt: skip
_EARS = (((52, 44), (78, -88), (158, 2)), ((246, 2), (334, -84), (356, 66)))
_INNER_EARS = (((74, 20), (86, -58), (130, 4)), ((276, 6), (326, -56), (342, 40)))
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


ASPECT = 1.46
"""Width of the cut-out divided by its height."""


@lru_cache(maxsize=2)
def walking_cat(*, eyeshine: bool = False) -> CutOut:
    """The cat, facing right. `eyeshine` adds the bright eyes of an animal that is lit by a flash."""
    photograph = to_pixels(Image.fromarray(data.chelsea()))
    colours, matte = _body(_fur(photograph))
    colours, matte = _with_head(colours, matte, photograph)
    # The photograph was taken in warm light indoors.
    colours = np.clip(_over(colours, colours.mean(axis=2, keepdims=True), np.full_like(matte, 0.28)), 0, 1)
    if eyeshine:
        colours = _with_eyeshine(colours)
    pixels = np.concatenate([colours, matte[..., None]], axis=2).astype(np.float32)
    return CutOut("walking cat", "cat", "Felis catus", "animal", pixels)


def _body(fur: Pixels) -> tuple[Pixels, Pixels]:
    """Colours and matte of the body without a head: far legs, tail, then torso with near legs and a pale chest."""
    height, width = fur.shape[:2]
    torso = np.maximum(_mask(_TORSO, blur=5), _mask(*_NEAR_LEGS, blur=3))
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    layers = (
        (_mask(*_FAR_LEGS, blur=3), 0.45 + 0 * down),
        (_stroke(_TAIL, 34), 0.72 + 0 * down),
        (torso, (1.12 - 0.62 * down) * _roundness(torso)),
    )
    colours, matte = fur * np.float32(0.42), np.zeros((height, width), np.float32)
    for mask, light in layers:
        colours = _over(colours, fur * light[..., None], mask)
        matte = np.maximum(matte, mask)
    chest = _mask([(70, 210), (150, 270), (180, 330), (120, 350), (60, 300)], blur=22) * matte
    pale = np.asarray([0.78, 0.70, 0.64], np.float32) * (0.9 - 0.3 * down)[..., None]
    return _over(colours, pale, np.float32(0.55) * chest), matte


def _with_head(colours: Pixels, matte: Pixels, photograph: Pixels) -> tuple[Pixels, Pixels]:
    """The head with its ears in front of the body, on which it casts a shadow."""
    shade = np.roll(_mask(_on_body(_HEAD), blur=22), (12, -16), (0, 1))
    colours = colours * (1 - 0.5 * shade[..., None])
    face = to_image(np.pad(photograph, ((_UP, 0), (0, 0), (0, 0)), mode="reflect"))
    face = face.resize((round(face.width * _SCALE), round(face.height * _SCALE)), Image.Resampling.LANCZOS)
    x, y = _LEFT + _NECK[0], round(_UP + _NECK[1] - _UP * _SCALE)
    layer = np.zeros_like(colours)
    layer[y : y + face.height, x : x + face.width] = to_pixels(face)[:, : colours.shape[1] - x]
    ears, head = _mask(*map(_on_body, _EARS), blur=2), _mask(_on_body(_HEAD), blur=4)
    inner_ears = _mask(*map(_on_body, _INNER_EARS), blur=5)
    pink = np.asarray([0.55, 0.36, 0.32], np.float32) * np.ones_like(layer)
    colours = _over(colours, _over(layer * np.float32(0.82), pink, np.float32(0.7) * inner_ears), ears)
    return _over(colours, layer, head), np.maximum.reduce([matte, ears, head])


def _with_eyeshine(colours: Pixels) -> Pixels:
    rows, columns = np.indices(colours.shape[:2], np.float32)
    glow = np.zeros(colours.shape[:2], np.float32)
    for x, y in _on_body(_EYES):
        glow += np.exp(-(((columns - x - _LEFT) ** 2 + (rows - y - _UP) ** 2) / 45))
    return np.clip(colours + 1.6 * glow[..., None], 0, 1)


def _fur(photograph: Pixels) -> Pixels:
    """A tabby's coat: the hairs of the forehead, tiled, over stripes that run down the body."""
    width, height = _SIZE
    patch = photograph[18:66, 104:196]
    hairs = 0.85 * (patch - to_pixels(to_image(patch).filter(ImageFilter.GaussianBlur(7))))
    tile = mirror_tile(hairs)
    rows, columns = -(-height // tile.shape[0]), -(-width // tile.shape[1])
    coat = np.tile(tile, (rows, columns, 1))[:height, :width]
    x = np.arange(width, dtype=np.float32)[None, :]
    y = np.arange(height, dtype=np.float32)[:, None]
    bend = 9 * np.sin(y / 31 + x / 57) + 0.10 * y + 7 * np.sin(x / 23)
    stripes = np.clip(np.sin((x + bend) / 7.4) * 1.6 - 0.35 + 0.6 * np.sin(y / 41 + x / 29), 0, 1)
    tone = np.asarray([0.66, 0.53, 0.40], np.float32) * (1 - 0.30 * stripes[..., None])
    return np.asarray(np.clip(tone + coat, 0, 1), np.float32)


def _on_body(points: Sequence[_Point]) -> list[_Point]:
    """From pixels of the photograph to pixels of the body."""
    return [(x * _SCALE + _NECK[0], y * _SCALE + _NECK[1]) for x, y in points]


def _mask(*outlines: Sequence[_Point], blur: float) -> Pixels:
    canvas = Image.new("L", _SIZE)
    draw = ImageDraw.Draw(canvas)
    for outline in outlines:
        draw.polygon([(x + _LEFT, y + _UP) for x, y in outline], fill=255)
    return to_pixels(canvas.filter(ImageFilter.GaussianBlur(blur)))


def _stroke(line: Sequence[_Point], width: int) -> Pixels:
    canvas = Image.new("L", _SIZE)
    draw = ImageDraw.Draw(canvas)
    points = [(x + _LEFT, y + _UP) for x, y in line]
    draw.line(points, fill=255, width=width, joint="curve")
    for x, y in points:
        draw.ellipse([x - width / 2, y - width / 2, x + width / 2, y + width / 2], fill=255)
    return to_pixels(canvas.filter(ImageFilter.GaussianBlur(3)))


def _roundness(mask: Pixels) -> Pixels:
    """Light on a round body: darker towards the outline."""
    return 0.45 + np.float32(0.55) * to_pixels(to_image(mask).filter(ImageFilter.GaussianBlur(28)))


def _over(below: Pixels, above: Pixels, matte: Pixels) -> Pixels:
    return below + (above - below) * matte[..., None]
