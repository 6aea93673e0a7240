"""The worker without Kafka: where it resumes, when it stops, and that one alone writes."""

import pytest
from sqlalchemy import Engine

from tests.unit.dashboard.catalogue.catalogue_data import Log, ProjectEvents, records
from uncia.dashboard.catalogue.changes import SkipMessage
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.fold import FOLDED_TOPICS
from uncia.dashboard.catalogue.store import PartitionState
from uncia.dashboard.catalogue.worker import (
    CATALOGUE_GROUP,
    AnotherWorker,
    SkipGuard,
    TooManySkipped,
    resume_states,
    single_worker,
)
from uncia.settings import Settings
from uncia.topology import PARTS

PLACE = ("camera.burst.resolved.v1", 2)


@pytest.mark.parametrize(
    ("stored", "topic_id", "end", "expected"),
    [
        (None, "one", 7, PartitionState("one", 0, 0)),
        (PartitionState("one", 0, 5), "one", 7, None),
        (PartitionState("one", 0, 7), "one", 7, None),
        (PartitionState("one", 0, 8), "one", 7, PartitionState("one", 1, 0)),
        (PartitionState("one", 0, 5), "two", 7, PartitionState("two", 1, 0)),
        (PartitionState("one", 3, 0), "two", 0, PartitionState("two", 4, 0)),
    ],
    ids=["new", "behind", "at the end", "messages lost", "recreated", "recreated again, empty"],
)
def test_a_partition_is_resumed_or_begins_again(
    stored: PartitionState | None, topic_id: str, end: int, expected: PartitionState | None
) -> None:
    changed = resume_states({} if stored is None else {PLACE: stored}, {PLACE[0]: topic_id}, {PLACE: end})
    assert changed == ({} if expected is None else {PLACE: expected})


def test_a_second_worker_is_refused_until_the_first_ends(engine: Engine) -> None:
    other = open_database(engine.url)
    with single_worker(engine), pytest.raises(AnotherWorker, match="another worker writes"), single_worker(other):
        pass
    with single_worker(other):
        pass
    other.dispose()


def skipped(count: int) -> list[SkipMessage]:
    message = next(iter(records(ProjectEvents(1), Log())))
    return [SkipMessage(message, "schema-unknown", "the event is of a newer version")] * count


def test_a_flood_of_messages_that_cannot_be_folded_stops_the_worker_before_they_are_written() -> None:
    guard = SkipGuard(Settings(_env_file=None, max_bad_share=0.5, max_bad_window=200))
    guard.check(100, skipped(40))
    with pytest.raises(TooManySkipped, match="schema-unknown") as caught:
        guard.check(100, skipped(80))
    assert caught.value.exit_code == 78
    # What was refused was not counted: it is read again.
    guard.check(100, skipped(10))


def test_single_messages_that_cannot_be_folded_do_not_stop_it() -> None:
    guard = SkipGuard(Settings(_env_file=None))
    for _ in range(30):
        guard.check(1, skipped(1))
    SkipGuard(Settings(_env_file=None, max_bad_share=1)).check(1000, skipped(1000))


def test_the_topology_lists_what_is_folded() -> None:
    (part,) = [part for part in PARTS if part.name == "catalogue"]
    assert set(part.reads) == set(FOLDED_TOPICS)
    assert part.group == CATALOGUE_GROUP
