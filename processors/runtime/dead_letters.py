"""Messages that can never be processed, and the breaker that stops a worker before it empties a topic into them."""

import faust
import structlog

from processors.runtime import metrics
from processors.runtime.app import WorkerApp, faust_topic
from processors.runtime.delivery import send
from uncia.errors import PermanentError, UnciaError
from uncia.events import DeadLetter
from uncia.events.dead_letter import TRUNCATED_FROM
from uncia.settings import Settings
from uncia.topics import DEAD_LETTER

log = structlog.get_logger("uncia")

SEEN_AT_LEAST = 50
"""The share of bad messages means nothing before so many were seen."""

_KEPT_OF_TOO_LARGE = 512 * 1024


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
        share, seen = self._app.outcomes.share_with_one_bad()
        if seen >= SEEN_AT_LEAST and share > self._max_share:
            await self._stop(share, seen, error)
        log.warning("dead letter", stage=stage, reason=error.reason, error=str(error)[:300], **where)
        letter = DeadLetter.of(error, stage=stage, worker=str(self._app.conf.id), **where)
        headers = [*(message.headers or ()), *letter.headers()]
        try:
            await send(self._topic, key=message.key, value=message.value, headers=headers)
        except PermanentError:
            # Its own headers made it too large for the topic: its beginning, and how long it was.
            headers.append((TRUNCATED_FROM, str(len(message.value)).encode()))
            await send(self._topic, key=message.key, value=message.value[:_KEPT_OF_TOO_LARGE], headers=headers)
        event.dead_letter = True
        self._app.outcomes.add(bad=True)
        metrics.DEAD_LETTERS.labels(stage, error.reason).inc()

    async def _stop(self, share: float, seen: int, error: PermanentError) -> None:
        stop = TooManyBadMessages(
            f"{share:.0%} of the last {seen} messages are bad, the last one: {error.reason} ({error}). "
            "Nothing more is read until somebody looks: check UNCIA_KEY_PATTERN and UNCIA_BUCKET and who writes to "
            "the topic, then start the worker again; UNCIA_MAX_BAD_SHARE=1 lets everything through, bad ones into the "
            "dead letters"
        )
        log.critical("stopping: too many bad messages", share=round(share, 2), seen=seen, reason=error.reason)
        await self._app.halt(stop)
        raise stop
