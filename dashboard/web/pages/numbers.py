"""Map and numbers: what is where, when, and how often; every table downloads as CSV, every plot also as PNG."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from uncia.camtrap.csv_cells import escape_formula
from uncia.dashboard.catalogue.accumulation import chao1, distinct_taxa, rarefaction_curve
from uncia.dashboard.catalogue.camera_effort import Effort
from uncia.dashboard.catalogue.number_rows import BurstNumbers, CameraCount, SubjectCount
from uncia.dashboard.web.burst_query import BurstQuery
from uncia.dashboard.web.context import Context, Viewing
from uncia.dashboard.web.number_views import (
    TABLES,
    AccumulationPoint,
    CameraView,
    DayView,
    Measure,
    NumbersPage,
    RarefactionPoint,
    SubjectView,
    Table,
    places_of,
)
from uncia.dashboard.web.page_route import page
from uncia.dashboard.web.pages.tiles import tile_address

router = APIRouter(tags=["numbers"])

_MOST_PAIRS = 400

Interval = Annotated[int, Query(ge=0, le=60 * 24 * 30, description="minutes between independent detections")]
Measured = Annotated[Measure, Query(description="what the circles of the map stand for")]


@page(router, "/numbers", "numbers.html.j2")
def show_numbers(
    context: Viewing, query: Annotated[BurstQuery, Query()], interval: Interval = 30, measure: Measured = Measure.RATE
) -> NumbersPage:
    """Counts of the bursts that the query allows."""
    return _numbers(context, query, interval, measure)


@router.get("/numbers/{table}.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def download(
    context: Viewing,
    table: Table,
    query: Annotated[BurstQuery, Query()],
    interval: Interval = 30,
    measure: Measured = Measure.RATE,
) -> Response:
    """A table of the page as CSV in UTF-8."""
    return csv_response(f"uncia-{table}", *TABLES[table](_numbers(context, query, interval, measure)))


def csv_response(name: str, columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> Response:
    """Rows as a file for download."""
    headers = {"content-disposition": f'attachment; filename="{name}.csv"'}
    return Response(write_csv(list(columns), rows), media_type="text/csv; charset=utf-8", headers=headers)


def write_csv(columns: list[str], rows: Iterable[Iterable[Any]]) -> str:
    """Rows as CSV. Text that a spreadsheet would run as a formula gets an apostrophe in front."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([escape_formula(value) for value in row])
    return out.getvalue()


def _numbers(context: Context, query: BurstQuery, interval: int, measure: Measure) -> NumbersPage:
    numbers, stations = context.services.numbers, context.caller.stations
    chosen, interval_s = query.to_filter(), interval * 60
    counted = numbers.bursts(chosen, interval_s, stations)
    effort = [
        one
        for one in numbers.effort(query.since, query.until, stations)
        if (not query.station or one.station in query.station) and (not query.camera or one.camera in query.camera)
    ]
    cameras = _cameras(effort, counted.by_camera)
    nights, sites = sum(one.nights for one in effort), sum(1 for one in effort if one.nights or one.active_days)
    days: dict[date, dict[str, int]] = {}
    for one in counted.days:
        days.setdefault(one.day, {})[one.category] = one.count
    total = sum(one.count for one in counted.days)
    blanks = sum(one.count for one in counted.days if one.category == "blank")
    confusion = sorted(counted.confusion, key=lambda pair: (-pair.count, pair.model, pair.human))
    reviewed = sum(pair.count for pair in confusion)
    hits = sum(pair.count for pair in confusion if pair.model == pair.human)
    seen = _seen_taxa(context, counted.subjects)
    counts = [one.independent for one in seen]
    positions = context.positions()
    placed = {one.camera for one in positions}
    return NumbersPage(
        query=query,
        interval=interval,
        measure=measure,
        bursts=total,
        blank_share=blanks / total if total else None,
        nights=nights,
        cameras=sites,
        subjects=_subjects(counted, nights, sites),
        days=[DayView(day=day, counts=own) for day, own in _without_gaps(days)],
        accumulation=[
            AccumulationPoint(day=one.first_seen.date(), taxa=at, newest=one.label)
            for at, one in enumerate(sorted(seen, key=lambda one: one.first_seen), 1)
        ],
        rarefaction=[
            RarefactionPoint(detections=sample, taxa=round(taxa, 3)) for sample, taxa in rarefaction_curve(counts)
        ],
        expected_taxa=round(chao1(counts), 2) if counts else None,
        confusion=confusion[:_MOST_PAIRS],
        agreement=hits / reviewed if reviewed else None,
        effort=cameras,
        positions=positions,
        places=places_of(positions, cameras, measure, query),
        withheld=sum(1 for one in cameras if one.camera not in placed),
        tiles=tile_address(context.services.settings.dashboard_tiles),
    )


def _subjects(counted: BurstNumbers, nights: int, cameras: int) -> list[SubjectView]:
    hours: dict[str, list[int]] = {}
    for hour in counted.hours:
        hours.setdefault(hour.subject, [0] * 24)[hour.hour] = hour.count
    return [
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
        for one in counted.subjects
    ]


def _cameras(effort: Sequence[Effort], counts: dict[str, CameraCount]) -> list[CameraView]:
    none = CameraCount(0, 0, 0, 0)
    found = []
    for one in effort:
        own = counts.get(one.camera, none)
        found.append(
            CameraView(
                camera=one.camera,
                station=one.station,
                nights=one.nights,
                active_days=one.active_days,
                deployed=one.deployed,
                bursts=own.bursts,
                blank=own.blank,
                blank_share=round(own.blank / own.bursts, 3) if own.bursts else None,
                independent=own.independent,
                per_100_nights=round(100 * own.independent / one.nights, 2) if one.nights else None,
                taxa=own.taxa,
            )
        )
    return found


def _seen_taxa(context: Context, subjects: Iterable[SubjectCount]) -> list[SubjectCount]:
    """The animals with a name, without higher taxa of which a lower one was seen, too."""
    named = [one for one in subjects if one.category == "animal" and one.subject != "animal"]
    distinct = distinct_taxa([one.subject for one in named], context.services.numbers.taxonomy)
    return [one for one in named if one.subject in distinct]


def _without_gaps(days: dict[date, dict[str, int]]) -> Iterable[tuple[date, dict[str, int]]]:
    """Days from the first to the last, those without a burst included; of a clock in 1970 only its own days."""
    if not days:
        return []
    first, last = min(days), max(days)
    if (last - first).days > 1500:
        return sorted(days.items())
    every = (first + timedelta(days=at) for at in range((last - first).days + 1))
    return [(day, days.get(day, {})) for day in every]
