"""A reviewer's decision revises its burst: while the worker holds it, and afterwards from the event that it carries."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.processors.bursts.builders import CAMERA, LOG, STATION, Photo, make_engine, predicted
from uncia import ids
from uncia.errors import PermanentError
from uncia.events import (
    BurstCategory,
    BurstResolved,
    BurstStatus,
    ClockTicked,
    ObservationReviewed,
    ReviewDecision,
    ReviewedObservation,
)
from uncia.kafka.partitioning import partition_of
from uncia.processors.bursts.engine import CameraUpdate

PARTITION = partition_of(CAMERA, 4)
FOX = ReviewedObservation(category=BurstCategory.ANIMAL, taxon="Vulpes vulpes", label="red fox", count=2)


class Worker:
    """The engine with its records and what it publishes; may be killed and started again."""

    def __init__(self) -> None:
        self.records: dict[bytes, bytes] = {}
        self.sent: list[BurstResolved] = []
        self.offset = 0
        self.restart()

    def restart(self) -> None:
        self.engine = make_engine(records=self.records)
        self.engine.start({PARTITION: self.offset})

    def arrive(self, *photos: Photo, at: float = 0) -> None:
        for photo in photos:
            event, logged_at = predicted(photo), LOG + timedelta(seconds=at)
            self.engine.process_prediction(PARTITION, self.offset, event, logged_at)
            self.offset += 1
        self.write()

    def tick(self, at: float) -> None:
        now = LOG + timedelta(seconds=at)
        self.engine.process_tick(ClockTicked(partition=PARTITION, now=now, position=self.offset))
        self.write()

    def review(self, event: ObservationReviewed) -> list[BurstResolved]:
        self.engine.process_review(PARTITION, event)
        return self.write()

    def write(self) -> list[BurstResolved]:
        sent = []
        for update in self.engine.take_updates():
            for key, value in records_of(update):
                if value is None:
                    self.records.pop(key, None)
                else:
                    self.records[key] = value
            sent += [BurstResolved.from_bytes(raw) for _, raw in update.outbox]
        self.sent += sent
        return sent


def records_of(update: CameraUpdate) -> Iterable[tuple[bytes, bytes | None]]:
    return (update.writes.intent, *update.writes.apply.items(), update.writes.clear)


def review(
    burst: BurstResolved,
    minute: int = 1,
    decision: ReviewDecision = ReviewDecision.CORRECT,
    *,
    supersedes: str | None = None,
    with_burst: bool = True,
) -> ObservationReviewed:
    at = datetime(2026, 4, 1, 12, minute, tzinfo=UTC)
    return ObservationReviewed(
        review_id=ids.review_id(burst.burst_id, "rita", at, decision.value),
        burst_id=burst.burst_id,
        station=STATION,
        camera=CAMERA,
        reviewer="rita",
        decision=decision,
        observations=(FOX,) if decision is ReviewDecision.CORRECT else (),
        supersedes=supersedes,
        burst=burst.to_bytes().decode() if with_burst else None,
        reviewed_at=at,
    )


@pytest.fixture
def worker() -> Worker:
    return Worker()


def closed(worker: Worker) -> BurstResolved:
    worker.arrive(Photo("a", 0), Photo("b", 1))
    worker.tick(60)
    return worker.sent[-1]


def expired(worker: Worker) -> BurstResolved:
    burst = closed(worker)
    worker.tick(3600)
    worker.restart()
    return burst


@pytest.mark.parametrize("state", [closed, expired])
def test_a_review_revises_its_burst_and_leaves_the_models_verdict(worker: Worker, state: object) -> None:
    burst = closed(worker) if state is closed else expired(worker)
    (revised,) = worker.review(review(burst))
    assert (revised.burst_id, revised.revision) == (burst.burst_id, burst.revision + 1)
    assert revised.status is BurstStatus.REVISED
    assert revised.review is not None
    assert (revised.review.taxon, revised.review.count, revised.review.reviewer) == ("Vulpes vulpes", 2, "rita")
    assert revised.changes == ("reviewed by rita: red fox × 2",)
    models = {"verdict", "taxa", "category", "frames", "rule", "models", "closed_at"}
    assert revised.model_dump(include=models) == burst.model_dump(include=models)


@pytest.mark.parametrize("state", [closed, expired])
def test_all_observations_of_a_review_are_in_the_event(worker: Worker, state: object) -> None:
    burst = closed(worker) if state is closed else expired(worker)
    leopard = ReviewedObservation(category=BurstCategory.ANIMAL, taxon="Panthera uncia", label="snow leopard")
    person = ReviewedObservation(category=BurstCategory.PERSON)
    event = review(burst).model_copy(update={"observations": (FOX, leopard, person, leopard)})
    (revised,) = worker.review(event)
    assert revised.review is not None
    further = [(one.category.value, one.taxon, one.label) for one in revised.review.further or ()]
    assert further == [("animal", "Panthera uncia", "snow leopard"), ("person", None, None)]


@pytest.mark.parametrize("state", [closed, expired])
def test_a_repetition_changes_nothing(worker: Worker, state: object) -> None:
    burst = closed(worker) if state is closed else expired(worker)
    event = review(burst)
    assert worker.review(event)
    worker.restart()
    assert worker.review(event) == []


@pytest.mark.parametrize("state", [closed, expired])
def test_undoing_takes_the_review_away_with_a_further_revision(worker: Worker, state: object) -> None:
    burst = closed(worker) if state is closed else expired(worker)
    first = review(burst)
    (revised,) = worker.review(first)
    undo = review(revised, 2, ReviewDecision.UNDO, supersedes=first.review_id)
    (undone,) = worker.review(undo)
    assert undone.review is None
    assert undone.revision == burst.revision + 2
    assert undone.changes == ("review undone by rita",)
    assert worker.review(undo) == []


def test_two_reviews_of_an_expired_burst_have_different_revisions_although_both_saw_the_same_one(
    worker: Worker,
) -> None:
    burst = expired(worker)
    revisions = [worker.review(review(burst, minute))[0].revision for minute in (1, 2)]
    assert revisions == [burst.revision + 1, burst.revision + 2]


def test_of_two_reviews_the_later_one_counts_in_any_order(worker: Worker) -> None:
    burst = closed(worker)
    blank, fox = review(burst, 2, ReviewDecision.BLANK), review(burst, 1)
    worker.review(blank)
    assert worker.review(fox) == []
    assert worker.sent[-1].review is not None
    assert worker.sent[-1].review.decision == "blank"


def test_a_late_frame_keeps_the_review(worker: Worker) -> None:
    burst = closed(worker)
    worker.review(review(burst))
    worker.restart()
    worker.arrive(Photo("c", 2), at=70)
    assert worker.sent[-1].burst_id == burst.burst_id
    assert len(worker.sent[-1].frames) == 3
    assert worker.sent[-1].review is not None
    assert worker.sent[-1].review.label == "red fox"


def test_a_burst_that_takes_an_earlier_frame_in_has_another_id_and_the_review(worker: Worker) -> None:
    burst = closed(worker)
    worker.review(review(burst))
    worker.arrive(Photo("earlier", -3), at=70)
    newest = [event for event in worker.sent if event.status is not BurstStatus.SUPERSEDED][-1]
    assert newest.burst_id != burst.burst_id
    assert newest.review is not None


def test_a_review_of_an_open_burst_stays_when_it_closes(worker: Worker) -> None:
    worker.arrive(Photo("a", 0))
    (provisional,) = worker.review(review(worker.sent[-1]))
    assert provisional.status is BurstStatus.PROVISIONAL
    worker.tick(60)
    assert worker.sent[-1].status is BurstStatus.FINAL
    assert worker.sent[-1].review is not None


@pytest.mark.parametrize("decision", [ReviewDecision.MARK, ReviewDecision.UNDO])
def test_a_mark_and_an_undo_of_nothing_change_nothing(worker: Worker, decision: ReviewDecision) -> None:
    assert worker.review(review(closed(worker), decision=decision, supersedes="rev-other")) == []


def test_an_expired_burst_without_its_event_or_with_that_of_another_is_not_revised(worker: Worker) -> None:
    burst = expired(worker)
    assert worker.review(review(burst, with_burst=False)) == []
    for change in ({"burst_id": "bst-other"}, {"status": BurstStatus.SUPERSEDED}):
        held = burst.model_copy(update=change).to_bytes().decode()
        assert worker.review(review(burst).model_copy(update={"burst": held})) == []
    with pytest.raises(PermanentError, match="not JSON"):
        worker.review(review(burst).model_copy(update={"burst": "{"}))


def test_a_review_of_another_partition_is_refused(worker: Worker) -> None:
    event = review(closed(worker))
    with pytest.raises(PermanentError, match="does not belong"):
        worker.engine.process_review((PARTITION + 1) % 4, event)


def test_a_kill_between_the_writes_sends_the_same_revision_again(worker: Worker) -> None:
    burst = expired(worker)
    worker.engine.process_review(PARTITION, review(burst))
    (update,) = worker.engine.take_updates()
    key, value = update.writes.intent
    worker.records[key] = value
    worker.restart()
    (resumed,) = worker.write()
    assert resumed.revision == burst.revision + 1
    assert resumed.review is not None
    assert worker.review(review(burst)) == []


def test_undoing_a_second_review_brings_the_first_one_back(worker: Worker) -> None:
    burst = closed(worker)
    leopard = ReviewedObservation(category=BurstCategory.ANIMAL, taxon="Panthera uncia", label="snow leopard")
    first = review(burst).model_copy(update={"observations": (leopard,)})
    (reviewed,) = worker.review(first)
    second = review(reviewed, 2)
    (corrected,) = worker.review(second)
    undo = review(corrected, 3, ReviewDecision.UNDO, supersedes=second.review_id)
    (undone,) = worker.review(undo.model_copy(update={"restores": first.as_burst_review()}))
    assert undone.review == first.as_burst_review()
