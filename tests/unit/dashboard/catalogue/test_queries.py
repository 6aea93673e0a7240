"""Pages, facets and details: of both databases, compared with the same computed from the events in Python."""

import dataclasses
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import Engine

from tests.unit.dashboard.catalogue.catalogue_data import FIRST_DAY, Log, ProjectEvents, fill_catalogue, whole_project
from tests.unit.dashboard.catalogue.test_store import review_of
from uncia.dashboard.catalogue.cursors import BadCursor
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.filters import NO_TAXON, BurstFilter, BurstOrder, Hours
from uncia.dashboard.catalogue.numbers import CatalogueNumbers
from uncia.dashboard.catalogue.queries import Catalogue
from uncia.dashboard.catalogue.rows import BurstRow
from uncia.dashboard.catalogue.store import CatalogueStore
from uncia.events import BurstResolved, ReviewDecision

BURSTS = 120


@pytest.fixture
def engine(project_engine: Engine) -> Engine:
    return project_engine


@pytest.fixture
def catalogue(engine: Engine) -> Iterator[Catalogue]:
    reader = open_database(engine.url, read_only=True)
    yield Catalogue(reader)
    reader.dispose()


def listed(catalogue: Catalogue, chosen: BurstFilter | None = None, page: int = 1000) -> list[BurstRow]:
    """All bursts of a filter, over all pages."""
    found: list[BurstRow] = []
    after = None
    while True:
        current = catalogue.bursts(chosen, limit=page, after=after)
        found += current.rows
        if current.after is None:
            return found
        after = current.after


@pytest.mark.parametrize("order", BurstOrder)
def test_pages_follow_each_other_without_a_gap_or_a_repetition(catalogue: Catalogue, order: BurstOrder) -> None:
    seen: list[BurstRow] = []
    after = None
    for _ in range(BURSTS):
        page = catalogue.bursts(order=order, limit=7, after=after)
        seen += page.rows
        if (after := page.after) is None:
            break
    assert len(seen) == len({row.burst_id for row in seen}) == BURSTS
    values = {
        BurstOrder.NEWEST: lambda row: -row.started_at.timestamp(),
        BurstOrder.OLDEST: lambda row: row.started_at.timestamp(),
        BurstOrder.UPDATED: lambda row: -row.updated_at.timestamp(),
        BurstOrder.UNCERTAIN: lambda row: -row.uncertainty,
    }
    ordered = [values[order](row) for row in seen]
    assert ordered == sorted(ordered)


def test_a_sample_goes_round_all_bursts_of_its_filter(catalogue: Catalogue) -> None:
    chosen = BurstFilter(categories=("blank",), reviewed=False)
    blanks = sorted(row.burst_id for row in listed(catalogue, chosen))
    assert len(blanks) > 10
    for start in ("", *blanks, "bst-9", "z"):
        found = [row.burst_id for row in catalogue.sample(chosen, start, 7)]
        after = [burst for burst in blanks if burst >= start]
        assert found == [*after, *(burst for burst in blanks if burst < start)][:7]
    assert len(catalogue.sample(chosen, "bst-8", 1000)) == len(blanks)
    assert all(row.frames for row in catalogue.sample(chosen, "bst-8", 3))


@pytest.mark.parametrize("chosen", [BurstFilter(cameras=("ridge/north",)), BurstFilter(hours=Hours(0, 720))])
def test_a_sample_keeps_within_other_filters_and_the_stations_of_the_caller(
    catalogue: Catalogue, chosen: BurstFilter
) -> None:
    assert {row.burst_id for row in catalogue.sample(chosen, "bst-8", 1000)} == {
        row.burst_id for row in listed(catalogue, chosen)
    }
    assert {row.station for row in catalogue.sample(None, "bst-8", 1000, ["ridge"])} == {"ridge"}


def test_samples_spread_over_the_whole_period_whatever_the_start(catalogue: Catalogue) -> None:
    chosen = BurstFilter(categories=("blank",), reviewed=False)
    blanks = sorted(listed(catalogue, chosen), key=lambda row: row.started_at)
    thirds = {row.burst_id: 3 * at // len(blanks) for at, row in enumerate(blanks)}
    drawn: Counter[str] = Counter()
    for start in range(256):
        drawn.update(row.burst_id for row in catalogue.sample(chosen, f"bst-{start:02x}", 4))
    assert drawn.keys() == thirds.keys()
    by_third: Counter[int] = Counter()
    for burst, times in drawn.items():
        by_third[thirds[burst]] += times
    # Each has a third of the draws, but for the chance of so few ids.
    assert all(0.15 * 4 * 256 < by_third[third] < 0.55 * 4 * 256 for third in range(3)), by_third


def test_a_burst_that_arrives_between_two_pages_moves_none(engine: Engine, catalogue: Catalogue) -> None:
    first = catalogue.bursts(limit=10)
    log = Log()
    newer = next(event for event in whole_project() if isinstance(event, BurstResolved)).model_copy(
        update={"burst_id": "bst-new", "started_at": datetime(2026, 12, 1), "ended_at": datetime(2026, 12, 1)}
    )
    CatalogueStore(engine).apply([log.append(newer)])
    second = catalogue.bursts(limit=10, after=first.after)
    assert not {row.burst_id for row in first.rows} & {row.burst_id for row in second.rows}
    assert second.rows[0].started_at <= first.rows[-1].started_at
    assert catalogue.bursts(limit=1).rows[0].burst_id == "bst-new"


@pytest.mark.parametrize("cursor", ["", "x", "e30", "WyJuZXdlc3QiXQ", "ü", "W1tbW1tb" * 2000, "bnVsbA"])
def test_a_position_that_no_page_returned_is_refused(catalogue: Catalogue, cursor: str) -> None:
    for order in BurstOrder:
        with pytest.raises(BadCursor):
            catalogue.bursts(order=order, after=cursor)


def test_a_position_of_another_order_is_refused(catalogue: Catalogue) -> None:
    after = catalogue.bursts(limit=1).after
    with pytest.raises(BadCursor):
        catalogue.bursts(order=BurstOrder.OLDEST, after=after)


FILTERS = {
    "a taxon with those below": BurstFilter(taxon="Carnivora"),
    "a species": BurstFilter(taxon="Panthera uncia"),
    "a taxon that was never seen": BurstFilter(taxon="Ursus arctos"),
    "without a taxon": BurstFilter(taxon=NO_TAXON),
    "categories": BurstFilter(categories=("person", "vehicle")),
    "stations": BurstFilter(stations=("ridge", "Kök-Suu")),
    "a camera": BurstFilter(cameras=("gorge & ford/cam-1",)),
    "a camera of another station": BurstFilter(cameras=("pass/cam-1",), stations=("ridge",)),
    "dates": BurstFilter(since=date(2026, 5, 4), until=date(2026, 5, 9)),
    "a whole month": BurstFilter(since=date(2026, 5, 1), until=date(2026, 5, 31)),
    "months and parts of months": BurstFilter(since=date(2026, 4, 20), until=date(2026, 6, 10)),
    "the end of a month": BurstFilter(since=date(2026, 5, 15), until=date(2026, 5, 31)),
    "until the first of a month": BurstFilter(since=date(2026, 4, 2), until=date(2026, 5, 1)),
    "since the first of a month": BurstFilter(since=date(2026, 5, 1)),
    "since a day": BurstFilter(since=date(2026, 5, 15)),
    "until a day": BurstFilter(until=date(2026, 5, 25)),
    "no dates": BurstFilter(since=date(2026, 5, 9), until=date(2026, 5, 4)),
    "all dates": BurstFilter(since=date.min, until=date.max),
    "hours across midnight": BurstFilter(hours=Hours(22 * 60, 5 * 60)),
    "hours of a day": BurstFilter(hours=Hours(6 * 60, 12 * 60)),
    "all hours": BurstFilter(hours=Hours(0, 1440)),
    "confidence": BurstFilter(confidence_min=0.5, confidence_max=0.75),
    "statuses": BurstFilter(statuses=("revised",)),
    "reviewed": BurstFilter(reviewed=True),
    "not reviewed": BurstFilter(reviewed=False),
    "a reviewer": BurstFilter(reviewer="aigul"),
    "focus": BurstFilter(focus=True),
    "a flag": BurstFilter(flags=("clock-jump",)),
    "two flags": BurstFilter(flags=("clock-jump", "favourite")),
    "a mark": BurstFilter(flags=("favourite",)),
    "several": BurstFilter(taxon="Mammalia", stations=("ridge",), reviewed=False, confidence_min=0.3),
    "what is no name": BurstFilter(taxon="' OR 1=1 --", stations=("%",), cameras=("\u202e",)),
}
BELOW = {
    "Carnivora": {"Vulpes vulpes", "Panthera uncia", "Canis lupus", "Felidae"},
    "Mammalia": {"Vulpes vulpes", "Panthera uncia", "Canis lupus", "Felidae", "Capra sibirica", "Ovis", "Marmota"},
}


def passes(row: BurstRow, flags: set[str], chosen: BurstFilter) -> bool:
    """What a filter means, in Python."""
    minute = 60 * row.started_at.hour + row.started_at.minute
    hours = chosen.hours
    if hours is not None and hours.first < hours.end:
        in_hours = hours.first <= minute < hours.end
    else:
        in_hours = hours is None or minute >= hours.first or minute < hours.end
    if chosen.taxon == NO_TAXON:
        taxon = row.taxon is None
    else:
        taxon = chosen.taxon is None or row.taxon in {chosen.taxon, *BELOW.get(chosen.taxon, ())}
    return (
        taxon
        and in_hours
        and (not chosen.categories or row.category in chosen.categories)
        and (not chosen.stations or row.station in chosen.stations)
        and (not chosen.cameras or row.camera in chosen.cameras)
        and (chosen.since is None or row.started_at.date() >= chosen.since)
        and (chosen.until is None or row.started_at.date() <= chosen.until)
        and (chosen.confidence_min is None or (row.confidence is not None and row.confidence >= chosen.confidence_min))
        and (chosen.confidence_max is None or (row.confidence is not None and row.confidence <= chosen.confidence_max))
        and (row.status in chosen.statuses if chosen.statuses else row.status != "superseded")
        and (chosen.reviewed is None or row.reviewed == chosen.reviewed)
        and (chosen.reviewer is None or row.reviewer == chosen.reviewer)
        and (chosen.focus is None or row.focus == chosen.focus)
        and set(chosen.flags) <= flags
    )


@pytest.fixture
def everything(catalogue: Catalogue) -> list[tuple[BurstRow, set[str]]]:
    rows = listed(catalogue)
    details = {row.burst_id: catalogue.burst(row.burst_id) for row in rows}
    return [
        (row, {flag for flags in detail.flags.values() for flag in flags})
        for row in rows
        if (detail := details[row.burst_id]) is not None
    ]


def test_filters_and_facets_mean_what_they_say(
    catalogue: Catalogue, everything: list[tuple[BurstRow, set[str]]]
) -> None:
    for name, chosen in FILTERS.items():
        expected = [row.burst_id for row, flags in everything if passes(row, flags, chosen)]
        assert [row.burst_id for row in listed(catalogue, chosen, 13)] == expected, name
        facets = catalogue.facets(chosen)
        assert facets.total == len(expected), name

        def counts(field: str, value: str, of: BurstFilter = chosen) -> Counter[object]:
            without = dataclasses.replace(of, **{field: ()})  # type: ignore[arg-type]
            return Counter(getattr(row, value) or "" for row, flags in everything if passes(row, flags, without))

        assert Counter(facets.category) == counts("categories", "category"), name
        assert Counter(facets.status) == counts("statuses", "status"), name
        assert Counter(facets.station) == counts("stations", "station"), name
        assert Counter(facets.camera) == counts("cameras", "camera"), name
        any_taxon = dataclasses.replace(chosen, taxon=None)
        taxa = Counter(row.taxon for row, flags in everything if passes(row, flags, any_taxon))
        assert {node.taxon: node.own for node in facets.taxon if node.own} == {k: v for k, v in taxa.items() if k}, name
        assert facets.without_taxon == taxa[None], name
        flagged = Counter(flag for row, flags in everything if passes(row, flags, chosen) for flag in flags)
        assert Counter(facets.flag) == flagged, name


def test_a_taxon_counts_with_those_below(catalogue: Catalogue) -> None:
    nodes = {node.taxon: node for node in catalogue.facets().taxon}
    assert nodes["Felidae"].total == nodes["Felidae"].own + nodes["Panthera uncia"].own
    assert nodes["Panthera uncia"].label == "snow leopard"
    names = [node.taxon for node in catalogue.facets().taxon]
    assert all(names.index(node.ancestors[0]) < names.index(node.taxon) for node in nodes.values() if node.ancestors)


def test_a_caller_sees_nothing_of_other_stations(catalogue: Catalogue) -> None:
    mine = ("ridge",)
    rows = catalogue.bursts(limit=1000, stations=mine).rows
    assert rows
    assert {row.station for row in rows} == {"ridge"}
    assert not catalogue.bursts(BurstFilter(stations=("pass",)), stations=mine).rows
    assert not catalogue.bursts(stations=()).rows
    facets = catalogue.facets(stations=mine)
    assert (set(facets.station), facets.total) == ({"ridge"}, len(rows))
    foreign = next(row for row in listed(catalogue) if row.station == "pass")
    assert catalogue.burst(foreign.burst_id, mine) is None
    assert catalogue.neighbours(foreign.burst_id, stations=mine).before is None
    assert {health.station for health in catalogue.camera_health(stations=mine)} == {"ridge"}
    assert catalogue.camera_days(foreign.camera, stations=mine) == []
    assert catalogue.camera_days(foreign.camera)
    assert all(rejection.camera.startswith("ridge/") for rejection in catalogue.rejections(1000, mine))
    own = {row.burst_id for row in rows}
    assert {change.burst_id for change in catalogue.changes(0, 10_000, mine)} == own


def test_a_station_that_is_renamed_to_nothing_matches_nothing(catalogue: Catalogue) -> None:
    assert catalogue.facets(BurstFilter(stations=("",))).total == 0
    assert catalogue.facets(BurstFilter(categories=("",))).total == 0


def test_a_burst_has_all_that_belongs_to_it(catalogue: Catalogue) -> None:
    resolved = [event for event in whole_project() if isinstance(event, BurstResolved)]
    details = {event.burst_id: catalogue.burst(event.burst_id) for event in resolved}
    revised = next(event for event in resolved if event.revision == 3 and event.burst_id)
    detail = details[revised.burst_id]
    assert detail is not None
    assert [revision.revision for revision in detail.revisions][:2] == [3, 2]
    assert detail.revisions[0].changes == ["another model version"]
    assert [frame.image_id for frame in detail.frames] == [frame.image_id for frame in revised.frames]
    assert detail.frames[0].make == "RECONYX"
    assert detail.frames[0].detector == ("animal_detector@1" if detail.frames[0].rejection_reason is None else None)
    assert detail.deployment_id is not None
    assert sum(len(detail.crops) for detail in details.values() if detail) > 10
    assert sum(len(detail.reviews) for detail in details.values() if detail) > 5
    explained = [explanation for found in details.values() if found for explanation in found.explanations]
    assert {explanation.explained_at is None for explanation in explained} == {True, False}
    assert all(explanation.reason == "near-threshold" for explanation in explained)


def test_every_burst_has_a_cover_unless_nothing_could_be_read(catalogue: Catalogue) -> None:
    for row in listed(catalogue):
        readable = [frame for frame in row.frames if frame.rejection_reason is None]
        assert (row.cover is not None) == bool(readable)
        assert len(row.frames) == row.frame_count


def test_an_unknown_burst_is_none(catalogue: Catalogue) -> None:
    assert catalogue.burst("bst-none") is None
    assert catalogue.neighbours("bst-none").after is None


def test_neighbours_are_of_the_same_camera_and_filter(catalogue: Catalogue) -> None:
    own = [row for row in reversed(listed(catalogue)) if row.camera == "ridge/cam-1"]
    for number, row in enumerate(own[1:-1], 1):
        found = catalogue.neighbours(row.burst_id)
        assert found.before is not None and found.after is not None
        assert (found.before.burst_id, found.after.burst_id) == (own[number - 1].burst_id, own[number + 1].burst_id)
    animals = [row for row in own if row.category == "animal"]
    found = catalogue.neighbours(animals[1].burst_id, BurstFilter(categories=("animal",)))
    assert found.before is not None and found.before.burst_id == animals[0].burst_id


def test_health_shows_contact_activity_and_clock_of_every_camera(catalogue: Catalogue) -> None:
    last_day = FIRST_DAY.date() + timedelta(days=39)
    health = {camera_health.camera: camera_health for camera_health in catalogue.camera_health(7, last_day)}
    assert set(health) == set(catalogue.cameras())
    for camera, camera_health in health.items():
        days = catalogue.camera_days(camera, last_day - timedelta(days=6), last_day)
        assert (camera_health.captures, camera_health.active_days) == (sum(day.captures for day in days), len(days))
        assert camera_health.last_contact is not None and camera_health.last_contact.tzinfo is not None
        assert camera_health.clock in ("ok", "suspicious")
        assert camera_health.deployment_id is not None
        assert camera_health.pending == 0
    assert any(camera_health.clock == "suspicious" for camera_health in health.values())


def test_changes_name_every_burst_after_a_number_once(engine: Engine, catalogue: Catalogue) -> None:
    everything = catalogue.changes(0, 10_000)
    assert len(everything) == len({change.burst_id for change in everything}) == BURSTS
    newest = catalogue.newest_change()
    assert newest == everything[-1].number
    assert catalogue.changes(newest) == []
    burst = next(event for event in whole_project() if isinstance(event, BurstResolved))
    log = Log()
    CatalogueStore(engine).apply([log.append(review_of(burst, ReviewDecision.BLANK))])
    assert [change.burst_id for change in catalogue.changes(newest)] == [burst.burst_id]
    assert catalogue.newest_change() > newest


def test_changes_of_one_number_are_not_torn_apart(catalogue: Catalogue) -> None:
    seen: list[str] = []
    after = 0
    while found := catalogue.changes(after, 3):
        seen += [change.burst_id for change in found]
        after = found[-1].number
    assert len(seen) == len(set(seen)) == BURSTS


@pytest.mark.parametrize("hours", [(-1, 5), (1440, 5), (5, 1441)])
def test_hours_that_no_day_has_are_refused(hours: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="hours"):
        Hours(*hours)


def test_effort_is_the_same_on_both_databases(engine: Engine) -> None:
    fill_catalogue(engine, ProjectEvents(80, days=40))
    found = CatalogueNumbers(engine).effort(None, None)
    assert sum(one.active_days for one in found) > 40
    assert all(one.nights >= one.active_days - 1 for one in found)
