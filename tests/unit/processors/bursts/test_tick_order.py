"""Ticks take effect when everything before their position was read, and once."""

from datetime import timedelta

from tests.unit.processors.bursts.builders import CAMERA, LOG, Photo, make_engine, predicted
from uncia.events import ClockTicked
from uncia.kafka.partitioning import partition_of
from uncia.processors.bursts.tick_order import PartitionClock

PARTITION = partition_of(CAMERA, 4)


def tick(seconds: float, position: int) -> ClockTicked:
    return ClockTicked(partition=PARTITION, now=LOG + timedelta(seconds=seconds), position=position)


def test_a_tick_takes_effect_when_everything_before_it_was_read() -> None:
    assert PartitionClock(next_offset=7).receive_tick(tick(1, 7)) == LOG + timedelta(seconds=1)


def test_a_tick_waits_for_the_frames_before_it() -> None:
    clock = PartitionClock(next_offset=5)
    assert clock.receive_tick(tick(1, 7)) is None
    assert clock.complete_frame(5) is None
    assert clock.complete_frame(6) == LOG + timedelta(seconds=1)


def test_the_first_waiting_tick_is_not_pushed_out_by_those_behind_it() -> None:
    clock = PartitionClock(next_offset=5)
    for seconds in (1, 2, 3):
        assert clock.receive_tick(tick(seconds, 5 + seconds)) is None
    assert clock.complete_frame(5) == LOG + timedelta(seconds=1)


def test_a_tick_that_says_nothing_new_does_nothing() -> None:
    clock = PartitionClock(next_offset=0)
    assert clock.receive_tick(tick(9, 0)) is not None
    assert clock.receive_tick(tick(9, 0)) is None
    assert clock.receive_tick(tick(3, 0)) is None


def test_ticks_are_wanted_only_where_a_burst_waits() -> None:
    engine = make_engine({})
    engine.start({PARTITION: 0})
    later = LOG + timedelta(seconds=20)
    assert not engine.needs_tick(PARTITION, later)
    engine.process_prediction(PARTITION, 0, predicted(Photo("a", 0)), LOG)
    engine.take_updates()
    assert not engine.needs_tick(PARTITION, LOG + timedelta(seconds=19))
    assert engine.needs_tick(PARTITION, later)
    engine.process_tick(tick(20, 1))
    (update,) = engine.take_updates()
    assert b'"final"' in update.outbox[0][1]
    assert not engine.needs_tick(PARTITION, later)
