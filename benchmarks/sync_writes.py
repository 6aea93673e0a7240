"""`python -m benchmarks.sync_writes`: the cost of confirming an upload only when it is on disk.

Two complete stacks, one with `UNCIA_SYNC_WRITES` and one without, take turns block by block, so that other load on the
machine affects both. The ratios are the result; the milliseconds depend on the disk.
"""

import contextlib
import json
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import typer
from rich.console import Console

from benchmarks.figures import percentile
from benchmarks.machine import describe
from benchmarks.markdown_section import replace_section
from benchmarks.photographs import Photographs, exif_block
from uncia.errors import DependencyDown, UnciaError
from uncia.infra.local.lifetime import changed_environment, stop_on_exit
from uncia.infra.local.stack import Stack
from uncia.kafka.broker import read_topics
from uncia.kafka.connection import connect_producer
from uncia.storage.object_store import ObjectStore
from uncia.topics import IMAGE_PREDICTED, STORAGE_CHANGED

BEGIN, END = "<!-- sync: written by `python -m benchmarks.sync_writes --docs` -->", "<!-- end of sync -->"
DOCS = Path("docs/benchmarks.md")

_SWITCH = "UNCIA_SYNC_WRITES"
_AT_ONCE = 8
_WAIT_S = 300

Figures = dict[str, list[float]]


class StackUnderTest:
    """One of the two stacks, with its figures."""

    def __init__(self, folder: Path, photographs: Photographs, *, sync: bool) -> None:
        self.stack, self.sync = Stack(folder), sync
        self._photographs = photographs
        self._number = 0
        self._last = ""
        self._positions: dict[tuple[str, int], int] = {}
        self._answered: set[str] = set()
        self.figures: Figures = {}

    def start(self) -> None:
        """Start the stack with or without synchronous writes."""
        with changed_environment({_SWITCH: str(self.sync).lower()}):
            self.stack.up()
        self.store = ObjectStore(self.stack.settings(), max_connections=_AT_ONCE)
        self.producer = connect_producer(self.stack.settings(), acks="all", linger_ms=0)

    def run_block(self, uploads: int) -> None:
        """Run one block: sequential PUTs, concurrent PUTs until all are predicted, and sequential Kafka messages."""
        self._record("put_s", [self._put()[1] for _ in range(uploads)])
        self._wait_for_predictions({self._last})
        began = time.perf_counter()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            done = list(pool.map(lambda _: self._put(), range(2 * uploads)))
        confirmed = time.perf_counter()
        self._record("put_at_once_s", [seconds for _, seconds in done])
        self._record("puts_per_s", [len(done) / (confirmed - began)])
        self._wait_for_predictions({key for key, _ in done})
        self._record("answered_per_s", [len(done) / (time.perf_counter() - began)])
        self._record("message_s", [self._send() for _ in range(uploads)])

    def _put(self) -> tuple[str, float]:
        self._number += 1
        number, taken = self._number, datetime.now().replace(microsecond=0)
        data = self._photographs.with_exif(number, exif_block(taken, 1, 1, number))
        self._last = key = f"sync/cam-{number % 24:02}/{taken:%Y/%m/%d}/{taken:%Y%m%dT%H%M%S}-{number:06}.jpg"
        began = time.perf_counter()
        self.store.client.put_object(Bucket=self.stack.settings().bucket, Key=key, Body=data)
        return key, time.perf_counter() - began

    def _send(self) -> float:
        settings = self.stack.settings()
        began = time.perf_counter()
        # In one of Uncia's own buckets, whose notifications intake ignores.
        key = f"/buckets/{settings.own_buckets[0]}/x".encode()
        self.producer.send(STORAGE_CHANGED.full_name(settings), key=key, value=b'{"Records":[]}').get(30)
        return time.perf_counter() - began

    def _wait_for_predictions(self, keys: set[str]) -> None:
        deadline = time.monotonic() + _WAIT_S
        while not keys <= self._answered:
            if time.monotonic() > deadline:
                raise DependencyDown(f"{len(keys - self._answered)} photographs have no prediction after {_WAIT_S} s")
            for message in read_topics(
                self.stack.settings(), (IMAGE_PREDICTED,), until_end=True, from_positions=self._positions
            ):
                self._positions[(message.topic, message.partition)] = message.offset + 1
                if message.value is not None:
                    self._answered.add(json.loads(message.value)["key"])
            time.sleep(0.02)

    def _record(self, name: str, values: list[float]) -> None:
        self.figures.setdefault(name, []).extend(values)


def summary(synced: Figures, unsynced: Figures) -> dict[str, float]:
    """All figures of both stacks and their ratios, as one flat object. Seconds become milliseconds."""
    figures: dict[str, float] = {}
    for name in synced:
        without = _rows(name, unsynced[name])
        for label, value in _rows(name, synced[name]).items():
            figures[f"{label}_synced"], figures[f"{label}_unsynced"] = round(value, 2), round(without[label], 2)
            figures[f"{label}_ratio"] = round(value / without[label], 3)
    return figures


def _rows(name: str, values: list[float]) -> dict[str, float]:
    if name.endswith("per_s"):
        return {name: statistics.median(values)}
    plain = name.removesuffix("_s")
    return {f"{plain}_{label}_ms": 1000 * percentile(values, share) for label, share in (("p50", 0.5), ("p95", 0.95))}


def table(figures: dict[str, float]) -> str:
    """The summary as a Markdown table."""
    titles = {
        "put_p50_ms": "PUT, sequential, p50",
        "put_p95_ms": "PUT, sequential, p95",
        "put_at_once_p50_ms": f"PUT, {_AT_ONCE} concurrent, p50",
        "put_at_once_p95_ms": f"PUT, {_AT_ONCE} concurrent, p95",
        "puts_per_s": f"PUTs per second, {_AT_ONCE} concurrent",
        "answered_per_s": "photographs per second, from the first PUT to the last prediction",
        "message_p50_ms": "message to Kafka, `acks=all`, p50",
        "message_p95_ms": "message to Kafka, `acks=all`, p95",
    }
    rows = [
        f"| {title} | {figures[f'{name}_synced']:g}{unit} | {figures[f'{name}_unsynced']:g}{unit} | "
        f"{figures[f'{name}_ratio']:.2f} |"
        for name, title in titles.items()
        for unit in [" ms" if name.endswith("_ms") else ""]
    ]
    return "\n".join(["| operation | on disk | in memory | ratio |", "| --- | ---: | ---: | ---: |", *rows])


@contextlib.contextmanager
def _both(folder: Path, photographs: Photographs) -> Iterator[tuple[StackUnderTest, StackUnderTest]]:
    stacks = (
        StackUnderTest(folder / "synced", photographs, sync=True),
        StackUnderTest(folder / "unsynced", photographs, sync=False),
    )
    with stop_on_exit(stacks[0].stack), stop_on_exit(stacks[1].stack):
        for stack_side in stacks:
            stack_side.start()
        yield stacks


def measure(
    blocks: int = typer.Option(5, min=1, help="Blocks per stack."),
    uploads: int = typer.Option(40, min=2, help="Sequential PUTs per block; concurrent ones are twice as many."),
    folder: Path = typer.Option(
        Path(".local/bench/sync"), help="Folder of stacks and results, on the disk to measure."
    ),
    docs: bool = typer.Option(False, "--docs", help="Also write the table of docs/benchmarks.md."),
) -> None:
    """Measure the cost of confirming an upload only when it is on disk."""
    console = Console(stderr=True, highlight=False)
    folder = folder.absolute()
    shutil.rmtree(folder / "synced", ignore_errors=True)
    shutil.rmtree(folder / "unsynced", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    began = datetime.now()
    with _both(folder, Photographs(folder / "photographs", 8, 2)) as stacks:
        for block in range(blocks):
            for stack_side in stacks if block % 2 else stacks[::-1]:
                stack_side.run_block(uploads)
            console.print(f"block {block + 1} of {blocks}")
    figures = summary(stacks[0].figures, stacks[1].figures)
    machine = describe()
    (folder / "results.json").write_text(json.dumps({**machine, **figures}, indent=2) + "\n", encoding="utf-8")
    if docs:
        intro = (
            f"Measured {began:%Y-%m-%d} at {machine['commit']} in {blocks} alternating blocks of {uploads} photographs "
            f"per stack, on {machine['machine_cores']} cores."
        )
        DOCS.write_text(replace_section(DOCS, BEGIN, END, f"{intro}\n\n{table(figures)}"), encoding="utf-8")
    print(json.dumps(figures))


if __name__ == "__main__":
    try:
        typer.run(measure)
    except UnciaError as error:
        sys.exit(f"benchmarks.sync_writes: {error}")
