"""The history in memory is that of the database when it was read, and is read again after anything was folded."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from tests.unit.dashboard.catalogue.catalogue_data import Log, ProjectEvents, fill_catalogue
from uncia.dashboard.catalogue import history_cache
from uncia.dashboard.catalogue.history_cache import HistoryCache
from uncia.dashboard.catalogue.numbers import CatalogueNumbers
from uncia.dashboard.catalogue.store import CatalogueStore
from uncia.events import Event, ImagePredicted


@pytest.fixture
def events() -> list[Event]:
    return list(ProjectEvents(30, seed=3, days=40))


@pytest.fixture
def history(engine: Engine, events: list[Event]) -> Iterator[HistoryCache]:
    fill_catalogue(engine, events)
    yield HistoryCache(engine)


def test_effort_and_activity_are_those_of_the_database(engine: Engine, history: HistoryCache) -> None:
    today = datetime.now(UTC).date()
    slow, fast = CatalogueNumbers(engine), CatalogueNumbers(engine, history=history)
    history.refresh()
    assert history.current() is not None
    for since, until in ((None, None), (today - timedelta(days=200), None), (today - timedelta(days=365), today)):
        assert fast.effort(since, until) == slow.effort(since, until)
    for stations in (None, ("ridge",)):
        for until in (today, today - timedelta(days=100)):
            since = until - timedelta(days=300)
            assert fast.activity(since, until, stations) == slow.activity(since, until, stations)


def test_it_is_read_again_after_an_event(engine: Engine, history: HistoryCache, events: list[Event]) -> None:
    history.refresh()
    before = history.current()
    history.refresh()
    assert history.current() is before
    taken = next(event for event in events if isinstance(event, ImagePredicted))
    later = taken.model_copy(
        update={
            "upload_id": "upl-later",
            "capture": taken.capture.model_copy(update={"time": taken.capture.time + timedelta(days=60)}),
        }
    )
    log = Log()
    for event in events:
        log.append(event)
    CatalogueStore(engine).apply([log.append(later)])
    history.refresh()
    assert history.current() != before


def test_an_old_history_is_not_used(history: HistoryCache, monkeypatch: pytest.MonkeyPatch) -> None:
    assert history.current() is None
    history.refresh()
    monkeypatch.setattr(history_cache, "_LONGEST_S", 0.0)
    assert history.current() is None
