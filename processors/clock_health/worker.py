"""Clocks: `camera.image.predicted.v1` in, `camera.clock.judged.v1` out, when what is thought of a clock changes.

For each batch the judgements are sent and confirmed first, then the states, then the batch is acknowledged. A crash in
between leads to the same judgement a second time, on a compacted topic.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

import faust
import structlog

from uncia.camtrap.deployments import DeploymentReader, Deployments
from uncia.errors import PermanentError
from uncia.events import ClockJudged, ClockVerdict, ImagePredicted
from uncia.processors.clock_health.assessment import Said, judge
from uncia.processors.clock_health.state_store import TABLE, CameraClock
from uncia.processors.faust_runtime.app import WorkerApp, create_app, faust_topic
from uncia.processors.faust_runtime.batches import process_batches
from uncia.processors.faust_runtime.delivery import send
from uncia.processors.faust_runtime.state_table import StateTable
from uncia.settings import Settings
from uncia.topics import CLOCK_JUDGED, IMAGE_PREDICTED

BATCH, WITHIN_S = 256, 0.2

log = structlog.get_logger("uncia")


class Desk:
    """Takes frames in and says what is news. Knows states as bytes, so that tests need no Kafka."""

    def __init__(self, states: Mapping[bytes, bytes], deployments: Deployments) -> None:
        self._states = states
        self._deployments = deployments
        self._open: dict[str, tuple[CameraClock, datetime]] = {}
        self._news: set[str] = set()

    def take(self, event: ImagePredicted, offset: int, logged_at: float) -> None:
        """One frame, at its place and time (seconds since 1970) in the log."""
        camera, logged_ms = event.camera, round(1000 * logged_at)
        state = self._open[camera][0] if camera in self._open else self._read(camera)
        if state.has_seen(offset, logged_ms):
            return
        if state.history.take(event):
            self._news.add(camera)
        state.offset, state.logged_ms = offset, logged_ms
        self._open[camera] = (state, datetime.fromtimestamp(logged_at, UTC))

    def close(self) -> list[tuple[str, bytes, ClockJudged | None]]:
        """Of each camera that got frames: its state to write, and its judgement where that is news."""
        written = []
        for camera, (state, now) in self._open.items():
            judged = self._judge(camera, state, now) if camera in self._news else None
            written.append((camera, state.to_bytes(), judged))
        self._open.clear()
        self._news.clear()
        return written

    def _judge(self, camera: str, state: CameraClock, now: datetime) -> ClockJudged | None:
        raised = state.said.codes if state.said else []
        judged = judge(camera, state.history, raised, partial(self._deployments.at, camera), now)
        if state.said is not None and not state.said.differs(judged):
            return None
        state.said = Said.of(judged)
        return judged

    def _read(self, camera: str) -> CameraClock:
        raw = self._states.get(camera.encode())
        return CameraClock() if raw is None else CameraClock.from_bytes(camera, raw)


class Clocks:
    """The loop: read a batch, judge its cameras, say what is news, write the states, acknowledge."""

    def __init__(self, app: WorkerApp, settings: Settings, deployments: Deployments) -> None:
        self._app = app
        self._judged = faust_topic(app, settings, CLOCK_JUDGED)
        self._records = StateTable(app, TABLE, settings.partitions)
        self._desk = Desk(self._records.data, deployments)

    async def run(self, stream: faust.StreamT[bytes]) -> None:
        """The agent."""
        await process_batches(self._app, stream, BATCH, WITHIN_S, self._settle)

    async def _settle(self, events: Sequence[faust.Event]) -> None:
        partitions: dict[str, int] = {}
        for event in events:
            try:
                predicted = ImagePredicted.from_bytes(event.value)
            except PermanentError as error:
                # Bursts reads the same topic and keeps its bytes in the dead letters: one letter is enough.
                log.warning("not a prediction", reason=error.reason, offset=event.message.offset)
                continue
            self._desk.take(predicted, event.message.offset, event.message.timestamp)
            partitions[predicted.camera] = event.message.partition
        written = self._desk.close()
        await asyncio.gather(*(self._say(judged, partitions[camera]) for camera, _, judged in written if judged))
        write = self._records.write
        await asyncio.gather(*(write(partitions[camera], camera.encode(), state) for camera, state, _ in written))

    async def _say(self, judged: ClockJudged, partition: int) -> None:
        tell = log.warning if judged.verdict is ClockVerdict.WRONG else log.info
        codes = [reason.code for reason in judged.reasons]
        tell("clock judged", camera=judged.camera, verdict=judged.verdict.value, reasons=codes)
        try:
            await send(self._judged, key=judged.camera.encode(), value=judged.to_bytes(), partition=partition)
        except PermanentError as error:
            log.error("the judgement is too large to be published", camera=judged.camera, error=str(error))


def create(settings: Settings) -> WorkerApp:
    """The worker's app. Waits until the deployments that stand on their topic were read."""
    app = create_app("clocks", settings, stream_buffer_maxsize=2 * BATCH)
    clocks = Clocks(app, settings, DeploymentReader(settings).start())
    app.agent(faust_topic(app, settings, IMAGE_PREDICTED), name="clocks")(clocks.run)
    return app
