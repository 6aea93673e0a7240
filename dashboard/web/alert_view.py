"""An alert as the pages and their JSON twins show it."""

from datetime import datetime
from urllib.parse import quote

from pydantic import BaseModel

from uncia.dashboard.catalogue.rows import AlertMute, AlertRow
from uncia.dashboard.web.burst_view import BurstView
from uncia.dashboard.web.strings import TEXT
from uncia.dashboard.web.templating import percent

__all__ = ["AlertBurstView", "AlertView", "alert_href", "alert_view", "burst_facts"]


class AlertView(BaseModel):
    """One alert by its last revision."""

    alert_id: str
    revision: int
    state: str
    severity: str
    cause: str | None
    """What the rule is about, other than verdicts alone."""
    rule: str
    station: str
    camera: str
    summary: str
    channels: list[str]
    bursts: int
    """How many match."""
    raised_at: datetime
    updated_at: datetime
    acknowledged: bool
    acknowledged_by: str | None
    note: str | None
    acknowledged_at: datetime | None
    changed_since: bool
    """It was acknowledged, and has changed since."""
    handling_id: str | None
    """The last acknowledgement, or its end: what a new one must have seen."""
    mutes: list[AlertMute]
    """The mutes in force that hold it back."""
    muted_until: datetime | None
    cover: BurstView | None
    """A burst that matches."""
    href: str


class AlertBurstView(BaseModel):
    """What is known of one burst of an alert: the facts that the rule saw."""

    burst_id: str
    started_at: datetime
    status: str
    matches: bool
    verdict: str
    probability: str
    count: int | None
    reviewed: bool
    revision: int


def alert_href(alert_id: str) -> str:
    """The address of the page of an alert."""
    return f"/alerts/{quote(alert_id, safe='')}"


def alert_view(row: AlertRow, cover: BurstView | None = None) -> AlertView:
    """The view of a row."""
    content = row.content
    acknowledged = row.acknowledged
    return AlertView(
        alert_id=row.alert_id,
        revision=row.revision,
        state=row.state,
        severity=row.severity,
        cause=content.get("cause"),
        rule=row.rule,
        station=row.station,
        camera=row.camera,
        summary=row.summary,
        channels=list(content.get("channels") or ()),
        bursts=sum(bool(burst.get("matches")) for burst in content.get("bursts") or ()),
        raised_at=row.raised_at,
        updated_at=row.updated_at,
        acknowledged=acknowledged,
        acknowledged_by=row.account if acknowledged else None,
        note=row.note if acknowledged else None,
        acknowledged_at=row.handled_at if acknowledged else None,
        changed_since=acknowledged and row.alert_revision is not None and row.alert_revision < row.revision,
        handling_id=row.handling_id,
        mutes=list(row.mutes),
        muted_until=max((mute.until for mute in row.mutes if mute.until is not None), default=None),
        cover=cover,
        href=alert_href(row.alert_id),
    )


def burst_facts(row: AlertRow) -> list[AlertBurstView]:
    """The bursts of an alert by the verdicts that its last event names, in order of capture."""
    found = []
    for burst in row.content.get("bursts") or ():
        category = burst.get("category")
        named = burst.get("label") or burst.get("taxon")
        found.append(
            AlertBurstView(
                burst_id=burst["burst_id"],
                started_at=datetime.fromisoformat(burst["started_at"]),
                status=burst["status"],
                matches=bool(burst.get("matches")),
                verdict=named or (TEXT[f"category.{category}"] if category else TEXT["verdict.unread"]),
                probability=percent(burst.get("confidence")),
                count=burst.get("count"),
                reviewed=bool(burst.get("reviewed")),
                revision=burst["revision"],
            )
        )
    return found
