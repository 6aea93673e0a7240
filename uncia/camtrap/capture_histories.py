"""Capture histories of individuals for spatial capture-recapture, and what else is counted of them. Pure.

A detector is a station: the two cameras of a station that see both flanks detect one animal together. Their clocks
differ, so that their bursts of one passage cannot be paired by time: of an individual at a station in an occasion those
of the camera count that has most. An occasion is a number of days from the first day of the survey, by the cameras'
clocks; the last one ends with the survey.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from uncia.camtrap.individuals import Individual
from uncia.events import AnimalSide

__all__ = [
    "Capture",
    "Detector",
    "Move",
    "Occasions",
    "PeriodCount",
    "SharedIndividuals",
    "captures_of",
    "distance_m",
    "labels_of",
    "mean_longitude",
    "minimum_alive",
    "moves_of",
    "planar",
    "shared_individuals",
]


@dataclass(frozen=True)
class Occasions:
    """The occasions of a survey."""

    first_day: date
    last_day: date
    """Both are included."""
    days: int
    """Of one occasion; the last one may be shorter."""

    @property
    def count(self) -> int:
        """The number of occasions."""
        return -(-((self.last_day - self.first_day).days + 1) // self.days)

    def of(self, day: date) -> int | None:
        """The occasion of a day, from 1; None outside the survey."""
        return (day - self.first_day).days // self.days + 1 if self.first_day <= day <= self.last_day else None

    def days_of(self, occasion: int) -> tuple[date, ...]:
        """The days of an occasion, from 1."""
        begin = self.first_day + timedelta(days=(occasion - 1) * self.days)
        days = (begin + timedelta(days=each) for each in range(self.days))
        return tuple(day for day in days if day <= self.last_day)


@dataclass(frozen=True)
class Detector:
    """A station: where it is, and on which days one of its cameras was deployed."""

    station: str
    latitude: float
    longitude: float
    periods: tuple[tuple[date, date | None], ...]
    """First and last day of each deployment, by the camera's clock; None: it lasts."""

    def usage(self, occasions: Occasions) -> tuple[int, ...]:
        """For each occasion the number of its days on which a camera was deployed."""
        return tuple(
            sum(self._is_deployed(day) for day in occasions.days_of(occasion))
            for occasion in range(1, occasions.count + 1)
        )

    def _is_deployed(self, day: date) -> bool:
        return any(first <= day and (last is None or day <= last) for first, last in self.periods)


@dataclass(frozen=True, order=True)
class Capture:
    """An individual at a station in an occasion."""

    individual: str
    """As in `labels_of`."""
    occasion: int
    station: str
    times: tuple[datetime, ...]
    """Of the bursts of the camera that has most, by its clock, sorted."""
    taxon: str = ""

    @property
    def count(self) -> int:
        """Bursts."""
        return len(self.times)


def labels_of(individuals: Sequence[Individual]) -> dict[str, str]:
    """A name of each individual, by its id: its label, with the id where several have it."""
    labels = Counter(each.label for each in individuals)
    return {
        each.individual_id: each.label if labels[each.label] == 1 else f"{each.label} {each.individual_id}"
        for each in individuals
    }


def captures_of(
    individuals: Sequence[Individual], occasions: Occasions, stations: Iterable[str]
) -> tuple[list[Capture], int]:
    """The captures, sorted; and the number of sightings that are left out: outside the survey, or of other stations."""
    known, labels, captures, left_out = set(stations), labels_of(individuals), [], 0
    for individual in individuals:
        seen: dict[tuple[int, str], dict[str, list[datetime]]] = defaultdict(lambda: defaultdict(list))
        for each in individual.sightings:
            occasion = occasions.of(each.captured_at.date()) if each.captured_at else None
            if occasion is None or each.captured_at is None or each.station not in known:
                left_out += 1
                continue
            seen[occasion, each.station or ""][each.camera or ""].append(each.captured_at)
        for (occasion, station), cameras in seen.items():
            times = min((sorted(found) for found in cameras.values()), key=lambda found: (-len(found), found))
            label = labels[individual.individual_id]
            captures.append(Capture(label, occasion, station, tuple(times), individual.taxon or ""))
    return sorted(captures), left_out


@dataclass(frozen=True)
class PeriodCount:
    """How many individuals there were in one period."""

    period: str
    seen: int
    """Individuals with a sighting in it."""
    minimum_alive: int
    """Those that were certainly alive: seen in it, or before and after it."""


def minimum_alive(individuals: Iterable[Individual], form: str = "%Y-%m") -> list[PeriodCount]:
    """The counts for each period between the first and the last sighting; `form` names the period of a time.

    An animal that is known by its left side and one that is known by its right side may be the same one: of those with
    one side only the larger number counts.
    """
    spans = []
    for individual in individuals:
        times = [sighting.captured_at for sighting in individual.sightings if sighting.captured_at]
        if times:
            spans.append((individual.sides & {AnimalSide.LEFT, AnimalSide.RIGHT}, sorted(times)))
    if not spans:
        return []
    day, last = min(times[0] for _, times in spans).date(), max(times[-1] for _, times in spans).date()
    periods: dict[str, None] = {}
    while day <= last:
        periods[day.strftime(form)] = None
        day += timedelta(days=1)
    found = []
    for period in periods:
        seen = [sides for sides, times in spans if any(time.strftime(form) == period for time in times)]
        alive = [sides for sides, times in spans if times[0].strftime(form) <= period <= times[-1].strftime(form)]
        found.append(PeriodCount(period, _count(seen), _count(alive)))
    return found


def _count(sides: Sequence[frozenset[AnimalSide]]) -> int:
    left, right = (sum(each == {side} for each in sides) for side in (AnimalSide.LEFT, AnimalSide.RIGHT))
    return len(sides) - left - right + max(left, right)


@dataclass(frozen=True)
class Move:
    """An individual at a station, and at another one afterwards."""

    individual: str
    source: str
    target: str
    left_at: datetime
    """Its last sighting at the first station, by the camera's clock."""
    arrived_at: datetime
    metres: float | None
    """Distance of the stations; None where a position is unknown."""


def moves_of(individuals: Sequence[Individual], positions: Mapping[str, tuple[float, float]]) -> list[Move]:
    """The changes of station, the earliest first; `positions`: latitude and longitude of stations."""
    found, labels = [], labels_of(individuals)
    for individual in individuals:
        placed = [
            (each.captured_at, each.station) for each in individual.sightings if each.captured_at and each.station
        ]
        for (left_at, source), (arrived_at, target) in pairwise(placed):
            if source == target:
                continue
            known = source in positions and target in positions
            metres = distance_m(positions[source], positions[target]) if known else None
            found.append(Move(labels[individual.individual_id], source, target, left_at, arrived_at, metres))
    return sorted(found, key=lambda move: (move.arrived_at, move.individual))


@dataclass(frozen=True)
class SharedIndividuals:
    """How many individuals two stations have in common."""

    station: str
    other: str
    individuals: int
    other_individuals: int
    shared: int

    @property
    def turnover(self) -> float:
        """Share of the individuals of both that only one of them has (Jaccard dissimilarity)."""
        union = self.individuals + self.other_individuals - self.shared
        return 1 - self.shared / union


def shared_individuals(individuals: Iterable[Individual]) -> list[SharedIndividuals]:
    """For each pair of stations with a sighting."""
    seen: dict[str, set[str]] = defaultdict(set)
    for individual in individuals:
        for sighting in individual.sightings:
            if sighting.station:
                seen[sighting.station].add(individual.individual_id)
    names = sorted(seen)
    return [
        SharedIndividuals(one, other, len(seen[one]), len(seen[other]), len(seen[one] & seen[other]))
        for place, one in enumerate(names)
        for other in names[place + 1 :]
    ]


_EARTH_RADIUS_M = 6_371_008.8


def distance_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Great-circle distance in metres, of latitudes and longitudes in degrees."""
    (north, east), (other_north, other_east) = (tuple(map(math.radians, each)) for each in (one, other))
    half = (
        math.sin((other_north - north) / 2) ** 2
        + math.cos(north) * math.cos(other_north) * math.sin((other_east - east) / 2) ** 2
    )
    return 2 * _EARTH_RADIUS_M * math.asin(math.sqrt(half))


_AXIS_M, _FLATTENING, _SCALE = 6_378_137.0, 1 / 298.257223563, 0.9996


def mean_longitude(longitudes: Sequence[float]) -> float:
    """The middle of longitudes in degrees; across 180 degrees that of the shorter way round."""
    wraps = max(longitudes) - min(longitudes) > 180
    turned = [each + 360 if wraps and each < 0 else each for each in longitudes]
    middle = sum(turned) / len(turned)
    return middle - 360 if middle >= 180 else middle


def planar(positions: Mapping[str, tuple[float, float]]) -> tuple[str, dict[str, tuple[float, float]]]:
    """The coordinate system, and easting and northing in metres of each place: UTM, all in the zone of their middle.

    `positions`: latitude and longitude in degrees, WGS 84. By Krueger's series to the third order (Karney 2011): within
    a millimetre of the projection in its zone.
    """
    if not positions:
        return "", {}
    middle = mean_longitude([longitude for _, longitude in positions.values()])
    zone = min(60, int((middle + 180) // 6) + 1)
    south = sum(latitude for latitude, _ in positions.values()) < 0
    found = {name: _project(*position, zone * 6 - 183, south=south) for name, position in positions.items()}
    return f"EPSG:{32700 + zone if south else 32600 + zone}", found


def _project(latitude: float, longitude: float, meridian: float, *, south: bool) -> tuple[float, float]:
    n = _FLATTENING / (2 - _FLATTENING)
    radius = _AXIS_M / (1 + n) * (1 + n**2 / 4 + n**4 / 64)
    alpha = (
        n / 2 - 2 * n**2 / 3 + 5 * n**3 / 16,
        13 * n**2 / 48 - 3 * n**3 / 5,
        61 * n**3 / 240,
    )
    root = 2 * math.sqrt(n) / (1 + n)
    north, east = math.radians(latitude), math.radians((longitude - meridian + 180) % 360 - 180)
    sine = math.sin(north)
    tangent = math.sinh(math.atanh(sine) - root * math.atanh(root * sine))
    xi, eta = math.atan2(tangent, math.cos(east)), math.atanh(math.sin(east) / math.hypot(1, tangent))
    y = xi + sum(a * math.sin(2 * j * xi) * math.cosh(2 * j * eta) for j, a in enumerate(alpha, 1))
    x = eta + sum(a * math.cos(2 * j * xi) * math.sinh(2 * j * eta) for j, a in enumerate(alpha, 1))
    return 500_000 + _SCALE * radius * x, (10_000_000 if south else 0) + _SCALE * radius * y
