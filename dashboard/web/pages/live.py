"""The live page: the newest bursts, changing in place, and the state of the pipeline."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Query, Response
from fastapi.responses import HTMLResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel

from uncia.dashboard.catalogue.filters import BurstFilter
from uncia.dashboard.catalogue.rows import AlertChange
from uncia.dashboard.web.alert_view import AlertView, alert_view
from uncia.dashboard.web.burst_view import BurstView, burst_view, newest_day
from uncia.dashboard.web.context import Viewing, still_valid
from uncia.dashboard.web.page_route import page
from uncia.dashboard.web.services import RenderedChange
from uncia.dashboard.web.strings import TEXT

router = APIRouter(tags=["live"])

_SHOWN = 24
_REJECTIONS = 8


class LivePage(BaseModel):
    """The newest bursts."""

    sequence: int
    """The change up to which the page is complete: `/events/bursts?after=` continues with the next."""
    bursts: list[BurstView]
    more: bool
    """Whether there are older ones."""
    ahead: bool
    """Whether bursts of clocks that are ahead are listed, too: there are no others."""
    chosen: BurstView | None
    """The burst that is shown large instead of the newest."""
    newest_alert: AlertView | None
    """The open alert that was raised last."""


class WorkerLag(BaseModel):
    """Messages that a worker has not processed yet."""

    name: str
    lag: int
    stopped: bool = False
    """It has run, and no process of it runs now."""


class RejectedFile(BaseModel):
    """A file that could not be predicted."""

    camera: str
    key: str
    reason: str
    message: str
    uploaded_at: datetime


class PipelinePage(BaseModel):
    """The state of the pipeline."""

    workers: list[WorkerLag]
    problem: str | None
    """Why the lags are not known."""
    rejections: list[RejectedFile]


@page(router, "/", "live.html.j2")
def show_live(
    context: Viewing,
    burst: Annotated[str | None, Query(max_length=100, description="the burst to show large")] = None,
) -> LivePage:
    """The bursts that were captured last, and the number of the last change.

    Bursts of clocks that are ahead are left out where there are others: they would be the newest until their date has
    come.
    """
    catalogue, stations = context.services.catalogue, context.caller.stations
    # Before the bursts: a change in between is then sent again, and not lost.
    sequence = catalogue.newest_change()
    found = catalogue.bursts(BurstFilter(until=newest_day()), limit=_SHOWN, stations=stations)
    ahead = not found.rows
    if ahead:
        found = catalogue.bursts(limit=_SHOWN, stations=stations)
    chosen = catalogue.burst(burst, stations=stations) if burst else None
    alert = context.services.alerts.open(stations).newest
    return LivePage(
        sequence=sequence,
        bursts=[burst_view(row) for row in found.rows],
        more=found.after is not None,
        ahead=ahead,
        chosen=burst_view(chosen.burst) if chosen else None,
        newest_alert=alert_view(alert) if alert else None,
    )


@page(router, "/live/pipeline", "live_pipeline.html.j2")
def show_pipeline(context: Viewing) -> PipelinePage:
    """The lag of each worker, and the files that were rejected last."""
    services = context.services
    status = services.stream_status()
    lags: dict[str, int] = {}
    for one in status.lag:
        lags[one.worker] = lags.get(one.worker, 0) + one.messages
    rejected = services.catalogue.rejections(_REJECTIONS, stations=context.caller.stations)
    return PipelinePage(
        workers=[WorkerLag(name=name, lag=lag, stopped=name in status.stopped) for name, lag in lags.items()],
        problem=status.problem,
        rejections=[
            RejectedFile(
                camera=one.camera,
                key=one.key,
                reason=one.rejection_reason or "",
                message=one.rejection_message or "",
                uploaded_at=one.uploaded_at,
            )
            for one in rejected
        ],
    )


@router.get("/live/hero/{burst_id}", include_in_schema=False, response_class=HTMLResponse)
def show_hero(context: Viewing, burst_id: str) -> Response:
    """One burst, large, as a part of the page."""
    found = context.services.catalogue.burst(burst_id, stations=context.caller.stations)
    if found is None:
        raise HTTPException(404, TEXT["error.not_found"])
    return HTMLResponse(context.services.templates.part("hero", burst_view(found.burst)))


@router.get("/live/stream", include_in_schema=False, response_class=EventSourceResponse)
async def live_stream(
    context: Viewing,
    after: Annotated[int | None, Query(ge=0)] = None,
    last_event_id: Annotated[str, Header()] = "",
) -> AsyncIterator[ServerSentEvent]:
    """Changes as parts of the page."""
    async for position, change in _changes(context, stream_position(after, last_event_id), with_alerts=True):
        if isinstance(change, str):
            yield ServerSentEvent(event="alert", id=position, raw_data=change)
        else:
            yield ServerSentEvent(event="burst", id=position, raw_data=change.parts)


@router.get("/alerts/stream", include_in_schema=False, response_class=EventSourceResponse)
async def alert_stream(
    context: Viewing,
    after: Annotated[int | None, Query(ge=0)] = None,
    last_event_id: Annotated[str, Header()] = "",
) -> AsyncIterator[ServerSentEvent]:
    """Changes of alerts, for their pages."""
    async for position, change in _changes(context, stream_position(after, last_event_id), with_alerts=True):
        if isinstance(change, str):
            yield ServerSentEvent(event="alert", id=position, raw_data=change)


@router.get("/events/bursts", response_class=EventSourceResponse, tags=["api"])
async def burst_events(
    context: Viewing,
    after: Annotated[int | None, Query(ge=0, description="the last change that was seen; empty: from now on")] = None,
    last_event_id: Annotated[str, Header(description="as `after`; browsers send it when they reconnect")] = "",
) -> AsyncIterator[ServerSentEvent]:
    """Every change of a burst that the caller may see, as server-sent events named `burst`, with the burst as it is
    now, reviews included. From the catalogue: many clients cost little. A client that
    reconnects with the last id that it got misses nothing; it may get a change twice."""
    async for position, change in _changes(context, stream_position(after, last_event_id)):
        if not isinstance(change, str):
            yield ServerSentEvent(event="burst", id=position, raw_data=change.view)


def stream_position(after: int | None, last_event_id: str) -> int | None:
    """What the client saw last: the header is newer than the address, which stays as it was when it connected."""
    return int(last_event_id) if last_event_id.isdecimal() and len(last_event_id) < 19 else after


async def _changes(
    context: Viewing, after: int | None, *, with_alerts: bool = False
) -> AsyncIterator[tuple[str | None, RenderedChange | str]]:
    """Bursts as parts of the page, and changes of alerts."""
    services, valid = context.services, still_valid(context)
    async for change, position in services.feed.follow(after):
        at = None if position is None else str(position)
        if isinstance(change, AlertChange):
            update = await services.alert_update(change, context.caller.stations) if with_alerts else None
            if update is None:
                continue
            if not await valid():
                return
            yield at, update
            continue
        rendered = await services.rendered(change)
        if rendered is None or not context.caller.may_see(rendered.station):
            continue
        if not await valid():
            return
        yield at, rendered
