"""Measures a real stack from PUT to final verdict: full-speed rounds, a steady load, and a long soak."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from benchmarks.figures import cpu_between
from benchmarks.processes import Sample, busy_seconds, sample
from benchmarks.results_consumer import ResultsConsumer
from benchmarks.upload_plan import BURST, PlannedUpload, plan_bursts
from benchmarks.uploads import Sent, Uploader

GENERATOR = "load-generator"
OTHERS = "others"

_TIMEOUT_S = 60
_SOAK_IN_FLIGHT = 64
_SOAK_CHUNK_BURSTS = 24


@dataclass(frozen=True)
class Round:
    """One full-speed round. All rates count from the first PUT."""

    images: int
    images_per_s: float
    """Until the last photograph was in a final verdict."""
    answers_per_s: float
    """Until the last prediction."""
    puts_per_s: float
    """Until the store had confirmed the last PUT."""
    cpu_s_per_image: dict[str, float]
    """By part, including the load generator and all other programs of the machine."""


@dataclass(frozen=True)
class Soak:
    """Memory by part during a soak: `counts[i]` images had been predicted when sample i was taken."""

    counts: list[int]
    memory_mb: dict[str, list[float]]
    images_per_s: float


class EndToEnd:
    """Uploads new bursts, never the same twice, and measures until their results arrive."""

    def __init__(
        self, uploader: Uploader, answers: ResultsConsumer, stack_id: str, cameras: int, frames: int = BURST
    ) -> None:
        self._uploader, self._answers = uploader, answers
        self._stack_id, self._cameras, self._frames = stack_id, cameras, frames
        self._next_burst = 0
        # Half a day ago: photographs that were taken before yesterday are not live ones, and wait behind those.
        self._began = datetime.now(UTC).replace(tzinfo=None, microsecond=0) - timedelta(hours=12)

    def full_speed(self, images: int) -> Round:
        """Upload all images as fast as the store accepts them and wait for their final verdicts."""
        puts = self._uploader.sign(self._plan(images))
        keys = {put.upload.key for put in puts}
        before, busy, own = sample(self._stack_id), busy_seconds(), _own_cpu()
        sent = self._uploader.send(puts)
        confirmed = time.perf_counter()
        self._answers.wait_for(keys, timeout_s=_TIMEOUT_S)
        first = min(sent.due.values())
        generator = _own_cpu() - own
        used = cpu_between(before.cpu, sample(self._stack_id).cpu)
        total = busy_seconds() - busy
        cpu = {**used, GENERATOR: generator, OTHERS: max(0.0, total - generator - sum(used.values()))}
        return Round(
            images=len(puts),
            images_per_s=len(puts) / (max(self._answers.settled[key] for key in keys) - first),
            answers_per_s=len(puts) / (max(self._answers.predicted[key] for key in keys) - first),
            puts_per_s=len(puts) / (confirmed - first),
            cpu_s_per_image={part: seconds / len(puts) for part, seconds in cpu.items()},
        )

    def steady(self, per_s: float, seconds: float) -> tuple[list[float], list[float], Sent]:
        """Upload at a fixed rate, independent of the results (open loop).

        Returns the latencies in seconds of predictions and of final verdicts, counted from the time at which the PUT
        was due; for a verdict, the PUT of the burst's last frame.
        """
        puts = self._uploader.sign(self._plan(int(per_s * seconds)), per_s=per_s)
        sent = self._uploader.send(puts)
        self._answers.wait_for(set(sent.due), timeout_s=_TIMEOUT_S)
        predicted = [self._answers.predicted[key] - due for key, due in sent.due.items()]
        last = [put.upload.key for put in puts if put.upload.sequence == self._frames]
        return predicted, [self._answers.settled[key] - sent.due[key] for key in last], sent

    def soak(self, images: int, progress: Callable[[int], None]) -> Soak:
        """Upload many photographs with at most 64 in flight, and sample memory after every 24 bursts."""
        slots = threading.Semaphore(_SOAK_IN_FLIGHT)
        self._answers.on_predicted = slots.release
        counts: list[int] = []
        samples: list[Sample] = []
        began, done = time.perf_counter(), 0
        try:
            while done < images:
                puts = self._uploader.sign(self._plan(_SOAK_CHUNK_BURSTS * self._frames))
                self._uploader.send(puts, admitted=lambda: slots.acquire(timeout=_TIMEOUT_S))
                self._answers.wait_for({put.upload.key for put in puts}, timeout_s=_TIMEOUT_S)
                done += len(puts)
                counts.append(done)
                samples.append(sample(self._stack_id))
                progress(done)
        finally:
            self._answers.on_predicted = lambda: None
        parts = sorted({part for taken in samples for part in taken.resident_mb})
        memory = {part: [taken.resident_mb.get(part, 0.0) for taken in samples] for part in parts}
        return Soak(counts, memory, done / (time.perf_counter() - began))

    def _plan(self, images: int) -> list[PlannedUpload]:
        bursts = max(1, images // self._frames)
        planned = list(plan_bursts(self._next_burst, bursts, self._cameras, self._frames, self._began))
        # Round up to complete groups of cameras, so that every camera's capture times continue in the next call.
        self._next_burst += -(-bursts // self._cameras) * self._cameras
        return planned


def _own_cpu() -> float:
    times = os.times()
    return times.user + times.system
