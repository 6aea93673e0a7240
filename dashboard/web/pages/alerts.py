"""Alerts: the list, one with its bursts and why it was raised, and what people do about them."""

import time
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Form, HTTPException, Query, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, StringConstraints

from uncia.dashboard.catalogue.rows import AlertHandling, AlertMute, AlertRevision, AlertRow
from uncia.dashboard.web.alert_handling import MUTE_HOURS, acknowledgement, mute_event
from uncia.dashboard.web.alert_query import AlertQuery
from uncia.dashboard.web.alert_view import AlertBurstView, AlertView, alert_href, alert_view, burst_facts
from uncia.dashboard.web.burst_view import BurstView, burst_view
from uncia.dashboard.web.context import AlertChanges, Context, Viewing
from uncia.dashboard.web.page_route import page
from uncia.dashboard.web.strings import TEXT, text
from uncia.dashboard.web.templating import minute
from uncia.events import AlertHandled

router = APIRouter(tags=["alerts"])

log = structlog.get_logger(__name__)

_PAGE = 40
_FOLDED_WITHIN_S = 2.0
"""A page that is shown after a change waits for the catalogue, which takes well below a second."""
_FOLDED_POLL_S = 0.05

_Name = Annotated[str, StringConstraints(max_length=1024)]
_Note = Annotated[str, StringConstraints(max_length=1000)]


class Done(StrEnum):
    """What a person has just done; the page confirms it."""

    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    MUTED = "muted"
    UNMUTED = "unmuted"


class AlertsPage(BaseModel):
    """One page of the list of alerts."""

    sequence: int
    """The change up to which the page is complete."""
    query: AlertQuery
    alerts: list[AlertView]
    after: str | None
    """`after` of the next page; None: this is the last."""
    open: int
    """Alerts of the last 30 days that are neither withdrawn nor acknowledged nor muted, whatever the filters."""
    mutes: list[AlertMute]
    rules: list[str]
    stations: list[str]
    cameras: list[str]
    done: Done | None = None


class OneAlertPage(BaseModel):
    """One alert."""

    sequence: int
    alert: AlertView
    bursts: list[BurstView]
    """Those of the alert that the catalogue has, as they are now."""
    facts: list[AlertBurstView]
    """All of the alert, by the verdicts that the rule saw."""
    revisions: list[AlertRevision]
    history: list[AlertHandling]
    mute_hours: tuple[int, ...] = MUTE_HOURS
    seen_mutes: str
    """The mutes in force when the page was shown, for its form."""
    done: Done | None = None


@page(router, "/alerts", "alerts.html.j2")
def show_alerts(
    context: Viewing,
    query: Annotated[AlertQuery, Query()],
    done: Annotated[Done | None, Query(include_in_schema=False)] = None,
) -> AlertsPage:
    """Alerts by the filters of the query, the last raised first."""
    return _list(context, query, done)


@page(router, "/alerts/{alert_id}", "alert.html.j2")
def show_alert(
    context: Viewing, alert_id: str, done: Annotated[Done | None, Query(include_in_schema=False)] = None
) -> OneAlertPage:
    """One alert: its bursts, what the rule saw in them, its revisions, and who acknowledged it."""
    return _one(context, alert_id, done)


@router.post("/alerts/{alert_id}/acknowledge", include_in_schema=False, response_class=HTMLResponse)
def acknowledge(
    context: AlertChanges,
    alert_id: str,
    revision: Annotated[int, Form(ge=1)],
    seen: Annotated[_Name, Form()] = "",
    note: Annotated[_Note, Form()] = "",
) -> Response:
    """Acknowledge an alert. `seen`: the acknowledgement, or its end, that the page showed."""
    return _acknowledge(context, alert_id, revision, seen, note, undo=False)


@router.post("/alerts/{alert_id}/unacknowledge", include_in_schema=False, response_class=HTMLResponse)
def take_back(
    context: AlertChanges,
    alert_id: str,
    revision: Annotated[int, Form(ge=1)],
    seen: Annotated[_Name, Form()] = "",
) -> Response:
    """Take an acknowledgement back, one's own or another's: the alert is open again."""
    return _acknowledge(context, alert_id, revision, seen, "", undo=True)


@router.post("/alerts/mutes", include_in_schema=False, response_class=HTMLResponse)
def mute(
    context: AlertChanges,
    alert: Annotated[_Name, Form(description="the alert whose rule and camera are meant")],
    what: Annotated[Literal["rule", "camera", "both"], Form()],
    hours: Annotated[int, Form()],
    seen: Annotated[str, Form(max_length=20_000, description="the mutes that the page showed")] = "",
    note: Annotated[_Note, Form()] = "",
) -> Response:
    """Mute the rule of an alert, its camera, or the rule at the camera."""
    found = _alert(context, alert)
    if hours not in MUTE_HOURS:
        raise HTTPException(422, TEXT["alert.refused.hours"])
    rule, camera = ("" if what == "camera" else found.rule), ("" if what == "rule" else found.camera)
    if what == "rule":
        _require_everywhere(context)
    last = context.services.alerts.mute(rule, camera)
    if last and last.until and last.until > datetime.now(UTC) and last.handling_id not in seen.split():
        problem = text("alert.refused.muted", by=last.account, when=minute(last.until))
        return _refused(context, found.alert_id, problem)
    event = mute_event(rule, camera, hours, context.caller.name, datetime.now(UTC), note)
    return _publish(context, event, alert_href(found.alert_id), Done.MUTED)


@router.post("/alerts/mutes/end", include_in_schema=False, response_class=HTMLResponse)
def end_mute(
    context: AlertChanges,
    rule: Annotated[_Name, Form()] = "",
    camera: Annotated[_Name, Form()] = "",
    seen: Annotated[_Name, Form()] = "",
    alert: Annotated[_Name, Form(description="the alert whose page is shown then")] = "",
) -> Response:
    """End a mute before its time."""
    if camera:
        context.require_station(camera.partition("/")[0])
    else:
        _require_everywhere(context)
    last = context.services.alerts.mute(rule, camera)
    if last is None:
        raise HTTPException(404, TEXT["error.not_found"])
    if last.handling_id != seen:
        problem = (
            text("alert.refused.muted", by=last.account, when=minute(last.until))
            if last.until
            else text("alert.refused.unmuted", by=last.account)
        )
        return _refused(context, alert, problem)
    event = mute_event(rule, camera, None, context.caller.name, datetime.now(UTC))
    return _publish(context, event, alert_href(alert) if alert else "/alerts", Done.UNMUTED)


def _acknowledge(context: Context, alert_id: str, revision: int, seen: str, note: str, *, undo: bool) -> Response:
    alert = _alert(context, alert_id)
    if alert.handling_id is not None and alert.handling_id != seen:
        which = "acknowledged" if alert.acknowledged else "unacknowledged"
        return _refused(context, alert_id, text(f"alert.refused.{which}", by=alert.account or "?"))
    event = acknowledgement(alert, revision, context.caller.name, datetime.now(UTC), note, undo=undo)
    return _publish(context, event, alert_href(alert_id), Done.UNACKNOWLEDGED if undo else Done.ACKNOWLEDGED)


def _publish(context: Context, event: AlertHandled, address: str, done: Done) -> Response:
    context.services.publisher.publish(event)
    log.info("alert_handled", account=event.by, action=event.action, alert=event.alert_id, key=event.key)
    end = time.monotonic() + _FOLDED_WITHIN_S
    while not context.services.alerts.has_handling(event.handling_id) and time.monotonic() < end:
        time.sleep(_FOLDED_POLL_S)
    return RedirectResponse(f"{address}?done={done}", status_code=303)


def _refused(context: Context, alert_id: str, problem: str) -> Response:
    if alert_id:
        return context.render("alert.html.j2", _one(context, alert_id), status=409, problem=problem)
    return context.render("alerts.html.j2", _list(context, AlertQuery()), status=409, problem=problem)


def _list(context: Context, query: AlertQuery, done: Done | None = None) -> AlertsPage:
    services, stations = context.services, context.caller.stations
    # Before the alerts: a change in between is then sent again, and not lost.
    sequence = services.catalogue.newest_change()
    found = services.alerts.page(query.to_filter(), _PAGE, query.after, stations)
    covers = services.catalogue.bursts_of([row.burst_id for row in found.rows if row.burst_id], stations)
    cameras = services.catalogue.cameras(stations)
    return AlertsPage(
        sequence=sequence,
        query=query,
        alerts=[
            alert_view(row, burst_view(covers[row.burst_id]) if row.burst_id in covers else None) for row in found.rows
        ],
        after=found.after,
        open=services.alerts.open(stations).count,
        mutes=services.alerts.mutes(stations),
        rules=services.alerts.rules(stations),
        stations=sorted(set(cameras.values())),
        cameras=list(cameras),
        done=done,
    )


def _one(context: Context, alert_id: str, done: Done | None = None) -> OneAlertPage:
    services = context.services
    sequence = services.catalogue.newest_change()
    row = _alert(context, alert_id)
    facts = burst_facts(row)
    bursts = services.catalogue.bursts_of([fact.burst_id for fact in facts], context.caller.stations)
    return OneAlertPage(
        sequence=sequence,
        alert=alert_view(row),
        bursts=[burst_view(bursts[fact.burst_id]) for fact in facts if fact.burst_id in bursts],
        facts=facts,
        revisions=services.alerts.revisions(alert_id),
        history=services.alerts.handlings(alert_id),
        seen_mutes=" ".join(mute.handling_id for mute in row.mutes),
        done=done,
    )


def _alert(context: Context, alert_id: str) -> AlertRow:
    found = context.services.alerts.alert(alert_id, context.caller.stations)
    if found is None:
        raise HTTPException(404, TEXT["error.not_found"])
    return found


def _require_everywhere(context: Context) -> None:
    if context.caller.stations is not None:
        raise HTTPException(403, TEXT["alert.refused.everywhere"])
