"""The state of a camera is bounded, whatever arrives."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.processors.bursts.builders import (
    CAMERA,
    LOG,
    Camera,
    Photo,
    make_config,
    make_engine,
    predicted,
)
from uncia.events import BurstStatus
from uncia.kafka.partitioning import partition_of
from uncia.processors.bursts import lifecycle
from uncia.processors.bursts.camera_bodies import MAX_SOURCES
from uncia.processors.bursts.config import MAX_EXPIRED_BURSTS, MAX_OPEN_BURSTS
from uncia.processors.bursts.seen_images import MAX_CHUNKS


def test_a_burst_without_end_is_cut_and_old_parts_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "MAX_STATE_FRAMES", 50)
    camera = Camera(make_config(max_frames=10))
    for number in range(400):
        camera.arrive(Photo(f"{number:04}", number), number * 0.1)
    assert len(camera.state.images) <= 51
    assert len(camera.state.expired) <= MAX_EXPIRED_BURSTS
    camera.tick(1000)
    held = camera.settled().values()
    assert all(len(event.frames) <= 10 and event.closed_at for event in held)
    assert sum(len(event.frames) for event in held) == 400


def test_what_is_stored_of_a_burst_without_end_stops_growing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "MAX_STATE_FRAMES", 50)
    records: dict[bytes, bytes] = {}
    small = make_engine(records, make_config(max_frames=10))
    partition = partition_of(CAMERA, 4)
    small.start({partition: 0})
    stored = []
    for number in range(600):
        at = LOG + timedelta(seconds=number * 0.01)
        small.process_prediction(partition, number, predicted(Photo(f"{number:04}", number * 0.01)), at)
        for update in small.take_updates():
            for key, value in (*update.writes.apply.items(), update.writes.clear):
                if value is None:
                    records.pop(key, None)
                else:
                    records[key] = value
        stored.append(len(records))
    # A head, the chunk of what was forgotten that is being filled, one that is full, and six bursts.
    assert max(stored) <= 9
    assert sum(map(len, records.values())) < 20_000


ARRIVALS = st.lists(
    st.tuples(
        st.integers(0, 80),
        st.one_of(st.integers(0, 60), st.integers(-100_000, 100_000)),
        st.sampled_from([(None, None), (1, 3), (2, 3), (3, 3)]),
        st.sampled_from([0.1, 1, 20]),
        st.sampled_from([None, *(f"S{number}" for number in range(2 * MAX_SOURCES))]),
        st.sampled_from([None, None, None, "same.JPG"]),
    ),
    min_size=40,
    max_size=80,
)
"""Name, capture time, n of m, seconds since the last arrival, serial number, and the key where it is written again."""


@settings(max_examples=25)
@given(ARRIVALS)
def test_no_order_of_frames_makes_the_state_of_a_camera_grow_beyond_its_limits(
    arrivals: list[tuple[int, int, tuple[int | None, int | None], float, str | None, str | None]],
) -> None:
    with pytest.MonkeyPatch.context() as small:
        small.setattr(lifecycle, "MAX_STATE_FRAMES", 20)
        camera, at, state_frames, max_frames = Camera(make_config(max_frames=10)), 0.0, 20, 10
        for name, taken, (sequence, length), passed, serial, file in arrivals:
            at += passed
            camera.arrive(Photo(f"{name}", taken, sequence, length, serial=serial, file=file, uploaded=at), at)
            state = camera.state
            assert len(state.versions) <= state_frames + max_frames
            assert len(state.images) <= state_frames + max_frames
            assert len(state.open_bursts) <= MAX_OPEN_BURSTS
            assert len(state.expired) <= MAX_EXPIRED_BURSTS
            assert len(state.sources) <= MAX_SOURCES
            assert len(state.seen.record_names) <= MAX_CHUNKS


def test_open_bursts_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Camera()
    for number in range(200):
        camera.arrive(Photo(f"{number:04}", -100 * number), 0)
    assert sum(burst.open for _, burst in camera.state.bursts()) <= MAX_OPEN_BURSTS


def test_what_cannot_be_revised_any_more_is_forgotten() -> None:
    camera = Camera()
    camera.arrive(Photo("a", 0), 0)
    camera.tick(20)
    camera.tick(20 + 900)
    assert camera.state.images
    camera.tick(20 + 901)
    assert not camera.state.images
    assert camera.arrive(Photo("a", 0), 5000) == []


def test_a_frame_that_is_too_late_is_counted_and_named() -> None:
    camera = Camera()
    camera.arrive(Photo("a", 0), 0)
    (burst,) = camera.arrive(Photo("c", 9), 0)
    camera.tick(5000)
    (late,) = camera.arrive(Photo("b", 5), 5000)
    (event,) = camera.changes[-1].late
    assert (event.missed_burst_id, event.burst_id, event.image_id) == (
        burst.burst_id,
        late.burst_id,
        "img-b",
    )
    assert event.late_s == 5000 - 20
    assert late.flags == ("late",)
    assert camera.state.late_count == 1
    assert late.changes == (f"img-b arrived too late for {burst.burst_id}",)
    assert late.status is BurstStatus.PROVISIONAL
