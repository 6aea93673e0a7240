"""Dead letters for messages that can never be processed, and a circuit breaker.

The breaker stops a worker before it moves a whole topic into the dead letters.
"""

from typing import Any

import faust
import structlog

from uncia.camtrap.status_documents import STATUS_KEY_INVALID, STATUS_REPORT_INVALID
from uncia.errors import PermanentError, UnciaError
from uncia.events import DeadLetter
from uncia.events.dead_letter import TRUNCATED_FROM
from uncia.processors.faust_runtime import metrics
from uncia.processors.faust_runtime.app import WorkerApp, faust_topic
from uncia.processors.faust_runtime.delivery import Headers, send
from uncia.settings import Settings
from uncia.topics import DEAD_LETTER

log = structlog.get_logger("uncia")

MIN_MESSAGES = 50
"""The share of bad messages is not meaningful before this many messages."""

_TRUNCATED_BYTES = (512 * 1024, 16 * 1024)
"""Bytes of key, headers and value in the dead letter of a message that is too large for the topic; the second where the
first is still too large."""

_UPLOADER_FAULTS = frozenset({"key-unusable", "message-too-large", STATUS_KEY_INVALID, STATUS_REPORT_INVALID})
"""Reasons that are one uploader's fault and that no setting explains: they never stop the worker."""


class TooManyBadMessages(UnciaError):
    """Most messages are bad: something upstream or in the settings is wrong, not the messages."""

    exit_code = 78  # EX_CONFIG: an automatic restart would only go on moving the topic into the dead letters


class DeadLetters:
    """Writes the dead letters of one worker.

    A message counts as good when it is acknowledged without having been passed to `put`. When the share of bad
    messages among the last `settings.max_bad_window` would exceed `settings.max_bad_share`, `put` sends nothing,
    stops the worker and raises `TooManyBadMessages`; the message stays unacknowledged and the next run reads it again.
    """

    def __init__(self, app: WorkerApp, settings: Settings) -> None:
        self._app = app
        self._topic = faust_topic(app, settings, DEAD_LETTER)
        self._max_share = settings.max_bad_share

    async def put(self, event: faust.Event, error: PermanentError, stage: str) -> None:
        """Send the original bytes, key and headers, with the reason. The caller acknowledges the event afterwards.

        `stage` is the worker's name. Raises `TooManyBadMessages`.
        """
        message = event.message
        where = {"topic": message.topic, "partition": message.partition, "offset": message.offset}
        counts = error.reason not in _UPLOADER_FAULTS
        share, messages = self._app.outcomes.share_with_one_more_bad()
        if counts and messages >= MIN_MESSAGES and share > self._max_share:
            await self._stop(share, messages, error)
        log.warning("dead_letter", stage=stage, reason=error.reason, error=str(error)[:300], **where)
        letter = DeadLetter.of(error, stage=stage, worker=str(self._app.conf.id), **where)
        await self._send(message, letter.headers())
        event.dead_letter = True
        if counts:
            self._app.outcomes.add(bad=True)
        metrics.DEAD_LETTERS.labels(stage, error.reason).inc()

    async def _send(self, message: Any, why: Headers) -> None:
        """Send the complete message, or as much of its beginning as the topic accepts, and its original length."""
        own: Headers = [(name, value or b"") for name, value in message.headers or ()]
        try:
            await send(self._topic, key=message.key, value=message.value, headers=[*own, *why])
            return
        except PermanentError:
            pass
        why = [*why, (TRUNCATED_FROM, str(len(message.value or b"")).encode())]
        for limit in _TRUNCATED_BYTES:
            key = message.key and message.key[: limit // 4]
            value = message.value and message.value[: limit // 2]
            try:
                await send(self._topic, key=key, value=value, headers=[*_first_headers(own, limit // 4), *why])
                return
            except PermanentError as error:
                failed = error
        log.error("dead_letter_not_sent", error=str(failed))

    async def _stop(self, share: float, messages: int, error: PermanentError) -> None:
        stop = TooManyBadMessages(
            f"{share:.0%} of the last {messages} messages are bad, the last one: {error.reason} "
            f"({str(error)[:300]}). The worker has stopped: check UNCIA_KEY_PATTERN, UNCIA_BUCKET and the producers of "
            "the topic, then start the worker again. With UNCIA_MAX_BAD_SHARE=1 it never stops, and moves bad messages "
            "into the dead letters"
        )
        log.critical("too_many_bad_messages", share=round(share, 2), messages=messages, reason=error.reason)
        await self._app.halt(stop)
        raise stop


def _first_headers(headers: Headers, limit: int) -> Headers:
    """The first headers that together have at most `limit` bytes."""
    first: Headers = []
    for name, value in headers:
        limit -= len(name.encode()) + len(value)
        if limit < 0:
            break
        first.append((name, value))
    return first
