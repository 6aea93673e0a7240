"""Counts, effort and contacts of cameras on both databases, compared with what the events say."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine

from tests.unit.dashboard.catalogue.catalogue_data import FIRST_DAY, Log, whole_project
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.effort import Span
from uncia.dashboard.catalogue.filters import NO_TAXON, BurstFilter
from uncia.dashboard.catalogue.numbers import CatalogueNumbers
from uncia.dashboard.catalogue.queries import Catalogue
from uncia.dashboard.catalogue.store import CatalogueStore
from uncia.events import VIDEO_NOT_ANALYSED, DeploymentChanged, Event, ImagePredicted, Rejection

BURSTS = 120
CAMERA = "ridge/cam-1"


@pytest.fixture
def engine(project_engine: Engine) -> Engine:
    return project_engine


@pytest.fixture
def numbers(engine: Engine) -> Iterator[CatalogueNumbers]:
    reader = open_database(engine.url, read_only=True)
    yield CatalogueNumbers(reader)
    reader.dispose()


@pytest.fixture
def catalogue(engine: Engine) -> Iterator[Catalogue]:
    reader = open_database(engine.url, read_only=True)
    yield Catalogue(reader)
    reader.dispose()


def photographs() -> dict[str, list[ImagePredicted]]:
    found: dict[str, list[ImagePredicted]] = defaultdict(list)
    for event in whole_project():
        if isinstance(event, ImagePredicted):
            found[event.camera].append(event)
    return found


def deployed(engine: Engine, **changes: object) -> None:
    """Load a deployment of the camera again, with other values, or a further one."""
    known = next(event for event in whole_project() if isinstance(event, DeploymentChanged) and event.camera == CAMERA)
    fold(engine, known.model_copy(update=changes))


def fold(engine: Engine, event: Event) -> None:
    """Fold an event that follows all others of its partition."""
    store, record = CatalogueStore(engine), Log().append(event)
    state = store.partitions()[(record.topic, record.partition)]
    store.apply([dataclasses.replace(record, offset=state.next_offset)])


def test_counts_of_cameras_are_those_of_the_lists(numbers: CatalogueNumbers, catalogue: Catalogue) -> None:
    for chosen in (BurstFilter(), BurstFilter(categories=("person", "vehicle")), BurstFilter(taxon="Aves")):
        rows = catalogue.bursts(chosen, limit=1000).rows
        found = numbers.by_camera(chosen, 0)
        assert {camera: one.bursts for camera, one in found.items()} == Counter(row.camera for row in rows)
        assert {camera: one.blank for camera, one in found.items() if one.blank} == Counter(
            row.camera for row in rows if row.category == "blank"
        )
        wanted = chosen.categories or ("animal",)
        # Every burst is independent at an interval of 0.
        assert {camera: one.independent for camera, one in found.items() if one.independent} == Counter(
            row.camera for row in rows if row.category in wanted
        )
        kinds = {(row.camera, row.taxon) for row in rows if row.category == "animal" and row.taxon}
        assert {camera: one.taxa for camera, one in found.items() if one.taxa} == Counter(camera for camera, _ in kinds)


def test_a_longer_interval_leaves_fewer_independent_detections_of_a_camera(numbers: CatalogueNumbers) -> None:
    every, few = numbers.by_camera(BurstFilter(), 0), numbers.by_camera(BurstFilter(), 86_400 * 365)
    assert all(few[camera].independent <= every[camera].independent for camera in every)
    assert sum(one.independent for one in few.values()) < sum(one.independent for one in every.values())


def test_a_running_deployment_lasts_until_the_last_photograph(numbers: CatalogueNumbers) -> None:
    first = (FIRST_DAY - timedelta(days=1) + timedelta(hours=6)).date()
    for one in numbers.effort(None, None):
        days = {event.capture.time.date() for event in photographs()[one.camera]}
        assert (one.nights, one.active_days, one.deployed) == ((max(days) - first).days, len(days), True)


def test_an_end_counts_and_days_cut_the_nights(engine: Engine, numbers: CatalogueNumbers) -> None:
    start = datetime(2026, 5, 1, tzinfo=UTC)
    deployed(engine, start=start, end=start + timedelta(days=10))
    (whole,) = (one for one in numbers.effort(None, None) if one.camera == CAMERA)
    assert whole.nights == 10
    (cut,) = (one for one in numbers.effort(date(2026, 5, 4), date(2026, 5, 5)) if one.camera == CAMERA)
    assert cut.nights == 2


def test_activity_holds_days_spans_and_contacts(numbers: CatalogueNumbers) -> None:
    since, until = FIRST_DAY.date(), (FIRST_DAY + timedelta(days=60)).date()
    found, captured = numbers.activity(since, until), numbers.active_days(since, until)
    assert set(found) == set(captured) == set(photographs())
    for camera, taken in photographs().items():
        own = found[camera]
        by_day = Counter(event.capture.time.date() for event in taken)
        assert own.days == sorted(by_day)
        assert [(one.day, one.captures) for one in captured[camera]] == sorted(by_day.items())
        for one in captured[camera]:
            volts = [event.capture.battery_v for event in taken if event.capture.time.date() == one.day]
            assert one.battery_min_v == min(value for value in volts if value is not None)
        assert own.spans == [Span(FIRST_DAY.date() - timedelta(days=1), max(by_day))]
        # The last upload of each day of capture is a contact.
        newest: dict[date, datetime] = {}
        for event in taken:
            day = event.capture.time.date()
            newest[day] = max(newest.get(day, event.uploaded_at), event.uploaded_at)
        assert sorted(set(own.contacts)) == sorted({at.astimezone(UTC).date() for at in newest.values()})


def test_days_of_a_wrong_clock_are_no_effort(engine: Engine, numbers: CatalogueNumbers) -> None:
    taken = photographs()[CAMERA][0]
    wrong = taken.model_copy(
        update={"upload_id": "upl-wrong", "capture": taken.capture.model_copy(update={"time": datetime(1970, 1, 1)})}
    )
    before = numbers.effort(None, None)
    fold(engine, wrong)
    assert numbers.effort(None, None) == before


@pytest.mark.parametrize(("reason", "rejected"), [("image-truncated", 1), (VIDEO_NOT_ANALYSED, 0)])
def test_a_video_is_a_capture_and_no_rejected_file(
    engine: Engine, numbers: CatalogueNumbers, reason: str, rejected: int
) -> None:
    taken = photographs()[CAMERA][0]
    day = taken.capture.time.date()
    (before,) = numbers.active_days(day, day, [CAMERA])[CAMERA]
    rejection = Rejection(reason=reason, message="")
    fold(engine, taken.model_copy(update={"upload_id": "upl-other", "prediction": None, "rejection": rejection}))
    (after,) = numbers.active_days(day, day, [CAMERA])[CAMERA]
    assert (after.captures - before.captures, after.rejected - before.rejected) == (1, rejected)


def test_health_reads_the_battery_and_the_contact_interval(engine: Engine, catalogue: Catalogue) -> None:
    deployed(engine, contact_interval_s=7200.0)
    (health,) = (one for one in catalogue.camera_health() if one.camera == CAMERA)
    newest = max(photographs()[CAMERA], key=lambda event: event.uploaded_at)
    assert (health.contact_interval_s, health.battery_v) == (7200.0, newest.capture.battery_v)


def test_a_planned_deployment_does_not_hide_the_running_one(engine: Engine, catalogue: Catalogue) -> None:
    deployed(engine, deployment_id="next", start=datetime.now(UTC) + timedelta(days=9))
    (health,) = (one for one in catalogue.camera_health() if one.camera == CAMERA)
    assert health.deployment_id == "dep-000"


def test_a_verdict_of_a_filter_is_exact(catalogue: Catalogue) -> None:
    rows = catalogue.bursts(limit=1000).rows
    for name in {row.taxon or row.category or "" for row in rows}:
        found = catalogue.bursts(BurstFilter(verdict=name or NO_TAXON), limit=1000).rows
        assert {row.burst_id for row in found} == {
            row.burst_id for row in rows if (row.taxon or row.category or "") == name
        }
