"""The rows are a function of the log: not of batches, of the order of the topics, of repetitions, of restarts."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import URL, Engine, event, make_url, select
from sqlalchemy.exc import OperationalError

from tests.unit.dashboard.catalogue.catalogue_data import Log, ProjectEvents, records
from tests.unit.dashboard.catalogue.contents import Contents, contents, empty
from tests.unit.dashboard.catalogue.individual_data import candidate_of, created, crop_of, sighted
from tests.unit.dashboard.catalogue.sound_data import analysed, call_in, forgotten, withdrawn
from uncia.camtrap.individual_decisions import make_decision
from uncia.dashboard.catalogue import tables
from uncia.dashboard.catalogue.changes import LogRecord, SkipMessage
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.gaps import BurstTime, gaps
from uncia.dashboard.catalogue.queries import Catalogue
from uncia.dashboard.catalogue.schema import migrate
from uncia.dashboard.catalogue.store import CatalogueStore, PartitionState
from uncia.dashboard.catalogue.tables import METADATA
from uncia.events import (
    BurstCategory,
    BurstResolved,
    BurstReview,
    BurstStatus,
    CameraStatus,
    ClassScore,
    DeploymentChanged,
    Event,
    IndividualDecision,
    ObservationReviewed,
    ReviewDecision,
    ReviewedObservation,
    StaticObjectsChanged,
    StatusReported,
    StatusSource,
)


def project() -> list[LogRecord]:
    return list(_project())


@cache
def _project() -> tuple[LogRecord, ...]:
    """A log with every kind of message, some of them repeated, invalid, tombstones and superseding."""
    log = Log()
    events = list(ProjectEvents(24, seed=5, camera_count=3, days=2))
    log_of: list[LogRecord] = list(records(events, log))
    resolved = [event for event in events if isinstance(event, BurstResolved)]
    one, other = resolved[1], resolved[-1]
    log_of.append(log.append(one.model_copy(update={"revision": 9, "status": BurstStatus.SUPERSEDED})))
    # A worker that lost its state publishes an old revision again; a higher one stays.
    log_of.append(log.append(other.model_copy(update={"revision": 1, "status": BurstStatus.PROVISIONAL})))
    review = review_of(other, ReviewDecision.CORRECT, 1, "Canis lupus")
    log_of.append(log.append(review))
    log_of.append(log.append(review_of(other, ReviewDecision.UNDO, 2, supersedes=review.review_id)))
    third = next(burst for burst in resolved if burst.burst_id not in (one.burst_id, other.burst_id))
    for burst in (one, third):
        log_of.append(log.append(review_of(burst, ReviewDecision.MARK, 3, marks=("favourite",))))
    reviewed = {event.burst_id for event in events if isinstance(event, ObservationReviewed)}
    free = [burst for burst in resolved if burst.burst_id not in reviewed | {one.burst_id, third.burst_id}]
    log_of += [log.append(event) for event in regrouped_events(free[:4])]
    log_of.append(log.append(StaticObjectsChanged(station=one.station, camera=one.camera, changed_at=LATER)))
    log_of += [log.append(report) for report in status_reports(one.station, one.camera)]
    log_of += [log.append(event) for event in about_individuals(one, other)]
    log_of += [log.append(event) for event in about_sounds()]
    deleted = log.append(sighted(third))
    log_of += [deleted, replace(log.append(sighted(third)), value=None)]
    deployment = next(event for event in events if isinstance(event, DeploymentChanged))
    moved = deployment.model_copy(update={"deployment_id": "moved|twice", "start": LATER - timedelta(days=44)})
    log_of.append(log.append(moved))
    gone = log.append(deployment)
    log_of.append(replace(gone, value=None, key=deployment.message_key))
    broken = log.append(one)
    log_of.append(replace(broken, value=b'{"event": "camera.burst.resolved.v2"}'))
    return tuple(log_of)


def messages_of(kind: type[Event]) -> list[Any]:
    """The events of one kind in the project."""
    return [
        kind.from_bytes(message.value)
        for message in project()
        if message.topic == kind.topic and message.value and b"resolved.v2" not in message.value
    ]


LATER = datetime(2026, 6, 15, tzinfo=UTC)


def about_individuals(one: BurstResolved, other: BurstResolved) -> list[Event]:
    """A decision and its undo, and a sighting whose older revision is published again."""
    known = created(one, "F01")
    undo = make_decision(IndividualDecision.UNDO, "aigul", LATER, undoes=known.decision_id, burst_id=one.burst_id)
    undo = undo.model_copy(update={"station": one.station, "camera": one.camera})
    seen = sighted(other, candidate_of(known, crop_of(other), 0.5), revision=3)
    return [known, undo, known, seen, seen.model_copy(update={"revision": 2, "candidates": ()})]


def about_sounds() -> list[Event]:
    """Recordings that stay, that are analysed again, that are replaced, copied and forgotten, with their calls."""
    kept, copied = analysed(), analysed(name="copy.wav", sha256="same")
    again = kept.model_copy(update={"model": "audio_classifier@4"})
    replaced, instead = analysed(name="over.wav", sha256="old"), analysed(name="over.wav", after_minutes=9)
    copy = analysed(name="other copy.wav", sha256="same", after_minutes=3)
    gone = analysed(name="gone.wav")
    calls = [call_in(one) for one in (kept, again, replaced, instead, copied, gone)]
    return [
        *(kept, replaced, copied, copy, gone, instead),
        *calls,
        *(again, forgotten(copy), forgotten(gone), withdrawn(calls[-1]), replaced),
        calls[0],
    ]


def status_reports(station: str, camera: str) -> list[StatusReported]:
    """A daily report, a later mail that states the battery alone, an old report that arrives last, and a repetition."""
    daily = StatusReported(
        report_id="sts-1",
        station=station,
        camera=camera,
        reported_at=LATER,
        source=StatusSource.FILE,
        profile="willfine",
        status=CameraStatus(battery_percent=80, signal_bars=17, signal_bars_of=31, card_total_mb=9, temperature_c=-4),
    )
    mail, old = CameraStatus(battery_percent=75), CameraStatus(battery_percent=90, card_total_mb=8)
    return [
        daily,
        daily.model_copy(update={"report_id": "sts-2", "reported_at": LATER + timedelta(hours=1), "status": mail}),
        daily.model_copy(update={"report_id": "sts-3", "reported_at": LATER - timedelta(days=9), "status": old}),
        daily,
    ]


def test_of_each_quantity_the_newest_report_counts(engine: Engine) -> None:
    fold_all(engine, project())
    with engine.connect() as connection:
        found = {row.quantity: row for row in connection.execute(select(tables.camera_status))}
    assert {name: row.report_id for name, row in found.items()} == {
        "battery": "sts-2",
        "signal": "sts-1",
        "card": "sts-1",
        "temperature": "sts-1",
    }
    assert (found["battery"].percent, found["battery"].reported_at) == (75, LATER + timedelta(hours=1))
    assert (found["signal"].bars, found["signal"].bars_of, found["card"].total_mb) == (17, 31, 9)


def review_of(
    burst: BurstResolved,
    decision: ReviewDecision,
    minute: int = 0,
    taxon: str | None = None,
    **more: Any,
) -> ObservationReviewed:
    seen = ReviewedObservation(category=BurstCategory.ANIMAL, taxon=taxon, label=taxon, count=2)
    return ObservationReviewed(
        review_id=f"rev-{burst.burst_id}-{minute}",
        burst_id=burst.burst_id,
        station=burst.station,
        camera=burst.camera,
        reviewer="aigul",
        decision=decision,
        observations=(seen,) if decision in (ReviewDecision.CONFIRM, ReviewDecision.CORRECT) else (),
        reviewed_at=LATER + timedelta(minutes=minute),
        **more,
    )


def renamed(
    burst: BurstResolved, burst_id: str, review: ObservationReviewed | None, revision: int = 1
) -> BurstResolved:
    """The burst under another id, with the review that it takes over."""
    named = None
    if review is not None:
        named = BurstReview(
            review_id=review.review_id,
            reviewer=review.reviewer,
            decision=review.decision.value,
            reviewed_at=review.reviewed_at,
        )
    return burst.model_copy(update={"burst_id": burst_id, "revision": revision, "review": named})


def regrouped_events(four: Sequence[BurstResolved]) -> list[Event]:
    """Reviewed bursts that get other ids: one keeps its review, the others' are undone under either id."""
    found: list[Event] = []
    for number, burst in enumerate(four):
        review = review_of(burst, ReviewDecision.CORRECT, 10, "Canis lupus", marks=("favourite",))
        new = renamed(burst, f"bst-renamed-{number}", review)
        gone = burst.model_copy(update={"revision": 20, "status": BurstStatus.SUPERSEDED})
        found += [review, gone, new]
        if number == 0:
            continue
        undo = review_of(burst if number == 1 else new, ReviewDecision.UNDO, 11, supersedes=review.review_id)
        found.append(undo)
        if number > 1:
            found.append(renamed(burst, new.burst_id, None, 2))
        if number > 2:
            found.append(review_of(new, ReviewDecision.UNDO, 12, supersedes=undo.review_id))
    return found


def begin(engine: Engine, log: Sequence[LogRecord]) -> CatalogueStore:
    store = CatalogueStore(engine)
    store.set_partitions({(message.topic, message.partition): PartitionState("id", 0, 0) for message in log})
    return store


def fold_all(engine: Engine, log: Sequence[LogRecord], batch: int = 1000) -> CatalogueStore:
    store = begin(engine, log)
    for start in range(0, len(log), batch):
        store.apply(log[start : start + batch])
    return store


def bursts_of(engine: Engine) -> dict[str, Any]:
    with engine.begin() as connection:
        return {row["burst_id"]: row for row in connection.execute(select(tables.bursts)).mappings()}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """The rows of the project, folded one message at a time by SQLite."""
    engine = open_database(make_url(f"sqlite:///{tmp_path_factory.mktemp('expected')}/c.sqlite"))
    migrate(engine)
    fold_all(engine, project(), batch=1)
    return contents(engine)


def test_every_table_of_the_log_has_rows(expected: Contents) -> None:
    assert not [name for name, rows in expected.items() if not rows]


def test_one_batch_gives_the_rows_of_single_messages(engine: Engine, expected: Contents) -> None:
    fold_all(engine, project())
    assert contents(engine) == expected


def test_folding_twice_changes_nothing(engine: Engine, expected: Contents) -> None:
    store = fold_all(engine, project())
    states = store.partitions()
    for start in range(0, len(project()), 7):
        store.apply(project()[start : start + 7])
    assert contents(engine) == expected
    assert store.partitions() == states


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    engine = open_database(make_url(f"sqlite:///{tmp_path_factory.mktemp('scratch')}/c.sqlite"))
    migrate(engine)
    return engine


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_any_order_of_the_partitions_and_any_restart_gives_the_same_rows(
    scratch: Engine, expected: Contents, seed: int
) -> None:
    empty(scratch)
    chance = random.Random(seed)
    queues: dict[tuple[str, int], list[LogRecord]] = {}
    for message in project():
        queues.setdefault((message.topic, message.partition), []).append(message)
    places = sorted(queues)
    store = CatalogueStore(scratch)
    store.set_partitions({place: PartitionState("id", 0, 0) for place in places})
    positions = dict.fromkeys(places, 0)
    while left := [place for place in places if positions[place] < len(queues[place])]:
        batch: list[LogRecord] = []
        for place in chance.sample(left, chance.randint(1, len(left))):
            taken = chance.randint(1, 40)
            batch += queues[place][positions[place] : positions[place] + taken]
            positions[place] += taken
        store.apply(batch)
        if chance.random() < 0.2:
            # As after a restart with older offsets: a partition is read again from somewhere.
            again = chance.choice(places)
            positions[again] = chance.randint(0, min(positions[again], len(queues[again])))
            store = CatalogueStore(scratch)
    assert contents(scratch) == expected


def test_a_topic_that_was_recreated_counts_from_its_beginning(engine: Engine, expected: Contents) -> None:
    store = fold_all(engine, project())
    store.set_partitions(
        {place: replace(state, generation=1, next_offset=0) for place, state in store.partitions().items()}
    )
    store.apply([replace(message, generation=1) for message in project()])
    assert contents(engine, with_versions=False) == without_versions(expected)
    assert {state.generation for state in store.partitions().values()} == {1}


def without_versions(rows: Contents) -> Contents:
    """The rows without what a new generation changes, and with what was skipped in both."""
    found: Contents = {}
    for name, own in rows.items():
        names = [column.name for column in METADATA.tables[name].columns if column.name != "change"]
        kept = [at for at, column in enumerate(names) if column not in ("version", "generation")]
        found[name] = sorted((tuple(row[at] for at in kept) for row in own), key=repr)
    found["skipped_events"] = sorted(found["skipped_events"] * 2, key=repr)
    return found


def test_offsets_and_rows_are_written_together_or_not_at_all(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    log = project()
    store = fold_all(engine, log[:50])
    before, states = contents(engine), store.partitions()

    def fail(*_: object) -> None:
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    with monkeypatch.context() as patched:
        patched.setattr("uncia.dashboard.catalogue.store._advance", fail)
        with pytest.raises(OperationalError):
            store.apply(log[50:])
    assert (contents(engine), store.partitions()) == (before, states)
    store.apply(log[50:])
    assert store.partitions() != states


def test_a_full_disk_loses_nothing(tmp_path: Path, expected: Contents) -> None:
    engine = open_database(make_url(f"sqlite:///{tmp_path}/c.sqlite"))
    migrate(engine)
    log = project()
    store = begin(engine, log)
    store.apply(log[:20])
    with engine.begin() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    # SQLite's own limit of a file: the error is that of a full disk, in the middle of a transaction.
    limit = pages + 5

    def limited(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={limit}")

    engine.dispose()
    event.listen(engine, "connect", limited)
    with pytest.raises(OperationalError, match="disk is full"):
        for start in range(20, len(log), 50):
            store.apply(log[start : start + 50])
    event.remove(engine, "connect", limited)
    engine.dispose()
    states = CatalogueStore(engine).partitions()
    rest = [message for message in log if message.offset >= states[(message.topic, message.partition)].next_offset]
    assert 0 < len(rest) < len(log)
    CatalogueStore(engine).apply(rest)
    assert contents(engine) == expected
    engine.dispose()


def test_the_offset_of_each_partition_is_behind_its_last_message(engine: Engine) -> None:
    log = project()
    states = fold_all(engine, log).partitions()
    for message in log:
        assert states[(message.topic, message.partition)].next_offset > message.offset
    assert sum(state.next_offset for state in states.values()) == len(log)


def test_an_invalid_message_is_skipped_with_its_reason(engine: Engine) -> None:
    log = project()
    fold_all(engine, log)
    with engine.begin() as connection:
        (row,) = connection.execute(select(tables.skipped_events)).mappings()
    assert (row["topic"], row["reason"]) == ("camera.burst.resolved.v1", "schema-unknown")
    assert row["offset"] == log[-1].offset


def test_what_the_database_refuses_is_skipped_alone(engine: Engine) -> None:
    log = project()
    number = next(at for at, message in enumerate(log) if message.topic == "camera.image.predicted.v1")
    too_large = (log[number].value or b"").replace(b'"size":400000', b'"size":1' + b"0" * 30)
    log[number] = replace(log[number], value=too_large)
    store = CatalogueStore(engine)
    store.set_partitions({(message.topic, message.partition): PartitionState("id", 0, 0) for message in log})
    applied = store.apply(log[: number + 40])
    assert [skip.reason for skip in applied.skipped] == ["not-storable"]
    assert applied.skipped[0].record == log[number]
    assert sum(state.next_offset for state in store.partitions().values()) == number + 40


HOSTILE = {
    "a NUL": "a\x00b",
    "terminal codes": "\x1b[31mred",
    "HTML": "<img src=x onerror=alert(1)>",
    "SQL": "'; DROP TABLE bursts; --",
    "a formula": "=HYPERLINK(0)",
    "an emoji": "🐆",
    "a percent sign": "%(name)s %s :id ?",
    "4,000 bytes": "ü" * 1024,
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_hostile_names_are_stored_as_they_are(engine: Engine, name: str) -> None:
    burst = next(event for event in ProjectEvents(3) if isinstance(event, BurstResolved) and event.verdict)
    assert burst.verdict is not None
    hostile = burst.model_copy(
        update={
            "verdict": burst.verdict.model_copy(update={"taxon": name, "label": name}),
            "flags": (name,),
            "station": name,
            "changes": (name,),
        }
    )
    log = [Log().append(hostile)]
    store = CatalogueStore(engine)
    store.set_partitions({(log[0].topic, log[0].partition): PartitionState("id", 0, 0)})
    applied = store.apply(log)
    # An index of PostgreSQL holds 2,704 bytes at most.
    if applied.skipped:
        assert len(name.encode()) > 2000 and engine.dialect.name == "postgresql"
        return
    (row,) = bursts_of(engine).values()
    assert (row["station"], row["taxon"]) == (name.replace("\x00", "\ufffd"),) * 2


def test_a_check_that_refuses_a_batch_leaves_everything_as_it_was(engine: Engine) -> None:
    def refuse(count: int, skipped: Sequence[SkipMessage]) -> None:
        assert (count, len(skipped)) == (len(project()), 1)
        raise RuntimeError("too many")

    store = CatalogueStore(engine)
    store.set_partitions({(message.topic, message.partition): PartitionState("id", 0, 0) for message in project()})
    with pytest.raises(RuntimeError):
        store.apply(project(), refuse)
    assert bursts_of(engine) == {}
    assert {state.next_offset for state in store.partitions().values()} == {0}


@pytest.fixture
def one_burst(engine: Engine) -> tuple[Engine, BurstResolved, Callable[..., Any]]:
    """A burst of ibexes in the catalogue, and a function that folds further events and returns its row."""
    log = Log()
    burst = next(
        event for event in ProjectEvents(30) if isinstance(event, BurstResolved) and event.category == "animal"
    )
    store = CatalogueStore(engine)

    def fold_more(*events: Event) -> Any:
        messages = [log.append(event) for event in events]
        known = store.partitions()
        store.set_partitions({place: state for place, state in log.partitions().items() if place not in known})
        store.apply(messages)
        return bursts_of(engine)[burst.burst_id]

    fold_more(burst)
    return engine, burst, fold_more


def human(engine: Engine) -> list[Any]:
    with engine.begin() as connection:
        statement = select(tables.observations).where(tables.observations.c.source == "human")
        return list(connection.execute(statement.order_by(tables.observations.c.number)).mappings())


OneBurst = tuple[Engine, BurstResolved, Callable[..., Any]]


def test_a_review_decides_what_the_burst_shows(one_burst: OneBurst) -> None:
    engine, burst, fold_more = one_burst
    row = fold_more(review_of(burst, ReviewDecision.CORRECT, 1, "Canis lupus"))
    assert (row["taxon"], row["count"], row["reviewed"], row["reviewer"]) == ("Canis lupus", 2, True, "aigul")
    assert row["subject"] == "Canis lupus"
    assert row["model_taxon"] == burst.verdict.taxon if burst.verdict else None
    assert [observation["taxon"] for observation in human(engine)] == ["Canis lupus"]


def test_a_later_revision_by_a_model_does_not_undo_a_review(one_burst: OneBurst) -> None:
    _, burst, fold_more = one_burst
    fold_more(review_of(burst, ReviewDecision.BLANK, 1))
    row = fold_more(burst.model_copy(update={"revision": 7, "status": BurstStatus.REVISED}))
    assert (row["revision"], row["category"], row["taxon"], row["reviewed"]) == (7, "blank", None, True)
    assert row["subject"] is None
    assert row["gap_s"] is None


@pytest.mark.parametrize(
    ("second", "least"),
    [
        ({"category": BurstCategory.BLANK}, 0.5),
        ({"category": BurstCategory.VEHICLE}, 0.8),
        ({"top": "Panthera uncia"}, 0.8),
        ({"top": "Capra"}, 0.0),
    ],
    ids=["partly blank", "an animal and a vehicle", "two taxa", "a taxon and one above it"],
)
def test_frames_that_disagree_make_a_burst_uncertain(one_burst: OneBurst, second: dict[str, Any], least: float) -> None:
    _, burst, fold_more = one_burst
    taxon = burst.taxa[0].model_copy(update={"certain": True})
    top = ClassScore(index=0, label="ibex", taxon="Capra sibirica", group="animal", score=0.9)
    shown = burst.frames[0].model_copy(update={"category": BurstCategory.ANIMAL, "rejection": None, "top": top})
    if "top" in second:
        second = {"top": top.model_copy(update={"taxon": second["top"]})}
    certain = {"revision": 9, "animal_probability": 0.999, "verdict": taxon, "taxa": (taxon,)}
    row = fold_more(burst.model_copy(update={**certain, "frames": (shown, shown.model_copy(update=second))}))
    assert row["uncertainty"] == pytest.approx(max(least, 0.002), abs=1e-4)


def test_a_confirmation_of_nothing_is_one_of_a_blank(one_burst: OneBurst) -> None:
    _, burst, fold_more = one_burst
    review = review_of(burst, ReviewDecision.CONFIRM, 1).model_copy(update={"observations": ()})
    row = fold_more(review)
    assert (row["category"], row["reviewed"], row["subject"]) == ("blank", True, None)


def test_an_undo_returns_to_the_review_before_and_to_the_models(one_burst: OneBurst) -> None:
    engine, burst, fold_more = one_burst
    before = fold_more()
    first = review_of(burst, ReviewDecision.CORRECT, 1, "Canis lupus")
    second = review_of(burst, ReviewDecision.CORRECT, 2, "Vulpes vulpes")
    assert fold_more(first, second)["taxon"] == "Vulpes vulpes"
    assert fold_more(review_of(burst, ReviewDecision.UNDO, 3, supersedes=second.review_id))["taxon"] == "Canis lupus"
    row = fold_more(review_of(burst, ReviewDecision.UNDO, 4, supersedes=first.review_id))
    left_out = {"change"}
    assert {k: v for k, v in row.items() if k not in left_out} == {k: v for k, v in before.items() if k not in left_out}
    assert human(engine) == []


def test_a_redo_is_an_undo_of_the_undo(one_burst: OneBurst) -> None:
    _, burst, fold_more = one_burst
    review = review_of(burst, ReviewDecision.CORRECT, 1, "Canis lupus")
    undo = review_of(burst, ReviewDecision.UNDO, 2, supersedes=review.review_id)
    row = fold_more(review, undo, review_of(burst, ReviewDecision.UNDO, 3, supersedes=undo.review_id))
    assert row["taxon"] == "Canis lupus"


def test_marks_change_without_a_verdict(one_burst: OneBurst) -> None:
    engine, burst, fold_more = one_burst
    row = fold_more(review_of(burst, ReviewDecision.MARK, 1, marks=("favourite", "look again")))
    assert (row["reviewed"], row["taxon"]) == (False, burst.verdict.taxon if burst.verdict else None)
    fold_more(review_of(burst, ReviewDecision.CONFIRM, 2, "Ovis"))
    fold_more(review_of(burst, ReviewDecision.MARK, 3, marks=("favourite",)))
    with engine.begin() as connection:
        flags = connection.execute(select(tables.burst_flags.c.flag).where(tables.burst_flags.c.source == "human"))
        assert flags.scalars().all() == ["favourite"]


def test_a_review_that_comes_before_its_burst_counts(engine: Engine) -> None:
    burst = next(event for event in ProjectEvents(30) if isinstance(event, BurstResolved))
    log = Log()
    fold_all(engine, [log.append(review_of(burst, ReviewDecision.CORRECT, 1, "Ovis")), log.append(burst)], batch=1)
    assert bursts_of(engine)[burst.burst_id]["taxon"] == "Ovis"


def test_a_burst_under_another_id_has_the_review_that_its_event_names_in_any_order(engine: Engine) -> None:
    burst = next(event for event in ProjectEvents(30) if isinstance(event, BurstResolved))
    rows = []
    for number, order in enumerate(permutations(range(3))):
        old = burst.model_copy(update={"burst_id": f"bst-old-{number}"})
        review = review_of(old, ReviewDecision.CORRECT, 1, "Canis lupus", marks=("favourite",))
        gone = old.model_copy(update={"revision": 9, "status": BurstStatus.SUPERSEDED})
        events = (review, gone, renamed(old, f"bst-new-{number}", review))
        log = Log()
        fold_all(engine, [replace(log.append(events[at]), generation=number) for at in order], batch=1)
        row = bursts_of(engine)[f"bst-new-{number}"]
        rows.append({name: row[name] for name in ("taxon", "count", "reviewed", "reviewer", "subject", "flagged")})
        assert row["review_id"] == review.review_id
        seen = [line for line in human(engine) if line["burst_id"] == f"bst-new-{number}"]
        assert [(line["taxon"], line["review_id"]) for line in seen] == [("Canis lupus", review.review_id)]
        detail = Catalogue(engine).burst(f"bst-new-{number}")
        assert detail is not None
        assert [line.review_id for line in detail.reviews] == [review.review_id]
        assert detail.flags["human"] == ("favourite",)
    expected = {"taxon": "Canis lupus", "count": 2, "reviewed": True, "reviewer": "aigul"}
    assert rows == [{**expected, "subject": "Canis lupus", "flagged": True}] * 6


def test_a_review_that_comes_late_changes_the_burst_with_another_id(one_burst: OneBurst) -> None:
    engine, burst, fold_more = one_burst
    review = review_of(burst, ReviewDecision.BLANK, 1)
    fold_more(renamed(burst, "bst-new", review))
    before = bursts_of(engine)["bst-new"]
    fold_more(review)
    after = bursts_of(engine)["bst-new"]
    assert (before["reviewed"], after["reviewed"], after["category"]) == (False, True, "blank")
    assert after["change"] > before["change"]


@pytest.mark.parametrize("under", ["the old id", "the new id"])
def test_an_undo_and_its_undo_count_under_either_id(one_burst: OneBurst, under: str) -> None:
    engine, burst, fold_more = one_burst
    review = review_of(burst, ReviewDecision.CORRECT, 1, "Canis lupus")
    new = renamed(burst, "bst-new", review)
    undo = review_of(new if under == "the new id" else burst, ReviewDecision.UNDO, 2, supersedes=review.review_id)
    fold_more(review, new, undo)
    assert not bursts_of(engine)["bst-new"]["reviewed"]
    # The bursts worker takes the review out of an event that the undo names.
    fold_more(renamed(burst, "bst-new", None if under == "the new id" else review, 2))
    assert not bursts_of(engine)["bst-new"]["reviewed"]
    assert not [line for line in human(engine) if line["burst_id"] == "bst-new"]
    redo = undo.model_copy(
        update={"review_id": "rev-redo", "supersedes": undo.review_id, "reviewed_at": LATER + timedelta(minutes=3)}
    )
    fold_more(redo)
    assert bursts_of(engine)["bst-new"]["taxon"] == "Canis lupus"


def test_an_undo_in_one_part_of_a_split_burst_leaves_the_review_of_the_other(one_burst: OneBurst) -> None:
    engine, burst, fold_more = one_burst
    review = review_of(burst, ReviewDecision.CORRECT, 1, "Canis lupus")
    parts = [renamed(burst, name, review) for name in ("bst-part-1", "bst-part-2")]
    fold_more(review, *parts, review_of(parts[0], ReviewDecision.UNDO, 2, supersedes=review.review_id))
    rows = bursts_of(engine)
    assert [rows[name]["reviewed"] for name in (burst.burst_id, "bst-part-1", "bst-part-2")] == [True, False, True]


def test_what_an_event_no_longer_names_leaves_nothing_behind(one_burst: OneBurst) -> None:
    engine, burst, fold_more = one_burst
    review = review_of(burst, ReviewDecision.CORRECT, 1, "Canis lupus", marks=("favourite",))
    fold_more(review, renamed(burst, "bst-new", review))
    fold_more(renamed(burst, "bst-new", None, 2))
    row = bursts_of(engine)["bst-new"]
    assert (row["reviewed"], row["taxon"], row["flagged"]) == (False, row["model_taxon"], bool(burst.flags))
    assert not [line for line in human(engine) if line["burst_id"] == "bst-new"]


def test_a_tombstone_removes_a_burst_and_its_rows(one_burst: OneBurst) -> None:
    engine, burst, _ = one_burst
    log = Log()
    for _ in range(3):
        message = log.append(burst)
    CatalogueStore(engine).apply([replace(message, value=None, key=burst.burst_id.encode())])
    found = contents(engine)
    assert not any(found[name] for name in ("bursts", "burst_revisions", "burst_frames", "observations"))


def burst_at(burst: BurstResolved, number: int, seconds: float, length: float = 0, **more: Any) -> BurstResolved:
    started = datetime(2026, 5, 10, 12) + timedelta(seconds=seconds)
    return burst.model_copy(
        update={
            "burst_id": f"bst-{number}",
            "started_at": started,
            "ended_at": started + timedelta(seconds=length),
            **more,
        }
    )


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_gaps_are_those_between_bursts_whatever_their_order_of_arrival(engine: Engine, order: tuple[int, ...]) -> None:
    burst = next(
        event for event in ProjectEvents(30) if isinstance(event, BurstResolved) and event.category == "animal"
    )
    log = Log()
    # The first lasts until after the second has begun.
    all_bursts = [burst_at(burst, 0, 0, 100), burst_at(burst, 1, 50), burst_at(burst, 2, 200), burst_at(burst, 3, 5000)]
    fold_all(engine, [log.append(all_bursts[number]) for number in order], batch=1)
    rows = bursts_of(engine)
    assert [rows[f"bst-{number}"]["gap_s"] for number in range(4)] == [None, 0, 100, 4800]


def test_gaps_among_many_bursts_are_those_of_all_in_order(engine: Engine) -> None:
    """Long bursts that reach over many later ones, revisions that move them, tombstones, batches of any size."""
    burst = next(
        event for event in ProjectEvents(30) if isinstance(event, BurstResolved) and event.category == "animal"
    )
    chance, log, store = random.Random(11), Log(), None
    waiting = []
    for revision in range(3, 6):
        for number in chance.sample(range(60), 60):
            length = chance.choice((0, 5, 5, 3000))
            message = log.append(burst_at(burst, number, chance.randrange(40_000), length, revision=revision))
            gone = replace(message, value=None, key=f"bst-{number}".encode())
            waiting.append(gone if revision == 5 and number % 7 == 0 else message)
    while waiting:
        size = chance.choice((1, 2, 9, 30))
        store = fold_all(engine, waiting[:size]) if store is None else store
        store.apply(waiting[:size])
        del waiting[:size]
    rows = sorted(bursts_of(engine).values(), key=lambda row: (row["started_at"], row["burst_id"]))
    times = [BurstTime(row["burst_id"], row["started_at"], row["ended_at"], row["deployment_id"]) for row in rows]
    assert len(rows) == 51
    assert [row["gap_s"] for row in rows] == [gap.gap_s for _, gap in gaps(None, times)]
    assert [row["reached_at"] for row in rows] == [gap.reached_at for _, gap in gaps(None, times)]


def test_a_burst_of_another_taxon_is_not_between(engine: Engine) -> None:
    burst = next(
        event for event in ProjectEvents(30) if isinstance(event, BurstResolved) and event.category == "animal"
    )
    log = Log()
    fold_all(engine, [log.append(burst_at(burst, number, 100 * number)) for number in range(3)])
    fold_all(engine, [log.append(review_of(burst_at(burst, 1, 100), ReviewDecision.CORRECT, 1, "Canis lupus"))])
    rows = bursts_of(engine)
    assert [rows[f"bst-{number}"]["gap_s"] for number in range(3)] == [None, None, 200]


def test_a_camera_that_was_moved_begins_anew(engine: Engine) -> None:
    burst = next(
        event for event in ProjectEvents(30) if isinstance(event, BurstResolved) and event.category == "animal"
    )
    log = Log()
    fold_all(engine, [log.append(burst_at(burst, number, 100 * number)) for number in range(3)])
    common = {"camera": burst.camera, "utc_offset_minutes": 360, "latitude": 1, "longitude": 2}
    noon = datetime(2026, 5, 10, 6, tzinfo=UTC)
    here = DeploymentChanged(deployment_id="here", start=noon, end=noon + timedelta(seconds=150), **common)
    there = DeploymentChanged(deployment_id="there", start=noon + timedelta(seconds=150), **common)
    store = fold_all(engine, [log.append(here), log.append(there)])
    rows = bursts_of(engine)
    assert [rows[f"bst-{number}"]["deployment_id"] for number in range(3)] == ["here", "here", "there"]
    assert [rows[f"bst-{number}"]["gap_s"] for number in range(3)] == [None, 100, None]
    for deployment in (here, there):
        store.apply([replace(log.append(deployment), value=None, key=deployment.message_key)])
    assert [bursts_of(engine)[f"bst-{number}"]["gap_s"] for number in range(3)] == [None, 100, 100]


def test_months_count_all_bursts_of_each_kind(engine: Engine) -> None:
    fold_all(engine, project(), batch=9)
    expected = Counter(
        (month, row["camera"], row["category"] or "", row["taxon"] or "", row["status"], row["reviewed"])
        for row in bursts_of(engine).values()
        for month in (row["started_at"].date().replace(day=1), tables.ALL_MONTHS)
    )
    with engine.begin() as connection:
        found = connection.execute(select(tables.burst_months)).all()
    assert {tuple(row[:-1]): row.bursts for row in found} == expected


def test_flagged_bursts_are_those_with_flags_or_marks(engine: Engine) -> None:
    fold_all(engine, project(), batch=9)
    with engine.begin() as connection:
        flagged = set(connection.execute(select(tables.burst_flags.c.burst_id)).scalars())
    assert {burst for burst, row in bursts_of(engine).items() if row["flagged"]} == flagged
    assert flagged


def test_days_of_a_camera_count_its_captures(engine: Engine) -> None:
    fold_all(engine, project())
    with engine.begin() as connection:
        counted = {(row.camera, row.day): row.captures for row in connection.execute(select(tables.camera_days)).all()}
        expected: dict[tuple[str, date], int] = {}
        for row in connection.execute(select(tables.captures)).all():
            if row.captured_on is not None:
                key = (row.camera, row.captured_on)
                expected[key] = expected.get(key, 0) + 1
    assert counted == expected


def test_changes_are_numbered_in_the_order_of_transactions(one_burst: OneBurst) -> None:
    _, burst, fold_more = one_burst
    numbers = [fold_more()["change"]]
    numbers.append(fold_more(burst.model_copy(update={"revision": 8}))["change"])
    numbers.append(fold_more(review_of(burst, ReviewDecision.BLANK, 1))["change"])
    assert numbers == sorted(set(numbers))
    assert fold_more()["change"] == numbers[-1]


def test_a_capture_keeps_its_prediction_when_its_upload_is_announced_again(engine: Engine) -> None:
    events = [event for event in ProjectEvents(2) if event.topic.startswith("camera.image")][:2]
    log = Log()
    upload, predicted = events
    fold_all(engine, [log.append(predicted), log.append(upload), log.append(upload)], batch=1)
    with engine.begin() as connection:
        (row,) = connection.execute(select(tables.captures)).mappings()
    assert (row["state"], row["version"] > 1 << 62) == ("predicted", True)


def test_urls_with_blanks_and_signs_work(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("a % b # ü")
    engine = open_database(URL.create("sqlite", database=str(folder / "c.sqlite")))
    migrate(engine)
    fold_all(engine, project())
    reader = open_database(URL.create("sqlite", database=str(folder / "c.sqlite")), read_only=True)
    assert bursts_of(reader).keys() == {event.burst_id for event in messages_of(BurstResolved)}
    with pytest.raises(OperationalError), reader.begin() as connection:
        connection.execute(tables.counters.delete())
