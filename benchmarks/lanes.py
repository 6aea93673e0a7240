"""`python -m benchmarks.lanes`: does a backlog of old photographs delay live ones? On a real stack.

Two live photographs per second are uploaded in four phases, on the same stack: alone; while old photographs are
uploaded as fast as the store accepts them; while the rest of the old ones is announced as fast as Kafka accepts it; and
while the backlog is processed. Latency counts from the time at which the PUT was due.

A card of 100,000 photographs is a backlog of 100,000 announcements. Only the first ones, more than are processed during
the measurement, are distinct photographs; the others announce these again. A no-op model is used by default.
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

from benchmarks.latency import LatencyProbe, LatencySummary
from benchmarks.machine import cores, describe
from benchmarks.no_op_model import build
from benchmarks.photographs import Photographs
from benchmarks.processes import busy_seconds, sample
from benchmarks.report import Results
from benchmarks.topic_offsets import end_offsets
from benchmarks.upload_plan import BURST, PlannedUpload
from benchmarks.uploads import Sent, Uploader
from uncia.errors import UnciaError
from uncia.infra.local.lifetime import stop_on_exit
from uncia.infra.local.stack import Stack
from uncia.kafka.broker import read_topics
from uncia.kafka.stream_status import stream_status
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
    """Sizes of the measurement."""

    old: int = 100_000
    stored: int = 8192
    seconds: int = 60
    rate: float = 2.0
    no_op: bool = True


def old_uploads(count: int) -> Iterator[PlannedUpload]:
    """Old photographs, with keys like the gateway's, from which intake reads their age."""
    for number in range(count):
        event, sequence = divmod(number, BURST)
        camera = f"card/cam-{event % _CAMERAS}"
        taken = _TAKEN + timedelta(minutes=5 * event, seconds=sequence)
        yield PlannedUpload(camera, _key(camera, taken, number), number, taken, sequence + 1, event)


def live_uploads(first: int, count: int) -> Iterator[PlannedUpload]:
    """Photographs that are captured now."""
    began = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    for number in range(first, first + count):
        event, sequence = divmod(number, BURST)
        camera = f"live/cam-{event % _CAMERAS}"
        taken = began + timedelta(seconds=number - first)
        yield PlannedUpload(camera, _key(camera, taken, number), number, taken, sequence + 1, event)


def _key(camera: str, taken: datetime, number: int) -> str:
    return f"{camera}/{taken:%Y/%m/%d}/{taken:%Y%m%dT%H%M%S}-{number:016x}.jpg"


def load_photographs(folder: Path, plan: LanesPlan) -> Photographs:
    """Photographs for the measurement: full size for the real model, a quarter of it for the no-op model."""
    return Photographs(folder, _DISTINCT, _SMALLER if plan.no_op else 1)


def upload_card(settings: Settings, photographs: Path, plan: LanesPlan, count: int) -> float:
    """Upload old photographs as fast as the store accepts them. Returns the seconds that this took."""
    uploader = Uploader(settings, load_photographs(photographs, plan))
    puts, began = uploader.sign(old_uploads(count)), time.perf_counter()
    uploader.send(puts)
    return time.perf_counter() - began


def announce_again(settings: Settings, count: int) -> None:
    """Announce the stored old photographs again and again, `count` times in total, without reconcile's rate limit."""
    store = ObjectStore(settings)
    try:
        stored = list(store.list(settings.bucket, "card/"))
    finally:
        store.client.close()
    all_at_once = settings.model_copy(update={"reconcile_per_s": 1e9})
    announce(all_at_once, islice(cycle(stored), count))


class Lanes:
    """Measures the four phases: alone, during the upload, during the announcement, and during the backfill."""

    def __init__(self, stack: Stack, photographs: Path, plan: LanesPlan) -> None:
        self._stack, self._settings = stack, stack.settings()
        self._photographs, self._plan = photographs, plan
        self._uploader = Uploader(self._settings, load_photographs(photographs, plan))
        self._next = 0

    def measure(self) -> Results:
        """Run all phases and return their figures by name."""
        plan = self._plan
        stored = min(plan.stored, plan.old)
        found: dict[str, LatencySummary] = {}
        # In another process: in this one it would delay the live PUTs themselves.
        executor = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        with LatencyProbe(self._settings) as probe, executor:
            self._send_live(probe, lambda: self._next >= BURST)
            found["alone"] = self._send_live(probe, self._for_seconds())
            flood = executor.submit(upload_card, self._settings, self._photographs, plan, stored)
            found["uploaded"] = self._send_live(probe, flood.done)
            if plan.old > stored:
                used = self._intake_cpu()
                again = executor.submit(announce_again, self._settings, plan.old - stored)
                found["announced"] = self._send_live(probe, lambda: again.done() and self._backfill_total() >= plan.old)
                again.result()
                used = self._intake_cpu() - used
            before, began = self._backfill_done(), time.perf_counter()
            found["waiting"] = self._send_live(probe, self._for_seconds())
            answered, took = self._backfill_done(), time.perf_counter() - began
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
        alone = found["alone"].predicted_p95_ms
        for name, latency in found.items():
            results |= {f"lanes_{name}_{key}": value for key, value in asdict(latency).items()}
            results[f"lanes_{name}_added_p95_ms"] = round(latency.predicted_p95_ms - alone, 1)
        return results

    def _send_live(self, probe: LatencyProbe, done: Callable[[], bool]) -> LatencySummary:
        """Upload live photographs at the plan's rate until `done`, one second's worth at a time."""
        sent, stack_id, rate = (
            Sent(),
            identity.stack_id if (identity := self._stack.identity()) else "",
            self._plan.rate,
        )
        busy, ours, began = busy_seconds(), _stack_and_own_cpu(stack_id), time.perf_counter()
        while not done() or not sent.due:
            count = max(1, round(rate))
            now = self._uploader.send(self._uploader.sign(live_uploads(self._next, count), per_s=rate))
            # A PUT that is late because the one before it was slow still counts from its scheduled time.
            scheduled = began + len(sent.due) / rate
            sent.due.update(
                {key: min(due, scheduled + index / rate) for index, (key, due) in enumerate(now.due.items())}
            )
            self._next += count
            time.sleep(max(0.0, began + len(sent.due) / rate - time.perf_counter()))
        took = time.perf_counter() - began
        others = busy_seconds() - busy - (_stack_and_own_cpu(stack_id) - ours)
        return probe.summary(sent, max(0.0, others) / took / cores())

    def _intake_cpu(self) -> float:
        identity = self._stack.identity()
        cpu = sample(identity.stack_id if identity else "").cpu
        return sum(seconds for part, seconds in cpu.values() if part == "intake")

    def _for_seconds(self) -> Callable[[], bool]:
        until = time.monotonic() + self._plan.seconds
        return lambda: time.monotonic() >= until

    def _backfill_total(self) -> int:
        """Number of uploads that intake has published to the backfill lane."""
        return sum(end_offsets(self._settings, IMAGE_BACKFILLED).values())

    def _backfill_done(self) -> int:
        """Number of those that the backfill worker has processed."""
        left = next((lag.messages for lag in stream_status(self._settings).lag if lag.worker == "predict-backfill"), 0)
        return self._backfill_total() - left

    def _announced_per_s(self, count: int) -> float:
        """Rate at which intake processed the repeated announcements, from the broker's times of the last `count`."""
        topics = (IMAGE_BACKFILLED,)
        times = sorted(
            message.timestamp_ms for message in read_topics(self._settings, topics, from_beginning=True, until_end=True)
        )
        return 1000 * (count - 1) / max(1, times[-1] - times[-count])


def _stack_and_own_cpu(stack_id: str) -> float:
    """CPU seconds used by the stack and by this process."""
    return time.process_time() + sum(used for _, used in sample(stack_id).cpu.values())


def measure(folder: Path, plan: LanesPlan) -> Results:
    """Run the measurement on a stack that is removed afterwards."""
    photographs = folder / "photographs"
    load_photographs(photographs, plan)
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
    folder: Path = typer.Option(Path(".local/bench/lanes"), help="Folder of the stack and the photographs."),
    old: int = typer.Option(LanesPlan.old, min=1, help="Size of the backlog on the backfill lane."),
    stored: int = typer.Option(LanesPlan.stored, min=1, help="Photographs of it that are uploaded; the rest repeats."),
    seconds: int = typer.Option(LanesPlan.seconds, min=5, help="Seconds of the phases without and with the backlog."),
    rate: float = typer.Option(LanesPlan.rate, min=0.1, help="Live photographs per second."),
    real_model: bool = typer.Option(False, "--real-model", help="Use the real model and full-size photographs."),
) -> None:
    """Measure how much a backlog of old photographs delays live ones."""
    console, folder = Console(stderr=True, highlight=False), folder.absolute()
    plan = LanesPlan(old, stored, seconds, rate, no_op=not real_model)
    console.print(f"{old:,} old photographs, {rate:g} live ones per second")
    result = {**describe(), **measure(folder, plan)}
    (folder / "results.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({name: value for name, value in result.items() if not str(name).startswith("version_")}, indent=2))


if __name__ == "__main__":
    try:
        typer.run(lanes)
    except UnciaError as error:
        sys.exit(f"benchmarks.lanes: {error}")
