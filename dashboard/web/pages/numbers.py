"""Map and numbers: what is where, when, and how often; every table downloads as CSV, every plot as PNG."""

import csv
import io
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from uncia.dashboard.catalogue.numbers import CameraPosition, ConfusedPair, Effort
from uncia.dashboard.web.accounts.roles import Right
from uncia.dashboard.web.burst_query import BurstQuery
from uncia.dashboard.web.context import Context, Viewing
from uncia.dashboard.web.page_route import page

router = APIRouter(tags=["numbers"])

_MOST_CONFUSED = 20

Interval = Annotated[int, Query(ge=0, le=60 * 24 * 30, description="minutes between independent detections")]


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


class NumbersPage(BaseModel):
    """Counts of the bursts that the query allows."""

    query: BurstQuery
    interval: int
    bursts: int
    blank_share: float | None
    """Share of bursts without an animal, person or vehicle."""
    nights: int
    cameras: int
    subjects: list[SubjectView]
    days: list[DayView]
    accumulation: list[AccumulationPoint]
    confusion: list[ConfusedPair]
    agreement: float | None
    """Share of reviewed bursts that people call what the models call them."""
    effort: list[Effort]
    positions: list[CameraPosition]

    def points(self) -> list[tuple[float, float]]:
        """The accumulation as points: day number and number of taxa."""
        return [(float(one.day.toordinal()), float(one.taxa)) for one in self.accumulation]


class Table(StrEnum):
    """Tables that can be downloaded."""

    SUBJECTS = "subjects"
    HOURS = "hours"
    DAYS = "days"
    ACCUMULATION = "accumulation"
    CONFUSION = "confusion"
    EFFORT = "effort"


@page(router, "/numbers", "numbers.html.j2")
def show_numbers(context: Viewing, query: Annotated[BurstQuery, Query()], interval: Interval = 30) -> NumbersPage:
    """Counts of the bursts that the query allows."""
    return _numbers(context, query, interval)


@router.get("/numbers/{table}.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def download(
    context: Viewing, table: Table, query: Annotated[BurstQuery, Query()], interval: Interval = 30
) -> Response:
    """A table of the page as CSV in UTF-8."""
    numbers = _numbers(context, query, interval)
    text = write_csv(*_TABLES[table](numbers))
    name = f'attachment; filename="uncia-{table}.csv"'
    return Response(text, media_type="text/csv; charset=utf-8", headers={"content-disposition": name})


def write_csv(columns: list[str], rows: Iterable[Iterable[Any]]) -> str:
    """Rows as CSV. Text that a spreadsheet would run as a formula gets an apostrophe in front."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_harmless(value) for value in row])
    return out.getvalue()


def _harmless(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip()[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return "" if value is None else value


def _numbers(context: Context, query: BurstQuery, interval: int) -> NumbersPage:
    numbers, stations = context.services.numbers, context.caller.stations
    chosen = query.to_filter()
    subjects = numbers.subjects(chosen, interval * 60, stations)
    effort = [
        one
        for one in numbers.effort(query.since, query.until, stations)
        if (not query.station or one.station in query.station) and (not query.camera or one.camera in query.camera)
    ]
    nights, cameras = sum(one.nights for one in effort), sum(1 for one in effort if one.nights or one.active_days)
    hours: dict[str, list[int]] = {}
    for hour in numbers.hours(chosen, interval * 60, stations):
        hours.setdefault(hour.subject, [0] * 24)[hour.hour] = hour.count
    days: dict[date, dict[str, int]] = {}
    for one in numbers.days(chosen, stations):
        days.setdefault(one.day, {})[one.category] = one.count
    total = sum(count for counts in days.values() for count in counts.values())
    blanks = sum(counts.get("blank", 0) for counts in days.values())
    confusion = sorted(numbers.confusion(chosen, stations), key=lambda pair: -pair.count)
    reviewed = sum(pair.count for pair in confusion)
    return NumbersPage(
        query=query,
        interval=interval,
        bursts=total,
        blank_share=blanks / total if total else None,
        nights=nights,
        cameras=cameras,
        subjects=[
            SubjectView(
                subject=one.subject,
                label=one.label,
                category=one.category,
                bursts=one.bursts,
                independent=one.independent,
                per_100_nights=round(100 * one.independent / nights, 2) if nights else None,
                cameras=one.cameras,
                occupancy=round(one.cameras / cameras, 3) if cameras else None,
                first_seen=one.first_seen,
                hours=hours.get(one.subject, [0] * 24),
            )
            for one in subjects
        ],
        days=[DayView(day=day, counts=counts) for day, counts in _without_gaps(days)],
        accumulation=[
            AccumulationPoint(day=one.first_seen.date(), taxa=at, newest=one.label)
            for at, one in enumerate(
                sorted((one for one in subjects if one.category == "animal"), key=lambda one: one.first_seen), 1
            )
        ],
        confusion=confusion[: _MOST_CONFUSED * _MOST_CONFUSED],
        agreement=sum(pair.count for pair in confusion if pair.model == pair.human) / reviewed if reviewed else None,
        effort=effort,
        positions=numbers.positions(context.caller.may(Right.EXACT_POSITIONS), stations),
    )


def _without_gaps(days: dict[date, dict[str, int]]) -> Iterable[tuple[date, dict[str, int]]]:
    """Days from the first to the last, those without a burst included; of a clock in 1970 only its own days."""
    if not days:
        return []
    first, last = min(days), max(days)
    if (last - first).days > 1500:
        return sorted(days.items())
    every = (first + timedelta(days=at) for at in range((last - first).days + 1))
    return [(day, days.get(day, {})) for day in every]


_CATEGORIES = ("animal", "person", "vehicle", "blank", "")

_TABLES: dict[Table, Callable[[NumbersPage], tuple[list[str], list[tuple[Any, ...]]]]] = {
    Table.SUBJECTS: lambda page: (
        [
            "subject",
            "label",
            "category",
            "bursts",
            "independent",
            "per_100_nights",
            "cameras",
            "occupancy",
            "first_seen",
        ],
        [
            (
                one.subject,
                one.label,
                one.category,
                one.bursts,
                one.independent,
                one.per_100_nights,
                one.cameras,
                one.occupancy,
                one.first_seen.isoformat(),
            )
            for one in page.subjects
        ],
    ),
    Table.HOURS: lambda page: (
        ["subject", "label", *(f"{hour:02d}" for hour in range(24))],
        [(one.subject, one.label, *one.hours) for one in page.subjects],
    ),
    Table.DAYS: lambda page: (
        ["day", "animal", "person", "vehicle", "blank", "unread"],
        [(one.day, *(one.counts.get(name, 0) for name in _CATEGORIES)) for one in page.days],
    ),
    Table.ACCUMULATION: lambda page: (
        ["day", "taxa", "newest"],
        [(one.day, one.taxa, one.newest) for one in page.accumulation],
    ),
    Table.CONFUSION: lambda page: (
        ["model", "human", "bursts"],
        [(one.model, one.human, one.count) for one in page.confusion],
    ),
    Table.EFFORT: lambda page: (
        ["camera", "station", "nights", "active_days", "from_deployments"],
        [(one.camera, one.station, one.nights, one.active_days, one.deployed) for one in page.effort],
    ),
}
