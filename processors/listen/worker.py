"""Listen: uploads of both lanes in; `camera.sound.heard.v1`, `camera.recording.analysed.v1` and spectrograms out.

What is no recording by its name is skipped. The worker has no state: a recording is acknowledged when its calls and its
result are confirmed. One recording at a time; more processes share the partitions. Its priority is low: photographs are
predicted first.
"""

import asyncio
import os
from collections.abc import Sequence

import faust
import structlog

from uncia.errors import PermanentError
from uncia.events import ImageUploaded, RecordingAnalysed, SoundHeard
from uncia.processors.faust_runtime.app import WorkerApp, create_app, faust_topic, faust_topics
from uncia.processors.faust_runtime.batches import process_batches
from uncia.processors.faust_runtime.delivery import send
from uncia.processors.faust_runtime.object_errors import warn_if_bucket_unreadable
from uncia.processors.listen.analysis import Listener, LiveSoundModel
from uncia.processors.predict.recent_ids import RecentIds
from uncia.processors.predict.worker import repetition_id
from uncia.serving.triton_client import Classifier
from uncia.settings import Settings
from uncia.storage.object_keys import displayable_key, key_problem
from uncia.storage.object_store import ObjectStore
from uncia.storage.recording_names import is_recording_name
from uncia.topics import RECORDING_ANALYSED, SOUND_HEARD, UPLOAD_TOPICS

UPLOAD_WAIT_S = 0.5
"""Poll interval of the stream buffer, in seconds."""

NICENESS = 10
_READ_TIMEOUT_S = 10.0
_RECENT = 2048
"""Recordings that were analysed recently: stores announce an object more than once."""

log = structlog.get_logger("uncia")


class ListenWorker:
    """The agent: recordings one after the other, in the order of their partition."""

    def __init__(self, app: WorkerApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._model = LiveSoundModel(settings)
        self._calls = faust_topic(app, settings, SOUND_HEARD)
        self._results = faust_topic(app, settings, RECORDING_ANALYSED)
        self._analysed = RecentIds(_RECENT)

    async def run(self, stream: faust.StreamT[bytes]) -> None:
        """Process the stream; the agent of the app."""
        store = ObjectStore(self._settings, max_connections=4, timeout_s=_READ_TIMEOUT_S, attempts=1)
        await asyncio.to_thread(warn_if_bucket_unreadable, store, self._settings.bucket)
        classifier = Classifier(self._settings, self._model.current().card)
        listener = Listener(self._settings, self._model, store, classifier)

        async def process(events: Sequence[faust.Event]) -> None:
            for event in events:
                await self._process(event, listener)

        try:
            await process_batches(self._app, stream, 1, UPLOAD_WAIT_S, process)
        finally:
            await classifier.close()

    async def _process(self, event: faust.Event, listener: Listener) -> None:
        try:
            upload = ImageUploaded.from_bytes(event.value)
        except PermanentError:
            return  # `predict` reads the same message, and makes it a dead letter.
        if not is_recording_name(upload.key):
            return
        if problem := key_problem(upload.key):
            log.warning("recording_skipped", key=displayable_key(upload.key), error=f"the key {problem}")
            return
        repetition = repetition_id(upload)
        if repetition in self._analysed and upload.moved_to is None:
            return
        result = await listener.analyse(upload, self._publish)
        await send(self._results, key=result.camera.encode(), value=result.to_bytes())
        if result.sha256 is not None:
            self._analysed.add(repetition)
        _log_result(result)

    async def _publish(self, call: SoundHeard) -> None:
        await send(self._calls, key=call.camera.encode(), value=call.to_bytes())
        log.info(
            "sound_heard", call_id=call.call_id, camera=call.camera, label=call.verdict.label, start_s=call.start_s
        )


def _log_result(result: RecordingAnalysed) -> None:
    bound = log.bind(recording_id=result.recording_id, camera=result.camera, key=result.key)
    if result.rejection is not None:
        bound.info("recording_rejected", reason=result.rejection.reason, error=result.rejection.message)
        return
    bound.info("recording_analysed", duration_s=result.duration_s, windows=result.windows, calls=result.calls)


def create(settings: Settings) -> WorkerApp:
    """Create the app of the worker, and lower the priority of this process. Raises `SettingsError` without a model."""
    os.nice(NICENESS)
    app = create_app("listen", settings)
    worker = ListenWorker(app, settings)
    topics = tuple(topic.full_name(settings) for topic in UPLOAD_TOPICS)
    app.agent(faust_topics(app, topics), name="listen")(worker.run)
    return app
