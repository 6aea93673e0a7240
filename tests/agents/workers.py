"""The agent suites of the workers: what each one reads and writes, and what it guarantees beyond the common part."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

from tests.agents.harness import Topics, running
from tests.agents.suite import AgentSuite, camera
from tests.paths import EVENT_SAMPLES
from tests.stack.photographs import photograph
from uncia import ids
from uncia.events import (
    BurstFrame,
    BurstResolved,
    BurstStatus,
    ClockJudged,
    CropPublished,
    DetectionCategory,
    FrameBox,
    ImagePredicted,
    ImageUploaded,
    Lane,
    Trigger,
)
from uncia.kafka.broker import Message
from uncia.processors.bursts import worker as bursts_worker
from uncia.processors.clock_health import worker as clocks_worker
from uncia.processors.crops import worker as crops_worker
from uncia.processors.intake import worker as intake_worker
from uncia.processors.predict import worker as predict_worker
from uncia.topics import BURST_RESOLVED, CLOCK_JUDGED, CROP_PUBLISHED, IMAGE_PREDICTED, IMAGE_UPLOADED, STORAGE_CHANGED

UPLOADED = ImageUploaded.from_bytes((EVENT_SAMPLES / "camera.image.uploaded.v1.json").read_bytes())
PREDICTED = ImagePredicted.from_bytes((EVENT_SAMPLES / "camera.image.predicted.v1.json").read_bytes())


def key(number: int) -> str:
    """The object key of a photograph."""
    return f"{camera(number)}/{number}.jpg"


def predicted(number: int, *, frame: int = 1) -> ImagePredicted:
    """The prediction of a frame of a burst of three."""
    assert PREDICTED.capture is not None
    capture = PREDICTED.capture.model_copy(
        update={
            "time": datetime(2026, 5, 1, 10, 0, frame),
            "sequence": frame,
            "sequence_length": 3,
        }
    )
    now = datetime.now(UTC)
    return PREDICTED.model_copy(
        update={
            "upload_id": f"upl-{number}-{frame}",
            "image_id": f"img-{number}-{frame}",
            "camera": camera(number),
            "key": f"{camera(number)}/{frame}.jpg",
            "uploaded_at": now,
            "predicted_at": now,
            "capture": capture,
        }
    )


def resolved(number: int) -> BurstResolved:
    """A final burst of one photograph that is in the object store, with an animal in it."""
    now = datetime.now(UTC)
    frame = BurstFrame(
        image_id=ids.image_id(camera(number), ids.content_hash(photograph(number))),
        upload_id=f"upl-{number}",
        key=key(number),
        bucket="camera-uploads",
        captured_at=datetime(2026, 5, 1, 10),
        uploaded_at=now,
        predicted_at=now,
        boxes=(FrameBox(category=DetectionCategory.ANIMAL, score=0.9, box=(0.1, 0.1, 0.8, 0.8)),),
    )
    return BurstResolved(
        burst_id=f"bst-{number:024x}",
        revision=2,
        status=BurstStatus.FINAL,
        station="ridge",
        camera=camera(number),
        trigger=Trigger.MOTION,
        started_at=frame.captured_at,
        ended_at=frame.captured_at,
        frames=(frame,),
        rule="log-odds/1",
        settings="set-1",
    )


class IntakeSuite(AgentSuite):
    """Notifications of the object store become uploads."""

    worker = intake_worker
    name = "intake"
    reads = STORAGE_CHANGED
    writes = IMAGE_UPLOADED

    def input(self, number: int) -> bytes:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        record = {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventTime": now,
            "eventName": "ObjectCreated:Put",
            "s3": {
                "bucket": {"name": "camera-uploads"},
                "object": {"key": key(number), "size": 3000, "eTag": "33d7ac42e3aa0f3146843833c23e4365"},
            },
        }
        return json.dumps({"Records": [record]}).encode()

    def is_output_of(self, number: int, message: Message) -> bool:
        return ImageUploaded.from_bytes(message.value).key == key(number)


class PredictSuite(AgentSuite):
    """Uploads become predictions; the photographs are in the object store."""

    worker = predict_worker
    name = "predict"
    reads = IMAGE_UPLOADED
    writes = IMAGE_PREDICTED

    def input(self, number: int) -> bytes:
        upload = UPLOADED.model_copy(
            update={
                "upload_id": f"upl-{number}",
                "camera": camera(number),
                "key": key(number),
                "etag": "",
                "size": len(photograph(number)),
                "lane": Lane.LIVE,
                "uploaded_at": datetime.now(UTC),
            }
        )
        return upload.to_bytes()

    def is_output_of(self, number: int, message: Message) -> bool:
        image = ImagePredicted.from_bytes(message.value)
        return image.key == key(number) and image.prediction is not None

    def test_the_boxes_and_the_classes_of_their_crops_are_published(self, topics: Topics) -> None:
        async def scenario() -> None:
            async with running(self.worker.create, topics.settings) as worker:
                sent = self.send(topics, 1)
                await worker.wait_until(self.commits(topics, sent), "a commit")
            (message,) = self.outputs(topics, 1)
            image = ImagePredicted.from_bytes(message.value)
            assert image.prediction is not None and image.detection is not None and image.luminance is not None
            (found,) = image.detection.detections
            assert (found.category, found.score) == (DetectionCategory.ANIMAL, 0.9)
            assert found.classes is not None
            assert image.detection.label_set == image.prediction.label_set

        asyncio.run(scenario())


class BurstsSuite(AgentSuite):
    """Predictions become verdicts on bursts; the state survives in the changelog."""

    worker = bursts_worker
    name = "bursts"
    reads = IMAGE_PREDICTED
    writes = BURST_RESOLVED

    def input(self, number: int) -> bytes:
        return predicted(number).to_bytes()

    def is_output_of(self, number: int, message: Message) -> bool:
        burst = BurstResolved.from_bytes(message.value)
        return burst.camera == camera(number) and burst.status is BurstStatus.PROVISIONAL

    def test_a_restarted_worker_adds_frames_to_the_bursts_of_the_previous_run(self, topics: Topics) -> None:
        async def scenario() -> None:
            for frame in (1, 2, 3):
                async with running(self.worker.create, topics.settings) as worker:
                    event = predicted(1, frame=frame)
                    sent = topics.send(IMAGE_PREDICTED, event.camera.encode(), event.to_bytes())
                    await worker.wait_until(self.commits(topics, sent), f"a commit of frame {frame}")
            revisions = [BurstResolved.from_bytes(message.value) for message in topics.read(BURST_RESOLVED)]
            last = max(revisions, key=lambda burst: burst.revision)
            assert {burst.burst_id for burst in revisions} == {last.burst_id}
            assert [frame.image_id for frame in last.frames] == ["img-1-1", "img-1-2", "img-1-3"]
            assert last.status is BurstStatus.FINAL

        asyncio.run(scenario())

    def test_a_burst_without_further_frames_is_closed_by_ticks(self, topics: Topics) -> None:
        quick = topics.settings.model_copy(update={"burst_idle_s": 0.5, "tick_s": 0.1})

        def final() -> list[BurstResolved]:
            bursts = [BurstResolved.from_bytes(message.value) for message in topics.read(BURST_RESOLVED)]
            return [burst for burst in bursts if burst.status is BurstStatus.FINAL]

        async def scenario() -> None:
            async with running(self.worker.create, quick) as worker:
                self.send(topics, 1)
                (burst,) = await worker.wait_until(final, "a final verdict")
            assert burst.camera == camera(1)
            assert burst.closed_at is not None
            assert burst.closed_at > datetime.now(UTC) - timedelta(minutes=5)

        asyncio.run(scenario())


class ClocksSuite(AgentSuite):
    """Predictions become assessments of the cameras' clocks."""

    worker = clocks_worker
    name = "clocks"
    reads = IMAGE_PREDICTED
    writes = CLOCK_JUDGED
    dead_letters = False

    def input(self, number: int) -> bytes:
        return predicted(number).to_bytes()

    def is_output_of(self, number: int, message: Message) -> bool:
        return ClockJudged.from_bytes(message.value).camera == camera(number)


class CropsSuite(AgentSuite):
    """Settled bursts become crops; the photographs are in the object store."""

    worker = crops_worker
    name = "crops"
    reads = BURST_RESOLVED
    writes = CROP_PUBLISHED
    dead_letters = False

    def input(self, number: int) -> bytes:
        return resolved(number).to_bytes()

    def is_output_of(self, number: int, message: Message) -> bool:
        crop = CropPublished.from_bytes(message.value)
        return crop.camera == camera(number) and crop.withdrawn is None
