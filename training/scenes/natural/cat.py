"""A walking cat for camera-trap photographs: a modelled body with photographed fur, and a photographed face.

Legs and tail move with the phase of the walk. The body is a union of tapered capsules, whose depth gives outline,
normals and shading; colours and hairs come from scikit-image's photograph of a cat, whose face it wears, turned towards
the camera. Lengths are in centimetres of a cat of 26 cm at the shoulder, walking to the right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage
from skimage import data

from uncia.training.scenes.cut_outs import CutOut
from uncia.training.scenes.natural.noise import fractal_noise, hairs, patchwork
from uncia.training.scenes.pixels import Pixels, to_pixels

PHASES = 6
"""Positions of the legs in one stride; the step of a frame is rounded to one of them."""
_SCALE = 10.0
"""Pixels of the cut-out per centimetre."""
_SIZE = (690, 410)
_LEFT, _GROUND = 45.0, 2.2
"""Centimetres between the canvas's left edge and the point between the shoulders, and below the ground."""

_Point = tuple[float, float, float]


@dataclass(frozen=True)
class _Capsule:
    """Two spheres and what lies between them: x forwards, y up, z to the camera, radius."""

    begin: _Point
    end: _Point
    radii: tuple[float, float]
    group: str
    """`body`, `near leg`, `far leg` or `tail`."""


_FACE_SCALE = 0.037 * _SCALE
_FACE_AT = (7.6, 33.0)
"""Position of the photograph's upper left corner, in centimetres."""
_HEAD = [(48, 40), (75, 12), (130, -6), (200, -10), (262, -4), (312, 14), (346, 44), (362, 92), (364, 140), (352, 178),
         (330, 214), (300, 248), (268, 276), (236, 286), (196, 276), (150, 262), (104, 246), (68, 214), (46, 168),
         (38, 110)]  # fmt: skip
_EARS = (((50, 50), (60, -18), (82, -84), (124, -40), (160, 4)), ((244, 4), (292, -40), (332, -80), (350, -14),
         (357, 70)))  # fmt: skip
_INNER_EARS = (((72, 22), (74, -18), (87, -62), (132, 6)), ((274, 8), (324, -60), (338, -16), (343, 42)))
_EYES = ((171, 118), (321, 136))


@lru_cache(maxsize=2 * PHASES)
def natural_cat(phase: int, *, infrared: bool) -> CutOut:
    """The cat at this phase of the stride (0 to `PHASES` - 1), in daylight from above or in the flash of the camera."""
    depth, legs, reach = _model(_skeleton(phase / PHASES))
    strands = _hair_directions(legs)
    matte = np.clip((reach + 1.3 * strands.clip(-1.6, 1.6) - 0.6) / 3 + 0.5, 0, 1).astype(np.float32)
    colours = _coat(legs) * _light(depth, strands, legs, infrared=infrared)[..., None]
    colours, matte = _with_face(colours, matte, infrared=infrared)
    pixels = np.concatenate([np.clip(colours, 0, 1), matte[..., None]], axis=2).astype(np.float32)
    return CutOut("natural cat", "cat", "Felis catus", "animal", pixels)


def aspect(phase: int, *, infrared: bool) -> float:
    """Width divided by height of the cut-out's visible part."""
    rows, columns = np.nonzero(natural_cat(phase, infrared=infrared).pixels[..., 3] > 24 / 255)
    return float(np.ptp(columns) + 1) / float(np.ptp(rows) + 1)


def _skeleton(stride: float) -> list[_Capsule]:
    """The capsules of a walk in four beats: left hind, left fore, right hind, right fore."""
    bob = 0.35 * np.sin(4 * np.pi * stride)
    body = [
        _Capsule((1.0, 18.6 + bob, 0), (-7, 18.4 + bob, 0), (6.6, 6.8), "body"),
        _Capsule((-7, 18.4 + bob, 0), (-16, 18.9 + bob, 0), (6.8, 6.3), "body"),
        _Capsule((-16, 18.9 + bob, 0), (-23.5, 19.3 + bob, 0), (6.3, 6.0), "body"),
        _Capsule((-4, 14.6 + bob, 0), (-19, 15.6 + bob, 0), (3.6, 3.2), "body"),
        _Capsule((2.0, 20.4 + bob, 0), (9.0, 25.2 + bob, 0.5), (5.6, 4.7), "body"),
        _Capsule((4.6, 16.6 + bob, 0), (8.5, 21.6 + bob, 0.5), (3.6, 3.8), "body"),
        _Capsule((13.5, 28.0, 1.2), (16.5, 27.4, 1.4), (4.5, 4.0), "body"),
    ]
    sway = 1.6 * np.sin(2 * np.pi * stride)
    tail = [(-27.5, 20.6, 0.0), (-32.0, 18.0, 0.3), (-35.0, 13.2, 0.5), (-37.2, 8.8, 0.4 + sway), (-40.6, 7.0, sway)]
    for number, (begin, end) in enumerate(pairwise(tail)):
        body.append(_Capsule(begin, end, (2.05 - 0.14 * number, 1.9 - 0.14 * number), "tail"))
    for beat, z, group in ((0.25, 3.0, "near leg"), (0.75, -3.0, "far leg")):
        body += _fore_leg((stride + beat) % 1, z, group, bob)
    for beat, z, group in ((0.0, 3.2, "near leg"), (0.5, -3.2, "far leg")):
        body += _hind_leg((stride + beat) % 1, z, group, bob)
    return body


def _step(phase: float, reach: float) -> tuple[float, float]:
    """How far forwards and above the ground a paw is: two thirds of a stride on the ground, one third in the air."""
    if phase < 0.66:
        return reach * (1 - 2 * phase / 0.66), 0.0
    share = (phase - 0.66) / 0.34
    return reach * (2 * share - 1), 3.2 * float(np.sin(np.pi * share))


def _joint(top: _Point, foot: _Point, upper: float, lower: float, bend: float) -> _Point:
    """The middle joint of two bones between these points; `bend` is 1 forwards and -1 backwards."""
    across, down = foot[0] - top[0], foot[1] - top[1]
    distance = min(float(np.hypot(across, down)), (upper + lower) * 0.999)
    along = (upper**2 - lower**2 + distance**2) / (2 * distance)
    out = max(upper**2 - along**2, 0.0) ** 0.5 * bend
    x, y = across / distance, down / distance
    return top[0] + x * along - y * out, top[1] + y * along + x * out, (top[2] + foot[2]) / 2


def _fore_leg(phase: float, z: float, group: str, bob: float) -> list[_Capsule]:
    forward, lift = _step(phase, 6.2)
    top = (2.2, 17.2 + bob, z)
    wrist = (2.2 + forward - 0.5 - 0.25 * lift, 4.4 + lift, z)
    elbow = _joint(top, wrist, 7.4, 7.0, -1)
    paw = (wrist[0] + 0.9 - 0.7 * lift, 1.25 + lift * 0.75, z)
    return [
        _Capsule(top, elbow, (4.6, 3.0), group),
        _Capsule(elbow, wrist, (2.8, 1.9), group),
        _Capsule(wrist, paw, (1.9, 1.7), group),
        _Capsule(paw, (paw[0] + 1.5, paw[1] - 0.1, z), (1.5, 1.35), group),
    ]


def _hind_leg(phase: float, z: float, group: str, bob: float) -> list[_Capsule]:
    forward, lift = _step(phase, 6.4)
    top = (-23.2, 18.2 + bob, z)
    paw = (-24.5 + forward, 1.3 + lift * 0.8, z)
    hock = (paw[0] - 3.0 - 0.3 * lift, paw[1] + 5.6 + 0.2 * lift, z)
    knee = _joint(top, hock, 8.4, 8.4, 1)
    return [
        _Capsule(top, knee, (5.6, 3.5), group),
        _Capsule(knee, hock, (3.4, 1.8), group),
        _Capsule(hock, paw, (1.8, 1.6), group),
        _Capsule(paw, (paw[0] + 1.8, paw[1] - 0.1, z), (1.45, 1.3), group),
    ]


def _model(skeleton: Sequence[_Capsule]) -> tuple[Pixels, Pixels, Pixels]:
    """Depth (pixels towards the camera), how far a pixel belongs to a leg (1 near, -1 far), signed distance inside."""
    width, height = _SIZE
    depth = np.full((height, width), -80.0, np.float32)
    legs = np.zeros((height, width), np.float32)
    reach = np.full((height, width), -60.0, np.float32)
    for capsule in skeleton:
        (x0, y0, z0), (x1, y1, z1) = (_to_canvas(point) for point in (capsule.begin, capsule.end))
        r0, r1 = (radius * _SCALE for radius in capsule.radii)
        margin = max(r0, r1) + 14
        left, right = int(max(min(x0, x1) - margin, 0)), int(min(max(x0, x1) + margin, width))
        top, bottom = int(max(min(y0, y1) - margin, 0)), int(min(max(y0, y1) + margin, height))
        part = (slice(top, bottom), slice(left, right))
        rows, columns = np.mgrid[top:bottom, left:right].astype(np.float32)
        length = max((x1 - x0) ** 2 + (y1 - y0) ** 2, 1.0)
        t = np.clip(((columns - x0) * (x1 - x0) + (rows - y0) * (y1 - y0)) / length, 0, 1)
        away = np.hypot(columns - x0 - t * (x1 - x0), rows - y0 - t * (y1 - y0))
        radius = r0 + t * (r1 - r0)
        inside = radius - away
        # Smooth maximum: skin joins body and limbs without a crease.
        blend = 9.0
        gap = np.clip(0.5 + 0.5 * (inside - reach[part]) / blend, 0, 1)
        reach[part] = reach[part] + (inside - reach[part]) * gap + blend * gap * (1 - gap)
        surface = z0 + t * (z1 - z0) + np.sqrt(np.maximum(radius**2 - away**2, 0)) - 60 * (inside < 0)
        soft = 14.0
        share = np.clip(0.5 + 0.5 * (surface - depth[part]) / soft, 0, 1)
        kind = {"near leg": 1.0, "far leg": -1.0}.get(capsule.group, 0.0)
        legs[part] += (np.float32(kind) - legs[part]) * share
        depth[part] = depth[part] + (surface - depth[part]) * share + soft * share * (1 - share)
    return depth, ndimage.gaussian_filter(legs, 3), reach


def _to_canvas(point: _Point) -> _Point:
    x, y, z = point
    return (x + _LEFT) * _SCALE, _SIZE[1] - (y + _GROUND) * _SCALE, z * _SCALE


@lru_cache(maxsize=1)
def _strands() -> tuple[Pixels, Pixels]:
    """Hairs of the trunk, which lie backwards and down, and of the legs, which hang."""
    rng = np.random.default_rng(7)
    width, height = _SIZE
    return hairs(height, width, 18, 3.5, rng), hairs(height, width, 78, 3, rng)


def _hair_directions(legs: Pixels) -> Pixels:
    trunk, hanging = _strands()
    share = np.clip(np.abs(legs) * 1.2, 0, 1) * np.clip((_rows() - _SIZE[1] + 19 * _SCALE) / 60, 0, 1)
    return np.asarray(trunk * (1 - share) + hanging * share, np.float32)


def _rows() -> Pixels:
    return np.arange(_SIZE[1], dtype=np.float32)[:, None]


@lru_cache(maxsize=1)
def _photographed_fur() -> tuple[Pixels, Pixels]:
    """Colours of the photographed fur from dark to light, (256, 3), and its hairs laid over the canvas."""
    photograph = to_pixels(Image.fromarray(data.chelsea()))
    areas = [photograph[16:70, 100:200], photograph[120:215, 22:88], photograph[150:215, 60:120]]
    fur = np.concatenate([area.reshape(-1, 3) for area in areas])
    ordered = fur[np.argsort(fur.mean(axis=1))]
    shades = np.stack([part.mean(axis=0) for part in np.array_split(ordered, 256)]).astype(np.float32)
    grey = shades.mean(axis=1, keepdims=True)
    # The photograph was taken in warm light indoors.
    shades = np.asarray((grey + (shades - grey) * np.asarray([0.36, 0.50, 0.50], np.float32)), np.float32)
    sample = areas[0]
    detail = sample - ndimage.gaussian_filter(sample, (7, 7, 0))
    rng = np.random.default_rng(11)
    return shades, patchwork(np.asarray(detail, np.float32), _SIZE[1], _SIZE[0], rng)


@lru_cache(maxsize=1)
def _irregularities() -> tuple[Pixels, Pixels]:
    """Noise that bends the bands of the coat, and noise that breaks them."""
    rng = np.random.default_rng(13)
    width, height = _SIZE
    return fractal_noise(height, width, 9, rng, octaves=4), fractal_noise(height, width, 9, rng, octaves=4)


def _coat(legs: Pixels) -> Pixels:
    """The tabby's coat: dark along the back, pale below, with broken bands on flanks, legs and tail."""
    width, height = _SIZE
    shades, detail = _photographed_fur()
    x = np.arange(width, dtype=np.float32)[None, :] / _SCALE - _LEFT
    y = (height - _rows()) / _SCALE - _GROUND
    warp, gaps = _irregularities()
    bands = np.sin((x + 0.30 * (y - 18) + 0.55 * warp) * 2.55) * 0.9 + 0.55 * gaps
    rings = np.sin((y + 0.25 * x + 0.3 * warp) * 2.4) * 0.8 + 0.5 * gaps
    on_leg = np.clip(np.abs(legs), 0, 1) * np.clip((15 - y) / 4, 0, 1)
    tail = np.clip((-30.5 - x) / 2, 0, 1)
    pattern = np.clip(bands * (1 - on_leg) * (1 - tail) + rings * np.maximum(on_leg * 0.7, tail), 0, 1.2)
    back = np.clip((y - 21.5) / 4.5, 0, 1) * (1 - np.clip((x - 9) / 3, 0, 1))
    belly = np.clip((15.5 - y) / 4, 0, 1) * np.clip((x + 27) / 4, 0, 1) * (1 - 0.7 * on_leg)
    paws = np.clip((3.4 - y) / 2.4, 0, 1)
    chest = np.clip(1 - np.hypot((x - 9.5) / 3.6, (y - 20) / 6), 0, 1)
    tone = 0.55 - 0.26 * back + 0.22 * belly + 0.20 * paws + 0.38 * chest - 0.46 * pattern * (1 - 0.6 * belly)
    tone = tone + 0.055 * warp - 0.25 * tail * np.clip((-39.5 - x) / 2, 0, 1)
    index = np.clip(tone * 255, 0, 255).astype(int)
    return np.asarray(np.clip(shades[index] + 0.38 * detail, 0.02, 1), np.float32)


def _light(depth: Pixels, strands: Pixels, legs: Pixels, *, infrared: bool) -> Pixels:
    """Shading of the model: sun and sky from above, or a flash next to the lens."""
    relief = ndimage.gaussian_filter(np.maximum(depth, -70), 4.0) + 0.20 * strands
    down, right = np.gradient(relief)
    scale = 1 / np.sqrt(1 + right**2 + down**2)
    if infrared:
        return np.asarray((0.34 + 0.80 * scale) * (1 - 0.42 * np.clip(-legs, 0, 1)), np.float32)
    sun = np.clip((0.42 * right + 0.66 * down + 0.62) * scale, 0, 1.2)
    sky = 0.5 + 0.5 * down * scale
    # What lies deep next to something that stands out gets less of the sky.
    around = ndimage.zoom(ndimage.gaussian_filter(np.maximum(depth[::4, ::4], -70), 4.5), 4, order=1)
    hollow = np.clip((around[: depth.shape[0], : depth.shape[1]] - depth) / 50, 0, 1)
    below = 1 - 0.22 * np.clip((_rows() - _SIZE[1] + 15.5 * _SCALE) / (10 * _SCALE), 0, 1)
    light = (0.30 + 0.46 * sky + 0.52 * sun) * (1 - 0.35 * hollow) * below
    return np.asarray(light * (1 - 0.40 * np.clip(-legs, 0, 1)), np.float32)


@lru_cache(maxsize=1)
def _face() -> tuple[Pixels, Pixels]:
    """Colours of the head with ears, at the canvas's scale, and its matte."""
    photograph = to_pixels(Image.fromarray(data.chelsea()))
    above, enlarged = 110, 2
    padded = np.pad(photograph, ((above, 0), (0, 0), (0, 0)), mode="reflect")
    face = Image.fromarray((padded * 255).astype(np.uint8))
    size = (round(face.width * _FACE_SCALE), round(face.height * _FACE_SCALE))

    def mask(outlines: Sequence[Sequence[tuple[float, float]]], blur: float) -> Pixels:
        canvas = Image.new("L", (size[0] * enlarged, size[1] * enlarged))
        for outline in outlines:
            scaled = [(x * _FACE_SCALE * enlarged, (y + above) * _FACE_SCALE * enlarged) for x, y in outline]
            ImageDraw.Draw(canvas).polygon(scaled, fill=255)
        return to_pixels(canvas.resize(size, Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(blur)))

    colours = to_pixels(face.resize(size, Image.Resampling.LANCZOS))
    grey = colours.mean(axis=2, keepdims=True)
    colours = (grey + (colours - grey) * np.float32(0.48)) * np.float32(0.92)
    head, ears, inner = mask([_HEAD], 1.8), mask(_EARS, 0.9), mask(_INNER_EARS, 1.6)
    pink = np.asarray([0.46, 0.34, 0.30], np.float32)
    ear = colours * np.float32(0.78)
    ear = ear + (pink - ear) * (0.75 * inner[..., None])
    colours = ear + (colours - ear) * head[..., None]
    round_head = ndimage.gaussian_filter(head, 7)
    colours = colours * (0.62 + 0.42 * np.maximum(round_head, ears * (1 - head)))[..., None]
    return np.asarray(colours, np.float32), np.asarray(np.maximum(head, ears), np.float32)


def _with_face(colours: Pixels, matte: Pixels, *, infrared: bool) -> tuple[Pixels, Pixels]:
    """The head in front of the neck, on which it casts a shadow; in the flash its eyes reflect the light."""
    face, mask = _face()
    left, up = (_FACE_AT[0] + _LEFT) * _SCALE, _SIZE[1] - (_FACE_AT[1] + _GROUND) * _SCALE
    x, y = round(left), round(up - 110 * _FACE_SCALE)
    top = max(0, -y)
    face, mask = face[top:], mask[top:]
    y = max(y, 0)
    part = (slice(y, y + face.shape[0]), slice(x, x + face.shape[1]))
    face, mask = face[:, : colours[part].shape[1]], mask[:, : colours[part].shape[1]]
    shade = np.zeros_like(matte)
    shade[part] = mask
    shade = ndimage.gaussian_filter(np.roll(shade, (9, -7), (0, 1)), 9)
    colours = colours * (1 - np.float32(0.10 if infrared else 0.38) * shade)[..., None]
    colours[part] += (face * np.float32(1.0 if infrared else 0.92) - colours[part]) * mask[..., None]
    if infrared:
        rows, columns = np.indices(matte.shape, np.float32)
        for eye_x, eye_y in _EYES:
            away = np.hypot(columns - left - eye_x * _FACE_SCALE, rows - up - eye_y * _FACE_SCALE)
            colours = colours * (1 - 0.55 * np.clip((11 - away) / 4, 0, 1))[..., None]
            colours += (np.clip(5.6 - away, 0, 1) * 1.2 + 0.30 * np.exp(-((away / 8) ** 2)))[..., None]
    matte = matte.copy()
    matte[part] = np.maximum(matte[part], mask)
    return colours, matte
