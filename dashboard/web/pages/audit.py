"""Audit: how often verdicts are wrong, by camera and month, and which cameras' scores have drifted."""

from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, BeforeValidator, Field

from uncia.dashboard.catalogue.filters import BurstFilter
from uncia.dashboard.verdict_audit.queries import AuditCell, first_month
from uncia.dashboard.verdict_audit.rates import Audited, Rate
from uncia.dashboard.web.alert_view import AlertView, alert_view
from uncia.dashboard.web.context import Viewing
from uncia.dashboard.web.list_query import empty_is_none
from uncia.dashboard.web.page_route import page
from uncia.events import AlertCause

router = APIRouter(tags=["audit"])

PERIODS = (3, 6, 12, 24)
MOST_ROWS = 300
"""Rows of cameras and months on the page; the JSON has all."""


class RateView(BaseModel):
    """A share and its interval of 95 %, each 0 to 1."""

    value: float
    low: float
    high: float


class SampleView(BaseModel):
    """The sample of one kind of verdict."""

    bursts: int
    """All bursts with such a verdict."""
    sampled: int
    decided: int
    undecided: int
    """The reviewer could not tell."""
    wrong: int
    error: RateView | None
    """The share of wrong verdicts; None: too few reviews."""


class CellView(BaseModel):
    """One camera (None: all) in one month (None: all)."""

    camera: str | None
    month: date | None
    missed: RateView | None
    """The false-negative rate; None: too few reviews, or no animal."""
    blank: SampleView
    confident: SampleView


class AuditPage(BaseModel):
    """Rates of the bursts of some months."""

    share_blank: float
    share_confident: float
    confidence: float
    """Probability from which an animal is a confident verdict."""
    months: int
    since: date
    camera: str | None
    """Only this camera; None: all."""
    cameras: list[str]
    """Those that can be chosen."""
    waiting: int
    """Bursts of the sample without a review, of any camera and time: a queue of few bursts tells what they are."""
    total: CellView
    by_month: list[CellView]
    """Sums of the cameras; the newest first."""
    cells: list[CellView]
    """By camera and month; the newest first."""
    drifted: list[AlertView]
    """Alerts about drifted scores that are not withdrawn."""

    @property
    def periods(self) -> list[int]:
        """The numbers of months that can be chosen."""
        return sorted({*PERIODS, self.months})

    @property
    def rows(self) -> list[CellView]:
        """The cells that the page shows."""
        return self.cells[:MOST_ROWS]


@page(router, "/audit", "audit.html.j2")
def show_audit(
    context: Viewing,
    months: Annotated[int, Query(ge=1, le=120, description="number of months, up to the present one")] = 12,
    camera: Annotated[
        Annotated[str, Field(max_length=1024)] | None,
        BeforeValidator(empty_is_none),
        Query(description="`<station>/<camera>`"),
    ] = None,
) -> AuditPage:
    """Rates by camera and month from the reviews of the sample, and alerts about drifted scores."""
    audit, stations = context.services.verdict_audit, context.caller.stations
    since = first_month(datetime.now(UTC).date(), months)
    found = audit.rates(since, camera, stations)
    drifted = context.services.alerts.standing(AlertCause.SCORE_DRIFT, stations)
    return AuditPage(
        share_blank=audit.sample.blank,
        share_confident=audit.sample.confident,
        confidence=audit.sample.confidence,
        months=months,
        since=since,
        camera=camera,
        cameras=sorted(context.services.catalogue.cameras(stations)),
        waiting=audit.waiting(BurstFilter(), stations),
        total=_cell(found.total),
        by_month=[_cell(cell) for cell in reversed(found.months)],
        cells=[_cell(cell) for cell in sorted(found.cells, key=_newest_first)],
        drifted=[alert_view(row) for row in drifted if camera is None or row.camera == camera],
    )


def _newest_first(cell: AuditCell) -> tuple[int, str]:
    return -(cell.month or date.min).toordinal(), cell.camera


def _cell(cell: AuditCell) -> CellView:
    return CellView(
        camera=cell.camera or None,
        month=cell.month,
        missed=_rate(cell.missed),
        blank=_sample(cell.blank, cell.verdicts.blank),
        confident=_sample(cell.confident, cell.verdicts.confident),
    )


def _sample(audited: Audited, bursts: int) -> SampleView:
    return SampleView(
        bursts=bursts,
        sampled=audited.sampled,
        decided=audited.decided,
        undecided=audited.undecided,
        wrong=audited.wrong,
        error=_rate(audited.error),
    )


def _rate(rate: Rate | None) -> RateView | None:
    return None if rate is None else RateView(value=rate.value, low=rate.low, high=rate.high)
