"""Crops on the real stack: announced once in the store's and the broker's sense, whatever is killed, and withdrawn."""

import signal
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from kafka import KafkaProducer

from tests.stack.photographs import photograph
from tests.stack.result_consumer import messages_of_uncia
from tests.waiting import SCALE
from uncia import ids
from uncia.events import (
    BurstFrame,
    BurstResolved,
    BurstStatus,
    CropPublished,
    DetectionCategory,
    FrameBox,
    ImageUploaded,
    Trigger,
)
from uncia.infra.local.stack import Stack
from uncia.kafka.connection import connect_producer
from uncia.kafka.partitioning import partition_of
from uncia.settings import Settings
from uncia.storage.object_store import ObjectMissing, ObjectStore
from uncia.topics import BURST_RESOLVED, CROP_PUBLISHED, IMAGE_UPLOADED

TAKEN = datetime(2026, 5, 1, 10)
LIMIT_S = 60.0


class Camera:
    """A camera with photographs in the bucket, whose bursts a test publishes."""

    def __init__(self, settings: Settings, store: ObjectStore, station: str, producer: KafkaProducer) -> None:
        self.settings, self.store, self.station = settings, store, station
        self.name = f"{station}/cam"
        self._producer = producer
        self._bursts: set[str] = set()

    def resolve(self, number: int, *, revision: int = 2, person: bool = False) -> BurstResolved:
        """Store a photograph, and publish a settled burst of it."""
        data = photograph(number)
        key = f"{self.name}/{number}.jpg"
        self.store.client.put_object(Bucket=self.settings.bucket, Key=key, Body=data)
        found = [FrameBox(category=DetectionCategory.ANIMAL, score=0.9, box=(0.2, 0.2, 0.5, 0.5))]
        if person:
            found.append(FrameBox(category=DetectionCategory.PERSON, score=0.9, box=(0.2, 0.2, 0.5, 0.5)))
        now = datetime.now(UTC)
        frame = BurstFrame(
            image_id=ids.image_id(self.name, ids.content_hash(data)),
            upload_id=f"upl-{number}",
            key=key,
            bucket=self.settings.bucket,
            captured_at=TAKEN,
            uploaded_at=now,
            predicted_at=now,
            boxes=tuple(found),
        )
        burst = BurstResolved(
            burst_id=f"bst-{ids.digest(self.name, str(number))}",
            revision=revision,
            status=BurstStatus.FINAL if revision == 2 else BurstStatus.REVISED,
            station=self.station,
            camera=self.name,
            trigger=Trigger.MOTION,
            started_at=TAKEN,
            ended_at=TAKEN,
            frames=(frame,),
            rule="log-odds/1",
            settings="set-1",
        )
        self._bursts.add(burst.burst_id)
        self._producer.send(
            BURST_RESOLVED.full_name(self.settings),
            key=burst.burst_id.encode(),
            value=burst.to_bytes(),
            partition=partition_of(self.name, self.settings.partitions),
        ).get(timeout=LIMIT_S)
        return burst

    def events(self) -> list[CropPublished]:
        """The events of the crops of the bursts that were published here, in order.

        The photographs are uploads as well: the stream makes bursts of them, and maybe crops of those.
        """
        return [event for event in self.all_events() if event.burst_id in self._bursts]

    def all_events(self) -> list[CropPublished]:
        """The events of all of this camera's crops, in order."""
        messages = messages_of_uncia(self.settings, CROP_PUBLISHED)
        found = [CropPublished.from_bytes(message.value) for message in messages]
        return [event for event in found if event.camera == self.name]

    def wait_announced(self, keys: set[str]) -> None:
        """Return as soon as each of these stored crops has an event."""
        deadline = time.monotonic() + SCALE * LIMIT_S
        while unknown := keys - {event.key for event in self.all_events()}:
            assert time.monotonic() < deadline, f"stored crops that belong to no event: {unknown}"
            time.sleep(0.3)

    def wait(self, count: int) -> dict[str, CropPublished]:
        """The last event of each crop, as soon as there are so many crops that are not withdrawn."""
        deadline = time.monotonic() + SCALE * LIMIT_S
        while True:
            last = {event.crop_id: event for event in self.events()}
            if len([event for event in last.values() if event.withdrawn is None]) == count and last:
                return last
            assert time.monotonic() < deadline, f"{count} crops; there are {last}"
            time.sleep(0.3)


@pytest.fixture
def camera(settings: Settings, admin_settings: Settings, store: ObjectStore) -> Iterator[Camera]:
    producer = connect_producer(admin_settings, acks="all")
    yield Camera(settings, store, f"crops-{uuid.uuid4().hex[:8]}", producer)
    producer.close()


def test_a_crop_is_stored_and_withdrawn_when_a_person_is_found(
    camera: Camera, settings: Settings, store: ObjectStore
) -> None:
    camera.resolve(1)
    (crop,) = camera.wait(1).values()
    data = store.get(settings.bucket, crop.key, max_bytes=10_000_000)
    assert ids.content_hash(data) == crop.sha256

    camera.resolve(1, revision=3, person=True)
    (gone,) = camera.wait(0).values()
    assert gone.withdrawn == "person-in-burst"
    with pytest.raises(ObjectMissing):
        store.head(settings.bucket, crop.key)
    assert list(store.history(settings.bucket, crop.key)) == []


def _kill_running(stack: Stack, name: str) -> None:
    """Kill a part as soon as it runs: the supervisor may still be restarting it."""
    deadline = time.monotonic() + SCALE * LIMIT_S
    while not any(part.name == name and part.pid for part in stack.status()):
        assert time.monotonic() < deadline, f"{name} does not run"
        time.sleep(0.1)
    stack.kill(name, signal.SIGKILL)


def test_a_killed_crops_worker_neither_loses_nor_doubles_a_crop(
    camera: Camera, stack: Stack, settings: Settings, store: ObjectStore
) -> None:
    bursts = []
    for number in range(1, 25):
        bursts.append(camera.resolve(number))
        if number in (8, 16):
            _kill_running(stack, "crops")
    crops = camera.wait(len(bursts))
    assert {event.burst_id for event in crops.values()} == {burst.burst_id for burst in bursts}
    stored = {entry.key for entry in store.list(settings.bucket, f"crops/{camera.name}/") if entry.key.endswith(".jpg")}
    assert stored >= {event.key for event in crops.values()}
    camera.wait_announced(stored)
    for event in crops.values():
        assert ids.content_hash(store.get(settings.bucket, event.key, max_bytes=10_000_000)) == event.sha256


def test_crops_come_back_as_no_uploads(camera: Camera, settings: Settings) -> None:
    camera.resolve(1)
    camera.wait(1)
    # Uploads are announced in the order of the notifications: this photograph was stored after the crop.
    last = camera.resolve(2).frames[0].key
    deadline = time.monotonic() + SCALE * LIMIT_S
    uploads: list[str] = []
    while last not in uploads:
        assert time.monotonic() < deadline, f"{last} was not announced"
        messages = messages_of_uncia(settings, IMAGE_UPLOADED)
        uploads = [ImageUploaded.from_bytes(message.value).key for message in messages]
    assert not [key for key in uploads if key.startswith("crops/")]
