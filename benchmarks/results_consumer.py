"""What came out, and when a subscriber saw it: predictions by key, and the keys that final verdicts hold."""

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


class Answers:
    """Everything seen on the result topics. Moments are `time.perf_counter` of this process."""

    def __init__(self) -> None:
        self.predicted: dict[str, float] = {}
        self.settled: dict[str, float] = {}
        self.bursts: set[str] = set()
        self.rejected: list[str] = []
        self.dead_letters = 0
        self.failure: Exception | None = None
        self.on_predicted: Callable[[], object] = lambda: None
        self._news = threading.Condition()

    def take(self, settings: Settings, message: Message) -> None:
        """Note one message. Only what is needed is read of it: this, too, runs on the measured machine."""
        now = time.perf_counter()
        if message.topic == DEAD_LETTER.full_name(settings):
            self.dead_letters += 1
        elif message.value is not None:
            body: dict[str, Any] = json.loads(message.value)
            if message.topic == IMAGE_PREDICTED.full_name(settings):
                self._take_prediction(body, now)
            elif body["status"] in _SETTLED:
                self.bursts.add(body["burst_id"])
                for frame in body["frames"]:
                    self.settled.setdefault(frame["key"], now)
        with self._news:
            self._news.notify_all()

    def _take_prediction(self, body: dict[str, Any], now: float) -> None:
        if "rejection" in body:
            self.rejected.append(f"{body['key']}: {body['rejection']['reason']}")
        if self.predicted.setdefault(body["key"], now) == now:
            self.on_predicted()

    def wait_for(self, keys: set[str], *, patience_s: float) -> None:
        """Until each key is predicted and in a settled burst. Raises `DependencyDown` when nothing moves any more."""
        known, moved = -1, time.monotonic()
        while not (keys <= self.predicted.keys() and keys <= self.settled.keys()):
            with self._news:
                self._news.wait(0.5)
            if self.failure is not None:
                raise self.failure
            if (now_known := len(self.predicted) + len(self.settled)) != known:
                known, moved = now_known, time.monotonic()
            elif time.monotonic() - moved > patience_s:
                raise DependencyDown(
                    f"nothing came for {patience_s:.0f} s: of {len(keys)} photographs "
                    f"{len(keys - self.predicted.keys())} have no prediction and "
                    f"{len(keys - self.settled.keys())} no settled verdict; see the logs of the stack"
                )


@contextlib.contextmanager
def follow_results(settings: Settings) -> Iterator[Answers]:
    """Answers that are fed by a thread as long as the context lasts, from now on."""
    answers, stop, ready = Answers(), threading.Event(), threading.Event()

    topics = (IMAGE_PREDICTED, BURST_RESOLVED, DEAD_LETTER)

    def listen() -> None:
        try:
            for message in read_topics(settings, topics, stop=stop, ready=ready):
                answers.take(settings, message)
        except Exception as error:
            answers.failure = error

    thread = threading.Thread(target=listen, name="answers", daemon=True)
    thread.start()
    if not ready.wait(_READY_S):
        stop.set()
        raise DependencyDown(f"Kafka at {settings.kafka} gave no positions within {_READY_S} s")
    try:
        yield answers
    finally:
        stop.set()
        thread.join(10)
