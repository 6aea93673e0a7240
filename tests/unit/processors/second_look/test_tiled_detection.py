"""A second look detects in tiles, one at a time, behind everything else; a photograph that fails is rejected."""

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.agents import doubles
from tests.agents.doubles import ClassifierAndDetector, servers
from tests.agents.workers import key, second_look_request
from tests.unit.processors.predict.detectors import DETECTOR_FRAME
from tests.unit.processors.predict.s3_double import S3Double
from tests.waiting import SCALE
from uncia.events import DetectionCategory, FrameSecondLook, Lane, SecondLookCompleted, SecondLookRequested
from uncia.processors.predict.live_model import LiveDetector, LiveModel
from uncia.processors.second_look.tiled_detection import TiledDetection
from uncia.serving.detector_card import read_active_detector_card
from uncia.serving.detector_client import Detector
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

REQUEST = second_look_request(1)
TILES = 4


class QueueingTriton(ClassifierAndDetector):
    """Computes one request at a time, those of higher priority first, as Triton's scheduler does."""

    def __init__(self) -> None:
        super().__init__()
        self.served: list[int] = []
        self.most_waiting: dict[int, int] = {1: 0, 2: 0}
        self.gate = threading.Event()
        self.gate.set()
        self._changed = threading.Condition()
        self._waiting: list[tuple[int, int]] = []
        self._numbers = iter(range(10**6))
        self._busy = False

    def waiting(self, priority: int) -> int:
        with self._changed:
            return sum(own == priority for own, _ in self._waiting)

    def ModelInfer(self, request: Any, context: Any) -> Any:
        priority = request.parameters["priority"].uint64_param
        with self._changed:
            place = (priority, next(self._numbers))
            self._waiting.append(place)
            at_once = sum(own == priority for own, _ in self._waiting)
            self.most_waiting[priority] = max(self.most_waiting[priority], at_once)
            self._changed.wait_for(lambda: not self._busy and min(self._waiting) == place)
            self._waiting.remove(place)
            self._busy = True
            self.served.append(priority)
        self.gate.wait()
        try:
            return super().ModelInfer(request, context)
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()


class World:
    """Tiled detection between the doubles."""

    def __init__(self, settings: Settings, store: S3Double, triton: QueueingTriton) -> None:
        self.settings = settings
        self.store = store
        self.triton = triton
        self.client: ObjectStore | None = None

    def open(self) -> TiledDetection:
        self.client = ObjectStore(self.settings, timeout_s=5, attempts=1)
        return TiledDetection(self.settings, LiveModel(self.settings), LiveDetector(self.settings), self.client)

    async def close(self, detection: TiledDetection) -> None:
        await detection.close()
        assert self.client is not None
        self.client.close()

    def complete(self, request: SecondLookRequested) -> SecondLookCompleted:
        async def scenario() -> SecondLookCompleted:
            detection = self.open()
            try:
                return await detection.complete(request)
            finally:
                await self.close(detection)

        return asyncio.run(scenario())

    def frame(self, request: SecondLookRequested = REQUEST) -> FrameSecondLook:
        (frame,) = self.complete(request).frames
        return frame

    def reason(self, request: SecondLookRequested) -> str:
        frame = self.frame(request)
        assert frame.rejection is not None
        assert frame.detection is None
        return frame.rejection.reason


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(doubles, "ClassifierAndDetector", QueueingTriton)
    with servers(tmp_path) as (addresses, store, triton):
        assert isinstance(triton, QueueingTriton)
        yield World(Settings(_env_file=None, **addresses), store, triton)
        triton.gate.set()


async def until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + SCALE * 30
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.01)


def test_each_tile_is_detected_and_the_boxes_are_shares_of_the_photograph(world: World) -> None:
    detection = world.frame().detection
    assert detection is not None
    # The fake finds the same box in every tile: the middle half of it.
    kept = 1 - DETECTOR_FRAME.crop_top - DETECTOR_FRAME.crop_bottom
    expected = {
        (round(x + 0.15, 4), round(DETECTOR_FRAME.crop_top + kept * (y + 0.15), 4)) for x in (0, 0.4) for y in (0, 0.4)
    }
    found = [box for box in detection.detections if box.score == pytest.approx(0.9)]
    assert {(round(box.box[0], 4), round(box.box[1], 4)) for box in found} == expected
    assert all(box.box[2:] == pytest.approx((0.3, 0.3 * kept), abs=1e-4) for box in found)
    assert sum(box.classes is not None for box in detection.detections) == 3
    assert (detection.model, detection.version) == ("animal_detector", "1")


def test_boxes_of_the_first_look_are_merged_with_those_of_the_tiles(world: World) -> None:
    world.triton.scores[:] = 0
    detection = world.frame().detection
    assert detection is not None
    (box,) = detection.detections
    assert box.box == REQUEST.frames[0].boxes[0].box
    assert box.score == REQUEST.frames[0].boxes[0].score
    assert box.category is DetectionCategory.ANIMAL
    assert box.classes is not None


def test_one_request_of_the_lower_priority_is_in_triton_at_a_time(world: World) -> None:
    world.frame()
    assert set(world.triton.served) == {2}
    assert len(world.triton.served) == TILES + 3
    assert world.triton.most_waiting == {1: 0, 2: 1}


def test_a_first_look_that_arrives_during_second_looks_waits_for_one_tile_only(world: World) -> None:
    card = read_active_detector_card(world.settings)
    assert card is not None
    frames = REQUEST.frames * 3

    async def scenario() -> None:
        triton, detection, live = world.triton, world.open(), Detector(world.settings, card)
        triton.gate.clear()
        second = asyncio.create_task(detection.complete(REQUEST.model_copy(update={"frames": frames})))
        await until(lambda: triton.served == [2], "the first tile is being computed")
        pixels = np.zeros((1, card.frame.height, card.frame.width, 3), dtype=np.uint8)
        first = asyncio.create_task(live.detect(pixels, Lane.LIVE))
        await until(lambda: triton.waiting(1) == 1, "the first look is in the queue")
        triton.gate.set()
        await first
        await second
        await live.close()
        await world.close(detection)

    asyncio.run(scenario())
    assert world.triton.served[:2] == [2, 1]
    assert len(world.triton.served) == 1 + 3 * (TILES + 3)
    assert world.triton.most_waiting[2] == 1


def test_a_photograph_that_is_gone_or_another_one_is_rejected(world: World) -> None:
    gone = REQUEST.frames[0].model_copy(update={"key": "ridge/cam-1/gone.jpg"})
    assert world.reason(REQUEST.model_copy(update={"frames": (gone,)})) == "object-missing"
    other = REQUEST.frames[0].model_copy(update={"key": key(2)})
    assert world.reason(REQUEST.model_copy(update={"frames": (other,)})) == "object-changed"
    assert not world.triton.served


def test_a_photograph_that_cannot_be_decoded_is_rejected(world: World) -> None:
    from uncia import ids

    world.store.objects[key(1)] = b"no photograph"
    image = ids.image_id(REQUEST.camera, ids.content_hash(b"no photograph"))
    frame = REQUEST.frames[0].model_copy(update={"image_id": image})
    assert world.reason(REQUEST.model_copy(update={"frames": (frame,)})) == "image-not-jpeg"


def test_a_request_that_comes_too_late_costs_nothing(world: World) -> None:
    late = REQUEST.model_copy(update={"useful_until": datetime.now(UTC) - timedelta(seconds=1)})
    assert world.reason(late) == "too-late"
    assert not world.triton.served


def test_a_detector_that_returns_nan_costs_the_second_look(world: World) -> None:
    world.triton.scores[0] = np.nan
    assert world.reason(REQUEST) == "detector-unsound"


def test_without_a_detector_there_is_no_second_look(world: World) -> None:
    world.settings = world.settings.model_copy(update={"detector": ""})
    assert world.reason(REQUEST) == "no-detector"


def test_a_repetition_finds_the_same(world: World) -> None:
    first, second = world.frame().detection, world.frame().detection
    assert first is not None
    assert second is not None
    assert first.detections == second.detections
    assert first.settings == second.settings
