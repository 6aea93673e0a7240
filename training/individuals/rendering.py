"""One frame: a coat on a body, in front of what the camera sees, in its light and with its faults."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

from uncia.training.individuals.bodies import FLANK_RADIUS, Body, FloatArray, Pose, View, project
from uncia.training.individuals.coats import COLUMNS, ROWS

HEIGHT, WIDTH = 280, 420
"""Pixels of a crop before `Conditions.size` makes it smaller."""

_COAT = np.array([0.66, 0.58, 0.46], dtype=np.float32)
_DARK = np.array([0.12, 0.10, 0.09], dtype=np.float32)


@dataclass(frozen=True)
class Conditions:
    """`infrared`: grey, lit by the camera; `exposure`: factor; `light`: direction in radians, 0 from above; `blur`:
    sigma in pixels, `motion`: pixels along the walk; `noise`: standard deviation; `size`: share of the full crop;
    `occlusion`: share of the width that grass and branches hide; `background`: seed of the camera's scene, and `shift`
    where in it the animal stands, in pixels."""

    infrared: bool
    exposure: float
    light: float
    blur: float
    motion: float
    noise: float
    size: float
    occlusion: float
    background: int
    shift: int


def render(coat: FloatArray, *, right: bool, pose: Pose, view: View, conditions: Conditions, seed: int) -> Image.Image:
    """Render a crop. `coat`: the flank that faces the camera, as `grow_coat` returns it. `right`: the animal walks to
    the right and shows its right side. Deterministic."""
    rng = np.random.default_rng(seed)
    body = project((HEIGHT, WIDTH), pose, view)
    animal = _animal(coat, body, view, conditions, rng)
    if right:
        # Its own mirror image: a left flank's pattern is never seen on the right.
        animal, inside = animal[:, ::-1], body.inside[:, ::-1]
    else:
        inside = body.inside
    scene = _scene(conditions)
    frame = scene * (1 - inside[..., None]) + animal * inside[..., None]
    frame = _occlude(frame, conditions, rng)
    return _photograph(frame, conditions, rng)


def _animal(
    coat: FloatArray, body: Body, view: View, conditions: Conditions, rng: np.random.Generator
) -> NDArray[np.floating]:
    angle = np.clip(body.y / FLANK_RADIUS, -0.97, 0.97)
    around = np.where(np.abs(body.y) < 0.29, FLANK_RADIUS * np.arcsin(angle), body.y * 1.25) + FLANK_RADIUS * view.pitch
    rows = (around + 0.55) / 1.4 * ROWS
    columns = (body.x + 1.0) / 2.3 * COLUMNS
    pattern = map_coordinates(coat, [rows, columns], order=1, mode="mirror")
    # Belly and paws are pale, and their spots weak.
    strength = np.clip(1.05 - 0.9 * np.maximum(body.y - 0.1, 0) / 0.4, 0.35, 1)
    pattern = (pattern * strength)[..., None]
    fur = gaussian_filter(rng.normal(0, 1, (HEIGHT, WIDTH)), (0.5, 1.2)) * 0.06
    albedo = _COAT * (1 + 0.35 * np.clip(body.y, -0.2, 0.3))[..., None] * (1 - pattern) + _DARK * pattern
    albedo = albedo * (1 + fur)[..., None]
    turned = np.arcsin(np.clip(body.normal, -1, 1))
    if conditions.infrared:
        lit = 0.35 + 0.65 * np.cos(turned)
    else:
        lit = 0.45 + 0.55 * np.clip(np.cos(turned * 0.8 + 0.9 * np.cos(conditions.light)), 0, 1)
    lit = lit * (1 + 0.3 * np.sin(conditions.light) * np.clip(body.x, -1, 1)) * (1 - 0.5 * body.far)
    return np.asarray(albedo * lit[..., None])


def _scene(conditions: Conditions) -> NDArray[np.floating]:
    """The camera's background: stones and grass that are the same in every frame."""
    rng = np.random.default_rng(conditions.background)
    wide = WIDTH + 240
    relief: NDArray[np.float64] = np.zeros((HEIGHT, wide))
    for sigma, weight in ((1.2, 0.22), (4, 0.30), (14, 0.40)):
        relief += gaussian_filter(rng.normal(0, 1, (HEIGHT, wide)), sigma) * sigma * weight
    for _ in range(70):
        column, foot, length = int(rng.integers(0, wide)), int(rng.integers(60, HEIGHT)), int(rng.integers(15, 70))
        lean, shade = rng.normal(0, 0.25), rng.normal(0, 0.5)
        for step in range(length):
            at = int(column + lean * step)
            if 0 <= at < wide and foot - step >= 0:
                relief[foot - step, at : at + 2] += shade
    start = conditions.shift % 240
    relief = relief[:, start : start + WIDTH]
    tone = 0.36 + 0.20 * relief
    colour = np.array([1.0, 0.98, 0.86]) if conditions.background % 2 else np.array([0.95, 1.0, 0.8])
    depth = np.linspace(0.55, 1.1, HEIGHT)[:, None, None] if conditions.infrared else 1.0
    return np.asarray(np.clip(tone[..., None] * colour, 0.02, 1) * depth)


def _occlude(frame: NDArray[np.floating], conditions: Conditions, rng: np.random.Generator) -> NDArray[np.floating]:
    frame = frame.copy()
    hidden = 0.0
    while hidden < conditions.occlusion * WIDTH:
        width = int(rng.integers(2, 14))
        column, lean, tone = rng.uniform(0, WIDTH), rng.normal(0, 0.25), rng.uniform(0.15, 0.5)
        top = int(rng.integers(0, HEIGHT // 2)) if width < 8 else 0
        for row in range(top, HEIGHT):
            left = int(column + lean * (row - HEIGHT / 2))
            frame[row, max(left, 0) : max(left + width, 0)] = tone * (0.9 + 0.2 * rng.random())
        hidden += width
    return frame


def _photograph(frame: NDArray[np.floating], conditions: Conditions, rng: np.random.Generator) -> Image.Image:
    if conditions.infrared:
        rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
        flash = np.exp(-(((columns - WIDTH / 2) / (0.75 * WIDTH)) ** 2) - ((rows - HEIGHT / 2) / (0.9 * HEIGHT)) ** 2)
        frame = np.repeat((frame.mean(axis=2) * flash)[..., None], 3, axis=2)
    sigma = (conditions.blur, float(np.hypot(conditions.blur, conditions.motion)), 0)
    exposed = gaussian_filter(frame, sigma) * conditions.exposure
    image = Image.fromarray((np.clip(exposed, 0, 1) ** (1 / 1.4) * 255).astype(np.uint8))
    small = image.resize((round(WIDTH * conditions.size), round(HEIGHT * conditions.size)), Image.Resampling.LANCZOS)
    pixels = np.asarray(small, dtype=np.float32)
    grain = rng.normal(0, conditions.noise * 255, pixels.shape[:2])[..., None]
    return Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))
