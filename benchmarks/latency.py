"""Latency of live photographs as a subscriber observes it, counted from the time at which the PUT was due."""

import threading
import time
from dataclasses import dataclass

from benchmarks.figures import percentile
from benchmarks.uploads import Sent
from uncia.errors import DependencyDown
from uncia.events import BurstResolved, ImagePredicted
from uncia.kafka.broker import read_topics
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, IMAGE_PREDICTED

_TIMEOUT_S = 180


@dataclass(frozen=True)
class LatencySummary:
    """Milliseconds from the due time of a live PUT until a subscriber received its result.

    The field names are part of the keys in `results.json`.
    """

    photographs: int
    predicted_p50_ms: float
    predicted_p95_ms: float
    predicted_p99_ms: float
    verdict_p50_ms: float
    verdict_p95_ms: float
    verdict_p99_ms: float
    until_asked_p50_ms: float
    """The part before the inference request: notification, intake, reading and decoding, from the store's clock on."""
    until_asked_p95_ms: float
    until_asked_p99_ms: float
    triton_p50_ms: float
    """The part of Triton, including its queue."""
    triton_p95_ms: float
    triton_p99_ms: float
    others_share_of_machine: float
    """Share of the machine's CPU time that other programs used meanwhile."""


class LatencyProbe:
    """Records, while entered, when every key was first predicted and first in a burst (provisional or not).

    Times are `time.perf_counter` of this process.
    """

    def __init__(self, settings: Settings) -> None:
        self.predicted: dict[str, float] = {}
        self.verdict: dict[str, float] = {}
        self.until_asked: dict[str, float] = {}
        self.triton: dict[str, float] = {}
        self.ready = threading.Event()
        self._settings = settings
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._consume, name="latency-probe", daemon=True)

    def __enter__(self) -> "LatencyProbe":
        self._thread.start()
        if not self.ready.wait(_TIMEOUT_S):
            raise DependencyDown("no partition offsets from Kafka")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _consume(self) -> None:
        topics = (IMAGE_PREDICTED, BURST_RESOLVED)
        for message in read_topics(self._settings, topics, stop=self._stop, ready=self.ready):
            now = time.perf_counter()
            if message.topic == IMAGE_PREDICTED.full_name(self._settings):
                self._record(ImagePredicted.from_bytes(message.value), now)
            elif message.value is not None:
                for frame in BurstResolved.from_bytes(message.value).frames:
                    self.verdict.setdefault(frame.key, now)

    def _record(self, image: ImagePredicted, now: float) -> None:
        self.predicted.setdefault(image.key, now)
        if image.prediction is not None:
            self.until_asked[image.key] = (image.prediction.asked_at - image.uploaded_at).total_seconds()
            self.triton[image.key] = image.prediction.inference_ms / 1000

    def summary(self, sent: Sent, others: float) -> LatencySummary:
        """Wait until all results were received and summarize them; `others` is the CPU share of other programs.

        Raises `DependencyDown` after 180 s.
        """
        until = time.monotonic() + _TIMEOUT_S
        while not (sent.due.keys() <= self.predicted.keys() and sent.due.keys() <= self.verdict.keys()):
            if time.monotonic() > until:
                raise DependencyDown(f"live photographs were not answered within {_TIMEOUT_S} s")
            time.sleep(0.1)
        figures = {"photographs": len(sent.due), "others_share_of_machine": round(others, 2)}
        parts = {
            "predicted": [self.predicted[key] - due for key, due in sent.due.items()],
            "verdict": [self.verdict[key] - due for key, due in sent.due.items()],
            "until_asked": [self.until_asked[key] for key in sent.due],
            "triton": [self.triton[key] for key in sent.due],
        }
        for name, values in parts.items():
            figures |= {f"{name}_p{mark}_ms": round(1000 * percentile(values, mark / 100), 1) for mark in (50, 95, 99)}
        return LatencySummary(**figures)  # type: ignore[arg-type]
