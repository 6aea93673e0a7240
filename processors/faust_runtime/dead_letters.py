"""Messages that can never be processed, and the breaker that stops a worker before it empties a topic into them."""

from typing import Any

import faust
import structlog

from uncia.errors import PermanentError, UnciaError
from uncia.events import DeadLetter
from uncia.events.dead_letter import TRUNCATED_FROM
from uncia.processors.faust_runtime import metrics
from uncia.processors.faust_runtime.app import WorkerApp, faust_topic
from uncia.processors.faust_runtime.delivery import Headers, send
from uncia.settings import Settings
from uncia.topics import DEAD_LETTER

log = structlog.get_logger("uncia")

SEEN_AT_LEAST = 50
"""The share of bad messages means nothing before so many were seen."""

_KEPT = (512 * 1024, 16 * 1024)
"""Bytes of key, headers and value that are kept of a message whose letter the topic does not take; the second where
even that is too much."""

_NO_SIGN = frozenset({"key-unusable", "message-too-large"})
"""Reasons that are one uploader's fault and that no setting explains: however many there are, the worker goes on."""


class TooManyBadMessages(UnciaError):
    """Most of what arrives is bad: something upstream or in the settings is wrong, not the messages."""

    exit_code = 78  # EX_CONFIG: to start it again by itself would only go on emptying the topic


class DeadLetters:
    """Writes the dead letters of one worker.

    A message counts as good when it is acknowledged and was not put here. When the share of bad ones among the
    last `settings.max_bad_window` messages would pass `settings.max_bad_share`, `put` sends nothing, stops the
    worker and raises `TooManyBadMessages`; the message stays unacknowledged and is read again by the next run.
    """

    def __init__(self, app: WorkerApp, settings: Settings) -> None:
        self._app = app
        self._topic = faust_topic(app, settings, DEAD_LETTER)
        self._max_share = settings.max_bad_share

    async def put(self, event: faust.Event, error: PermanentError, stage: str) -> None:
        """Send the original bytes, key and headers, with why it failed. Acknowledge the event afterwards."""
        message = event.message
        where = {"topic": message.topic, "partition": message.partition, "offset": message.offset}
        counts = error.reason not in _NO_SIGN
        share, seen = self._app.outcomes.share_with_one_bad()
        if counts and seen >= SEEN_AT_LEAST and share > self._max_share:
            await self._stop(share, seen, error)
        log.warning("dead letter", stage=stage, reason=error.reason, error=str(error)[:300], **where)
        letter = DeadLetter.of(error, stage=stage, worker=str(self._app.conf.id), **where)
        await self._send(message, letter.headers())
        event.dead_letter = True
        if counts:
            self._app.outcomes.add(bad=True)
        metrics.DEAD_LETTERS.labels(stage, error.reason).inc()

    async def _send(self, message: Any, why: Headers) -> None:
        """The whole message, or as much of its beginning as the topic takes, and how long it was."""
        own: Headers = [(name, value or b"") for name, value in message.headers or ()]
        try:
            await send(self._topic, key=message.key, value=message.value, headers=[*own, *why])
            return
        except PermanentError:
            pass
        why = [*why, (TRUNCATED_FROM, str(len(message.value or b"")).encode())]
        for most in _KEPT:
            key = message.key and message.key[: most // 4]
            value = message.value and message.value[: most // 2]
            try:
                await send(self._topic, key=key, value=value, headers=[*_first(own, most // 4), *why])
                return
            except PermanentError as error:
                failed = error
        log.error("the dead letters' topic takes no letter of this message", error=str(failed))

    async def _stop(self, share: float, seen: int, error: PermanentError) -> None:
        stop = TooManyBadMessages(
            f"{share:.0%} of the last {seen} messages are bad, the last one: {error.reason} ({str(error)[:300]}). "
            "Nothing more is read until somebody looks: check UNCIA_KEY_PATTERN and UNCIA_BUCKET and who writes to "
            "the topic, then start the worker again; UNCIA_MAX_BAD_SHARE=1 lets everything through, bad ones into the "
            "dead letters"
        )
        log.critical("stopping: too many bad messages", share=round(share, 2), seen=seen, reason=error.reason)
        await self._app.halt(stop)
        raise stop


def _first(headers: Headers, most: int) -> Headers:
    """The first headers that together are no larger than that."""
    kept: Headers = []
    for name, value in headers:
        most -= len(name.encode()) + len(value)
        if most < 0:
            break
        kept.append((name, value))
    return kept
