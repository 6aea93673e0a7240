"""`python -m benchmarks.lanes`: does a card of old photographs hold up live ones? On a real stack of its own.

Two photographs a second are live: first alone, then while old ones are uploaded as fast as the store takes them, then
while the rest of the card is announced as fast as Kafka takes it, then while all wait to be answered. The same stack,
one after the other; a wait counts from the moment at which the PUT was due.

A card of 100,000 is a backlog of 100,000 announcements. Only the first of them, more than are answered meanwhile, are
photographs of their own; the others announce these again. The model does nothing unless one asks for the real one.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path

import typer
from rich.console import Console

from benchmarks.kafka_log import messages
from benchmarks.latency import Seen, Waits
from benchmarks.machine import cores, describe
from benchmarks.no_op_model import build
from benchmarks.photographs import Photographs
from benchmarks.plan import BURST, Shot
from benchmarks.processes import busy_seconds, sample
from benchmarks.report import Results
from benchmarks.uploads import Sent, Uploader
from uncia.errors import UnciaError
from uncia.infra.local.lifetime import stop_on_exit
from uncia.infra.local.stack import Stack
from uncia.infra.local.stream import stream_status
from uncia.kafka.broker import read_topics
from uncia.producers.reconcile.announce import announce
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore
from uncia.topics import IMAGE_BACKFILLED

_DISTINCT = 48
_CAMERAS = 4
_SMALLER = 4
_TAKEN = datetime(2025, 1, 10, 6, 0, 0)


@dataclass(frozen=True)
class LanesPlan:
    """How much is measured."""

    old: int = 100_000
    stored: int = 8192
    seconds: int = 60
    rate: float = 2.0
    no_op: bool = True


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


def library(folder: Path, plan: LanesPlan) -> Photographs:
    """Photographs of full size where the model looks at them."""
    return Photographs(folder, _DISTINCT, _SMALLER if plan.no_op else 1)


def upload_card(settings: Settings, photographs: Path, plan: LanesPlan, count: int) -> float:
    """Upload old photographs as fast as the store takes them; returns the seconds."""
    uploader = Uploader(settings, library(photographs, plan))
    puts, began = uploader.sign(card(count)), time.perf_counter()
    uploader.send(puts)
    return time.perf_counter() - began


def announce_again(settings: Settings, count: int) -> None:
    """The card's photographs over and over, as reconcile would, but all at once: so many more are to be answered."""
    store = ObjectStore(settings)
    try:
        stored = list(store.list(settings.bucket, "card/"))
    finally:
        store.client.close()
    all_at_once = settings.model_copy(update={"reconcile_per_s": 1e9})
    announce(all_at_once, islice(cycle(stored), count))


class Lanes:
    """Alone, while the card is uploaded, while it is announced, and while it waits to be answered."""

    def __init__(self, stack: Stack, photographs: Path, plan: LanesPlan) -> None:
        self._stack, self._settings = stack, stack.settings()
        self._photographs, self._plan = photographs, plan
        self._uploader = Uploader(self._settings, library(photographs, plan))
        self._next = 0

    def measure(self) -> Results:
        """The figures of each of the four, by name."""
        plan = self._plan
        stored = min(plan.stored, plan.old)
        found: dict[str, Waits] = {}
        # In a process of its own: in this one it would hold up the live PUTs themselves.
        beside = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        with Seen(self._settings) as seen, beside:
            self._live(seen, lambda: self._next >= BURST)
            found["alone"] = self._live(seen, self._for_seconds())
            flood = beside.submit(upload_card, self._settings, self._photographs, plan, stored)
            found["uploaded"] = self._live(seen, flood.done)
            if plan.old > stored:
                used = self._intake_cpu()
                again = beside.submit(announce_again, self._settings, plan.old - stored)
                found["announced"] = self._live(seen, lambda: again.done() and self._on_lane() >= plan.old)
                again.result()
                used = self._intake_cpu() - used
            before, began = self._answered(), time.perf_counter()
            found["waiting"] = self._live(seen, self._for_seconds())
            answered, took = self._answered(), time.perf_counter() - began
        results: Results = {
            "lanes_old": plan.old,
            "lanes_stored": stored,
            "lanes_uploaded_per_s": round(stored / flood.result(), 1),
            "lanes_answered_per_s": round((answered - before) / took, 1),
            "lanes_left_at_the_end": plan.old - answered,
        }
        if plan.old > stored:
            results["lanes_announced_per_s"] = round(self._announced_per_s(plan.old - stored))
            results["lanes_intake_cpu_ms"] = round(1000 * used / (plan.old - stored), 3)
        for name, waits in found.items():
            results |= {f"lanes_{name}_{key}": value for key, value in asdict(waits).items()}
            results[f"lanes_{name}_added_p95_ms"] = round(waits.predicted_p95_ms - found["alone"].predicted_p95_ms, 1)
        return results

    def _live(self, seen: Seen, done: Callable[[], bool]) -> Waits:
        """Live photographs at the steady rate until `done`, a second's worth at a time."""
        sent, stack_id, rate = (
            Sent(),
            identity.stack_id if (identity := self._stack.identity()) else "",
            self._plan.rate,
        )
        busy, ours, began = busy_seconds(), _used(stack_id), time.perf_counter()
        while not done() or not sent.due:
            count = max(1, round(rate))
            now = self._uploader.send(self._uploader.sign(live(self._next, count), per_s=rate))
            # A PUT that was late because the one before it was slow counts from when it should have gone.
            scheduled = began + len(sent.due) / rate
            sent.due.update(
                {key: min(due, scheduled + place / rate) for place, (key, due) in enumerate(now.due.items())}
            )
            self._next += count
            time.sleep(max(0.0, began + len(sent.due) / rate - time.perf_counter()))
        took = time.perf_counter() - began
        others = busy_seconds() - busy - (_used(stack_id) - ours)
        return seen.waits(sent, max(0.0, others) / took / cores())

    def _intake_cpu(self) -> float:
        identity = self._stack.identity()
        cpu = sample(identity.stack_id if identity else "").cpu
        return sum(seconds for part, seconds in cpu.values() if part == "intake")

    def _for_seconds(self) -> Callable[[], bool]:
        until = time.monotonic() + self._plan.seconds
        return lambda: time.monotonic() >= until

    def _on_lane(self) -> int:
        """Uploads that intake has put on the backfill lane."""
        return sum(messages(self._settings, IMAGE_BACKFILLED).values())

    def _answered(self) -> int:
        """Of those, what its worker has settled."""
        left = next((lag.messages for lag in stream_status(self._settings).lag if lag.worker == "predict-backfill"), 0)
        return self._on_lane() - left

    def _announced_per_s(self, count: int) -> float:
        """How fast intake went through the repetitions: by the broker's times of the last so many."""
        topics = (IMAGE_BACKFILLED,)
        times = sorted(
            each.timestamp_ms for each in read_topics(self._settings, topics, from_beginning=True, until_end=True)
        )
        return 1000 * (count - 1) / max(1, times[-1] - times[-count])


def _used(stack_id: str) -> float:
    """CPU seconds of the stack and of this process."""
    return time.process_time() + sum(used for _, used in sample(stack_id).cpu.values())


def measure(folder: Path, plan: LanesPlan) -> Results:
    """All of it, on a stack of its own that is removed afterwards."""
    photographs = folder / "photographs"
    library(photographs, plan)
    if plan.no_op:
        build(folder / "no-op", Settings())
    stack = Stack(folder / "stack")
    shutil.rmtree(stack.folder, ignore_errors=True)
    try:
        with stop_on_exit(stack, repository=folder / "no-op" if plan.no_op else None):
            stack.up()
            return {"lanes_model": "no-op" if plan.no_op else "real", **Lanes(stack, photographs, plan).measure()}
    finally:
        shutil.rmtree(stack.folder, ignore_errors=True)


def lanes(
    folder: Path = typer.Option(Path(".local/bench/lanes"), help="Where its stack and photographs are."),
    old: int = typer.Option(LanesPlan.old, min=1, help="Photographs that wait on the backfill lane."),
    stored: int = typer.Option(LanesPlan.stored, min=1, help="So many of them are uploaded; the others repeat these."),
    seconds: int = typer.Option(LanesPlan.seconds, min=5, help="How long live ones are alone, and beside the backlog."),
    rate: float = typer.Option(LanesPlan.rate, min=0.1, help="Live photographs a second."),
    real_model: bool = typer.Option(False, "--real-model", help="With the real model and photographs of full size."),
) -> None:
    """Measure what a card of old photographs adds to the wait of live ones."""
    console, folder = Console(stderr=True, highlight=False), folder.absolute()
    plan = LanesPlan(old, stored, seconds, rate, no_op=not real_model)
    console.print(f"{old:,} old photographs beside {rate:g} live ones a second")
    result = {**describe(), **measure(folder, plan)}
    (folder / "results.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({name: value for name, value in result.items() if not str(name).startswith("version_")}, indent=2))


if __name__ == "__main__":
    try:
        typer.run(lanes)
    except UnciaError as error:
        sys.exit(f"benchmarks.lanes: {error}")
