"""Confirmed sends: when `send` returns, the broker has the message."""

import time

import faust
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from faust.exceptions import ProducerSendError

from uncia.errors import DependencyDown, PermanentError
from uncia.processors.faust_runtime import metrics
from uncia.processors.faust_runtime.app import WorkerApp
from uncia.processors.faust_runtime.retry import retry_until_available

Headers = list[tuple[str, bytes]]


async def send(
    topic: faust.Topic,
    *,
    key: bytes | None,
    value: bytes | None,
    partition: int | None = None,
    headers: Headers | None = None,
    timestamp: float | None = None,
) -> None:
    """Send and wait for the broker's confirmation; retry without limit while the broker is down.

    A message may therefore be delivered twice, but is never lost. `timestamp` is in seconds since 1970. Raises
    `PermanentError` with reason `message-too-large` when no retry can help, and `TopologyError` for a topic that the
    worker's row of the topology does not list as written.
    """
    name = topic.get_topic_name()
    if isinstance(topic.app, WorkerApp):
        topic.app.check_output(name)

    async def once() -> None:
        try:
            # The first await queues, the second waits for the broker. `force`: not attached to the current event.
            await (
                await topic.send(
                    key=key, value=value, partition=partition, headers=headers, timestamp=timestamp, force=True
                )
            )
        except (KafkaError, ProducerSendError) as error:
            cause = error if isinstance(error, KafkaError) else error.__cause__
            if isinstance(cause, MessageSizeTooLargeError):
                raise PermanentError("message-too-large", f"Kafka rejects it on {name}: {cause}") from error
            metrics.SEND_RETRIES.labels(name).inc()
            raise DependencyDown(f"Kafka did not confirm a message on {name}: {error!r}") from error

    began = time.monotonic()
    await retry_until_available(once, waiting_for="kafka")
    metrics.SENDS.labels(name).inc()
    metrics.SEND_SECONDS.labels(name).observe(time.monotonic() - began)
