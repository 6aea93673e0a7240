"""The outline of a cat, seen from its left side, and how it bends.

Body coordinates: half a body length is about one; x grows from the head to the tail, y downwards; the middle of the
flank is at (0, 0).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

FLANK_RADIUS = 0.30
"""The trunk is a cylinder of this radius, as far as its coat and its light are concerned."""
GROUND = 0.62
"""y of the paws."""


@dataclass(frozen=True)
class Pose:
    """`arch`: of the back; `stretch`: of the trunk; `front` and `hind`: swing of the legs; `tail` and `head`: how far
    they are raised; `skin`: seed of the folds of the skin, `fold` their size."""

    arch: float
    stretch: float
    front: float
    hind: float
    tail: float
    head: float
    skin: int
    fold: float


@dataclass(frozen=True)
class View:
    """`yaw`: from broadside, positive where the head is nearer; `pitch`: of the camera, positive from above; `roll`: of
    the camera; all in radians. `scale`: pixels of a body unit. `centre`: pixels (x, y) of the middle of the flank."""

    yaw: float
    pitch: float
    roll: float
    scale: float
    centre: tuple[float, float]


@dataclass(frozen=True)
class Body:
    """What each pixel shows, arrays (H, W): `inside` in [0, 1]; body coordinates `x`, `y`, unbent; `far` in [0, 1] for
    the legs of the other side; `normal` in [-1, 1], how far the surface is turned downwards."""

    inside: FloatArray
    x: FloatArray
    y: FloatArray
    far: FloatArray
    normal: FloatArray


_PERSPECTIVE = 0.18
"""Change of size at one body unit, when the animal walks towards the camera."""


def project(shape: tuple[int, int], pose: Pose, view: View) -> Body:
    """Find for each pixel of a frame (H, W) which part of the body it shows."""
    x, y = _unproject(shape, view)
    x, y = _unbend(x, y, pose)
    edge = 1.5 / view.scale
    near, far = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    near = np.maximum(near, _ellipse(x, y, (0.0, 0.0), (0.66, 0.25), edge))
    near = np.maximum(near, _ellipse(x, y, (-0.45, 0.0), (0.27, 0.25), edge))
    near = np.maximum(near, _ellipse(x, y, (0.45, 0.01), (0.26, 0.25), edge))
    head = (-0.80, -0.14 - pose.head)
    near = np.maximum(near, _capsule(x, y, (-0.55, -0.06), head, 0.14, 0.10, edge))
    near = np.maximum(near, _ellipse(x, y, head, (0.16, 0.14), edge))
    near = np.maximum(near, _ellipse(x, y, (head[0] - 0.13, head[1] + 0.04), (0.09, 0.07), edge))
    near = np.maximum(near, _ellipse(x, y, (head[0] + 0.08, head[1] - 0.13), (0.045, 0.06), edge))
    near = np.maximum(near, _capsule(x, y, (-0.50, 0.12), (-0.52, GROUND - 0.05), 0.10, 0.055, edge))
    near = np.maximum(near, _capsule(x, y, (0.50, 0.10), (0.56, GROUND - 0.05), 0.13, 0.055, edge))
    near = np.maximum(near, _capsule(x, y, (0.66, -0.10), (0.98, 0.10 - pose.tail), 0.06, 0.05, edge))
    near = np.maximum(near, _capsule(x, y, (0.98, 0.10 - pose.tail), (1.22, -0.02 - 1.6 * pose.tail), 0.05, 0.05, edge))
    far = np.maximum(far, _capsule(x, y, (-0.36, 0.12), (-0.30, GROUND - 0.07), 0.09, 0.05, edge))
    far = np.maximum(far, _capsule(x, y, (0.38, 0.12), (0.36, GROUND - 0.07), 0.11, 0.05, edge))
    normal = np.clip(y / FLANK_RADIUS, -1, 1)
    return Body(np.maximum(near, far), x, y, np.clip(far - near, 0, 1), normal.astype(np.float32))


def _unproject(shape: tuple[int, int], view: View) -> tuple[FloatArray, FloatArray]:
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    x, y = (columns - view.centre[0]) / view.scale, (rows - view.centre[1]) / view.scale
    x, y = np.cos(view.roll) * x + np.sin(view.roll) * y, -np.sin(view.roll) * x + np.cos(view.roll) * y
    slope = _PERSPECTIVE * np.sin(view.yaw)
    along = x / np.maximum(np.cos(view.yaw) - slope * x, 0.2)
    return along.astype(np.float32), (y * (1 + slope * along)).astype(np.float32)


def _unbend(x: FloatArray, y: FloatArray, pose: Pose) -> tuple[FloatArray, FloatArray]:
    x = x / (1 + pose.stretch)
    y = y - pose.arch * (x**2 - 0.2)
    below = np.maximum(y - 0.12, 0)
    front = 1 / (1 + np.exp(x * 8))
    x = x - below * (pose.front * front + pose.hind * (1 - front))
    rng = np.random.default_rng(pose.skin)
    for _ in range(3):
        phase_x, phase_y = rng.uniform(0, 2 * np.pi, 2)
        wave_x, wave_y = rng.uniform(2.0, 6.0, 2)
        fold = pose.fold * rng.normal(0, 1, 2)
        wave = np.sin(wave_x * x + phase_x) * np.cos(wave_y * y + phase_y)
        x, y = x + fold[0] * wave, y + fold[1] * wave
    return x.astype(np.float32), y.astype(np.float32)


def _ellipse(
    x: FloatArray, y: FloatArray, centre: tuple[float, float], radii: tuple[float, float], edge: float
) -> FloatArray:
    distance = np.hypot((x - centre[0]) / radii[0], (y - centre[1]) / radii[1])
    return _soft((1 - distance) * min(radii), edge)


def _capsule(
    x: FloatArray,
    y: FloatArray,
    start: tuple[float, float],
    end: tuple[float, float],
    start_radius: float,
    end_radius: float,
    edge: float,
) -> FloatArray:
    span_x, span_y = end[0] - start[0], end[1] - start[1]
    along = np.clip(((x - start[0]) * span_x + (y - start[1]) * span_y) / (span_x**2 + span_y**2), 0, 1)
    distance = np.hypot(x - start[0] - along * span_x, y - start[1] - along * span_y)
    return _soft(start_radius + along * (end_radius - start_radius) - distance, edge)


def _soft(depth: NDArray[np.floating], edge: float) -> FloatArray:
    return np.asarray(np.clip(0.5 + depth / edge, 0, 1), dtype=np.float32)
