"""`python -m benchmarks.bursts`: throughput of the bursts worker, alone and on Faust and Kafka, and its recovery time.

The input is generated predictions; only Kafka and the worker `bursts` run. Bursts are complete with ten frames, and
the frames of 24 cameras are interleaved. Every frame re-evaluates its burst, and the tenth closes it.
"""

import itertools
import json
import logging
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
import typer
from rich.console import Console

from benchmarks.machine import cores, describe
from benchmarks.predictions import Predictions
from benchmarks.processes import busy_seconds, sample
from benchmarks.report import Results
from benchmarks.topic_offsets import end_offsets
from benchmarks.upload_plan import BURST, plan_bursts
from uncia.errors import DependencyDown, UnciaError
from uncia.events import ImagePredicted
from uncia.infra.local.layout import Layout
from uncia.infra.local.lifetime import stop_on_exit
from uncia.infra.local.stack import Stack
from uncia.infra.local.supervisor import Supervisor
from uncia.kafka.broker import read_topics
from uncia.kafka.connection import connect_producer
from uncia.kafka.partitioning import partition_of
from uncia.processors.bursts.label_sets import LabelSets
from uncia.processors.bursts.worker import BATCH, make_engine
from uncia.serving.model_card import read_active_card
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, CAMERA_STATE, IMAGE_PREDICTED

CAMERAS = 24
_FRAMES_IN_TABLE = 3
"""Frames of each burst in the large table."""
_TIMEOUT_S = 300
_PARTS = ("kafka", "bursts")


@dataclass(frozen=True)
class BurstsPlan:
    """Sizes of the measurements."""

    pure: int = 5_000
    streamed: int = 20_000
    cameras: int = 10_000
    """Cameras with a state in the table when the worker is restarted."""


def pure(settings: Settings, frames: int) -> Results:
    """Frames per second without Kafka: from objects, and from bytes with all state records encoded."""
    # A worker logs to a file; here the measurement would be of the terminal.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    card = read_active_card(settings)
    plan = list(itertools.islice(plan_bursts(0, -(-frames // BURST), CAMERAS), frames))
    made = list(Predictions(card).of(plan))
    raw = [event.to_bytes() for event in made]
    detected, still = (
        [event.to_bytes() for event in Predictions(card, detections=True, luminance=moving).of(plan)]
        for moving in (True, False)
    )
    logged = datetime.now(UTC)

    def play(events: Iterable[ImagePredicted], *, write: bool) -> tuple[float, float]:
        """Frames per second, and milliseconds of CPU per frame."""
        records: dict[bytes, bytes] = {}
        engine = make_engine(settings, LabelSets(settings.model_repository), records)
        engine.start(dict.fromkeys(range(settings.partitions), 0))
        began, cpu = time.perf_counter(), time.process_time()
        for number, event in enumerate(events):
            engine.process_prediction(partition_of(event.camera, settings.partitions), number, event, logged)
            if write and (number % BATCH == BATCH - 1 or number == len(made) - 1):
                _write(engine.take_updates(), records)
        return len(made) / (time.perf_counter() - began), 1000 * (time.process_time() - cpu) / len(made)

    played = {
        name: play(map(ImagePredicted.from_bytes, events), write=True)
        for name, events in (("classes", raw), ("still", still), ("moving", detected))
    }
    return {
        "bursts_pure_frames": len(made),
        "bursts_pure_frames_per_s": round(play(made, write=False)[0]),
        "bursts_pure_with_bytes_frames_per_s": round(played["classes"][0]),
        "bursts_pure_detections_frames_per_s": round(played["moving"][0]),
        "bursts_detections_ms_per_frame": round(played["moving"][1] - played["classes"][1], 3),
        "bursts_movement_ms_per_frame": round(played["moving"][1] - played["still"][1], 3),
        "bursts_prediction_bytes": round(sum(map(len, raw)) / len(raw)),
    }


def _write(updates: Iterable[Any], records: dict[bytes, bytes]) -> None:
    for update in updates:
        for key, value in (update.writes.intent, *update.writes.apply.items(), update.writes.clear):
            if value is None:
                records.pop(key, None)
            else:
                records[key] = value


def _renamed(station: str, events: Iterable[ImagePredicted]) -> Iterator[ImagePredicted]:
    """The same photographs from new cameras, so that they belong to no existing burst."""
    for event in events:
        yield event.model_copy(update={"camera": f"{station}/{event.camera.replace('/', '-')}"})


class StreamedWorker:
    """Measures the real worker on a real Kafka."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._settings = stack.settings()
        self._predictions = Predictions(read_active_card(self._settings))

    def throughput(self, frames: int) -> Results:
        """Write the frames to the log, then start the worker and measure from its first final verdict to its last."""
        self._stop()
        count = -(-frames // BURST)
        sent = self._produce(self._predictions.of(plan_bursts(0, count, CAMERAS)))
        with BurstCloseWatcher(self._settings, count) as closed:
            self._start()
            used, busy = self._cpu(), busy_seconds()
            closed.wait()
            cpu, others = self._cpu(), busy_seconds()
        first, last = min(closed.at.values()), max(closed.at.values())
        ours = sum(cpu.values()) - sum(used.values())
        took = max(last - first, 1e-9)
        return {
            "bursts_faust_frames": sent,
            "bursts_faust_frames_per_s": round((count - 1) * BURST / took),
            "bursts_faust_cpu_ms_per_frame": round(1000 * (cpu["bursts"] - used["bursts"]) / sent, 3),
            "bursts_faust_others_share": round(max(0.0, others - busy - ours) / took / cores(), 2),
        }

    def recovery(self, cameras: int) -> Results:
        """Fill the table with one closed burst per camera, then measure a restart and a kill."""
        before = self._restart()
        made = self._predictions.of(plan_bursts(0, cameras, cameras), length=_FRAMES_IN_TABLE)
        with BurstCloseWatcher(self._settings, cameras) as closed:
            self._produce(_renamed("many", made))
            closed.wait()
        filled = self._restart()
        killed = self._killed(cameras)
        return {
            "bursts_table_cameras": cameras,
            "bursts_changelog_messages": sum(end_offsets(self._settings, CAMERA_STATE).values()),
            "bursts_start_small_table_s": round(before, 1),
            "bursts_start_full_table_s": round(filled, 1),
            "bursts_kill_to_verdict_full_table_s": round(killed, 1),
        }

    def _killed(self, cameras: int) -> float:
        """Seconds from a `kill -9` to the verdict on a burst produced right after it."""
        with BurstCloseWatcher(self._settings, 1) as closed:
            began = time.time()
            self._stack.kill("bursts", signal.SIGKILL)
            self._produce(_renamed("after", self._predictions.of(plan_bursts(0, 1, cameras))))
            closed.wait()
        return max(closed.at.values()) - began

    def _restart(self) -> float:
        """Stop the worker in order and start it. Returns the seconds until it has its partitions and its table."""
        self._stop()
        began = time.perf_counter()
        self._start()
        return time.perf_counter() - began

    def _start(self) -> None:
        self._stack.up(_PARTS)

    def _stop(self) -> None:
        identity = self._stack.require_identity()
        Supervisor(Layout(self._stack.folder, Path(identity.runtime_dir))).stop_parts(["bursts"], 30)

    def _cpu(self) -> dict[str, float]:
        identity = self._stack.identity()
        found: dict[str, float] = dict.fromkeys(_PARTS, 0.0)
        for part, seconds in sample(identity.stack_id if identity else "").cpu.values():
            found[part] = found.get(part, 0.0) + seconds
        return found

    def _produce(self, events: Iterator[ImagePredicted]) -> int:
        producer = connect_producer(self._settings, acks="all", linger_ms=20)
        name, count = IMAGE_PREDICTED.full_name(self._settings), 0
        try:
            for event in events:
                partition = partition_of(event.camera, self._settings.partitions)
                producer.send(name, key=event.camera.encode(), value=event.to_bytes(), partition=partition)
                count += 1
            producer.flush(timeout=_TIMEOUT_S)
        finally:
            producer.close(timeout=30)
        return count


class BurstCloseWatcher:
    """Consumes verdicts until `count` new bursts are final; `at` has the broker's time by burst id."""

    def __init__(self, settings: Settings, count: int) -> None:
        self.at: dict[str, float] = {}
        self._settings, self._count = settings, count
        self._stop, self._ready, self._done = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._follow, name="closed", daemon=True)

    def __enter__(self) -> "BurstCloseWatcher":
        self._thread.start()
        if not self._ready.wait(60):
            raise DependencyDown("no partition offsets from Kafka")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def wait(self) -> None:
        """Wait for all bursts. Raises `DependencyDown` after 300 s."""
        if not self._done.wait(_TIMEOUT_S):
            raise DependencyDown(f"{len(self.at)} of {self._count} bursts were closed within {_TIMEOUT_S} s")

    def _follow(self) -> None:
        for message in read_topics(self._settings, (BURST_RESOLVED,), stop=self._stop, ready=self._ready):
            if message.value is None:
                continue
            body: dict[str, Any] = json.loads(message.value)
            if body["status"] == "final":
                self.at.setdefault(body["burst_id"], message.timestamp_ms / 1000)
            if len(self.at) >= self._count:
                self._done.set()


def measure(folder: Path, plan: BurstsPlan, progress: Callable[[str], None]) -> Results:
    """Run all measurements on a stack that is removed afterwards."""
    stack = Stack(folder / "stack")
    shutil.rmtree(stack.folder, ignore_errors=True)
    results = pure(Settings(), plan.pure)
    progress(f"  bursts without Kafka: {results['bursts_pure_frames_per_s']} frames/s")
    try:
        with stop_on_exit(stack):
            stack.up(_PARTS)
            streamed = StreamedWorker(stack)
            results |= streamed.throughput(plan.streamed)
            progress(f"  bursts on Faust: {results['bursts_faust_frames_per_s']} frames/s")
            results |= streamed.recovery(plan.cameras)
            progress(f"  bursts, table of {plan.cameras} cameras: {results['bursts_start_full_table_s']} s to start")
    finally:
        shutil.rmtree(stack.folder, ignore_errors=True)
    return results


def bursts(
    folder: Path = typer.Option(Path(".local/bench/bursts"), help="Folder of the temporary stack."),
    pure: int = typer.Option(BurstsPlan.pure, min=BATCH, help="Frames for the burst engine alone."),
    streamed: int = typer.Option(BurstsPlan.streamed, min=100, help="Frames for the worker on Kafka."),
    cameras: int = typer.Option(BurstsPlan.cameras, min=10, help="Cameras in the table whose recovery is measured."),
) -> None:
    """Measure the bursts worker: its engine alone, on Faust, and the recovery of its table."""
    console = Console(stderr=True, highlight=False)
    plan = BurstsPlan(pure, streamed, cameras)
    results = {**describe(), **measure(folder.absolute(), plan, lambda line: console.print(line, markup=False))}
    print(json.dumps({name: value for name, value in results.items() if "version_" not in name}, indent=2))


if __name__ == "__main__":
    try:
        typer.run(bursts)
    except UnciaError as error:
        sys.exit(f"benchmarks.bursts: {error}")
