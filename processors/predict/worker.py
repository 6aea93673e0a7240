"""Predict: uploads of one lane in, `camera.image.predicted.v1` out: an answer to every upload.

One process for each lane, of the same code: neither topic's backlog can then hold up the other's fetching.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import faust
import numpy as np
import structlog

from uncia import ids
from uncia.errors import DependencyDown, PermanentError
from uncia.events import ImagePredicted, ImageUploaded, Lane, Prediction, Rejection
from uncia.imaging.frames import self_test_pattern
from uncia.processors.faust_runtime import metrics
from uncia.processors.faust_runtime.app import WorkerApp, create_app, faust_topic, faust_topics
from uncia.processors.faust_runtime.dead_letters import DeadLetters
from uncia.processors.faust_runtime.delivery import send
from uncia.processors.faust_runtime.object_errors import warn_of_bucket
from uncia.processors.faust_runtime.retry import until_it_answers
from uncia.processors.predict.image_loading import Photograph, Photographs
from uncia.processors.predict.live_model import Asked, LiveModel
from uncia.processors.predict.ordered_pipeline import Window
from uncia.processors.predict.verdict import ScoresNotFinite
from uncia.serving.triton_client import Classifier
from uncia.settings import Settings
from uncia.storage.object_keys import displayable_key, key_problem
from uncia.storage.object_store import ObjectStore
from uncia.topics import IMAGE_BACKFILLED, IMAGE_PREDICTED, IMAGE_UPLOADED, Topic

WITHIN_S = 0.1
"""Faust looks into its buffer so often, full or empty: at 0.02 that was most of an idle worker's work."""

REMEMBERED = 2048
"""Uploads whose answer was confirmed lately: stores announce an object more than once."""

READ_TIMEOUT_S = 10.0
"""Without a byte for so long, a read has failed: an object whose body never ends must not hold a thread."""

UNSOUND_ANSWERS = 3
"""A photograph with NaN for scores is asked about so often before the model is asked about its self-test."""

_READ: dict[Lane, tuple[str, Topic]] = {
    Lane.LIVE: ("predict", IMAGE_UPLOADED),
    Lane.BACKFILL: ("predict-backfill", IMAGE_BACKFILLED),
}
"""Each lane's worker and topic."""

log = structlog.get_logger("uncia")


class _Moved(Exception):
    """The version that was asked did not answer, and another one is live by now."""


class Predict:
    """Answers uploads: a prediction, or a rejection that names the reason."""

    def __init__(
        self, settings: Settings, model: LiveModel, store: ObjectStore, lane: Lane, asked_at_once: int
    ) -> None:
        self._lane = lane
        self._asking = asyncio.Semaphore(asked_at_once)
        self._photographs = Photographs(settings, store)
        self._model = model
        self._classifier = Classifier(settings, model.current().card)

    async def answer(self, upload: ImageUploaded) -> ImagePredicted:
        """Waits for whatever is down; raises nothing that a photograph could cause."""
        while True:
            asked = self._model.current()
            photograph = await self._photographs.read(upload, asked.card.frame)
            try:
                prediction = await self._ask(photograph, asked, upload.station)
            except _Moved:
                # From the bytes on: the other version may see another frame.
                continue
            except PermanentError as error:
                prediction, photograph = None, replace(photograph, frame=None, rejection=error)
            break
        rejected = photograph.rejection
        return ImagePredicted(
            upload_id=upload.upload_id,
            image_id=ids.image_id(upload.camera, photograph.sha256 or upload.upload_id),
            station=upload.station,
            camera=upload.camera,
            bucket=upload.bucket,
            key=upload.key,
            etag=photograph.etag or upload.etag,
            version_id=upload.version_id,
            size=upload.size if photograph.sha256 is None else photograph.size,
            sha256=photograph.sha256,
            uploaded_at=upload.uploaded_at,
            predicted_at=datetime.now(UTC),
            lane=self._lane,
            capture=photograph.capture,
            prediction=prediction,
            rejection=Rejection(reason=rejected.reason, message=str(rejected)) if rejected else None,
        )

    async def _ask(self, photograph: Photograph, asked: Asked, station: str) -> Prediction | None:
        frame = photograph.frame
        if frame is None:
            return None

        unsound = 0

        async def once() -> Prediction:
            nonlocal unsound
            asked_at = datetime.now(UTC)
            try:
                async with self._asking:
                    answer = await self._classifier.classify(frame.pixels[None], self._lane, asked.card)
                metrics.STAGE_SECONDS.labels("infer").observe(answer.inference_ms / 1000)
                return asked.judge.prediction(answer, station, asked_at)
            except DependencyDown as error:
                if self._model.current() is not asked:
                    raise _Moved from error
                if isinstance(error, ScoresNotFinite):
                    unsound += 1
                    if unsound >= UNSOUND_ANSWERS and await self._answers_the_pattern(asked):
                        raise PermanentError(
                            "model-unsound", f"{unsound} times, on this photograph: {error}"
                        ) from error
                raise

        return await until_it_answers(once, waiting_for="triton")

    async def _answers_the_pattern(self, asked: Asked) -> bool:
        """The version answers its self-test with numbers: what it does not answer so is at fault itself."""
        pattern = self_test_pattern(asked.card.frame)[None]
        try:
            answer = await self._classifier.classify(pattern, self._lane, asked.card)
        except DependencyDown:
            return False
        return bool(np.isfinite(answer.whole).all() and np.isfinite(answer.windows).all())

    async def close(self) -> None:
        self._photographs.close()
        await self._classifier.close()


class Remembered:
    """The last uploads that were answered. Only saves work: forgetting one costs a repeated answer."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ids: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, upload_id: str) -> bool:
        return upload_id in self._ids

    def add(self, upload_id: str) -> None:
        self._ids[upload_id] = None
        self._ids.move_to_end(upload_id)
        while len(self._ids) > self._size:
            self._ids.popitem(last=False)

    def discard(self, upload_id: str) -> None:
        self._ids.pop(upload_id, None)


def _mark(upload: ImageUploaded | ImagePredicted) -> str:
    """The same for repetitions. What is stored anew with the content that it had before is none: it is the key's last
    content again, and whoever follows the answers has to learn that. A listing tells whole seconds."""
    return f"{upload.upload_id} {int(upload.uploaded_at.timestamp())}"


def create(settings: Settings) -> WorkerApp:
    """The app of the live lane's worker."""
    return create_lane(settings, Lane.LIVE, at_once=settings.predict_batch, asked_at_once=settings.predict_batch)


def create_lane(
    settings: Settings, lane: Lane, *, at_once: int, asked_at_once: int, name: str = "", uploads: Sequence[str] = ()
) -> WorkerApp:
    """The app of one lane's worker: `at_once` photographs in work, `asked_at_once` of them in Triton's hands.

    `name` and `uploads`, topics by their full names, are given where they are not the lane's own.
    """
    own_name, topic = _READ[lane]
    name = name or own_name
    model = LiveModel(settings)
    app = create_app(name, settings)
    predicted = faust_topic(app, settings, IMAGE_PREDICTED)
    dead_letters = DeadLetters(app, settings)
    # In work or answered: a repetition waits its turn in the line, behind the first, and is then just acknowledged.
    known = Remembered(REMEMBERED + at_once)

    async def predict_agent(stream: faust.StreamT[bytes]) -> None:
        # One attempt: what fails is tried again by `read_one_object`, which leaves the threads to others meanwhile.
        store = ObjectStore(settings, max_connections=settings.decode_threads + 2, timeout_s=READ_TIMEOUT_S, attempts=1)
        await asyncio.to_thread(warn_of_bucket, store, settings.bucket)
        predict = Predict(settings, model, store, lane, asked_at_once)

        async def work(event: faust.Event) -> ImagePredicted | PermanentError | None:
            try:
                upload = ImageUploaded.from_bytes(event.value)
            except PermanentError as error:
                return error
            if problem := key_problem(upload.key):
                return PermanentError("key-unusable", f"the key {displayable_key(upload.key)} {problem}")
            # Of a moved object the answer that it had before is no longer the answer.
            if _mark(upload) in known and upload.moved_to is None:
                return None
            known.add(_mark(upload))
            return await predict.answer(upload)

        async def settle(finished: Sequence[tuple[faust.Event, ImagePredicted | PermanentError | None]]) -> None:
            await asyncio.gather(*(publish(event, answer) for event, answer in finished))
            for event, _ in finished:
                event.ack()

        async def publish(event: faust.Event, answer: ImagePredicted | PermanentError | None) -> None:
            if isinstance(answer, PermanentError):
                await dead_letters.put(event, answer, "predict")
            elif answer is not None:
                try:
                    await send(predicted, key=answer.camera.encode(), value=answer.to_bytes())
                except PermanentError as error:
                    await dead_letters.put(event, error, "predict")
                    return
                tell(answer)
                if answer.rejection is not None and answer.sha256 is None:
                    # Nothing was read. It may be stored anew under the same id, and is looked for again then.
                    known.discard(_mark(answer))

        window: Window[faust.Event, ImagePredicted | PermanentError | None] = Window(at_once, work, settle, app.halt)
        try:
            async for events in stream.noack_take(at_once, within=WITHIN_S):
                for event in events:
                    await window.add(event)
        finally:
            await window.close()
            await predict.close()

    app.agent(faust_topics(app, uploads or (topic.full_name(settings),)), name=name)(predict_agent)
    return app


def tell(answer: ImagePredicted) -> None:
    """One line and the metrics of one answer."""
    waited = (answer.predicted_at - answer.uploaded_at).total_seconds()
    metrics.ANSWER_SECONDS.labels(answer.lane.value).observe(max(0.0, waited))
    line = log.bind(
        upload_id=answer.upload_id, image_id=answer.image_id, camera=answer.camera, after_s=round(waited, 3)
    )
    if answer.rejection is not None:
        metrics.ANSWERS.labels(answer.rejection.reason).inc()
        line.info("rejected", reason=answer.rejection.reason, error=answer.rejection.message, key=answer.key)
        return
    metrics.ANSWERS.labels("predicted").inc()
    top = answer.prediction.top[0] if answer.prediction else None
    line.info("predicted", top=top.label if top else None, score=round(top.score, 3) if top else None)
