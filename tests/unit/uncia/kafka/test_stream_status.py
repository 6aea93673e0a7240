"""The stream's part of `uncia status`: lag, latency and warnings."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from kafka import TopicPartition

from uncia.infra.local.stream_table import stream_warnings
from uncia.kafka import stream_status as stream
from uncia.kafka.stream_status import (
    ConsumerGroup,
    Lag,
    StreamStatus,
    lags,
    latencies,
    stopped_workers,
    stream_status,
)
from uncia.settings import Settings
from uncia.topics import IMAGE_BACKFILLED, IMAGE_UPLOADED

SETTINGS = Settings(_env_file=None)


def part(number: int, topic: str = IMAGE_UPLOADED.name) -> TopicPartition:
    return TopicPartition(topic, number)


def test_lag_sums_the_distances_from_the_end_of_all_partitions() -> None:
    ends = {part(0): 10, part(1): 7}
    found = list(lags(SETTINGS, {"predict": {part(0): 4, part(1): 7}}, {}, ends))
    assert found == [Lag("predict", IMAGE_UPLOADED.name, 6)]


def test_each_lane_has_its_own_lag() -> None:
    ends = {part(0): 3, part(0, IMAGE_BACKFILLED.name): 900}
    found = list(lags(SETTINGS, {"predict": {part(0): 3}, "predict-backfill": {}}, {}, ends))
    assert [(lag.worker, lag.messages) for lag in found] == [("predict", 0), ("predict-backfill", 900)]


def test_a_partition_without_a_committed_offset_lags_from_its_beginning() -> None:
    assert [lag.messages for lag in lags(SETTINGS, {"predict": {}}, {part(0): 5}, {part(0): 9})] == [4]


def test_deleted_messages_are_not_counted_as_lag() -> None:
    assert [lag.messages for lag in lags(SETTINGS, {"predict": {part(0): 2}}, {part(0): 8}, {part(0): 9})] == [1]


def test_a_worker_that_never_ran_has_no_lag() -> None:
    assert list(lags(SETTINGS, {}, {}, {part(0): 10})) == []


@pytest.mark.parametrize(
    ("worker", "state", "stopped"),
    [
        ("predict", "Empty", True),
        ("predict", "Dead", True),
        ("predict", "Stable", False),
        ("predict", "PreparingRebalance", False),
        # An old broker does not say.
        ("predict", "", False),
        # A service keeps its offsets in a group that it does not join.
        ("catalogue", "Empty", False),
    ],
)
def test_a_worker_without_a_process_is_known_by_its_consumer_group(worker: str, state: str, stopped: bool) -> None:
    assert stopped_workers([ConsumerGroup(f"uncia-{worker}", worker, state)]) == ((worker,) if stopped else ())


def test_latency_is_reported_by_lane_live_first() -> None:
    found = latencies([("backfill", 90.0), *(("live", number / 100) for number in range(1, 101))])
    assert [(lane.lane, lane.answers) for lane in found] == [("live", 100), ("backfill", 1)]
    assert (found[0].p50_s, found[0].p95_s, found[0].p99_s, found[0].longest_s) == (0.5, 0.95, 0.99, 1.0)


def test_a_store_clock_ahead_of_ours_gives_no_negative_latency() -> None:
    assert latencies([("live", -0.2)])[0].longest_s == 0


def test_a_healthy_stream_has_no_warnings() -> None:
    assert stream_warnings(StreamStatus()) == []


def test_dead_letters_late_frames_and_doubted_clocks_are_warnings() -> None:
    clocks = {f"ridge/{number}": "wrong" for number in range(7)}
    warnings = stream_warnings(StreamStatus(dead_letters=2, late_frames=1, doubted_clocks=clocks))
    assert [line.split()[0] for line in warnings] == ["2", "1", "clocks"]
    assert "and 2 more" in warnings[2]


def test_an_unreachable_kafka_is_reported_without_raising() -> None:
    away = stream_status(Settings(_env_file=None, kafka="127.0.0.1:9"))
    assert away.problem
    assert "127.0.0.1:9" in away.problem


JUNK = [None, b"", b"junk", b"\xff", b"[]", b"7", b'{"camera":1}', b"7:x", b":", b"1:2:3"]


def test_invalid_messages_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(consumer: object, starts: object, ends: object, take: Callable[[object], None]) -> None:
        for value in JUNK:
            take(SimpleNamespace(key=value, value=value))
        take(SimpleNamespace(key=b"0:5", value=None))

    monkeypatch.setattr(stream, "_read", read)
    settings = Settings(_env_file=None)
    assert stream._doubted_clocks(None, settings, {}, {}) == {}
    assert stream._settled_count(None, settings, {}, {}) == 1
