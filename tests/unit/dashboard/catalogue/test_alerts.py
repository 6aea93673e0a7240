"""What people do about alerts, in SQLite and PostgreSQL: the last event of a key counts, whatever is repeated."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from alembic import command
from sqlalchemy import Engine, select, text

from tests.unit.dashboard.catalogue.catalogue_data import Log
from tests.unit.dashboard.catalogue.conftest import NewUrl
from tests.unit.dashboard.catalogue.contents import contents
from uncia.dashboard.catalogue import schema
from uncia.dashboard.catalogue.alerts import Alerts
from uncia.dashboard.catalogue.changes import LogRecord
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.queries import Catalogue
from uncia.dashboard.catalogue.store import CatalogueStore, PartitionState
from uncia.dashboard.catalogue.tables import alert_mutes, alerts
from uncia.events import AlertAction, AlertCause, AlertHandled, AlertRaised, AlertState, Event

NOW = datetime(2026, 5, 1, 21, 50, tzinfo=UTC)


def raised(number: int, revision: int = 1, state: AlertState = AlertState.RAISED) -> AlertRaised:
    return AlertRaised(
        alert_id=f"alr-{number}",
        revision=revision,
        state=state,
        rule="camera silent",
        cause=AlertCause.SILENCE,
        station="ridge",
        camera="ridge/north",
        summary=f"revision {revision}",
        bursts=(),
        raised_at=NOW - timedelta(minutes=number),
        updated_at=NOW,
    )


def acknowledged(number: int, by: str, action: AlertAction = AlertAction.ACKNOWLEDGED) -> AlertHandled:
    return AlertHandled(
        handling_id=f"hdl-{number}-{by}-{action}",
        action=action,
        alert_id=f"alr-{number}",
        station="ridge",
        camera="ridge/north",
        by=by,
        at=NOW,
    )


def muted(rule: str | None, camera: str, until: datetime | None, by: str = "aigul") -> AlertHandled:
    return AlertHandled(
        handling_id=f"hdl-{rule}-{camera}-{until}-{by}",
        action=AlertAction.MUTED if until else AlertAction.UNMUTED,
        rule=rule,
        station=camera.partition("/")[0],
        camera=camera,
        until=until,
        by=by,
        at=NOW,
    )


def records(*events: Event) -> list[LogRecord]:
    log = Log()
    return [log.append(event) for event in events]


def fold(engine: Engine, found: list[LogRecord]) -> None:
    store = CatalogueStore(engine)
    for record in found:
        place = (record.topic, record.partition)
        store.set_partitions({place: store.partitions().get(place) or PartitionState("id", 0, 0)})
    store.apply(found)


EVENTS = (
    raised(1),
    raised(2),
    acknowledged(1, "aigul"),
    raised(1, 2, AlertState.UPDATED),
    acknowledged(1, "bekzat", AlertAction.UNACKNOWLEDGED),
    acknowledged(2, "aigul"),
    acknowledged(2, "bekzat"),
    muted("camera silent", "ridge/north", NOW + timedelta(hours=1)),
    muted("camera silent", "ridge/north", None),
    muted("camera silent", "", NOW + timedelta(hours=1)),
    muted(None, "", NOW + timedelta(hours=1)),
    raised(3),
    acknowledged(9, "aigul"),
)


def test_the_last_event_of_a_key_counts(engine: Engine) -> None:
    fold(engine, records(*EVENTS))
    found = Alerts(engine)
    first, second = found.alert("alr-1"), found.alert("alr-2")
    assert first is not None
    assert second is not None
    assert (first.revision, first.acknowledged, first.account) == (2, False, "bekzat")
    assert (second.acknowledged, second.account) == (True, "bekzat")
    assert [one.revision for one in found.revisions("alr-1")] == [2, 1]
    assert [one.account for one in found.handlings("alr-2")] == ["bekzat", "aigul"]
    # A mute of nothing counts for nothing; one of the rule everywhere is no mute of the rule at the camera.
    assert [(one.rule, one.camera) for one in found.mutes(now=NOW)] == [("camera silent", "")]
    assert found.open(now=NOW).count == 0
    assert found.open(now=NOW + timedelta(hours=2)).count == 2
    assert found.rules() == ["camera silent"]
    assert found.rules(["other"]) == []
    assert found.mutes(["other"], NOW), "a rule at all cameras concerns everybody"
    assert found.alert("alr-1", ["other"]) is None


@pytest.mark.parametrize("size", [1, 3, 100])
def test_repetitions_and_the_cut_into_batches_change_nothing(engine: Engine, size: int, new_url: NewUrl) -> None:
    found = records(*EVENTS)
    fold(engine, found)
    other = open_database(new_url())
    schema.migrate(other)
    for start in range(0, len(found), size):
        fold(other, found[max(0, start - 2) : start + size])
    fold(other, found)
    assert contents(other) == contents(engine)
    other.dispose()


def test_every_change_of_an_alert_is_in_the_feed_once(engine: Engine) -> None:
    catalogue = Catalogue(engine)
    seen: list[str] = []
    after = 0
    for record in records(*EVENTS):
        fold(engine, [record])
        for change in catalogue.all_changes(after):
            seen.append(getattr(change, "alert_id", "burst"))
            after = change.number
    assert seen == ["alr-1", "alr-2", "alr-1", "alr-1", "alr-1", "alr-2", "alr-2", "", "", "", "alr-3", "alr-9"]


@pytest.fixture
def older(new_url: NewUrl) -> Iterator[Engine]:
    """A catalogue before there were acknowledgements."""
    engine = open_database(new_url())
    config = schema._config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
    yield engine
    engine.dispose()


def test_a_migration_names_the_rules_of_the_alerts_that_are_there(older: Engine) -> None:
    content = raised(1).to_bytes().decode()
    with older.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO alerts (alert_id, station, camera, kind, state, raised_at, content, version) "
                "VALUES ('alr-1', 'ridge', 'ridge/north', 'warning', 'raised', '2026-05-01 21:00:00', :content, 1)"
            ),
            {"content": content},
        )
    schema.migrate(older)
    with older.begin() as connection:
        assert connection.execute(select(alerts.c.rule)).scalar() == "camera silent"
        assert connection.execute(select(alert_mutes)).all() == []
    assert Alerts(older).rules() == ["camera silent"]
