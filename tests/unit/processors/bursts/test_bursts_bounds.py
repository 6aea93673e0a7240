"""Memory per camera is bounded, whatever comes."""

from datetime import timedelta

import pytest

from tests.unit.processors.bursts.burst_making import (
    CAMERA,
    LOG,
    Camera,
    Shot,
    desk,
    predicted,
    rules,
)
from uncia.events import BurstStatus
from uncia.kafka.partitioning import partition_of
from uncia.processors.bursts import sessions
from uncia.processors.bursts.config import KEPT_FORGOTTEN, KEPT_OPEN


def test_a_burst_without_end_is_cut_and_old_parts_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "KEPT_FRAMES", 50)
    camera = Camera(rules(max_frames=10))
    for number in range(400):
        camera.frame(Shot(f"{number:04}", number), number * 0.1)
    assert len(camera.state.images) <= 51
    assert len(camera.state.forgotten) <= KEPT_FORGOTTEN
    camera.tick(1000)
    held = camera.settled().values()
    assert all(len(event.frames) <= 10 and event.closed_at for event in held)
    assert sum(len(event.frames) for event in held) == 400


def test_what_is_stored_of_a_burst_without_end_stops_growing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "KEPT_FRAMES", 50)
    records: dict[bytes, bytes] = {}
    small = desk(records, rules(max_frames=10))
    partition = partition_of(CAMERA, 4)
    small.start({partition: 0})
    stored = []
    for number in range(600):
        at = LOG + timedelta(seconds=number * 0.01)
        small.frame(partition, number, predicted(Shot(f"{number:04}", number * 0.01)), at)
        for page in small.pages():
            for key, value in (*page.writes.settle.items(), page.writes.clear):
                if value is None:
                    records.pop(key, None)
                else:
                    records[key] = value
        stored.append(len(records))
    # A head, the chunk of what was forgotten that is being filled, one that is full, and six bursts.
    assert max(stored) <= 9
    assert sum(map(len, records.values())) < 20_000


def test_open_bursts_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Camera()
    for number in range(200):
        camera.frame(Shot(f"{number:04}", -100 * number), 0)
    assert sum(burst.open for _, burst in camera.state.bursts()) <= KEPT_OPEN


def test_what_cannot_be_revised_any_more_is_forgotten() -> None:
    camera = Camera()
    camera.frame(Shot("a", 0), 0)
    camera.tick(20)
    camera.tick(20 + 900)
    assert camera.state.images
    camera.tick(20 + 901)
    assert not camera.state.images
    assert camera.frame(Shot("a", 0), 5000) == []


def test_a_frame_that_is_too_late_is_counted_and_named() -> None:
    camera = Camera()
    camera.frame(Shot("a", 0), 0)
    (burst,) = camera.frame(Shot("c", 9), 0)
    camera.tick(5000)
    (late,) = camera.frame(Shot("b", 5), 5000)
    (told,) = camera.steps[-1].late
    assert (told.missed_burst_id, told.burst_id, told.image_id) == (burst.burst_id, late.burst_id, "img-b")
    assert told.late_s == 5000 - 20
    assert late.flags == ("late",)
    assert camera.state.late == 1
    assert late.changes == (f"img-b arrived too late for {burst.burst_id}",)
    assert late.status is BurstStatus.PROVISIONAL
