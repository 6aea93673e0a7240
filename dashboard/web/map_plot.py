"""Geometry of the map: cameras, graticule and scale, without a background; pure.

The projection is equirectangular, true to scale in the middle. A study area is small enough for it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from uncia.dashboard.web.plots import nice_step

__all__ = ["MapLayout", "MapPoint", "Placed", "map_layout"]

_METRES_PER_DEGREE = 111_195.0
"""Of latitude, on a sphere of 6,371 km."""
_LEAST_EXTENT = 0.02
"""Degrees: of a single camera, its surroundings are shown."""
_SMALL, _LARGE = 5.0, 22.0
_LETTER = 6.2


@dataclass(frozen=True)
class MapPoint:
    """One place, in degrees; `value` decides on the size of its circle."""

    latitude: float
    longitude: float
    value: float
    label: str
    uncertainty_m: float | None = None


@dataclass(frozen=True)
class Placed:
    """A point on the map, in units of the drawing."""

    x: float
    y: float
    radius: float
    around: float
    """Radius of the area in which the camera stands; 0 where it is smaller than the circle."""
    label: str
    """Empty where it would cover another one."""


@dataclass(frozen=True)
class MapLayout:
    """The map as a drawing. `points` has the order of the input."""

    points: tuple[Placed, ...]
    meridians: tuple[tuple[float, str], ...]
    parallels: tuple[tuple[float, str], ...]
    scale: tuple[float, str]
    """Length of the scale bar, and what it stands for."""


def map_layout(points: Sequence[MapPoint], width: float, height: float) -> MapLayout:
    """Place points on a map that shows all of them. Raises `ValueError` without a point."""
    if not points:
        raise ValueError("a map needs a point")
    longitudes = [point.longitude for point in points]
    if max(longitudes) - min(longitudes) > 180:
        # The study area lies on both sides of the antimeridian.
        longitudes = [degrees + 360 if degrees < 0 else degrees for degrees in longitudes]
    latitudes = [point.latitude for point in points]
    middle = (min(latitudes) + max(latitudes)) / 2, (min(longitudes) + max(longitudes)) / 2
    shrink = max(0.05, math.cos(math.radians(middle[0])))
    around = max((point.uncertainty_m or 0) for point in points) / _METRES_PER_DEGREE
    up = max(max(latitudes) - min(latitudes) + 2 * around, _LEAST_EXTENT) * 1.25
    across = max((max(longitudes) - min(longitudes)) * shrink + 2 * around, _LEAST_EXTENT) * 1.25
    per_degree = min(height / up, width / across)
    most = max(1e-9, *(point.value for point in points))
    placed = [
        _place(
            point, width / 2 + (longitude - middle[1]) * shrink * per_degree, height / 2, middle[0], per_degree, most
        )
        for point, longitude in zip(points, longitudes, strict=True)
    ]
    half = width / 2 / per_degree / shrink, height / 2 / per_degree
    return MapLayout(
        tuple(_without_collisions(placed, width)),
        tuple(
            (width / 2 + (degrees - middle[1]) * shrink * per_degree, _degrees((degrees + 180) % 360 - 180, "EW", step))
            for degrees, step in _lines(middle[1] - half[0], middle[1] + half[0])
        ),
        tuple(
            (height / 2 - (degrees - middle[0]) * per_degree, _degrees(degrees, "NS", step))
            for degrees, step in _lines(middle[0] - half[1], middle[0] + half[1])
        ),
        _scale(width, per_degree),
    )


def _place(point: MapPoint, x: float, center: float, latitude: float, per_degree: float, most: float) -> Placed:
    radius = _SMALL + (_LARGE - _SMALL) * math.sqrt(max(0.0, point.value) / most)
    around = (point.uncertainty_m or 0) / _METRES_PER_DEGREE * per_degree
    y = center - (point.latitude - latitude) * per_degree
    return Placed(x, y, radius, around if around > radius else 0.0, point.label)


def _lines(low: float, high: float) -> Iterable[tuple[float, float]]:
    step = nice_step(high - low, 5)
    first = math.ceil(low / step)
    return [(at * step, step) for at in range(first, math.floor(high / step) + 1)]


def _degrees(value: float, signs: str, step: float) -> str:
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{abs(value):.{digits}f}° {signs[0] if value >= 0 else signs[1]}"


def _scale(width: float, per_degree: float) -> tuple[float, str]:
    """A round length, at most a fifth of the width."""
    most = width / 5 / per_degree * _METRES_PER_DEGREE
    power = 10.0 ** math.floor(math.log10(most))
    metres = max(factor * power for factor in (1, 2, 5) if factor * power <= most)
    return metres / _METRES_PER_DEGREE * per_degree, f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"


def _without_collisions(points: Sequence[Placed], width: float) -> list[Placed]:
    """The points, without the labels that would cover a circle or a label of an earlier one, or leave the map."""
    taken = [(one.x - one.radius, one.y - one.radius, one.x + one.radius, one.y + one.radius) for one in points]
    kept = []
    for at, one in enumerate(points):
        left = one.x + one.radius + 3
        box = (left, one.y - 7, left + _LETTER * len(one.label), one.y + 7)
        others = (other for number, other in enumerate(taken) if number != at)
        covers = any(
            box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3] for other in others
        )
        fits = bool(one.label) and box[2] <= width and not covers
        if fits:
            taken.append(box)
        kept.append(Placed(one.x, one.y, one.radius, one.around, one.label if fits else ""))
    return kept
