"""Places where boxes come back burst after burst: found, followed, bounded, stored and cleared."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.processors.bursts.builders import CAMERA, LOG, Found, Photo, make_config, make_engine, predicted
from uncia.errors import PermanentError
from uncia.events import BurstResolved, ClockTicked, StaticObjectsChanged, StaticObjectsCleared
from uncia.events.values import Box
from uncia.kafka.partitioning import partition_of
from uncia.processors.bursts.config import CategoryConfig
from uncia.processors.bursts.engine import BurstEngine, CameraUpdate
from uncia.processors.bursts.static_objects import (
    FORGOTTEN_AFTER,
    MAX_PLACES,
    StaticObjects,
    intersection_over_union,
)

PARTITION = partition_of(CAMERA, 4)
STUMP: Box = (0.3, 0.3, 0.2, 0.3)
CONFIG = make_config(category=CategoryConfig(static_hits=3), lateness=timedelta(seconds=10))
BOXES = st.tuples(*[st.integers(0, 9).map(lambda n: n / 20)] * 2, *[st.integers(1, 9).map(lambda n: n / 20)] * 2)


def test_a_box_that_comes_back_is_static_from_so_many_bursts_on() -> None:
    objects = StaticObjects()
    for number in range(20):
        assert not objects.boxes(20)
        objects.observe([(0.5, (0.3 + number % 3 / 1000, 0.3, 0.2, 0.3))], 0.9)
    (box,) = objects.boxes(20)
    assert intersection_over_union(box, STUMP) > 0.97


def test_one_burst_counts_once_for_a_place_however_many_frames_it_has() -> None:
    objects = StaticObjects()
    objects.observe([(0.5, STUMP)] * 50, 0.9)
    assert [place.hits for place in objects.places] == [1]


def test_an_animal_that_walks_is_not_static() -> None:
    objects = StaticObjects()
    for number in range(30):
        objects.observe([(0.9, (number / 60, 0.3, 0.2, 0.3))], 0.9)
    assert not objects.boxes(20)


def test_a_place_is_forgotten_when_nothing_was_there_for_long() -> None:
    objects = StaticObjects()
    for _ in range(25):
        objects.observe([(0.5, STUMP)], 0.9)
    for _ in range(FORGOTTEN_AFTER):
        objects.observe([], 0.9)
    assert not objects.places


@given(st.lists(st.lists(st.tuples(st.floats(0, 1), BOXES), max_size=60), max_size=30), st.randoms())
def test_the_places_are_bounded_and_independent_of_the_order_within_a_burst(
    bursts: list[list[tuple[float, Box]]], chance: random.Random
) -> None:
    one, other = StaticObjects(), StaticObjects()
    for boxes in bursts:
        one.observe(boxes, 0.9)
        shuffled = list(boxes)
        chance.shuffle(shuffled)
        other.observe(shuffled, 0.9)
        other = StaticObjects.unpack(other.pack())
    assert len(one.places) <= MAX_PLACES
    assert one == other


def test_the_places_with_most_bursts_are_kept() -> None:
    objects = StaticObjects()
    for _ in range(5):
        objects.observe([(0.5, STUMP)], 0.9)
    for number in range(200):
        objects.observe([(0.9, (0.0, number / 250, 0.1 + number / 400, 0.05))], 0.9)
    assert len(objects.places) == MAX_PLACES
    assert any(intersection_over_union(place.shares, STUMP) > 0.99 for place in objects.places)


def test_what_is_stored_is_compact() -> None:
    objects = StaticObjects()
    for number in range(100):
        objects.observe([(0.9, (0.0, number / 250, 0.1 + number / 400, 0.05))], 0.9)
    assert len(objects.pack()) < 1600
    assert StaticObjects().pack() == ""


class Station:
    """An engine with one camera, whose worker may be restarted at any time."""

    def __init__(self) -> None:
        self.records: dict[bytes, bytes] = {}
        self.sent: list[BurstResolved] = []
        self.static: list[StaticObjectsChanged] = []
        self.offset = 0
        self.at = LOG
        self.restart()

    def restart(self) -> None:
        self.engine: BurstEngine = make_engine(self.records, CONFIG)
        self.engine.start({PARTITION: self.offset})

    def burst(self, *boxes: Box, repeats: int = 1) -> None:
        """A burst of two frames is taken, and nothing can revise it any more."""
        for number in range(2):
            name = f"b{self.offset}-{number}"
            taken = (self.at - LOG).total_seconds() + number
            photo = Photo(name, taken, boxes=tuple(Found(0.6, box) for box in boxes))
            for _ in range(repeats):
                self.engine.process_prediction(PARTITION, self.offset, predicted(photo), self.at)
                self.offset += 1
        self.at += timedelta(minutes=10)
        self.tick()

    def tick(self) -> None:
        self.engine.process_tick(ClockTicked(partition=PARTITION, now=self.at, position=self.offset))
        self.write(self.engine.take_updates())

    def clear(self, box: Box | None = None, at: datetime | None = None) -> None:
        order = StaticObjectsCleared(camera=CAMERA, box=box, cleared_at=at or self.at)
        self.engine.process_clear(PARTITION, order)
        self.write(self.engine.take_updates())

    def write(self, updates: list[CameraUpdate]) -> None:
        for update in updates:
            for key, value in (update.writes.intent, *update.writes.apply.items(), update.writes.clear):
                if value is None:
                    self.records.pop(key, None)
                else:
                    self.records[key] = value
            self.sent += [BurstResolved.from_bytes(raw) for _, raw in update.outbox]
            self.static += [StaticObjectsChanged.from_bytes(raw) for raw in update.static_events]

    def flags(self) -> list[bool | None]:
        frames = self.sent[-1].frames
        return [found.static for frame in frames for found in frame.boxes or ()]


def test_a_stump_is_flagged_from_the_burst_after_enough_bursts_on_and_announced() -> None:
    station = Station()
    for _ in range(3):
        station.burst(STUMP)
        assert station.flags() == [None, None]
    assert [len(event.objects) for event in station.static] == [1]
    assert (station.static[0].camera, station.static[0].objects[0].bursts) == (CAMERA, 3)
    before = station.sent[-1].animal_probability
    station.burst(STUMP, (0.7, 0.1, 0.1, 0.1))
    assert station.flags() == [True, None, True, None]
    station.burst(STUMP)
    after = station.sent[-1].animal_probability
    assert before is not None
    assert after is not None
    assert after < before


def test_repeated_frames_and_revisions_count_a_burst_once() -> None:
    station = Station()
    station.burst(STUMP, repeats=5)
    station.burst(STUMP, repeats=5)
    assert not station.static
    station.burst(STUMP)
    assert len(station.static) == 1


def test_a_restart_after_every_burst_gives_the_same() -> None:
    one, other = Station(), Station()
    for _ in range(5):
        one.burst(STUMP, (0.7, 0.1, 0.1, 0.1))
        other.burst(STUMP, (0.7, 0.1, 0.1, 0.1))
        other.restart()
    assert [event.to_bytes() for event in one.sent] == [event.to_bytes() for event in other.sent]
    assert one.static == other.static
    assert one.records == other.records


def test_a_crash_before_the_event_about_static_objects_was_sent_sends_it_again() -> None:
    station = Station()
    for _ in range(2):
        station.burst(STUMP)
    event = predicted(Photo("x", 2000, boxes=(Found(0.6, STUMP),)))
    station.engine.process_prediction(PARTITION, station.offset, event, station.at)
    station.offset += 1
    station.at += timedelta(minutes=10)
    station.engine.process_tick(ClockTicked(partition=PARTITION, now=station.at, position=station.offset))
    (update,) = station.engine.take_updates()
    station.records[update.writes.intent[0]] = update.writes.intent[1]
    station.restart()
    (again,) = station.engine.take_updates()
    assert again.static_events == update.static_events != ()


def test_an_order_clears_one_object_or_all_and_a_repetition_of_it_does_nothing() -> None:
    station = Station()
    stone: Box = (0.7, 0.1, 0.1, 0.1)
    for _ in range(3):
        station.burst(STUMP, stone)
    ordered = station.at
    station.clear(stone, ordered)
    assert [[found.bursts for found in event.objects] for event in station.static] == [[3, 3], [3]]
    station.restart()
    station.burst(STUMP, stone)
    assert station.flags() == [True, None, True, None]
    events = len(station.static)
    station.clear(None, ordered)
    assert len(station.static) == events
    station.clear()
    station.burst(STUMP)
    assert station.flags() == [None, None]
    assert station.static[-1].objects == ()


def test_an_order_for_a_camera_that_is_unknown_or_of_another_partition_changes_nothing() -> None:
    station = Station()
    order = StaticObjectsCleared(camera="nobody/1", cleared_at=datetime(2026, 1, 1, tzinfo=UTC))
    station.engine.process_clear(partition_of("nobody/1", 4), order)
    assert not station.engine.take_updates()
    with pytest.raises(PermanentError, match="does not belong"):
        station.engine.process_clear((partition_of("nobody/1", 4) + 1) % 4, order)


def test_bursts_without_detections_count_nothing() -> None:
    station = Station()
    photo = Photo("plain", 0)
    station.engine.process_prediction(PARTITION, 0, predicted(photo), LOG)
    station.offset, station.at = 1, LOG + timedelta(hours=1)
    station.tick()
    assert not station.static
    assert b"static" not in b"".join(station.records.values())
