"""Alerts for tests of pages: of bursts of the catalogue, in all states."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from tests.unit.dashboard.catalogue.catalogue_data import Log
from uncia import ids
from uncia.dashboard.catalogue.changes import LogRecord
from uncia.dashboard.catalogue.rows import BurstRow
from uncia.dashboard.catalogue.store import CatalogueStore, PartitionState
from uncia.events import (
    AlertBurst,
    AlertCause,
    AlertRaised,
    AlertState,
    BurstCategory,
    BurstStatus,
    Event,
    Severity,
)

__all__ = ["alert_of", "fold_events", "silence_of"]


def alert_of(
    burst: BurstRow,
    rule: str = "snow leopard at night",
    *,
    revision: int = 1,
    state: AlertState = AlertState.RAISED,
    severity: Severity = Severity.CRITICAL,
    raised_at: datetime | None = None,
) -> AlertRaised:
    """An alert of one burst, raised a minute ago."""
    raised_at = raised_at or datetime.now(UTC) - timedelta(minutes=1)
    withdrawn = state is AlertState.WITHDRAWN
    return AlertRaised(
        alert_id=ids.alert_id(rule, burst.camera, burst.burst_id),
        revision=revision,
        state=state,
        rule=rule,
        severity=severity,
        station=burst.station,
        camera=burst.camera,
        summary=f"{'withdrawn: ' if withdrawn else ''}snow leopard (Panthera uncia) at {burst.camera}",
        bursts=(
            AlertBurst(
                burst_id=burst.burst_id,
                revision=burst.revision,
                status=BurstStatus(burst.status),
                started_at=burst.started_at,
                ended_at=burst.ended_at,
                matches=not withdrawn,
                category=BurstCategory.ANIMAL,
                taxon="Panthera uncia",
                label="snow leopard",
                confidence=0.93,
                count=2,
            ),
        ),
        channels=("rangers",),
        raised_at=raised_at,
        updated_at=raised_at + timedelta(seconds=revision),
    )


def silence_of(camera: str) -> AlertRaised:
    """An alert about a camera from which nothing came."""
    raised_at = datetime.now(UTC) - timedelta(hours=2)
    return AlertRaised(
        alert_id=ids.alert_id("camera silent", camera, "since"),
        revision=1,
        state=AlertState.RAISED,
        rule="camera silent",
        severity=Severity.INFO,
        cause=AlertCause.SILENCE,
        station=camera.partition("/")[0],
        camera=camera,
        summary=f"nothing from {camera} for 3 days",
        bursts=(),
        raised_at=raised_at,
        updated_at=raised_at,
    )


def fold_events(engine: Engine, *events: Event) -> None:
    """Fold events into the catalogue, each behind what its partition holds."""
    store = CatalogueStore(engine)
    for event in events:
        record = Log().append(event)
        place = (record.topic, record.partition)
        state = store.partitions().get(place) or PartitionState("id", 0, 0)
        store.set_partitions({place: state})
        store.apply(
            [
                LogRecord(
                    record.topic, record.partition, state.next_offset, record.timestamp_ms, record.key, record.value
                )
            ]
        )
