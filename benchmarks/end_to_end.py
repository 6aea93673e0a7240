"""From PUT to the final verdict, on a real stack: full-speed rounds, a steady load, and a long soak."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.figures import cpu_between
from benchmarks.plan import BURST, Shot, shots
from benchmarks.processes import Sample, busy_seconds, sample
from benchmarks.results_consumer import Answers
from benchmarks.uploads import Sent, Uploader

GENERATOR = "load-generator"
OTHERS = "others"

_PATIENCE_S = 60
_SOAK_IN_FLIGHT = 64
_SOAK_CHUNK_BURSTS = 24


@dataclass(frozen=True)
class Round:
    """One full-speed round. Rates count from the first PUT."""

    images: int
    images_per_s: float
    """Until the last photograph was in a final verdict."""
    answers_per_s: float
    """Until the last prediction."""
    puts_per_s: float
    """Until the store had confirmed the last PUT."""
    cpu_s_per_image: dict[str, float]
    """By part, the load generator and everything else on the machine included."""


@dataclass(frozen=True)
class Soak:
    """Memory by part, sampled while photographs went through: `counts[i]` images had been answered at sample i."""

    counts: list[int]
    memory_mb: dict[str, list[float]]
    images_per_s: float


class EndToEnd:
    """Uploads bursts that were never uploaded before and watches what comes out."""

    def __init__(self, uploader: Uploader, answers: Answers, stack_id: str, cameras: int) -> None:
        self._uploader, self._answers = uploader, answers
        self._stack_id, self._cameras = stack_id, cameras
        self._next_burst = 0

    def full_speed(self, images: int) -> Round:
        """All at once, as fast as the store takes them."""
        puts = self._uploader.sign(self._shots(images))
        keys = {put.shot.key for put in puts}
        before, busy, own = sample(self._stack_id), busy_seconds(), _own_cpu()
        sent = self._uploader.send(puts)
        confirmed = time.perf_counter()
        self._answers.wait_for(keys, patience_s=_PATIENCE_S)
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
        """Latencies in seconds, of predictions and of final verdicts, at a fixed rate, whatever comes back.

        Counted from the moment at which each PUT was due. A verdict's counts from its burst's last frame.
        """
        puts = self._uploader.sign(self._shots(int(per_s * seconds)), per_s=per_s)
        sent = self._uploader.send(puts)
        self._answers.wait_for(set(sent.due), patience_s=_PATIENCE_S)
        predicted = [self._answers.predicted[key] - due for key, due in sent.due.items()]
        last = [put.shot.key for put in puts if put.shot.sequence == BURST]
        return predicted, [self._answers.settled[key] - sent.due[key] for key in last], sent

    def soak(self, images: int, progress: Callable[[int], None]) -> Soak:
        """Many photographs, never more than a few on their way; memory is sampled as they pass."""
        slots = threading.Semaphore(_SOAK_IN_FLIGHT)
        self._answers.on_predicted = slots.release
        counts: list[int] = []
        samples: list[Sample] = []
        began, done = time.perf_counter(), 0
        try:
            while done < images:
                puts = self._uploader.sign(self._shots(_SOAK_CHUNK_BURSTS * BURST))
                self._uploader.send(puts, admitted=lambda: slots.acquire(timeout=_PATIENCE_S))
                self._answers.wait_for({put.shot.key for put in puts}, patience_s=_PATIENCE_S)
                done += len(puts)
                counts.append(done)
                samples.append(sample(self._stack_id))
                progress(done)
        finally:
            self._answers.on_predicted = lambda: None
        parts = sorted({part for each in samples for part in each.resident_mb})
        memory = {part: [each.resident_mb.get(part, 0.0) for each in samples] for part in parts}
        return Soak(counts, memory, done / (time.perf_counter() - began))

    def _shots(self, images: int) -> list[Shot]:
        bursts = max(1, images // BURST)
        planned = list(shots(self._next_burst, bursts, self._cameras))
        # Whole groups of cameras, so that the next call's cameras go on in their own time.
        self._next_burst += -(-bursts // self._cameras) * self._cameras
        return planned


def _own_cpu() -> float:
    times = os.times()
    return times.user + times.system
