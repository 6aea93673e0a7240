"""Consumes the result topics and records when a subscriber received every prediction and final verdict."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from uncia.errors import DependencyDown
from uncia.kafka.broker import Message, read_topics
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, DEAD_LETTER, IMAGE_PREDICTED

_SETTLED = {"final", "revised"}
_READY_S = 30


class ResultsConsumer:
    """Results by object key. Times are `time.perf_counter` of this process."""

    def __init__(self) -> None:
        self.predicted: dict[str, float] = {}
        self.settled: dict[str, float] = {}
        self.bursts: set[str] = set()
        self.rejected: list[str] = []
        self.dead_letters = 0
        self.failure: Exception | None = None
        self.on_predicted: Callable[[], object] = lambda: None
        self._changed = threading.Condition()

    def record(self, settings: Settings, message: Message) -> None:
        """Record one message. Parses only the fields that are needed, because this runs on the measured machine too."""
        now = time.perf_counter()
        if message.topic == DEAD_LETTER.full_name(settings):
            self.dead_letters += 1
        elif message.value is not None:
            body: dict[str, Any] = json.loads(message.value)
            if message.topic == IMAGE_PREDICTED.full_name(settings):
                self._record_prediction(body, now)
            elif body["status"] in _SETTLED:
                self.bursts.add(body["burst_id"])
                for frame in body["frames"]:
                    self.settled.setdefault(frame["key"], now)
        with self._changed:
            self._changed.notify_all()

    def _record_prediction(self, body: dict[str, Any], now: float) -> None:
        if "rejection" in body:
            self.rejected.append(f"{body['key']}: {body['rejection']['reason']}")
        if self.predicted.setdefault(body["key"], now) == now:
            self.on_predicted()

    def wait_for(self, keys: set[str], *, timeout_s: float) -> None:
        """Wait until every key has a prediction and is in a settled burst.

        Raises `DependencyDown` when there was no progress for `timeout_s`.
        """
        known, changed_at = -1, time.monotonic()
        while not (keys <= self.predicted.keys() and keys <= self.settled.keys()):
            with self._changed:
                self._changed.wait(0.5)
            if self.failure is not None:
                raise self.failure
            if (now_known := len(self.predicted) + len(self.settled)) != known:
                known, changed_at = now_known, time.monotonic()
            elif time.monotonic() - changed_at > timeout_s:
                raise DependencyDown(
                    f"no progress for {timeout_s:.0f} s: of {len(keys)} photographs "
                    f"{len(keys - self.predicted.keys())} have no prediction and "
                    f"{len(keys - self.settled.keys())} no settled verdict; see the logs of the stack"
                )


@contextlib.contextmanager
def consume_results(settings: Settings) -> Iterator[ResultsConsumer]:
    """Consume the result topics from now on, in a thread that runs until the context exits."""
    consumer, stop, ready = ResultsConsumer(), threading.Event(), threading.Event()

    topics = (IMAGE_PREDICTED, BURST_RESOLVED, DEAD_LETTER)

    def consume() -> None:
        try:
            for message in read_topics(settings, topics, stop=stop, ready=ready):
                consumer.record(settings, message)
        except Exception as error:
            consumer.failure = error

    thread = threading.Thread(target=consume, name="results", daemon=True)
    thread.start()
    if not ready.wait(_READY_S):
        stop.set()
        raise DependencyDown(f"no partition offsets from Kafka at {settings.kafka} within {_READY_S} s")
    try:
        yield consumer
    finally:
        stop.set()
        thread.join(10)
