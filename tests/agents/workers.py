"""The agent suites of the workers: what each one reads and writes, and what it guarantees beyond the common part."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tests.agents.harness import Topics, running
from tests.agents.suite import AgentSuite, camera
from tests.paths import EVENT_SAMPLES
from tests.stack.photographs import photograph
from tests.unit.uncia.sound.recordings import recorded, tone
from uncia import ids
from uncia.events import (
    VIDEO_NOT_ANALYSED,
    BurstCategory,
    BurstFrame,
    BurstResolved,
    BurstStatus,
    ClockJudged,
    CropPublished,
    Detection,
    DetectionCategory,
    DetectionResult,
    ExplanationReason,
    ExplanationRequested,
    FrameBox,
    FrameSecondLook,
    ImageExplained,
    ImagePredicted,
    ImageUploaded,
    Lane,
    RecordingAnalysed,
    SecondLookCompleted,
    SecondLookFrame,
    SecondLookReason,
    SecondLookRequested,
    SoundHeard,
    Trigger,
)
from uncia.kafka.broker import Message
from uncia.processors.bursts import worker as bursts_worker
from uncia.processors.clock_health import worker as clocks_worker
from uncia.processors.crops import worker as crops_worker
from uncia.processors.explain import worker as explain_worker
from uncia.processors.faust_runtime.app import group_name
from uncia.processors.intake import worker as intake_worker
from uncia.processors.listen import worker as listen_worker
from uncia.processors.listen.analysis import Listener, Publish
from uncia.processors.predict import worker as predict_worker
from uncia.processors.second_look import worker as second_look_worker
from uncia.storage.object_store import ObjectMissing, ObjectStore
from uncia.topics import (
    BURST_RESOLVED,
    CLOCK_JUDGED,
    CROP_PUBLISHED,
    DEAD_LETTER,
    EXPLANATION_REQUESTED,
    IMAGE_EXPLAINED,
    IMAGE_PREDICTED,
    IMAGE_UPLOADED,
    RECORDING_ANALYSED,
    SECOND_LOOK_COMPLETED,
    SECOND_LOOK_REQUESTED,
    SOUND_HEARD,
    STORAGE_CHANGED,
)

UPLOADED = ImageUploaded.from_bytes((EVENT_SAMPLES / "camera.image.uploaded.v1.json").read_bytes())
PREDICTED = ImagePredicted.from_bytes((EVENT_SAMPLES / "camera.image.predicted.v1.json").read_bytes())

RECORDING = recorded(np.concatenate([tone(2, 16_000), tone(2, 16_000, 3_000)]), 16_000)
"""Four seconds of sound."""

REQUESTED = ExplanationRequested.from_bytes((EVENT_SAMPLES / "camera.explanation.requested.v1.json").read_bytes())
RESOLVED = BurstResolved.from_bytes((EVENT_SAMPLES / "camera.burst.resolved.v1.json").read_bytes())


def key(number: int) -> str:
    """The object key of a photograph."""
    return f"{camera(number)}/{number}.jpg"


def recording_key(number: int) -> str:
    """The object key of a sound recording."""
    return f"{camera(number)}/{number}.wav"


def video_key(number: int) -> str:
    """The object key of a video, which is in no object store."""
    return f"{camera(number)}/{number}.mp4"


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


def explanation_request(number: int) -> ExplanationRequested:
    """A request to explain a photograph of the store."""
    image = ids.image_id(camera(number), ids.content_hash(photograph(number)))
    return REQUESTED.model_copy(
        update={
            "explanation_id": ids.explanation_id(image, "tiny@1", 0, "lime"),
            "image_id": image,
            "upload_id": f"upl-{number}",
            "camera": camera(number),
            "key": key(number),
            "etag": "",
            "version_id": None,
            "class_index": 0,
        }
    )


def doubtful_burst(number: int) -> BurstResolved:
    """A final burst of one photograph of the store, whose score is at its threshold."""
    assert RESOLVED.verdict is not None
    request = explanation_request(number)
    frame = RESOLVED.frames[0].model_copy(
        update={
            "image_id": request.image_id,
            "upload_id": request.upload_id,
            "key": request.key,
            "bucket": request.bucket,
            "score": 0.021,
            "rejection": None,
        }
    )
    return RESOLVED.model_copy(
        update={
            "burst_id": f"bst-{number}",
            "status": BurstStatus.FINAL,
            "camera": camera(number),
            "frames": (frame,),
            "verdict": RESOLVED.verdict.model_copy(update={"threshold": 0.02}),
        }
    )


def second_look_request(number: int) -> SecondLookRequested:
    """A request of a second look at a photograph of the store."""
    frame = SecondLookFrame(
        image_id=ids.image_id(camera(number), ids.content_hash(photograph(number))),
        upload_id=f"upl-{number}",
        bucket="camera-uploads",
        key=key(number),
        boxes=(FrameBox(category=DetectionCategory.ANIMAL, score=0.3, box=(0.7, 0.1, 0.1, 0.2)),),
    )
    return SecondLookRequested(
        second_look_id=ids.second_look_id([frame.image_id], "tiles-2x2/1"),
        burst_id=f"bst-{number:024x}",
        station="ridge",
        camera=camera(number),
        frames=(frame,),
        reason=SecondLookReason.NEAR_THRESHOLD,
        rule="tiles-2x2/1",
        requested_at=datetime.now(UTC),
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


def inconclusive_burst(number: int) -> BurstResolved:
    """A final burst of one photograph of the store, of which it is not clear whether it shows an animal."""
    burst = resolved(number)
    frames = tuple(frame.model_copy(update={"animal_probability": 0.5}) for frame in burst.frames)
    changes = {"category": BurstCategory.BLANK, "animal_probability": 0.5, "frames": frames}
    return burst.model_copy(update={**changes, "closed_at": datetime.now(UTC)})


def conclusive_burst(number: int) -> BurstResolved:
    """A final burst that surely shows nothing."""
    return inconclusive_burst(number).model_copy(update={"animal_probability": 0.01})


async def output_for_a_video(suite: AgentSuite, topics: Topics) -> Message:
    """The one output of the worker whose first input is that of a video instead of a photograph."""
    video = suite.input(1).replace(key(1).encode(), video_key(1).encode())
    async with running(suite.worker.create, topics.settings) as worker:
        sent = topics.send(suite.reads, camera(1).encode(), video)
        await worker.wait_until(suite.commits(topics, sent), "a commit")
    (message,) = topics.read(suite.writes)
    return message


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

    def test_a_video_is_announced_like_a_photograph(self, topics: Topics) -> None:
        async def scenario() -> None:
            message = await output_for_a_video(self, topics)
            assert ImageUploaded.from_bytes(message.value).key == video_key(1)

        asyncio.run(scenario())


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

    def test_a_video_is_answered_as_not_analysed_although_it_cannot_be_fetched(self, topics: Topics) -> None:
        async def scenario() -> None:
            message = await output_for_a_video(self, topics)
            image = ImagePredicted.from_bytes(message.value)
            assert image.key == video_key(1)
            assert image.rejection is not None
            assert image.rejection.reason == VIDEO_NOT_ANALYSED

        asyncio.run(scenario())

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


class ListenSuite(AgentSuite):
    """Uploads of recordings become results, after their calls; the recordings are in the object store."""

    worker = listen_worker
    name = "listen"
    reads = IMAGE_UPLOADED
    writes = RECORDING_ANALYSED
    dead_letters = False

    def input(self, number: int) -> bytes:
        return self._upload(number, recording_key(number)).to_bytes()

    def is_output_of(self, number: int, message: Message) -> bool:
        result = RecordingAnalysed.from_bytes(message.value)
        return result.key == recording_key(number) and result.rejection is None

    def _upload(self, number: int, object_key: str) -> ImageUploaded:
        return UPLOADED.model_copy(
            update={
                "upload_id": f"upl-{object_key}",
                "camera": camera(number),
                "key": object_key,
                "etag": "",
                "size": len(RECORDING),
                "uploaded_at": datetime.now(UTC),
            }
        )

    def test_the_calls_of_a_recording_and_their_spectrograms_are_published(self, topics: Topics) -> None:
        async def scenario() -> None:
            async with running(self.worker.create, topics.settings) as worker:
                sent = self.send(topics, 1)
                await worker.wait_until(self.commits(topics, sent), "a commit")
            (message,) = self.outputs(topics, 1)
            calls = [SoundHeard.from_bytes(message.value) for message in topics.read(SOUND_HEARD)]
            assert RecordingAnalysed.from_bytes(message.value).calls == len(calls) == 1
            spectrogram = calls[0].spectrogram
            assert spectrogram is not None
            stored = ObjectStore(topics.settings).get(spectrogram.bucket, spectrogram.key, max_bytes=1_000_000)
            assert ids.content_hash(stored) == spectrogram.sha256

        asyncio.run(scenario())

    def test_a_photograph_is_acknowledged_without_a_result(self, topics: Topics) -> None:
        async def scenario() -> None:
            async with running(self.worker.create, topics.settings) as worker:
                sent = topics.send(self.reads, camera(1).encode(), self._upload(1, key(1)).to_bytes())
                await worker.wait_until(self.commits(topics, sent), "a commit")
            assert topics.read(RECORDING_ANALYSED) == []

        asyncio.run(scenario())

    def test_a_recording_is_committed_before_the_next_one_is_analysed(
        self, topics: Topics, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        analyse = Listener.analyse

        async def scenario() -> None:
            first_is_committed = asyncio.Event()

            async def analyse_in_turn(listener: Listener, upload: ImageUploaded, publish: Publish) -> RecordingAnalysed:
                if upload.key != recording_key(1):
                    await first_is_committed.wait()
                return await analyse(listener, upload, publish)

            monkeypatch.setattr(Listener, "analyse", analyse_in_turn)
            first = self.send(topics, 1)
            topics.send(self.reads, camera(1).encode(), self._upload(1, f"{camera(1)}/next.wav").to_bytes())
            async with running(self.worker.create, topics.settings) as worker:
                try:
                    await worker.wait_until(self.commits(topics, first), "a commit of the first recording")
                finally:
                    first_is_committed.set()

        asyncio.run(scenario())


class ExplainSuite(AgentSuite):
    """Requests become explanations; the photographs are in the object store."""

    worker = explain_worker
    name = "explain"
    reads = EXPLANATION_REQUESTED
    writes = IMAGE_EXPLAINED

    def input(self, number: int) -> bytes:
        return explanation_request(number).to_bytes()

    def is_output_of(self, number: int, message: Message) -> bool:
        event = ImageExplained.from_bytes(message.value)
        return event.camera == camera(number) and event.rejection is None

    def test_a_repeated_request_publishes_the_stored_explanation_again(self, topics: Topics) -> None:
        async def scenario() -> None:
            for run in (1, 2):
                async with running(self.worker.create, topics.settings) as worker:
                    await worker.wait_until(self.commits(topics, self.send(topics, 1)), f"a commit of run {run}")
            first, second = (ImageExplained.from_bytes(message.value) for message in self.outputs(topics, 1))
            assert first == second

        asyncio.run(scenario())

    def test_a_photograph_that_is_gone_is_answered_with_a_rejection(self, topics: Topics) -> None:
        async def scenario() -> None:
            async with running(self.worker.create, topics.settings) as worker:
                request = explanation_request(1).model_copy(update={"key": f"{camera(1)}/gone.jpg"})
                sent = topics.send(self.reads, camera(1).encode(), request.to_bytes())
                await worker.wait_until(self.commits(topics, sent), "a commit")
            (event,) = [ImageExplained.from_bytes(message.value) for message in topics.read(self.writes)]
            assert event.explanation_id == request.explanation_id
            assert event.rejection is not None
            assert event.rejection.reason == "object-missing"
            assert not topics.read(DEAD_LETTER)

        asyncio.run(scenario())

    def test_a_doubtful_burst_is_explained_without_a_request_by_a_person(self, topics: Topics) -> None:
        async def scenario() -> None:
            async with running(self.worker.create, topics.settings) as worker:
                burst = doubtful_burst(2)
                topics.send(BURST_RESOLVED, burst.camera.encode(), burst.to_bytes())
                await worker.wait_until(lambda: self.outputs(topics, 2), "an explanation")
            (message,) = topics.read(EXPLANATION_REQUESTED)
            assert ExplanationRequested.from_bytes(message.value).reason is ExplanationReason.NEAR_THRESHOLD

        asyncio.run(scenario())

    def test_explanations_of_a_burst_are_withdrawn_when_a_person_is_found_in_it(self, topics: Topics) -> None:
        async def scenario() -> None:
            async with running(self.worker.create, topics.settings) as worker:
                request = explanation_request(1)
                await worker.wait_until(self.commits(topics, self.send(topics, 1)), "a commit")
                (message,) = self.outputs(topics, 1)
                burst = doubtful_burst(1).model_copy(update={"category": BurstCategory.PERSON})
                topics.send(BURST_RESOLVED, burst.camera.encode(), burst.to_bytes())
                await worker.wait_until(lambda: len(topics.read(self.writes)) == 2, "a withdrawal")
                await worker.wait_until(self.commits(topics, self.send(topics, 1)), "a commit of the second request")
            stored = ImageExplained.from_bytes(message.value)
            later = [ImageExplained.from_bytes(found.value) for found in topics.read(self.writes)][1:]
            assert [event.rejection and event.rejection.reason for event in later] == ["person-in-burst"] * 2
            assert {event.explanation_id for event in later} == {request.explanation_id}
            store = ObjectStore(topics.settings)
            for key in (stored.heat_map_key, stored.weights_key):
                with pytest.raises(ObjectMissing):
                    store.head(topics.settings.bucket, key or "")
            store.close()

        asyncio.run(scenario())

    def test_a_request_from_before_a_person_was_found_is_refused_after_a_restart(self, topics: Topics) -> None:
        async def scenario() -> None:
            async with running(self.worker.create, topics.settings) as worker:
                await worker.wait_until(self.commits(topics, self.send(topics, 1)), "a commit")
                burst = doubtful_burst(1).model_copy(update={"category": BurstCategory.PERSON})
                topics.send(BURST_RESOLVED, burst.camera.encode(), burst.to_bytes())
                await worker.wait_until(lambda: len(topics.read(self.writes)) == 2, "a withdrawal")
            async with running(self.worker.create, topics.settings) as worker:
                await worker.wait_until(self.commits(topics, self.send(topics, 1)), "a commit of the second request")
            last = ImageExplained.from_bytes(topics.read(self.writes)[-1].value)
            assert last.rejection is not None
            assert last.rejection.reason == "person-in-burst"

        asyncio.run(scenario())

    def test_requests_that_wait_for_the_model_do_not_delay_a_withdrawal(self, topics: Topics) -> None:
        async def scenario() -> None:
            async with running(self.worker.create, topics.settings) as worker:
                await worker.wait_until(self.commits(topics, self.send(topics, 1)), "a commit")
            without_triton = topics.settings.model_copy(update={"triton": "127.0.0.1:1"})
            waiting = self.input(2)
            for _ in range(1000):
                topics.send(self.reads, camera(2).encode(), waiting)
            doubtful = doubtful_burst(2)
            topics.send(BURST_RESOLVED, doubtful.camera.encode(), doubtful.to_bytes())
            async with running(self.worker.create, without_triton) as worker:
                # From now on what is sent is not part of what was read first, of all topics in turn.
                await worker.wait_until(lambda: len(topics.read(self.reads)) > 1001, "a request for the doubtful burst")
                burst = doubtful_burst(1).model_copy(update={"category": BurstCategory.PERSON})
                topics.send(BURST_RESOLVED, burst.camera.encode(), burst.to_bytes())
                await worker.wait_until(lambda: len(topics.read(self.writes)) == 2, "a withdrawal")
            last = ImageExplained.from_bytes(topics.read(self.writes)[-1].value)
            assert last.rejection is not None
            assert last.camera == camera(1)

        asyncio.run(scenario())


class SecondLookSuite(AgentSuite):
    """Requests become second looks; the photographs are in the object store."""

    worker = second_look_worker
    name = "second-look"
    reads = SECOND_LOOK_REQUESTED
    writes = SECOND_LOOK_COMPLETED

    def input(self, number: int) -> bytes:
        return second_look_request(number).to_bytes()

    def is_output_of(self, number: int, message: Message) -> bool:
        event = SecondLookCompleted.from_bytes(message.value)
        return event.camera == camera(number) and all(frame.detection for frame in event.frames)

    def test_a_photograph_that_is_gone_is_answered_with_a_rejection(self, topics: Topics) -> None:
        async def scenario() -> None:
            async with running(self.worker.create, topics.settings) as worker:
                request = second_look_request(1)
                gone = request.frames[0].model_copy(update={"key": f"{camera(1)}/gone.jpg"})
                lost = request.model_copy(update={"frames": (gone,)})
                sent = topics.send(self.reads, camera(1).encode(), lost.to_bytes())
                await worker.wait_until(self.commits(topics, sent), "a commit")
            (event,) = [SecondLookCompleted.from_bytes(message.value) for message in topics.read(self.writes)]
            assert event.second_look_id == request.second_look_id
            assert event.frames[0].rejection is not None
            assert event.frames[0].rejection.reason == "object-missing"
            assert not topics.read(DEAD_LETTER)

        asyncio.run(scenario())

    def test_an_inconclusive_burst_is_looked_at_again_and_once_only(self, topics: Topics) -> None:
        async def scenario() -> None:
            async with running(self.worker.create, topics.settings) as worker:
                burst = inconclusive_burst(2)
                for event in (burst, burst.model_copy(update={"revision": 3}), conclusive_burst(1)):
                    topics.send(BURST_RESOLVED, event.camera.encode(), event.to_bytes())
                await worker.wait_until(lambda: self.outputs(topics, 2), "a second look")
                looked = tuple(frame.model_copy(update={"second_look": "tiles-2x2/1"}) for frame in burst.frames)
                again = burst.model_copy(update={"revision": 4, "status": BurstStatus.REVISED, "frames": looked})
                topics.send(BURST_RESOLVED, again.camera.encode(), again.to_bytes())
                last = topics.send(BURST_RESOLVED, camera(3).encode(), inconclusive_burst(3).to_bytes())
                group = group_name(self.name, topics.settings)
                await worker.wait_until(
                    lambda: topics.committed(group, BURST_RESOLVED, last.partition) > last.offset, "a commit"
                )
                await worker.wait_until(lambda: self.outputs(topics, 3), "the second look at another burst")
            requests = [SecondLookRequested.from_bytes(found.value) for found in topics.read(SECOND_LOOK_REQUESTED)]
            assert sorted(request.burst_id for request in requests) == [burst.burst_id, inconclusive_burst(3).burst_id]

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

    def test_a_second_look_revises_the_burst_of_its_frame(self, topics: Topics) -> None:
        async def scenario() -> None:
            async with running(self.worker.create, topics.settings) as worker:
                for frame in (1, 2, 3):
                    event = predicted(1, frame=frame)
                    topics.send(IMAGE_PREDICTED, event.camera.encode(), event.to_bytes())
                await worker.wait_until(lambda: BurstStatus.FINAL in statuses(topics), "a final verdict")
                for _ in range(2):
                    topics.send(SECOND_LOOK_COMPLETED, camera(1).encode(), second_look_completed(1).to_bytes())
                await worker.wait_until(lambda: BurstStatus.REVISED in statuses(topics), "a revised verdict")
            # The state is in the changelog: another worker knows the second look, and a repetition changes nothing.
            async with running(self.worker.create, topics.settings) as worker:
                again = topics.send(SECOND_LOOK_COMPLETED, camera(1).encode(), second_look_completed(1).to_bytes())
                group = group_name(self.name, topics.settings)
                await worker.wait_until(
                    lambda: topics.committed(group, SECOND_LOOK_COMPLETED, again.partition) > again.offset, "a commit"
                )
            revised = [burst for burst in bursts_of(topics) if burst.status is BurstStatus.REVISED]
            assert len(revised) == 1
            assert revised[0].changes[0] == "second look at 1 frame"
            assert [frame.second_look for frame in revised[0].frames] == ["tiles-2x2/1", None, None]

        asyncio.run(scenario())


def bursts_of(topics: Topics) -> list[BurstResolved]:
    """All verdicts so far."""
    return [BurstResolved.from_bytes(message.value) for message in topics.read(BURST_RESOLVED)]


def statuses(topics: Topics) -> set[BurstStatus]:
    """The statuses of all verdicts so far."""
    return {burst.status for burst in bursts_of(topics)}


def second_look_completed(number: int) -> SecondLookCompleted:
    """The second look at the first frame of a burst of three."""
    request, event = second_look_request(number), predicted(number)
    found = FrameSecondLook(
        image_id=event.image_id,
        upload_id=event.upload_id,
        detection=DetectionResult(
            model="animal_detector",
            version="1",
            settings="set-1",
            asked_at=datetime(2026, 5, 1, tzinfo=UTC),
            inference_ms=1,
            detections=(Detection(category=DetectionCategory.ANIMAL, score=0.9, box=(0.6, 0.6, 0.2, 0.2)),),
        ),
    )
    return SecondLookCompleted(
        second_look_id=request.second_look_id,
        burst_id=request.burst_id,
        station="ridge",
        camera=camera(number),
        frames=(found,),
        reason=request.reason,
        rule=request.rule,
        completed_at=datetime(2026, 5, 1, tzinfo=UTC),
    )


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
