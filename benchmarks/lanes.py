"""`python -m benchmarks.lanes`: does a card of old photographs hold up live ones? On a real stack of its own.

One photograph a second is live: first alone, then while a card is uploaded as fast as the store takes it, then while
the card's photographs wait to be answered. The same stack, one after the other; a wait counts from the moment at
which the PUT was due.
"""

import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer
from rich.console import Console

from benchmarks.figures import percentile
from benchmarks.machine import cores, describe
from benchmarks.photographs import Photographs
from benchmarks.plan import BURST, Shot
from benchmarks.processes import busy_seconds, sample
from benchmarks.uploads import Sent, Uploader
from infra.local.stack import Stack
from infra.local.stream import stream_status
from uncia.broker import read_topics
from uncia.errors import DependencyDown, UnciaError
from uncia.events import BurstResolved, ImagePredicted
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, IMAGE_PREDICTED

_DISTINCT = 48
_CAMERAS = 4
_PATIENCE_S = 60
_TAKEN = datetime(2025, 1, 10, 6, 0, 0)


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


def card(count: int) -> Iterator[Shot]:
    """Old photographs, named as the gateway names them, so that intake finds their age."""
    for number in range(count):
        event, sequence = divmod(number, BURST)
        camera = f"card/cam-{event % _CAMERAS}"
        taken = _TAKEN + timedelta(minutes=5 * event, seconds=sequence)
        yield Shot(camera, _key(camera, taken, number), number, taken, sequence + 1, event)


def live(first: int, count: int) -> Iterator[Shot]:
    """Photographs of now."""
    began = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    for number in range(first, first + count):
        event, sequence = divmod(number, BURST)
        camera = f"live/cam-{event % _CAMERAS}"
        taken = began + timedelta(seconds=number - first)
        yield Shot(camera, _key(camera, taken, number), number, taken, sequence + 1, event)


def _key(camera: str, taken: datetime, number: int) -> str:
    return f"{camera}/{taken:%Y/%m/%d}/{taken:%Y%m%dT%H%M%S}-{number:016x}.jpg"


class Lanes:
    """Alone, while the card is uploaded, and while it waits to be answered; ends before it all is."""

    def __init__(self, stack: Stack, library: Photographs, rate: float, seconds: int) -> None:
        self._stack, self._settings = stack, stack.settings()
        self._uploader = Uploader(self._settings, library)
        self._rate, self._seconds = rate, seconds
        self._next = 0
        self._most: dict[str, int] = {}

    def measure(self, old: int) -> dict[str, object]:
        """The figures, flat within each of the three."""
        with Seen(self._settings) as seen, ThreadPoolExecutor(1) as pool:
            self._live(seen, lambda: self._next >= BURST)
            alone = self._live(seen, self._for_seconds())
            puts, began = self._uploader.sign(card(old)), time.perf_counter()
            flood: Future[Sent] = pool.submit(self._uploader.send, puts)
            while_uploaded = self._live(seen, flood.done)
            flood.result()
            upload_s = time.perf_counter() - began
            before, began = self._answered(seen), time.perf_counter()
            while_waiting = self._live(seen, self._for_seconds())
            answered, took = self._answered(seen), time.perf_counter() - began
        return {
            "old_photographs": old,
            "old_uploaded_per_s": round(old / upload_s, 1),
            "old_answered_per_s": round((answered - before) / took, 1),
            "old_left_at_the_end": old - answered,
            "alone": asdict(alone),
            "while_the_card_is_uploaded": asdict(while_uploaded),
            "while_the_card_waits": asdict(while_waiting),
            "added_p95_ms_while_uploaded": round(while_uploaded.predicted_p95_ms - alone.predicted_p95_ms, 1),
            "added_p95_ms_while_waiting": round(while_waiting.predicted_p95_ms - alone.predicted_p95_ms, 1),
            "most_still_to_read": self._most,
        }

    def _live(self, seen: Seen, done: Callable[[], bool]) -> Waits:
        """Live photographs at the steady rate until `done`, a second's worth at a time."""
        sent, stack_id = Sent(), drawn.stack_id if (drawn := self._stack.drawn()) else ""
        busy, ours, began = busy_seconds(), _used(stack_id), time.perf_counter()
        while not done() or not sent.due:
            count = max(1, round(self._rate))
            now = self._uploader.send(self._uploader.sign(live(self._next, count), per_s=self._rate))
            # A PUT that was late because the one before it was slow counts from when it should have gone.
            scheduled = began + len(sent.due) / self._rate
            sent.due.update(
                {key: min(due, scheduled + place / self._rate) for place, (key, due) in enumerate(now.due.items())}
            )
            self._next += count
            time.sleep(max(0.0, began + len(sent.due) / self._rate - time.perf_counter()))
        took = time.perf_counter() - began
        for lag in stream_status(self._settings).lag:
            self._most[lag.worker] = max(self._most.get(lag.worker, 0), lag.messages)
        others = busy_seconds() - busy - (_used(stack_id) - ours)
        return seen.waits(sent, max(0.0, others) / took / cores())

    def _for_seconds(self) -> Callable[[], bool]:
        until = time.monotonic() + self._seconds
        return lambda: time.monotonic() >= until

    def _answered(self, seen: Seen) -> int:
        return sum(key.startswith("card/") for key in list(seen.predicted))


def _used(stack_id: str) -> float:
    """CPU seconds of the stack and of this process."""
    return time.process_time() + sum(used for _, used in sample(stack_id).cpu.values())


def lanes(
    folder: Path = typer.Option(Path(".local/bench/lanes"), help="Where its stack and photographs are."),
    old: int = typer.Option(3000, min=1, help="Photographs on the card."),
    seconds: int = typer.Option(120, min=10, help="How long live ones are alone, and beside a waiting card."),
    rate: float = typer.Option(1.0, min=0.1, help="Live photographs a second."),
) -> None:
    """Measure what a card of old photographs adds to the wait of live ones."""
    console, folder = Console(stderr=True, highlight=False), folder.absolute()
    library = Photographs(folder / "photographs", _DISTINCT)
    stack = Stack(folder / "stack")
    shutil.rmtree(stack.folder, ignore_errors=True)
    console.print(f"{old:,} old photographs beside {rate:g} live ones a second")
    try:
        stack.up()
        result = {**describe(), **Lanes(stack, library, rate, seconds).measure(old)}
    finally:
        stack.down()
        shutil.rmtree(stack.folder, ignore_errors=True)
    (folder / "results.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({name: value for name, value in result.items() if not str(name).startswith("version_")}, indent=2))


if __name__ == "__main__":
    try:
        typer.run(lanes)
    except UnciaError as error:
        sys.exit(f"benchmarks.lanes: {error}")
