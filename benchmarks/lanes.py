"""`python -m benchmarks.lanes`: does a card of old photographs hold up live ones? On a real stack of its own.

One photograph a second is live, first alone, then beside a card whose photographs are uploaded as fast as the store
takes them and then wait to be answered. The same photographs, the same stack, one after the other; the moment from
which a wait counts is the one at which its PUT was due.
"""

import json
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer
from rich.console import Console

from benchmarks.figures import percentile
from benchmarks.machine import describe
from benchmarks.photographs import Photographs
from benchmarks.plan import BURST, Shot
from benchmarks.uploads import Sent, Uploader
from infra.local.stack import Stack
from infra.local.stream import stream_status
from uncia.broker import read_topics
from uncia.errors import DependencyDown, UnciaError
from uncia.events import BurstResolved
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, IMAGE_PREDICTED

_DISTINCT = 48
_CAMERAS = 4
_PATIENCE_S = 60
_LOOK_EVERY_S = 2
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


class Seen:
    """When each key was first predicted and first in a burst, provisional or not. `time.perf_counter` of here."""

    def __init__(self, settings: Settings) -> None:
        self.predicted: dict[str, float] = {}
        self.verdict: dict[str, float] = {}
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
                self.predicted.setdefault(json.loads(message.value or b"{}")["key"], now)
            elif message.value is not None:
                for frame in BurstResolved.from_bytes(message.value).frames:
                    self.verdict.setdefault(frame.key, now)

    def waits(self, sent: Sent) -> Waits:
        """Waits until everything sent was seen. Raises `DependencyDown` when that takes a minute."""
        until = time.monotonic() + _PATIENCE_S
        while not (sent.due.keys() <= self.predicted.keys() and sent.due.keys() <= self.verdict.keys()):
            if time.monotonic() > until:
                raise DependencyDown(f"live photographs were not answered within {_PATIENCE_S} s")
            time.sleep(0.1)
        figures = {"photographs": float(len(sent.due))}
        for name, seen in (("predicted", self.predicted), ("verdict", self.verdict)):
            values = [1000 * (seen[key] - due) for key, due in sent.due.items()]
            figures |= {f"{name}_p{mark}_ms": round(percentile(values, mark / 100), 1) for mark in (50, 95, 99)}
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


def measure(settings: Settings, library: Photographs, old: int, seconds: int, rate: float) -> dict[str, object]:
    """Alone, then beside the card. Ends while the card is still being answered."""
    uploader, count = Uploader(settings, library), int(seconds * rate)
    most: dict[str, int] = {}
    with Seen(settings) as seen, ThreadPoolExecutor(2) as pool:
        seen.waits(uploader.send(uploader.sign(live(0, BURST), per_s=2)))
        alone = seen.waits(uploader.send(uploader.sign(live(100, count), per_s=rate)))
        puts, schedule = uploader.sign(card(old)), uploader.sign(live(100_000, count), per_s=rate)
        began = time.perf_counter()
        flood: Future[Sent] = pool.submit(uploader.send, puts)
        stream: Future[Sent] = pool.submit(uploader.send, schedule)
        while not stream.done():
            for lag in stream_status(settings).lag:
                most[lag.worker] = max(most.get(lag.worker, 0), lag.messages)
            time.sleep(_LOOK_EVERY_S)
        answered, took = sum(key.startswith("card/") for key in list(seen.predicted)), time.perf_counter() - began
        beside = seen.waits(stream.result())
        flooded = len(flood.result().due) if flood.done() else None
    return {
        "old_photographs": old,
        "old_uploaded": flooded,
        "old_answered_meanwhile": answered,
        "old_answered_per_s": round(answered / took, 1),
        "alone": asdict(alone),
        "beside": asdict(beside),
        "added_p95_ms": round(beside.predicted_p95_ms - alone.predicted_p95_ms, 1),
        "added_verdict_p95_ms": round(beside.verdict_p95_ms - alone.verdict_p95_ms, 1),
        "most_still_to_read": most,
    }


def lanes(
    folder: Path = typer.Option(Path(".local/bench/lanes"), help="Where its stack and photographs are."),
    old: int = typer.Option(3000, min=1, help="Photographs on the card."),
    seconds: int = typer.Option(120, min=10, help="How long each half lasts."),
    rate: float = typer.Option(1.0, min=0.1, help="Live photographs a second."),
) -> None:
    """Measure what a card of old photographs adds to the wait of live ones."""
    console, folder = Console(stderr=True, highlight=False), folder.absolute()
    library = Photographs(folder / "photographs", _DISTINCT)
    stack = Stack(folder / "stack")
    shutil.rmtree(stack.folder, ignore_errors=True)
    console.print(f"{old:,} old photographs beside {rate:g} live ones a second; {2 * seconds} s and the stack's start")
    try:
        stack.up()
        result = {**describe(), **measure(stack.settings(), library, old, seconds, rate)}
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
