"""Ticks take effect when everything before their position was read, and once."""

from datetime import timedelta

from tests.unit.processors.bursts.burst_making import CAMERA, LOG, Shot, predicted
from tests.unit.processors.bursts.burst_making import desk as desk_of
from uncia.events import ClockTicked
from uncia.kafka.partitioning import partition_of
from uncia.processors.bursts.tick_order import PartitionClock

PARTITION = partition_of(CAMERA, 4)


def tick(seconds: float, position: int) -> ClockTicked:
    return ClockTicked(partition=PARTITION, now=LOG + timedelta(seconds=seconds), position=position)


def test_a_tick_takes_effect_when_everything_before_it_was_read() -> None:
    assert PartitionClock(read=7).tick(tick(1, 7)) == LOG + timedelta(seconds=1)


def test_a_tick_waits_for_the_frames_before_it() -> None:
    clock = PartitionClock(read=5)
    assert clock.tick(tick(1, 7)) is None
    assert clock.frame_done(5) is None
    assert clock.frame_done(6) == LOG + timedelta(seconds=1)


def test_the_first_waiting_tick_is_not_pushed_out_by_those_behind_it() -> None:
    clock = PartitionClock(read=5)
    for seconds in (1, 2, 3):
        assert clock.tick(tick(seconds, 5 + seconds)) is None
    assert clock.frame_done(5) == LOG + timedelta(seconds=1)


def test_a_tick_that_says_nothing_new_does_nothing() -> None:
    clock = PartitionClock(read=0)
    assert clock.tick(tick(9, 0)) is not None
    assert clock.tick(tick(9, 0)) is None
    assert clock.tick(tick(3, 0)) is None


def test_ticks_are_wanted_only_where_somebody_waits() -> None:
    desk = desk_of({})
    desk.start({PARTITION: 0})
    later = LOG + timedelta(seconds=20)
    assert not desk.wants_tick(PARTITION, later)
    desk.frame(PARTITION, 0, predicted(Shot("a", 0)), LOG)
    desk.pages()
    assert not desk.wants_tick(PARTITION, LOG + timedelta(seconds=19))
    assert desk.wants_tick(PARTITION, later)
    desk.tick(tick(20, 1))
    (page,) = desk.pages()
    assert b'"final"' in page.outbox[0][1]
    assert not desk.wants_tick(PARTITION, later)
