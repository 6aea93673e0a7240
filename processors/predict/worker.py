"""Predict: uploads of one lane in, `camera.image.predicted.v1` out: a prediction or rejection for every upload.

One process for each lane, of the same code: neither topic's backlog can then delay fetching from the other.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import faust
import structlog

from uncia.errors import PermanentError
from uncia.events import ImagePredicted, ImageUploaded, Lane
from uncia.processors.faust_runtime import metrics
from uncia.processors.faust_runtime.app import WorkerApp, create_app, faust_topic, faust_topics
from uncia.processors.faust_runtime.dead_letters import DeadLetters
from uncia.processors.faust_runtime.delivery import send
from uncia.processors.faust_runtime.object_errors import warn_if_bucket_unreadable
from uncia.processors.predict.inference import Predictor
from uncia.processors.predict.live_model import LiveDetector, LiveModel
from uncia.processors.predict.ordered_pipeline import OrderedPipeline
from uncia.processors.predict.recent_ids import RecentIds
from uncia.settings import Settings
from uncia.storage.object_keys import displayable_key, key_problem
from uncia.storage.object_store import ObjectStore
from uncia.topics import IMAGE_BACKFILLED, IMAGE_PREDICTED, IMAGE_UPLOADED, Topic

BATCH_WAIT_S = 0.1
"""Poll interval of the stream buffer, in seconds; 0.02 caused most of the CPU use of an idle worker."""

RECENT_UPLOADS = 2048
"""Uploads whose result was confirmed recently: stores announce an object more than once."""

READ_TIMEOUT_S = 10.0
"""A read has failed after this long without a byte: an object whose body never ends must not block a thread."""

_WORKERS: dict[Lane, tuple[str, Topic]] = {
    Lane.LIVE: ("predict", IMAGE_UPLOADED),
    Lane.BACKFILL: ("predict-backfill", IMAGE_BACKFILLED),
}
"""Each lane's worker and input topic."""

log = structlog.get_logger("uncia")

Outcome = ImagePredicted | PermanentError | None
"""The result of one message: an event to publish, an error for the dead letters, or None for a repetition."""


@dataclass(frozen=True)
class LaneOptions:
    """How much one worker of a lane does at once, and where it differs from the lane's own worker."""

    lane: Lane
    max_photographs: int
    """Photographs in progress at a time."""
    max_requests: int
    """Inference requests of each model in Triton at a time."""
    name: str = ""
    """The worker's name; empty: the lane's own."""
    input_topics: tuple[str, ...] = ()
    """Full names of the topics to read; empty: the lane's own."""


class PredictWorker:
    """The agent of one lane: processes messages concurrently, publishes and acknowledges them in order."""

    def __init__(self, app: WorkerApp, settings: Settings, options: LaneOptions) -> None:
        self._app = app
        self._settings = settings
        self._options = options
        self._model = LiveModel(settings)
        self._detector = LiveDetector(settings)
        self._results = faust_topic(app, settings, IMAGE_PREDICTED)
        self._dead_letters = DeadLetters(app, settings)
        # In progress or published: a repetition keeps its place in the queue, behind the first, and is only
        # acknowledged.
        self._known = RecentIds(RECENT_UPLOADS + options.max_photographs)

    async def run(self, stream: faust.StreamT[bytes]) -> None:
        """Process the stream; the agent of the app."""
        settings, options = self._settings, self._options
        # One attempt: `read_one_object` retries failures, and leaves the threads to other photographs meanwhile.
        store = ObjectStore(settings, max_connections=settings.decode_threads + 2, timeout_s=READ_TIMEOUT_S, attempts=1)
        await asyncio.to_thread(warn_if_bucket_unreadable, store, settings.bucket)
        predictor = Predictor(settings, self._model, self._detector, store, options.lane, options.max_requests)

        async def process(event: faust.Event) -> Outcome:
            return await self._process(event, predictor)

        pipeline: OrderedPipeline[faust.Event, Outcome] = OrderedPipeline(
            options.max_photographs, process, self._commit, self._app.halt
        )
        try:
            async for events in stream.noack_take(options.max_photographs, within=BATCH_WAIT_S):
                for event in events:
                    await pipeline.add(event)
        finally:
            await pipeline.close()
            await predictor.close()

    async def _process(self, event: faust.Event, predictor: Predictor) -> Outcome:
        try:
            upload = ImageUploaded.from_bytes(event.value)
        except PermanentError as error:
            return error
        if problem := key_problem(upload.key):
            return PermanentError("key-unusable", f"the key {displayable_key(upload.key)} {problem}")
        # A moved object needs a new result, whatever was published of it before.
        if repetition_id(upload) in self._known and upload.moved_to is None:
            return None
        self._known.add(repetition_id(upload))
        return await predictor.predict(upload)

    async def _commit(self, finished: Sequence[tuple[faust.Event, Outcome]]) -> None:
        await asyncio.gather(*(self._publish(event, outcome) for event, outcome in finished))
        for event, _ in finished:
            event.ack()

    async def _publish(self, event: faust.Event, outcome: Outcome) -> None:
        if outcome is None:
            return
        if isinstance(outcome, PermanentError):
            await self._dead_letters.put(event, outcome, "predict")
            return
        try:
            await send(self._results, key=outcome.camera.encode(), value=outcome.to_bytes())
        except PermanentError as error:
            await self._dead_letters.put(event, error, "predict")
            return
        record_outcome(outcome)
        if outcome.rejection is not None and outcome.sha256 is None:
            # Nothing was read. The object may be stored again under the same id, and must then be read again.
            self._known.discard(repetition_id(outcome))


def repetition_id(upload: ImageUploaded | ImagePredicted) -> str:
    """An id that repeated announcements of one upload share.

    Storing the same content again is no repetition: it is the key's last content again, and subscribers must learn
    that. Whole seconds, since listings are no more precise.
    """
    return f"{upload.upload_id} {int(upload.uploaded_at.timestamp())}"


def record_outcome(event: ImagePredicted) -> None:
    """Log and count one prediction or rejection."""
    waited = (event.predicted_at - event.uploaded_at).total_seconds()
    metrics.ANSWER_SECONDS.labels(event.lane.value).observe(max(0.0, waited))
    bound = log.bind(upload_id=event.upload_id, image_id=event.image_id, camera=event.camera, after_s=round(waited, 3))
    if event.rejection is not None:
        metrics.ANSWERS.labels(event.rejection.reason).inc()
        bound.info("rejected", reason=event.rejection.reason, error=event.rejection.message, key=event.key)
        return
    metrics.ANSWERS.labels("predicted").inc()
    top = event.prediction.top[0] if event.prediction else None
    box = event.detection.detections[0] if event.detection and event.detection.detections else None
    bound.info(
        "predicted",
        top=top.label if top else None,
        score=round(top.score, 3) if top else None,
        category=box.category.value if box else None,
        box_score=round(box.score, 3) if box else None,
    )


def create(settings: Settings) -> WorkerApp:
    """Create the app of the live lane's worker."""
    batch = settings.predict_batch
    return create_lane(settings, LaneOptions(Lane.LIVE, max_photographs=batch, max_requests=batch))


def create_lane(settings: Settings, options: LaneOptions) -> WorkerApp:
    """Create the app of one lane's worker. Raises `SettingsError` where there is no model."""
    own_name, topic = _WORKERS[options.lane]
    name = options.name or own_name
    app = create_app(name, settings)
    worker = PredictWorker(app, settings, options)
    app.agent(faust_topics(app, options.input_topics or (topic.full_name(settings),)), name=name)(worker.run)
    return app
