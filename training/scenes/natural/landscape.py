"""The fields of view of the simulated stations: a mountain slope, a meadow before a thicket, and a forest.

Ground is photographed texture of scikit-image on a plane in true perspective; rocks, trunks, grass and leaves stand on
it by their distance, and what is far lies in haze.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import fft, ndimage

from uncia.training.scenes.natural.noise import fractal_noise, lit, ridged
from uncia.training.scenes.natural.surfaces import (
    Canvas,
    add_grass,
    add_leaves,
    add_rock,
    add_trunk,
    colour_ramp,
)
from uncia.training.scenes.pixels import Pixels, mirror_tile
from uncia.training.scenes.terrain import Scene

_CAMERA_HEIGHT = 0.6
_VIEW = 0.75
"""Height of the field of view, in multiples of the distance."""
_FARTHEST = 60.0
SKY = 1000.0
"""Distance of the sky, in metres."""
_TEXELS_PER_METRE = 800.0
_COARSE = 4
"""Pixels for which blotches of the ground are computed once."""
_Colour = tuple[float, float, float]


@dataclass(frozen=True)
class NaturalScene(Scene):
    """A scene whose distances are known, so that a flash can fall off with their square."""

    metres: Pixels
    """Distance from the camera, (height, width)."""
    plants: NDArray[np.bool_]
    """Where grass grows, (height, width): it is bright in infrared."""


@dataclass(frozen=True)
class _Kind:
    """What grows and lies on a kind of ground."""

    ground: tuple[str, str]
    """Textures of scikit-image, mixed in patches."""
    ramps: tuple[tuple[_Colour, _Colour, _Colour], tuple[_Colour, _Colour, _Colour]]
    blades: int
    """Blades of grass for each unit of the square root of distance."""
    grass: tuple[_Colour, _Colour]
    rocks: int
    rock_size: tuple[float, float]
    """Half the width of a rock, in metres."""
    trunks: int
    litter: int
    background: str


_DRY = ((0.30, 0.26, 0.13), (0.66, 0.58, 0.36))
_GREEN = ((0.13, 0.19, 0.05), (0.47, 0.52, 0.22))
_KINDS = (
    _Kind(
        ("gravel", "grass"),
        (
            ((0.13, 0.12, 0.10), (0.40, 0.37, 0.32), (0.72, 0.69, 0.63)),
            ((0.14, 0.13, 0.07), (0.40, 0.36, 0.21), (0.68, 0.61, 0.42)),
        ),
        1500, _DRY, 5, (0.06, 0.16), 0, 0, "ridges",
    ),
    _Kind(
        ("grass", "gravel"),
        (
            ((0.05, 0.07, 0.02), (0.24, 0.28, 0.10), (0.55, 0.56, 0.30)),
            ((0.10, 0.08, 0.06), (0.33, 0.27, 0.20), (0.60, 0.52, 0.42)),
        ),
        4200, _GREEN, 0, (0.04, 0.09), 0, 200, "thicket",
    ),
    _Kind(
        ("gravel", "grass"),
        (
            ((0.07, 0.055, 0.04), (0.26, 0.20, 0.14), (0.50, 0.41, 0.30)),
            ((0.06, 0.06, 0.03), (0.22, 0.22, 0.11), (0.46, 0.43, 0.25)),
        ),
        700, _GREEN, 2, (0.05, 0.13), 5, 2800, "forest",
    ),
)  # fmt: skip


def natural_scene(camera: int, seed: int, width: int, height: int) -> NaturalScene:
    """The scene of a camera; the same for the same camera, seed and size."""
    rng = np.random.default_rng([seed, camera, 47])
    kind = _KINDS[camera % len(_KINDS)]
    horizon = float(rng.uniform(0.27, 0.33))
    rows = np.arange(height, dtype=np.float32) / height
    metres = np.minimum(_CAMERA_HEIGHT / (_VIEW * np.maximum(rows - horizon, 1e-4)), _FARTHEST).astype(np.float32)
    canvas = Canvas.empty(np.repeat(metres[:, None], width, axis=1))
    base = round(horizon * height)
    _add_ground(canvas, kind, metres, base, rng)
    _BACKGROUNDS[kind.background](canvas, base, rng)
    _add_litter(canvas, kind, horizon, rng)
    _add_things(canvas, kind, horizon, rng)
    near = np.clip(1.9 / np.maximum(canvas.metres, 1e-3), 0, 1).astype(np.float32)
    return NaturalScene(np.clip(canvas.colours, 0.004, 1), near, canvas.front, horizon, canvas.metres, canvas.plants)


def foot_row(metres: float, horizon: float) -> float:
    """Where ground at this distance lies, as a share of the frame's height."""
    return horizon + _CAMERA_HEIGHT / (_VIEW * metres)


@lru_cache(maxsize=2)
def _texture(name: str) -> list[Pixels]:
    """A ground texture of scikit-image as a seamless tile in even light, and ever more blurred copies of it."""
    from skimage import data

    grey = getattr(data, name)().astype(np.float32) / 255
    grey = grey - _blurred_tile(mirror_tile(grey), 60)[: grey.shape[0], : grey.shape[1]]
    tile = mirror_tile(np.clip(grey / grey.std() * 0.20 + 0.46, 0, 1).astype(np.float32))
    return [tile, *(_blurred_tile(tile, radius) for radius in (1.0, 2.2, 4.5, 9.0, 18.0))]


def _blurred_tile(tile: Pixels, radius: float) -> Pixels:
    """A tile that repeats, blurred by a Gaussian: as `gaussian_filter` does with `wrap`, whose time grows with the
    radius to seconds."""
    spectrum = ndimage.fourier_gaussian(fft.rfft2(tile), radius, n=tile.shape[1])
    return np.asarray(fft.irfft2(spectrum, tile.shape), np.float32)


def _on_ground(levels: list[Pixels], metres: Pixels, width: int, scale: float, turn: float, shift: float) -> Pixels:
    """A texture on the plane, (rows, width), from the copy that is as blurred as its distance asks."""
    rows = len(metres)
    texels = _TEXELS_PER_METRE * scale
    footprint = metres * (_VIEW * 4 / 3) / width * texels * 1.6
    level = np.clip(np.rint(np.log2(np.maximum(footprint, 1e-3))), 0, len(levels) - 1)
    side = (np.arange(width, dtype=np.float32) / width - 0.5)[None, :] * np.float32(_VIEW * 4 / 3 * texels)
    result = np.zeros((rows, width), np.float32)
    for number, tile in enumerate(levels):
        used = np.nonzero(level == number)[0]
        if used.size:
            across, deep = side * metres[used, None], metres[used, None] * np.float32(texels)
            u = across * np.float32(np.cos(turn)) - deep * np.float32(np.sin(turn)) + np.float32(shift)
            v = across * np.float32(np.sin(turn)) + deep * np.float32(np.cos(turn)) + np.float32(2 * shift)
            result[used] = ndimage.map_coordinates(tile, np.stack([v, u]), order=1, mode="grid-wrap", output=np.float32)
    return result


def _enlarged(values: Pixels, height: int, width: int) -> Pixels:
    return np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR))


def _add_ground(canvas: Canvas, kind: _Kind, metres: Pixels, base: int, rng: np.random.Generator) -> None:
    width = canvas.front.shape[1]
    below = metres[base:]
    blotches = [mirror_tile(ndimage.zoom(fractal_noise(256, 256, 5, rng, octaves=6, gain=0.6), 2, order=1))]
    coarse = below[::_COARSE]
    patch, tone = (
        _enlarged(
            _on_ground(blotches, coarse, width // _COARSE, scale, turn, float(rng.uniform(0, 500))), len(below), width
        )
        for scale, turn in ((0.35, 0.4), (0.12, 1.3))
    )
    mixed = np.clip(patch * 1.4 + 0.5 + 0.25 * tone, 0, 1)[..., None]
    layers = []
    for number, (name, ramp) in enumerate(zip(kind.ground, kind.ramps, strict=True)):
        levels = _texture(name)
        shift = float(rng.uniform(0, 900))
        grey = _on_ground(levels, below, width, 1.0, 0.35 + 0.9 * number, shift)
        broad = _on_ground(levels, below[::2], width // 2, 0.37, 2.1 + number, shift)
        grey = 0.62 * grey + 0.38 * _enlarged(broad, len(below), width) + 0.07 * tone
        layers.append(colour_ramp(grey * 1.1, *ramp))
    colours = layers[0] + (layers[1] - layers[0]) * (1 - mixed)
    haze = np.clip((below - 7) / 60, 0, 0.45)[:, None, None]
    canvas.colours[base:] = colours + (np.asarray([0.60, 0.63, 0.62], np.float32) - colours) * haze


def _add_ridges(canvas: Canvas, horizon: int, rng: np.random.Generator) -> None:
    """Sky with clouds, and mountains of which the farther ones are bluer and paler."""
    height, width, base = (size // 2 for size in (*canvas.front.shape, horizon))
    reach = base + height // 40
    down = np.linspace(0, 1, reach, dtype=np.float32)[:, None]
    clouds = np.clip(fractal_noise(reach, width, 4, rng, octaves=7, gain=0.55) * 0.35 + 0.35, 0, 1)
    sky = np.asarray([0.50, 0.62, 0.78], np.float32) + down[..., None] * np.asarray([0.28, 0.20, 0.10], np.float32)
    painted = sky + (0.90 - sky) * (clouds * 0.8)[..., None]
    metres = np.full((reach, width), SKY, np.float32)
    for far, level in ((0.78, 0.24), (0.5, 0.44), (0.2, 0.68)):
        profile = fractal_noise(4, width, 3 + 3 * (1 - far), rng, octaves=9, gain=0.48)[1]
        line = reach * (level + 0.13 * profile)
        heights = ridged(fractal_noise(reach, width, 12, rng, octaves=8, gain=0.58))
        light = 0.25 + 0.85 * lit(heights * 26, (-0.7, 0.5, 0.45))
        growth = np.clip(fractal_noise(reach, width, 18, rng, octaves=6, gain=0.65) * 0.5 + 0.4, 0, 1)[..., None]
        rock = np.asarray([0.42, 0.39, 0.35], np.float32)
        colour = (rock + (np.asarray([0.27, 0.28, 0.17], np.float32) - rock) * growth) * light[..., None]
        colour = colour + (np.asarray([0.62, 0.68, 0.74], np.float32) - colour) * np.float32(far)
        inside = np.clip((np.arange(reach, dtype=np.float32)[:, None] - line[None, :]) / 1.5, 0, 1)
        painted = painted + (colour - painted) * inside[..., None]
        metres[inside > 0.5] = 60 + 300 * far
    _put_behind(canvas, painted.astype(np.float32), metres, rng)


def _add_thicket(canvas: Canvas, horizon: int, rng: np.random.Generator) -> None:
    """Bushes with leaves in the light, before dark depth and a little sky."""
    height, width, base = (size // 2 for size in (*canvas.front.shape, horizon))
    # The bushes stand where the ground is eight metres away.
    reach = base + round(height * foot_row(8.0, 0.0))
    deep = fractal_noise(reach, width, 14, rng, octaves=6, gain=0.6)
    painted = colour_ramp(0.22 + 0.16 * deep, (0.02, 0.03, 0.015), (0.14, 0.17, 0.08), (0.34, 0.38, 0.22))
    gaps = (
        np.clip(fractal_noise(reach, width, 9, rng, octaves=6) - 1.5 - np.linspace(-0.7, 2, reach)[:, None], 0, 0.5) * 2
    )
    painted = painted + (np.asarray([0.84, 0.88, 0.90], np.float32) - painted) * gaps[..., None].astype(np.float32)
    painted = np.ascontiguousarray(painted, np.float32)
    clumps = lit(fractal_noise(reach, width, 10, rng, octaves=4) * width / 60, (-0.4, 0.8, 0.4))
    count = int(26000 * width / 2048)
    places = rng.uniform((0, 0), (width - 1, reach - 1), (count, 2)).astype(np.float32)
    kept = gaps[places[:, 1].astype(int), places[:, 0].astype(int)] < 0.2
    places = places[kept]
    brightness = clumps[places[:, 1].astype(int), places[:, 0].astype(int)]
    value = (0.15 + 0.85 * brightness) * rng.uniform(0.55, 1.15, len(places)).astype(np.float32)
    tones = colour_ramp(value, (0.04, 0.06, 0.02), (0.24, 0.32, 0.11), (0.62, 0.66, 0.34))
    order = np.argsort(value)
    sizes = (rng.uniform(2.2, 6.5, len(places)) * width / 2048).astype(np.float32)
    add_leaves(painted, places[order], sizes[order], tones[order], rng)
    metres = np.full((reach, width), 9.0, np.float32) + 2 * np.clip(deep, -1, 1)
    metres[gaps > 0.3] = SKY
    _put_behind(canvas, painted, metres, rng, blur=1.3)


def _add_forest(canvas: Canvas, horizon: int, rng: np.random.Generator) -> None:
    """Rows of trunks that fade into bright haze, with foliage above and undergrowth below."""
    height, width, base = (size // 2 for size in (*canvas.front.shape, horizon))
    reach = base + height // 30
    down = np.linspace(0, 1, reach, dtype=np.float32)[:, None]
    mist = np.clip(0.50 + 0.16 * fractal_noise(reach, width, 7, rng, octaves=6, gain=0.6) + 0.18 * (1 - down), 0, 1)
    painted = colour_ramp(mist, (0.16, 0.19, 0.12), (0.48, 0.53, 0.42), (0.86, 0.89, 0.82))
    behind = Canvas.empty(np.full((reach, width), 45.0, np.float32))
    behind.colours[:] = painted
    for far in np.sort(rng.uniform(7, 34, 26))[::-1]:
        foot = min(reach - 1.0, base + 0.8 * (foot_row(float(far), 0.0)) * height)
        add_trunk(
            behind, float(rng.uniform(0, width)), foot, width * 0.045 / far * float(rng.uniform(0.7, 1.9)), float(far),
            float(np.clip((far - 4) / 36, 0.1, 0.75)), rng,
        )  # fmt: skip
    count = int(16000 * width / 2048)
    places = rng.uniform((0, 0), (width - 1, reach - 1), (count, 2)).astype(np.float32)
    level = places[:, 1] / reach
    clump = fractal_noise(reach, width, 8, rng, octaves=5)[places[:, 1].astype(int), places[:, 0].astype(int)]
    places = places[(clump - 0.2 > 1.3 * np.sin(np.pi * np.clip(level * 1.08, 0, 1)) - 0.35)]
    value = rng.uniform(0.1, 0.95, len(places)).astype(np.float32)
    tones = colour_ramp(value, (0.07, 0.09, 0.035), (0.24, 0.29, 0.12), (0.60, 0.64, 0.36))
    add_leaves(behind.colours, places, (rng.uniform(2, 6, len(places)) * width / 2048).astype(np.float32), tones, rng)
    _put_behind(canvas, behind.colours, behind.metres, rng, blur=1.2)


_BACKGROUNDS: dict[str, Callable[[Canvas, int, np.random.Generator], None]] = {
    "ridges": _add_ridges,
    "thicket": _add_thicket,
    "forest": _add_forest,
}


def _put_behind(canvas: Canvas, painted: Pixels, metres: Pixels, rng: np.random.Generator, blur: float = 0.8) -> None:
    """Put a background of half the frame's resolution above the ground; a ragged edge of growth joins them.

    It is out of focus: `blur` is in thousandths of the width.
    """
    radius = blur * metres.shape[1] / 1000
    painted = ndimage.gaussian_filter(painted, (radius, radius, 0))
    reach, width = 2 * metres.shape[0], canvas.front.shape[1]
    painted = np.stack([_enlarged(painted[..., channel], reach, width) for channel in range(3)], axis=2)
    metres = _enlarged(metres, reach, width)
    ragged = fractal_noise(4, width, 40, rng, octaves=6, gain=0.7)[1]
    edge = reach + (0.005 * ragged - 0.012) * canvas.front.shape[0]
    matte = np.clip((edge[None, :] - np.arange(reach, dtype=np.float32)[:, None]) / 4 + 0.5, 0, 1)
    canvas.colours[:reach] += (painted - canvas.colours[:reach]) * matte[..., None]
    canvas.metres[:reach] = np.where(matte > 0.5, metres, canvas.metres[:reach])


def _add_litter(canvas: Canvas, kind: _Kind, horizon: float, rng: np.random.Generator) -> None:
    """Fallen leaves, smaller and flatter with distance."""
    height, width = canvas.front.shape
    if not kind.litter:
        return
    metres = np.sort(1 / rng.uniform(1 / 9, 1 / 1.02, kind.litter))[::-1].astype(np.float32)
    rows = (horizon + _CAMERA_HEIGHT / (_VIEW * metres)) * height
    places = np.stack([rng.uniform(0, width, kind.litter), rows], axis=1).astype(np.float32)
    sizes = (rng.uniform(0.008, 0.019, kind.litter) / (metres * _VIEW) * height).astype(np.float32)
    value = rng.beta(2, 2.6, kind.litter).astype(np.float32)
    tones = colour_ramp(value, (0.09, 0.065, 0.045), (0.34, 0.24, 0.14), (0.66, 0.52, 0.33))
    shadow = places + np.stack([sizes * 0.25, sizes * 0.18], axis=1)
    add_leaves(canvas.colours, shadow, sizes, tones * np.float32(0.25), np.random.default_rng(5), flat=0.42)
    add_leaves(canvas.colours, places, sizes, tones, np.random.default_rng(5), flat=0.42)


def _add_things(canvas: Canvas, kind: _Kind, horizon: float, rng: np.random.Generator) -> None:
    """Rocks, trunks and tufts in the order of their distance."""
    height, width = canvas.front.shape
    things: list[tuple[float, str]] = []
    things += [(float(1 / rng.uniform(1 / 9, 1 / 2.6)), "rock") for _ in range(kind.rocks)]
    things += [(float(rng.uniform(2.6, 6.5)), "trunk") for _ in range(kind.trunks)]
    blades = int(kind.blades * width / 2048)
    metres = np.sort(1 / rng.uniform(1 / 12, 1 / 1.05, blades))[::-1].astype(np.float32)
    tufts = rng.uniform(-0.1, 1.1, (max(blades // 22, 1), 1)).astype(np.float32)
    patch = rng.integers(0, len(tufts), blades)
    spread = (0.05 / (metres * _VIEW)).astype(np.float32) * rng.normal(0, 1, blades).astype(np.float32)
    depth_of = np.sort(1 / rng.uniform(1 / 12, 1 / 1.05, len(tufts)))[::-1].astype(np.float32)
    grouped = np.sort(patch)
    metres = np.where(rng.random(blades) < 0.75, depth_of[grouped] * rng.uniform(0.985, 1.015, blades), metres)
    order = np.argsort(-metres)
    metres, x = metres[order].astype(np.float32), (tufts[grouped, 0] + spread)[order] * width
    rows = (horizon + _CAMERA_HEIGHT / (_VIEW * metres)) * height
    roots = np.stack([x, rows], axis=1).astype(np.float32)
    lengths = (rng.gamma(5, 0.011, blades) / (metres * _VIEW) * height).astype(np.float32)
    widths = (rng.uniform(0.0016, 0.0034, blades) / (metres * _VIEW) * height).clip(1).astype(np.float32)
    low, high = (np.asarray(colour, np.float32) for colour in kind.grass)
    dry = np.asarray([0.60, 0.53, 0.33], np.float32)
    colours = low + (high - low) * rng.beta(1.6, 2.2, (blades, 1)).astype(np.float32)
    colours = np.where(rng.random((blades, 1)) < 0.16, dry * rng.uniform(0.6, 1.1, (blades, 1)), colours).astype(
        np.float32
    )
    painted = 0
    for far, name in sorted(things, reverse=True):
        until = int(np.searchsorted(-metres, -far))
        part = slice(painted, until)
        add_grass(canvas, roots[part], lengths[part], widths[part], colours[part], rng)
        painted = until
        foot = foot_row(far, horizon) * height
        if name == "rock":
            wide = float(rng.uniform(*kind.rock_size)) / (far * _VIEW) * height
            add_rock(canvas, float(rng.uniform(0, width)), foot, wide, far, rng, _texture("gravel")[1])
        else:
            wide = float(rng.uniform(0.07, 0.17)) / (far * _VIEW) * height
            add_trunk(canvas, float(rng.uniform(0, width)), foot, wide, far, float(np.clip((far - 3) / 40, 0, 1)), rng)
    add_grass(canvas, roots[painted:], lengths[painted:], widths[painted:], colours[painted:], rng)
