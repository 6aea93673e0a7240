"""What a channel receives of an alert: only what it may know. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from uncia.camtrap.sensitive_taxa import SensitiveTaxa
from uncia.camtrap.sensitivity import Sensitivity, public_position
from uncia.events import AlertBurst, AlertRaised, AlertState, DeploymentChanged, Severity
from uncia.processors.delivery.channels import Channel, PositionDetail

__all__ = ["AlertMessage", "Position", "message_of", "shown_position", "trial_message"]

_DEGREES = 6


@dataclass(frozen=True)
class Position:
    """A position that a channel may know; degrees, WGS 84, and metres."""

    latitude: float
    longitude: float
    uncertainty_m: float | None = None


@dataclass(frozen=True)
class AlertMessage:
    """One event of an alert, as one channel may know it. Nothing else of an alert reaches a channel."""

    alert_id: str
    revision: int
    state: AlertState
    severity: Severity
    rule: str
    station: str
    camera: str
    sentence: str
    """In plain English, on one line."""
    started_at: datetime
    """By the camera's clock, with its UTC offset where a deployment states it."""
    ended_at: datetime
    raised_at: datetime
    updated_at: datetime
    category: str | None = None
    taxon: str | None = None
    label: str | None = None
    confidence: float | None = None
    count: int | None = None
    reviewed: bool = False
    position: Position | None = None
    link: str | None = None

    @property
    def key(self) -> str:
        """The same for every attempt to deliver this event, and different for any other."""
        return f"{self.alert_id}:{self.revision}"

    @property
    def title(self) -> str:
        """The sentence, after the severity where it is more than a warning."""
        return f"[{self.severity.value}] {self.sentence}" if self.severity is Severity.CRITICAL else self.sentence

    def as_json(self) -> dict[str, Any]:
        """The fields for programs; what is unknown or withheld is left out."""
        values: dict[str, Any] = {
            "alert_id": self.alert_id,
            "revision": self.revision,
            "state": self.state.value,
            "severity": self.severity.value,
            "rule": self.rule,
            "station": self.station,
            "camera": self.camera,
            "sentence": self.sentence,
            "started_at": self.started_at.isoformat(),
            "ended_at": self.ended_at.isoformat(),
            "raised_at": self.raised_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
            "category": self.category,
            "taxon": self.taxon,
            "label": self.label,
            "confidence": self.confidence,
            "count": self.count,
            "reviewed": self.reviewed,
            "link": self.link,
        }
        if self.position is not None:
            values["position"] = {
                "latitude": self.position.latitude,
                "longitude": self.position.longitude,
                "uncertainty_m": self.position.uncertainty_m,
            }
        return {name: value for name, value in values.items() if value is not None}

    def text(self) -> str:
        """The fields for people, one a line, beginning with the sentence."""
        lines = [
            self.sentence + ".",
            "",
            f"Rule: {self.rule} ({self.severity.value})",
            f"Camera: {self.camera}",
            f"Time: {_shown_time(self.started_at)}",
        ]
        if self.confidence is not None:
            lines.append(f"Probability: {self.confidence:.0%}" + (", reviewed" if self.reviewed else ""))
        if self.position is not None:
            near = f" (within {self.position.uncertainty_m:g} m)" if self.position.uncertainty_m else ""
            lines.append(f"Position: {self.position.latitude}, {self.position.longitude}{near}")
        if self.link is not None:
            lines.append(f"Photographs, after signing in: {self.link}")
        lines.append(f"Alert: {self.alert_id}, {self.state.value}, revision {self.revision}")
        return "\n".join(lines) + "\n"


def message_of(
    alert: AlertRaised,
    channel: Channel,
    deployment: DeploymentChanged | None,
    dashboard_url: str | None,
    taxa: SensitiveTaxa,
) -> AlertMessage:
    """What `channel` may know of `alert`. `deployment`: the one that covers its first burst."""
    shown = alert.matching or alert.bursts
    best = _best(shown)
    zone = deployment.zone if deployment is not None else None
    link = None
    if channel.trusted and dashboard_url is not None and best is not None:
        link = f"{dashboard_url.rstrip('/')}/bursts/{best.burst_id}"
    return AlertMessage(
        alert_id=alert.alert_id,
        revision=alert.revision,
        state=alert.state,
        severity=alert.severity,
        rule=_one_line(alert.rule),
        station=_one_line(alert.station),
        camera=_one_line(alert.camera),
        sentence=_one_line(alert.summary),
        # An alert about silence has no bursts.
        started_at=min(one.started_at for one in shown).replace(tzinfo=zone) if shown else alert.raised_at,
        ended_at=max(one.ended_at for one in shown).replace(tzinfo=zone) if shown else alert.raised_at,
        raised_at=alert.raised_at,
        updated_at=alert.updated_at,
        category=best.category.value if best is not None and best.category is not None else None,
        taxon=best.taxon if best is not None else None,
        label=_one_line(best.label) if best is not None and best.label else None,
        confidence=best.confidence if best is not None else None,
        count=max((one.count for one in shown if one.count is not None), default=None),
        reviewed=best.reviewed if best is not None else False,
        position=shown_position(channel, deployment, [taxa.of(one.taxon) for one in alert.bursts]),
        link=link,
    )


def shown_position(
    channel: Channel, deployment: DeploymentChanged | None, taxa: Iterable[Sensitivity]
) -> Position | None:
    """The position that a channel may know: none, the exact one, or one as coarse as deployment and `taxa` require."""
    if deployment is None or not shown_position_wanted(channel):
        return None
    found = public_position(deployment, taxa, exact=channel.position is PositionDetail.EXACT)
    if found is None:
        return None
    return Position(round(found.latitude, _DEGREES), round(found.longitude, _DEGREES), found.uncertainty_m)


def trial_message(channel: Channel, now: datetime) -> AlertMessage:
    """The message of `uncia channels test`: about a camera that does not exist, and recognisable as a trial."""
    return AlertMessage(
        alert_id=f"test-{now:%Y%m%dT%H%M%S}",
        revision=1,
        state=AlertState.RAISED,
        severity=Severity.INFO,
        rule="uncia channels test",
        station="test",
        camera="test/test",
        sentence=f"Test of the channel {channel.name}: no camera saw anything",
        started_at=now,
        ended_at=now,
        raised_at=now,
        updated_at=now,
        position=Position(0.0, 0.0) if shown_position_wanted(channel) else None,
    )


def shown_position_wanted(channel: Channel) -> bool:
    """Whether messages of this channel have a position where one is known."""
    return channel.trusted and channel.position is not PositionDetail.WITHHELD


def _best(bursts: tuple[AlertBurst, ...]) -> AlertBurst | None:
    return max(bursts, key=lambda one: (one.reviewed, one.taxon is not None, one.confidence or 0), default=None)


def _shown_time(moment: datetime) -> str:
    offset = f" (UTC{moment:%z})" if moment.tzinfo is not None else ""
    return f"{moment:%Y-%m-%d %H:%M:%S}{offset}"


def _one_line(text: str) -> str:
    """Text without characters that could end a header or hide what follows. Names come from keys of the store."""
    return "".join(one if one.isprintable() else " " for one in text).strip()
