"""What the page of numbers shows, and its tables for downloads."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel

from uncia.dashboard.catalogue.filters import NO_TAXON
from uncia.dashboard.catalogue.number_rows import ConfusedPair
from uncia.dashboard.catalogue.numbers import CameraPosition
from uncia.dashboard.web.burst_query import BurstQuery
from uncia.dashboard.web.map_plot import MapLayout, MapPoint, map_layout
from uncia.dashboard.web.plots import BarChart, LineChart, bar_chart, line_chart

__all__ = ["TABLES", "CameraView", "Measure", "NumbersPage", "Table", "places_of"]

CATEGORIES = ("animal", "person", "vehicle", "blank", "")
INTERVALS = (0, 1, 10, 30, 60, 1440)


class Measure(StrEnum):
    """What the circles of the map stand for."""

    BURSTS = "bursts"
    INDEPENDENT = "independent"
    RATE = "rate"
    """Independent detections per 100 trap nights."""
    TAXA = "taxa"
    NIGHTS = "nights"
    BLANK = "blank"
    """Share of blank bursts."""


class SubjectView(BaseModel):
    """A taxon, or a category where no taxon is named."""

    subject: str
    label: str
    category: str
    bursts: int
    independent: int
    per_100_nights: float | None
    """Independent detections per 100 trap nights; None without effort."""
    cameras: int
    occupancy: float | None
    """Naive occupancy: share of the cameras that saw it."""
    first_seen: datetime
    hours: list[int]
    """Independent detections in each of the 24 hours, by the cameras' clocks."""


class DayView(BaseModel):
    """One day."""

    day: date
    counts: dict[str, int]


class AccumulationPoint(BaseModel):
    """Number of taxa that were seen up to a day."""

    day: date
    taxa: int
    newest: str


class RarefactionPoint(BaseModel):
    """Expected number of taxa among so many independent detections."""

    detections: int
    taxa: float


class CameraView(BaseModel):
    """Counts and effort of one camera."""

    camera: str
    station: str
    nights: int
    active_days: int
    deployed: bool
    """Whether the nights come from deployments; otherwise from the first to the last photograph."""
    bursts: int
    blank: int
    blank_share: float | None
    independent: int
    per_100_nights: float | None
    taxa: int
    """Number of names of animals, species and higher taxa alike."""


class PlaceView(BaseModel):
    """Cameras at one place of the map: rounded positions often coincide."""

    latitude: float
    longitude: float
    uncertainty_m: float | None
    cameras: list[str]
    value: float
    text: str
    """The value as text."""
    href: str
    """Their bursts."""


class NumbersPage(BaseModel):
    """Counts of the bursts that the query allows."""

    query: BurstQuery
    interval: int
    measure: Measure
    bursts: int
    blank_share: float | None
    """Share of bursts without an animal, person or vehicle."""
    nights: int
    cameras: int
    subjects: list[SubjectView]
    days: list[DayView]
    accumulation: list[AccumulationPoint]
    rarefaction: list[RarefactionPoint]
    expected_taxa: float | None
    """Chao1: lower bound of the number of taxa, seen or not; None without a detection of an animal."""
    confusion: list[ConfusedPair]
    agreement: float | None
    """Share of reviewed bursts that people call what the models call them."""
    effort: list[CameraView]
    positions: list[CameraPosition]
    places: list[PlaceView]
    withheld: int
    """Cameras whose positions the caller may not see, or that have none."""
    tiles: str
    """Address of the background of the map, with `{z}`, `{x}` and `{y}`; empty: none."""

    def encoded(self, **changes: Any) -> str:
        """The query of an address of this page; `changes` replace `interval` and `measure`."""
        own = {"interval": self.interval, "measure": self.measure, **changes}
        filters = self.query.encoded(after=None)
        return "&".join([*(f"{name}={value}" for name, value in own.items()), *([filters] if filters else [])])

    def intervals(self) -> list[int]:
        """The intervals to choose from, in minutes."""
        return sorted({*INTERVALS, self.interval})

    def accumulation_titles(self) -> list[str]:
        """What each point of the accumulation stands for."""
        return [f"{one.day}: {one.newest} ({one.taxa})" for one in self.accumulation]

    def kept(self) -> list[tuple[str, str]]:
        """Names and values that a form with dates, interval and measure must keep."""
        return parse_qsl(self.query.encoded(after=None, since=None, until=None))

    def limits(self) -> list[tuple[str, str, str]]:
        """The filters that limit the page, without dates: name, value, and the query without this one."""
        found: list[tuple[str, str, str]] = []
        for name, value in self.query.model_dump(mode="json", exclude_defaults=True).items():
            if name in ("since", "until", "order", "after"):
                continue
            for one in value if isinstance(value, list) else [value]:
                rest = tuple(other for other in value if other != one) if isinstance(value, list) else None
                without = self.model_copy(update={"query": self.query.model_copy(update={name: rest})})
                parameter = BurstQuery.model_fields[name].alias or name
                found.append((parameter, str(one), without.encoded()))
        return found

    def day_chart(self, width: float, height: float) -> BarChart:
        """Bursts over time."""
        counts = [(one.day, one.counts) for one in self.days]
        return bar_chart(counts, ("blank", "vehicle", "person", "animal"), width, height)

    def accumulation_chart(self, width: float, height: float) -> LineChart:
        """Taxa by date."""
        points = [(float(one.day.toordinal()), float(one.taxa)) for one in self.accumulation]
        if points and self.days:
            points.append((float(max(self.days[-1].day, self.accumulation[-1].day).toordinal()), points[-1][1]))
        return line_chart(
            points, width, height, steps=True, label=lambda value: date.fromordinal(round(value)).isoformat()
        )

    def rarefaction_chart(self, width: float, height: float) -> LineChart:
        """Expected taxa by detections, in a scale that has room for those that were missed."""
        points = [(float(one.detections), one.taxa) for one in self.rarefaction]
        return line_chart(points, width, height, most=self.expected_taxa or 0)

    def map(self, width: float, height: float) -> MapLayout:
        """The places as a drawing; there must be one."""
        points = [
            MapPoint(
                one.latitude,
                one.longitude,
                one.value,
                one.cameras[0] if len(one.cameras) == 1 else f"{len(one.cameras)} ×",
                one.uncertainty_m,
            )
            for one in self.places
        ]
        return map_layout(points, width, height)

    def matrix(self) -> "ConfusionMatrix":
        """Reviews against models, the most frequent first."""
        return ConfusionMatrix(self.confusion)

    def cell_query(self, model: str, human: str) -> str:
        """The query of the bursts of a cell in Browse."""
        return self.query.encoded(after=None, reviewed="yes", model=model or NO_TAXON, called=human or NO_TAXON)


class ConfusionMatrix:
    """Counts by what models and people call bursts. Rows and columns have one order: hits are on the diagonal."""

    def __init__(self, pairs: Sequence[ConfusedPair]) -> None:
        self.counts = {(pair.model, pair.human): pair.count for pair in pairs}
        sizes: dict[str, int] = {}
        for pair in pairs:
            sizes[pair.human] = sizes.get(pair.human, 0) + pair.count
            sizes.setdefault(pair.model, 0)
        order = sorted(sizes, key=lambda name: (-sizes[name], name))
        self.models = [name for name in order if any(model == name for model, _ in self.counts)]
        self.humans = [name for name in order if any(human == name for _, human in self.counts)]

    def recall(self, human: str) -> float | None:
        """Share of what people call so that the models call so, too."""
        own = sum(count for (_, name), count in self.counts.items() if name == human)
        return self.counts.get((human, human), 0) / own if own else None

    def precision(self, model: str) -> float | None:
        """Share of what the models call so that people call so, too."""
        own = sum(count for (name, _), count in self.counts.items() if name == model)
        return self.counts.get((model, model), 0) / own if own else None


def places_of(
    positions: Sequence[CameraPosition], cameras: Sequence[CameraView], measure: Measure, query: BurstQuery
) -> list[PlaceView]:
    """Cameras by place, with the value of the measure; of cameras that the query leaves out there is none."""
    known = {one.camera: one for one in cameras}
    places: dict[tuple[float, float], list[CameraPosition]] = {}
    for position in positions:
        if position.camera in known:
            places.setdefault((position.latitude, position.longitude), []).append(position)
    found = []
    for (latitude, longitude), own in places.items():
        value, text = _value([known[one.camera] for one in own], measure)
        names = [one.camera for one in own]
        uncertain = max((one.uncertainty_m for one in own if one.uncertainty_m is not None), default=None)
        href = query.address(after=None, camera=tuple(names))
        found.append(
            PlaceView(
                latitude=latitude,
                longitude=longitude,
                uncertainty_m=uncertain,
                cameras=names,
                value=value,
                text=text,
                href=href,
            )
        )
    return found


def _value(cameras: Sequence[CameraView], measure: Measure) -> tuple[float, str]:
    def total(name: str) -> int:
        return sum(getattr(one, name) for one in cameras)

    if measure is Measure.RATE:
        nights = total("nights")
        rate = 100 * total("independent") / nights if nights else 0.0
        return rate, f"{rate:.1f}" if nights else "–"
    if measure is Measure.BLANK:
        bursts = total("bursts")
        share = total("blank") / bursts if bursts else 0.0
        return share, f"{100 * share:.0f} %" if bursts else "–"
    if measure is Measure.TAXA:
        # The same taxon may be at several of them.
        most = max(one.taxa for one in cameras)
        return most, f"≥ {most}" if len(cameras) > 1 else str(most)
    value = total(measure.value)
    return value, str(value)


class Table(StrEnum):
    """Tables that can be downloaded."""

    SUBJECTS = "subjects"
    HOURS = "hours"
    DAYS = "days"
    ACCUMULATION = "accumulation"
    RAREFACTION = "rarefaction"
    CONFUSION = "confusion"
    EFFORT = "effort"
    MAP = "map"


def _fields(rows: Iterable[BaseModel], columns: Sequence[str]) -> tuple[list[str], list[tuple[Any, ...]]]:
    def cell(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat()
        return "; ".join(value) if isinstance(value, list) else value

    return list(columns), [tuple(cell(getattr(row, name)) for name in columns) for row in rows]


_SUBJECTS = ("subject", "label", "category", "bursts", "independent", "per_100_nights", "cameras", "occupancy")

TABLES: dict[Table, Callable[[NumbersPage], tuple[list[str], list[tuple[Any, ...]]]]] = {
    Table.SUBJECTS: lambda page: _fields(page.subjects, (*_SUBJECTS, "first_seen")),
    Table.HOURS: lambda page: (
        ["subject", "label", *(f"{hour:02d}" for hour in range(24))],
        [(one.subject, one.label, *one.hours) for one in page.subjects],
    ),
    Table.DAYS: lambda page: (
        ["day", "animal", "person", "vehicle", "blank", "unread"],
        [(one.day, *(one.counts.get(name, 0) for name in CATEGORIES)) for one in page.days],
    ),
    Table.ACCUMULATION: lambda page: _fields(page.accumulation, ("day", "taxa", "newest")),
    Table.RAREFACTION: lambda page: _fields(page.rarefaction, ("detections", "taxa")),
    Table.CONFUSION: lambda page: (
        ["model", "human", "bursts"],
        [(one.model, one.human, one.count) for one in page.confusion],
    ),
    Table.EFFORT: lambda page: _fields(page.effort, tuple(CameraView.model_fields)),
    Table.MAP: lambda page: _fields(page.places, ("latitude", "longitude", "uncertainty_m", "cameras", "value")),
}
