"""A hard bound on speed: an animal is not at two distant cameras at nearly the same time."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from uncia.processors.identify.matching.interface import Position, Reference

_EARTH_RADIUS_KM = 6371.0


@dataclass(frozen=True)
class MovementBound:
    """Above `free_km` plus `max_speed_kmh` times the hours between two sightings, no animal covers the distance.

    The defaults suit large cats: 15 km/h for hours is far above what collars record; 2 km is left free because the
    clocks of two cameras differ by minutes.
    """

    max_speed_kmh: float = 15.0
    free_km: float = 2.0

    def allows(self, hours: float, kilometres: float) -> bool:
        return kilometres <= self.free_km + self.max_speed_kmh * abs(hours)


def distance_km(first: Position, second: Position) -> float:
    """Great-circle distance in kilometres (haversine)."""
    south, north = math.radians(first.latitude), math.radians(second.latitude)
    east = math.radians(second.longitude - first.longitude)
    half = math.sin((north - south) / 2) ** 2 + math.cos(south) * math.cos(north) * math.sin(east / 2) ** 2
    return 2 * _EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(half)))


def hours_between(first: datetime, second: datetime) -> float:
    return abs((first - second).total_seconds()) / 3600


def is_possible(
    references: Iterable[Reference], when: datetime | None, where: Position | None, bound: MovementBound
) -> bool:
    """Whether one animal can have been at all these places and here. True where a time or position is unknown."""
    if when is None or where is None:
        return True
    return all(
        bound.allows(hours_between(reference.captured_at, when), distance_km(reference.position, where))
        for reference in references
        if reference.captured_at is not None and reference.position is not None
    )
