"""How long live photographs wait, as a subscriber sees it: a wait counts from the moment at which the PUT was due."""

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

_PATIENCE_S = 180


@dataclass(frozen=True)
class Waits:
    """Milliseconds from a live PUT's due moment until a subscriber saw what became of it."""

    photographs: int
    predicted_p50_ms: float
    predicted_p95_ms: float
    predicted_p99_ms: float
    verdict_p50_ms: float
    verdict_p95_ms: float
    verdict_p99_ms: float
    until_asked_p50_ms: float
    """Of that, from the store's clock until Triton was asked: notification, intake, reading, decoding."""
    until_asked_p95_ms: float
    until_asked_p99_ms: float
    triton_p50_ms: float
    """Of that, Triton's, its queue included."""
    triton_p95_ms: float
    triton_p99_ms: float
    others_share_of_machine: float
    """What programs that are not ours took of the machine meanwhile."""


class Seen:
    """When each key was first predicted and first in a burst, provisional or not. `time.perf_counter` of here."""

    def __init__(self, settings: Settings) -> None:
        self.predicted: dict[str, float] = {}
        self.verdict: dict[str, float] = {}
        self.until_asked: dict[str, float] = {}
        self.triton: dict[str, float] = {}
        self.ready = threading.Event()
        self._settings = settings
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="seen", daemon=True)

    def __enter__(self) -> "Seen":
        self._thread.start()
        if not self.ready.wait(_PATIENCE_S):
            raise DependencyDown("Kafka gave no positions")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _listen(self) -> None:
        topics = (IMAGE_PREDICTED, BURST_RESOLVED)
        for message in read_topics(self._settings, topics, stop=self._stop, ready=self.ready):
            now = time.perf_counter()
            if message.topic == IMAGE_PREDICTED.full_name(self._settings):
                self._take(ImagePredicted.from_bytes(message.value), now)
            elif message.value is not None:
                for frame in BurstResolved.from_bytes(message.value).frames:
                    self.verdict.setdefault(frame.key, now)

    def _take(self, answer: ImagePredicted, now: float) -> None:
        self.predicted.setdefault(answer.key, now)
        if answer.prediction is not None:
            self.until_asked[answer.key] = (answer.prediction.asked_at - answer.uploaded_at).total_seconds()
            self.triton[answer.key] = answer.prediction.inference_ms / 1000

    def waits(self, sent: Sent, others: float) -> Waits:
        """Waits until everything sent was seen. Raises `DependencyDown` when that takes a minute."""
        until = time.monotonic() + _PATIENCE_S
        while not (sent.due.keys() <= self.predicted.keys() and sent.due.keys() <= self.verdict.keys()):
            if time.monotonic() > until:
                raise DependencyDown(f"live photographs were not answered within {_PATIENCE_S} s")
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
        return Waits(**figures)  # type: ignore[arg-type]
