"""`python -m benchmarks.catalogue`: events folded per second, the time of the dashboard's pages, and exports.

The events are plausible ones of a generator (`tests/unit/dashboard/catalogue/catalogue_data.py`), already in memory: no
Kafka takes part. For the pages, the folded bursts are copied to other cameras and days until there are as many as
wanted; the pages are fetched from the application in this process. The last fold and the exports are into and from
the catalogue with the copies.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import URL, Engine, make_url

from benchmarks.catalogue_data import CAMERAS, DAYS, multiply
from benchmarks.catalogue_pages import Page, measure_pages
from tests.postgres import postgres_server
from tests.unit.dashboard.catalogue.catalogue_data import Log, ProjectEvents
from uncia.dashboard.catalogue.changes import LogRecord
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.schema import migrate
from uncia.dashboard.catalogue.store import CatalogueStore
from uncia.events import BurstResolved, BurstStatus, Event

_BATCH = 500


class Kind(StrEnum):
    """Databases."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


@dataclass(frozen=True)
class Fold:
    """How fast events were folded."""

    name: str
    events: int
    seconds: float
    cpu_seconds: float
    """Of the worker's process; PostgreSQL's own work is in `seconds` alone."""

    @property
    def events_per_s(self) -> float:
        return self.events / self.seconds

    @property
    def events_per_cpu_s(self) -> float:
        return self.events / self.cpu_seconds


def main(
    wanted: Annotated[int, typer.Option("--bursts", min=1000, help="Number of bursts for the pages.")] = 100_000,
    folded: Annotated[
        int, typer.Option(min=100, help="Number of bursts that are folded, with all their events.")
    ] = 4000,
    repeats: Annotated[int, typer.Option(min=2, help="Runs of each page, each with other values.")] = 40,
    kinds: Annotated[list[Kind] | None, typer.Option("--database", help="Default: both.")] = None,
    pages: Annotated[bool, typer.Option(help="Measure the pages, too.")] = True,
    exports: Annotated[bool, typer.Option(help="Measure exports of all bursts, too.")] = False,
    seed: Annotated[int, typer.Option(help="Of the events and of the values in the queries.")] = 1,
) -> None:
    """Measure the fold and the pages; prints tables in Markdown, then one line of JSON."""
    log = Log()
    events = list(ProjectEvents(folded, seed=seed, camera_count=CAMERAS, days=DAYS))
    fresh = [log.append(event) for event in events]
    again = [log.append(_revised(event)) for event in events]
    results: dict[str, Any] = {"bursts": wanted, "folded_events": len(fresh)}
    for kind in kinds or list(Kind):
        with tempfile.TemporaryDirectory(prefix="uncia-catalogue-") as folder, _database(kind, Path(folder)) as url:
            engine = open_database(url)
            migrate(engine)
            store = CatalogueStore(engine)
            store.set_partitions(log.partitions())
            folds = [_measure_fold(store, "new bursts", fresh), _measure_fold(store, "bursts that are there", again)]
            print(f"\n| {kind.value}, folded | events | events/s | events/s of CPU time |\n|---|---:|---:|---:|")
            for fold in folds:
                print(f"| {fold.name} | {fold.events} | {fold.events_per_s:.0f} | {fold.events_per_cpu_s:.0f} |")
            results[kind.value] = {"folds": [asdict(fold) for fold in folds]}
            if pages:
                results[kind.value] |= _pages(engine, Path(folder), wanted, repeats, seed)
            if exports and not pages:
                multiply(engine, wanted)
            if exports:
                results[kind.value]["exports"] = [asdict(_export(url, name, Path(folder))) for name in _EXPORTS]
            if pages or exports:
                newer = [log.append(_revised(event, 20)) for event in events]
                results[kind.value]["folds"].append(asdict(_measure_fold(store, "with the copies", newer)))
                print(json.dumps({name: results[kind.value].get(name) for name in ("exports", "folds")}))
            engine.dispose()
    print(json.dumps(results))


@contextmanager
def _database(kind: Kind, folder: Path) -> Iterator[URL]:
    if kind is Kind.SQLITE:
        yield make_url(f"sqlite:///{folder}/catalogue.sqlite")
        return
    with postgres_server() as server:
        yield server.url


@dataclass(frozen=True)
class Export:
    """One export of all bursts, by `uncia export` in a process of its own."""

    format: str
    seconds: float
    peak_mb: float
    """Most memory of the process at once."""


_EXPORTS = ("csv", "camtrap-dp")


def _export(url: URL, name: str, folder: Path) -> Export:
    address = {"UNCIA_CATALOGUE_URL": url.render_as_string(hide_password=False)}
    command = [sys.executable, "-m", "uncia", "export", name, str(folder / name)]
    began, peak_kb = time.perf_counter(), 0
    process = subprocess.Popen(command, env={**os.environ, **address}, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        # Of the program after `exec`; `getrusage` counts this process's own pages, too.
        with suppress(OSError):
            text = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            peak_kb = max([peak_kb, *map(int, re.findall(r"VmHWM:\s*(\d+)", text))])
        time.sleep(0.05)
    if process.returncode != 0:
        raise RuntimeError(f"{shlex.join(command)} failed")
    return Export(name, time.perf_counter() - began, peak_kb / 1024)


def _revised(event: Event, by: int = 10) -> Event:
    """The event as it is published again later; bursts with a higher revision."""
    if isinstance(event, BurstResolved):
        return event.model_copy(update={"revision": event.revision + by, "status": BurstStatus.REVISED})
    return event


def _measure_fold(store: CatalogueStore, name: str, messages: list[LogRecord]) -> Fold:
    began, cpu = time.perf_counter(), time.process_time()
    for start in range(0, len(messages), _BATCH):
        store.apply(messages[start : start + _BATCH])
    return Fold(name, len(messages), time.perf_counter() - began, time.process_time() - cpu)


def _pages(engine: Engine, folder: Path, wanted: int, repeats: int, seed: int) -> dict[str, Any]:
    multiply(engine, wanted)
    print(
        f"\n| {engine.dialect.name}, {wanted:,} bursts | p50 ms | p95 ms | CPU ms |\n|---|---:|---:|---:|", flush=True
    )

    def report(page: Page) -> None:
        print(f"| {page.name} | {page.p50_ms:.0f} | {page.p95_ms:.0f} | {page.cpu_ms:.0f} |", flush=True)

    found, built_s = measure_pages(engine.url, folder, repeats, seed, report)
    print(f"\nThe columns in memory were built in {built_s:.1f} s.")
    return {"pages": [asdict(page) for page in found], "columns_built_s": built_s}


if __name__ == "__main__":
    typer.run(main)
