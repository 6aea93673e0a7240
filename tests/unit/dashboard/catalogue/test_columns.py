"""Counts from the columns in memory equal those from the database, whatever was folded, in whatever order."""

import dataclasses
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.unit.dashboard.catalogue.catalogue_data import FIRST_DAY, TAXA, Log, ProjectEvents, fill_catalogue
from tests.unit.dashboard.catalogue.test_queries import FILTERS
from tests.unit.dashboard.catalogue.test_store import begin, project, review_of
from uncia.dashboard.catalogue import burst_columns, column_cache
from uncia.dashboard.catalogue.burst_columns import BurstColumns
from uncia.dashboard.catalogue.column_cache import ColumnCache
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.filters import NO_TAXON, BurstFilter, Hours
from uncia.dashboard.catalogue.number_rows import BurstNumbers
from uncia.dashboard.catalogue.numbers import CatalogueNumbers
from uncia.dashboard.catalogue.queries import Catalogue
from uncia.dashboard.catalogue.schema import clear
from uncia.dashboard.catalogue.store import CatalogueStore
from uncia.events import BurstResolved, DeploymentChanged, Event, ReviewDecision

BURSTS = 60
STATIONS = ("ridge", "pass", "spring", "Kök-Suu", "gorge & ford", "north <slope>", "elsewhere")

VERDICTS = [NO_TAXON, "blank", "person", *(taxon[0] for taxon in TAXA)]
MAYBE_DAY = st.none() | st.integers(-3, 45).map(lambda days: (FIRST_DAY + timedelta(days=days)).date())
SHARE = st.none() | st.sampled_from([0.0, 0.3, 0.5, 0.75, 0.9, 1.0])
SOME_STATIONS = st.lists(st.sampled_from(STATIONS), max_size=3).map(tuple)

filters = st.builds(
    BurstFilter,
    taxon=st.none() | st.sampled_from([NO_TAXON, "Mammalia", "Felidae", "Ursus arctos", *(taxon[0] for taxon in TAXA)]),
    model_verdict=st.none() | st.sampled_from(VERDICTS),
    verdict=st.none() | st.sampled_from(VERDICTS),
    categories=st.lists(st.sampled_from(["animal", "person", "vehicle", "blank", "none"]), max_size=2).map(tuple),
    stations=SOME_STATIONS,
    cameras=st.lists(st.sampled_from(["ridge/cam-1", "pass/cam-2", "spring/cam-1", "no/camera"]), max_size=2).map(
        tuple
    ),
    since=MAYBE_DAY,
    until=MAYBE_DAY,
    hours=st.none() | st.builds(Hours, st.integers(0, 1439), st.integers(0, 1440)),
    confidence_min=SHARE,
    confidence_max=SHARE,
    statuses=st.lists(st.sampled_from(["provisional", "final", "revised", "superseded"]), max_size=2).map(tuple),
    reviewed=st.none() | st.booleans(),
    reviewer=st.none() | st.sampled_from(["aigul", "bektur", "nobody"]),
    focus=st.none() | st.booleans(),
    flags=st.lists(st.sampled_from(["clock-jump", "favourite", "two-cameras"]), max_size=2).map(tuple),
)
"""Any filter; most fields of most examples limit nothing, because hypothesis prefers the first choice."""


@cache
def events() -> tuple[Event, ...]:
    return tuple(ProjectEvents(BURSTS, seed=3, days=40))


class Readers:
    """Both ways to count in one database."""

    def __init__(self, engine: Engine) -> None:
        self.database = open_database(engine.url, read_only=True)
        self.columns = ColumnCache(self.database)
        self.columns.build()
        self.ways = [(Catalogue(self.database), CatalogueNumbers(self.database))]
        self.ways.append(
            (Catalogue(self.database, columns=self.columns), CatalogueNumbers(self.database, columns=self.columns))
        )

    def assert_equal(
        self, chosen: BurstFilter | None = None, interval_s: float = 1800, stations: tuple[str, ...] | None = None
    ) -> None:
        chosen = chosen or BurstFilter()
        with self.columns.current() as columns:
            assert columns is not None, "the database would be compared with itself"
        (slow, slow_numbers), (fast, fast_numbers) = self.ways
        found = fast.facets(chosen, stations)
        assert dataclasses.replace(found, ranges=None) == slow.facets(chosen, stations)
        assert _sorted(fast_numbers.bursts(chosen, interval_s, stations)) == _sorted(
            slow_numbers.bursts(chosen, interval_s, stations)
        )


def _sorted(found: BurstNumbers) -> BurstNumbers:
    """Lists whose order means nothing, in one order."""
    return dataclasses.replace(
        found,
        hours=sorted(found.hours, key=lambda one: (one.subject, one.hour)),
        confusion=sorted(found.confusion, key=lambda one: (one.model, one.human)),
    )


@pytest.fixture
def engine(new_url: object) -> Iterator[Engine]:
    engine = open_database(new_url())  # type: ignore[operator]
    fill_catalogue(engine, events())
    yield engine
    engine.dispose()


@pytest.fixture
def readers(engine: Engine) -> Iterator[Readers]:
    opened = Readers(engine)
    yield opened
    opened.database.dispose()


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filters, st.sampled_from([0, 60, 1800, 86_400 * 30]), st.none() | SOME_STATIONS)
def test_any_filter_gives_the_counts_of_the_database(
    readers: Readers, chosen: BurstFilter, interval_s: float, stations: tuple[str, ...] | None
) -> None:
    readers.assert_equal(chosen, interval_s, stations)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filters, st.none() | SOME_STATIONS)
def test_the_number_beside_a_range_is_that_of_the_bursts_in_it(
    readers: Readers, chosen: BurstFilter, stations: tuple[str, ...] | None
) -> None:
    (slow, _), (fast, _) = readers.ways
    ranges = fast.facets(chosen, stations).ranges
    assert ranges is not None
    for first, bursts in ranges.month.items():
        last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        assert bursts == slow.facets(replace(chosen, since=first, until=last), stations).total
    for hour in (0, 7, 23):
        wanted = replace(chosen, hours=Hours(60 * hour, 60 * (hour + 1)))
        assert ranges.hour[hour] == slow.facets(wanted, stations).total
    for one in ranges.confidence:
        wanted = replace(chosen, confidence_min=one.least, confidence_max=one.most)
        assert one.bursts == slow.facets(wanted, stations).total


def test_filters_of_pages_give_the_counts_of_the_database(readers: Readers) -> None:
    for chosen in FILTERS.values():
        for stations in (None, ("ridge", "spring")):
            readers.assert_equal(chosen, 1800, stations)


def test_a_viewer_counts_nothing_of_other_stations(readers: Readers) -> None:
    catalogue, numbers = readers.ways[1]
    facets = catalogue.facets(stations=("ridge",))
    assert set(facets.station) == {"ridge"}
    assert facets.total == readers.ways[0][0].facets(BurstFilter(stations=("ridge",))).total
    assert all(camera.startswith("ridge/") for camera in numbers.bursts(BurstFilter(), 0, ("ridge",)).by_camera)
    assert catalogue.facets(stations=()).total == 0
    assert numbers.bursts(BurstFilter(), 0, ()) == BurstNumbers([], [], [], [], {})


def test_columns_follow_every_kind_of_message_in_any_order(new_url: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also gaps that change by an older burst, tombstones, deployments that move, and superseded bursts."""
    monkeypatch.setattr(burst_columns, "_MOST_RECENT", 5)
    engine = open_database(new_url())  # type: ignore[operator]
    fill_catalogue(engine, [])
    # Each partition in its order; the partitions in any.
    queues: dict[tuple[str, int], list[object]] = {}
    for record in project():
        queues.setdefault((record.topic, record.partition), []).append(record)
    resolved = next(record for record in project() if record.topic == "camera.burst.resolved.v1" and record.key)
    own = queues[resolved.topic, resolved.partition]
    own.append(replace(resolved, offset=len(own) + 100, value=None))
    store, readers, chance = begin(engine, project()), Readers(engine), random.Random(6)
    while queues:
        place = chance.choice(sorted(queues))
        batch = [queues[place].pop(0) for _ in range(min(len(queues[place]), chance.randint(1, 9)))]
        if not queues[place]:
            del queues[place]
        store.apply(batch)  # type: ignore[arg-type]
        readers.assert_equal()
        readers.assert_equal(BurstFilter(statuses=("superseded", "final")), 60)
    readers.database.dispose()
    engine.dispose()


def test_a_burst_that_comes_late_changes_the_gap_of_the_next(engine: Engine, readers: Readers) -> None:
    burst = next(event for event in events() if isinstance(event, BurstResolved) and event.verdict)
    before = replace_times(burst, "bst-late", timedelta(seconds=-50))
    newest = readers.ways[0][0].newest_change()
    CatalogueStore(engine).apply([Log().append(before)])
    readers.assert_equal(interval_s=1800)
    # Live pages show the burst that came, and not the one whose gap it changed.
    assert [change.burst_id for change in readers.ways[0][0].changes(newest)] == ["bst-late"]


def replace_times(burst: BurstResolved, name: str, shift: timedelta) -> BurstResolved:
    return burst.model_copy(
        update={"burst_id": name, "started_at": burst.started_at + shift, "ended_at": burst.started_at + shift}
    )


def test_a_deployment_that_is_loaded_again_changes_gaps(engine: Engine, readers: Readers) -> None:
    deployment = next(event for event in events() if isinstance(event, DeploymentChanged))
    moved = deployment.model_copy(update={"deployment_id": "second", "start": deployment.start + timedelta(days=9)})
    CatalogueStore(engine).apply([Log().append(moved)])
    readers.assert_equal(interval_s=86_400 * 30)


def test_another_catalogue_is_never_mixed_with_the_one_before(engine: Engine, readers: Readers) -> None:
    clear(engine)
    fill_catalogue(engine, events()[: len(events()) // 2])
    with readers.columns.current() as columns:
        assert columns is None
    assert readers.ways[1][0].facets() == readers.ways[0][0].facets()
    readers.columns.build()
    readers.assert_equal()


def test_columns_that_are_far_behind_leave_the_request_to_the_database(
    engine: Engine, readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(column_cache, "_MOST_IN_REQUEST", 1)
    log = Log()
    resolved = [event for event in events() if isinstance(event, BurstResolved)][:5]
    CatalogueStore(engine).apply([log.append(review_of(burst, ReviewDecision.BLANK)) for burst in resolved])
    with readers.columns.current() as columns:
        assert columns is None
    assert readers.ways[1][0].facets() == readers.ways[0][0].facets()


def test_the_thread_builds_and_follows_the_database(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_cache, "_MOST_IN_REQUEST", 1)
    database = open_database(engine.url, read_only=True)
    columns = ColumnCache(database, interval_s=0.01)
    columns.start()
    fast, slow = Catalogue(database, columns=columns), Catalogue(database)
    resolved = [event for event in events() if isinstance(event, BurstResolved)][:5]
    wait_until_current(columns)
    CatalogueStore(engine).apply([record for log in [Log()] for record in map(log.append, map(blank, resolved))])
    wait_until_current(columns)
    assert dataclasses.replace(fast.facets(), ranges=None) == slow.facets()
    columns.stop()
    database.dispose()
    assert not any(thread.name == "burst-columns" for thread in threading.enumerate())


def blank(burst: BurstResolved) -> Event:
    return review_of(burst, ReviewDecision.BLANK)


def wait_until_current(columns: ColumnCache) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with columns.current() as found:
            if found is not None:
                return
        time.sleep(0.01)
    raise AssertionError("the columns were not built")


def test_a_catalogue_that_does_not_exist_yet_is_waited_for(new_url: object) -> None:
    url = new_url()  # type: ignore[operator]
    database = open_database(url, read_only=True)
    columns = ColumnCache(database, interval_s=0.01)
    columns.start()
    time.sleep(0.05)
    writer = open_database(url)
    fill_catalogue(writer, events()[:200])
    wait_until_current(columns)
    columns.stop()
    for engine in (database, writer):
        engine.dispose()


def test_any_puts_and_removals_leave_the_bursts_that_a_dictionary_would_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(burst_columns, "_MOST_RECENT", 7)
    chance, columns, expected = random.Random(4), BurstColumns(), dict[str, float]()
    for _ in range(300):
        ids = chance.sample([f"bst-{number}" for number in range(60)], chance.randint(0, 6))
        if chance.random() < 0.4:
            columns.remove(ids)
            expected = {burst: value for burst, value in expected.items() if burst not in ids}
            continue
        values = {burst: round(chance.random(), 3) for burst in ids}
        columns.put([row(burst, value) for burst, value in values.items()], {})
        expected |= values
        assert len(columns) == len(expected)
        assert sorted(columns.row("confidence").tolist()) == sorted(expected.values())


def row(burst: str, confidence: float) -> tuple[object, ...]:
    at = datetime(2026, 5, 1, 12)
    return (
        burst,
        at,
        720,
        confidence,
        None,
        "a/b",
        "animal",
        None,
        None,
        "animal",
        "final",
        False,
        None,
        False,
        None,
        None,
    )


def test_days_of_clocks_that_were_reset_take_no_room_in_between(engine: Engine, readers: Readers) -> None:
    burst = next(event for event in events() if isinstance(event, BurstResolved))
    for at, year in enumerate((1, 1970, 9999)):
        moment = datetime(year, 12, 31, 23, 59, 59, 999_999)
        odd = burst.model_copy(update={"burst_id": f"bst-{year}", "started_at": moment, "ended_at": moment})
        CatalogueStore(engine).apply([replace(Log().append(odd), offset=1000 + at)])
    readers.assert_equal()
    readers.assert_equal(BurstFilter(since=date.min, until=date.max))
    readers.assert_equal(BurstFilter(until=date(1970, 12, 31)))
