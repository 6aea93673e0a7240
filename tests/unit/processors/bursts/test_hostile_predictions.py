"""Any message on the prediction topic: bursts and clocks apply it, or refuse it with a reason."""

import contextlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.paths import EVENT_SAMPLES
from tests.unit.processors.bursts.builders import (
    CAMERA,
    LOG,
    Photo,
    make_config,
    make_engine,
    predicted,
)
from uncia.camtrap.deployments import Deployments
from uncia.errors import PermanentError
from uncia.events import BurstResolved, ClockTicked, ImagePredicted
from uncia.kafka.partitioning import partition_of
from uncia.processors.bursts.verdict import MAX_EVENT_BYTES
from uncia.processors.clock_health.tracker import ClockTracker

PARTITION = partition_of(CAMERA, 4)
GOLDEN = EVENT_SAMPLES
SAMPLES = [json.loads(path.read_text()) for path in sorted(GOLDEN.glob("camera.image.predicted*.json"))]

odd = st.one_of(
    st.none(),
    st.integers(-3, 3),
    st.integers(2**62, 2**70),
    st.text(max_size=12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        [1e308, "0001-01-01T00:00:00", "9999-12-31T23:59:59", "2026-03-01T00:00:00+14:00", "AAAA", "a/b\0c"]
    ),
    st.lists(st.integers(0, 3), max_size=3),
)


def altered(node: Any, data: st.DataObject) -> Any:
    """The same value with one part replaced at random."""
    if isinstance(node, dict) and node and data.draw(st.integers(0, 5)):
        name = data.draw(st.sampled_from(sorted(node)))
        return {**node, name: altered(node[name], data)}
    return data.draw(odd)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_prediction_is_applied_or_refused_by_bursts_and_clocks(data: st.DataObject) -> None:
    bursts, clocks = make_engine(), ClockTracker({}, Deployments())
    bursts.start(dict.fromkeys(range(4), 0))
    for offset in range(data.draw(st.integers(1, 4))):
        body = {**data.draw(st.sampled_from(SAMPLES)), "camera": CAMERA, "image_id": f"img-{offset}"}
        for _ in range(data.draw(st.integers(0, 2))):
            body = altered(body, data)
            if not isinstance(body, dict):
                break
        with contextlib.suppress(PermanentError):
            event = ImagePredicted.from_bytes(json.dumps(body).encode())
            clocks.add(event, offset, LOG.timestamp() + offset)
            bursts.process_prediction(PARTITION, offset, event, LOG + timedelta(seconds=offset))
    bursts.process_tick(ClockTicked(partition=PARTITION, now=LOG + timedelta(days=1), position=0))
    for update in bursts.take_updates():
        for _, raw in update.outbox:
            BurstResolved.from_bytes(raw)
    clocks.take_updates()


@pytest.mark.parametrize("taken", [datetime.min, datetime.max])
def test_a_clock_at_the_end_of_the_calendar_closes_late_frames_as_any_other(taken: datetime) -> None:
    bursts = make_engine(config=make_config(lateness=timedelta(0), idle=timedelta(seconds=1)))
    bursts.start(dict.fromkeys(range(4), 0))
    for number in range(3):
        event = predicted(Photo(f"a{number}", 0))
        capture = event.capture.model_copy(update={"time": taken})
        raw = event.model_copy(update={"capture": capture}).to_bytes()
        at = LOG + timedelta(hours=number)
        bursts.process_prediction(PARTITION, number, ImagePredicted.from_bytes(raw), at)
        bursts.process_tick(ClockTicked(partition=PARTITION, now=at + timedelta(minutes=30), position=0))
    assert bursts.take_updates()


def test_a_burst_of_a_thousand_frames_with_the_longest_keys_fits_its_topic() -> None:
    bursts = make_engine(config=make_config(max_frames=1000))
    bursts.start(dict.fromkeys(range(4), 0))
    for number in range(1000):
        event = predicted(replace(Photo(f"n{number:04}", number / 10), focus=0.5 if number == 700 else None))
        event = event.model_copy(update={"key": f"ridge/north/{number:04}" + '"' * 1008})
        bursts.process_prediction(PARTITION, number, event, LOG + timedelta(seconds=number / 100))
    bursts.process_tick(ClockTicked(partition=PARTITION, now=datetime(2027, 1, 1, tzinfo=UTC), position=0))
    (update,) = bursts.take_updates()
    events = [BurstResolved.from_bytes(raw) for _, raw in update.outbox]
    assert max(len(raw) for _, raw in update.outbox) <= MAX_EVENT_BYTES
    assert events[-1].frame_count == 1000
    assert events[-1].frames_left_out
    assert any(frame.deciding for frame in events[-1].frames)
