"""Clock health: `camera.image.predicted.v1` in, `camera.clock.judged.v1` out, when the verdict on a clock changes.

For each batch the verdicts are sent and confirmed first, then the states, then the batch is acknowledged. A crash in
between publishes the same verdict a second time, on a compacted topic.
"""

import asyncio
from collections.abc import Sequence

import faust
import structlog

from uncia.camtrap.deployments import DeploymentReader, Deployments
from uncia.errors import PermanentError
from uncia.events import ClockJudged, ClockVerdict, ImagePredicted
from uncia.processors.clock_health.state_store import TABLE
from uncia.processors.clock_health.tracker import ClockTracker
from uncia.processors.faust_runtime.app import WorkerApp, create_app, faust_topic
from uncia.processors.faust_runtime.batches import process_batches
from uncia.processors.faust_runtime.delivery import send
from uncia.processors.faust_runtime.state_table import StateTable
from uncia.settings import Settings
from uncia.topics import CLOCK_JUDGED, IMAGE_PREDICTED

BATCH = 256
BATCH_WAIT_S = 0.2
"""Poll interval of the stream buffer, in seconds."""

log = structlog.get_logger("uncia")


class ClocksWorker:
    """The loop: read a batch, assess its cameras, publish new verdicts, write the states, acknowledge."""

    def __init__(self, app: WorkerApp, settings: Settings, deployments: Deployments) -> None:
        self._app = app
        self._verdicts = faust_topic(app, settings, CLOCK_JUDGED)
        self._table = StateTable(app, TABLE, settings.partitions)
        self._tracker = ClockTracker(self._table.data, deployments)

    async def run(self, stream: faust.StreamT[bytes]) -> None:
        """Process the stream; the agent of the app."""
        await process_batches(self._app, stream, BATCH, BATCH_WAIT_S, self._process)

    async def _process(self, events: Sequence[faust.Event]) -> None:
        partitions: dict[str, int] = {}
        for event in events:
            try:
                predicted = ImagePredicted.from_bytes(event.value)
            except PermanentError as error:
                # The bursts worker reads the same topic and sends it to the dead letters: one of them is enough.
                log.warning("prediction_invalid", reason=error.reason, offset=event.message.offset)
                continue
            self._tracker.add(predicted, event.message.offset, event.message.timestamp)
            partitions[predicted.camera] = event.message.partition
        updates = self._tracker.take_updates()
        verdicts = [update.verdict for update in updates if update.verdict]
        await asyncio.gather(*(self._publish(verdict, partitions[verdict.camera]) for verdict in verdicts))
        write = self._table.write
        await asyncio.gather(*(write(partitions[one.camera], one.camera.encode(), one.state) for one in updates))

    async def _publish(self, verdict: ClockJudged, partition: int) -> None:
        write_log = log.warning if verdict.verdict is ClockVerdict.WRONG else log.info
        codes = [reason.code for reason in verdict.reasons]
        write_log("clock_assessed", camera=verdict.camera, verdict=verdict.verdict.value, reasons=codes)
        try:
            await send(self._verdicts, key=verdict.camera.encode(), value=verdict.to_bytes(), partition=partition)
        except PermanentError as error:
            log.error("clock_verdict_too_large", camera=verdict.camera, error=str(error))


def create(settings: Settings) -> WorkerApp:
    """Create the worker's app. Waits until all deployments on their topic were read."""
    app = create_app("clocks", settings, stream_buffer_maxsize=2 * BATCH)
    worker = ClocksWorker(app, settings, DeploymentReader(settings).start())
    app.agent(faust_topic(app, settings, IMAGE_PREDICTED), name="clocks")(worker.run)
    return app
