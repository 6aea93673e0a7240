"""`python -m benchmarks.catalogue`: events folded per second, and the time of page queries, on SQLite and PostgreSQL.

The events are plausible ones of a generator (`tests/unit/dashboard/catalogue/catalogue_data.py`), already in memory: no
Kafka takes part. For the pages, the folded bursts are copied to other cameras and days until there are as many as
wanted, with their frames, observations and flags, but without their photographs.
"""

import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import URL, Engine, func, make_url, select, text

from benchmarks.figures import percentile
from tests.postgres import postgres_server
from tests.unit.dashboard.catalogue.catalogue_data import FIRST_DAY, TAXA, Log, ProjectEvents, records
from uncia.dashboard.catalogue.bulk import Conflict, write_rows
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.derived import kinds_of
from uncia.dashboard.catalogue.filters import BurstFilter, BurstOrder, Hours
from uncia.dashboard.catalogue.queries import Catalogue
from uncia.dashboard.catalogue.schema import migrate
from uncia.dashboard.catalogue.store import CatalogueStore
from uncia.dashboard.catalogue.tables import burst_flags, burst_frames, burst_months, bursts, cameras, observations

_BATCH = 500
_CAMERAS = 48
_DAYS = 120
_PERIOD_DAYS = 730


class Kind(StrEnum):
    """Databases."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


@dataclass(frozen=True)
class Fold:
    """How fast events were folded."""

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


@dataclass(frozen=True)
class Page:
    """How long one query took, in milliseconds."""

    name: str
    p50_ms: float
    p95_ms: float


def main(
    wanted: Annotated[int, typer.Option("--bursts", min=1000, help="Number of bursts for the pages.")] = 100_000,
    folded: Annotated[
        int, typer.Option(min=100, help="Number of bursts that are folded, with all their events.")
    ] = 4000,
    repeats: Annotated[int, typer.Option(min=2, help="Runs of each query, each with other values.")] = 40,
    kinds: Annotated[list[Kind] | None, typer.Option("--database", help="Default: both.")] = None,
    seed: Annotated[int, typer.Option(help="Of the events and of the values in the queries.")] = 1,
) -> None:
    """Measure the fold and the pages; prints a table in Markdown, then one line of JSON."""
    log = Log()
    messages = list(records(ProjectEvents(folded, seed=seed, camera_count=_CAMERAS, days=_DAYS), log))
    results: dict[str, Any] = {"bursts": wanted, "folded_events": len(messages)}
    for kind in kinds or list(Kind):
        with tempfile.TemporaryDirectory(prefix="uncia-catalogue-") as folder, _database(kind, Path(folder)) as url:
            engine = open_database(url)
            migrate(engine)
            fold = _measure_fold(engine, log, messages)
            _multiply(engine, wanted)
            pages = _measure_pages(url, repeats, seed)
            engine.dispose()
        print(f"\n{kind.value}: {fold.events_per_s:.0f} events/s, {fold.events_per_cpu_s:.0f} per second of CPU time")
        print(f"\n| page, {wanted:,} bursts | p50 ms | p95 ms |\n|---|---|---|")
        for page in pages:
            print(f"| {page.name} | {page.p50_ms:.1f} | {page.p95_ms:.1f} |")
        results[kind.value] = {**asdict(fold), "pages": [asdict(page) for page in pages]}
    print(json.dumps(results))


@contextmanager
def _database(kind: Kind, folder: Path) -> Iterator[URL]:
    if kind is Kind.SQLITE:
        yield make_url(f"sqlite:///{folder}/catalogue.sqlite")
        return
    with postgres_server() as server:
        yield server.url


def _measure_fold(engine: Engine, log: Log, messages: list[Any]) -> Fold:
    store = CatalogueStore(engine)
    store.set_partitions(log.partitions())
    began, cpu = time.perf_counter(), time.process_time()
    for start in range(0, len(messages), _BATCH):
        store.apply(messages[start : start + _BATCH])
    return Fold(len(messages), time.perf_counter() - began, time.process_time() - cpu)


def _multiply(engine: Engine, wanted: int) -> None:
    """Copy the bursts to other cameras and days, until there are as many as wanted."""
    with engine.begin() as connection:
        originals = [dict(row) for row in connection.execute(select(bursts)).mappings()]
        parts = {
            table: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in (burst_frames, observations, burst_flags)
        }
    count, copy = len(originals), 0
    while count < wanted:
        copy += 1
        # Spread over two years, and four times as many cameras.
        shift, suffix = timedelta(days=copy * 37 % (_PERIOD_DAYS - _DAYS), minutes=copy * 7 % 60), f"-{copy % 4}"
        own = originals[: wanted - count]
        ids = {row["burst_id"] for row in own}
        rows = [
            {
                **row,
                "burst_id": f"{row['burst_id']}-{copy}",
                "camera": row["camera"] + suffix,
                "started_at": row["started_at"] + shift,
                "ended_at": row["ended_at"] + shift,
                "minute": 60 * (row["started_at"] + shift).hour + (row["started_at"] + shift).minute,
                "updated_at": row["updated_at"] + shift,
                "change": row["change"] + copy,
            }
            for row in own
        ]
        with engine.begin() as connection:
            write_rows(connection, bursts, rows)
            known = [{"camera": row["camera"], "station": row["station"]} for row in rows]
            write_rows(connection, cameras, known, Conflict.IGNORE)
            write_rows(connection, burst_months, _kinds(rows), Conflict.ADD)
            for table, existing in parts.items():
                copies = [
                    {**row, "burst_id": f"{row['burst_id']}-{copy}"} for row in existing if row["burst_id"] in ids
                ]
                write_rows(connection, table, copies)
        count += len(own)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "postgresql":
            # What the server does by itself after some minutes.
            connection.execute(text("VACUUM ANALYZE"))
    with engine.begin() as connection:
        assert connection.execute(select(func.count()).select_from(bursts)).scalar() == wanted


def _kinds(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of `burst_months` for these bursts."""
    names = [column.name for column in burst_months.primary_key.columns]
    counts = sorted(Counter(kinds_of(rows)).items())
    return [{**dict(zip(names, kind, strict=True)), "bursts": count} for kind, count in counts]


def _measure_pages(url: URL, repeats: int, seed: int) -> list[Page]:
    engine = open_database(url, read_only=True)
    catalogue, chance = Catalogue(engine), random.Random(seed)
    with engine.begin() as connection:
        some = connection.execute(select(bursts.c.burst_id, bursts.c.camera).limit(5000)).all()
        first, last = connection.execute(select(func.min(bursts.c.started_at), func.max(bursts.c.started_at))).one()
    days = (last - first).days

    def day() -> date:
        return (FIRST_DAY + timedelta(days=chance.randrange(days))).date()

    def camera() -> str:
        return str(chance.choice(some).camera)

    def taxon() -> str:
        return chance.choice(TAXA)[0]

    def deep() -> str | None:
        since = BurstFilter(until=day())
        return catalogue.bursts(since, limit=1).after

    queries: dict[str, Callable[[], object]] = {
        "newest bursts": lambda: catalogue.bursts(),
        "the page after a day": lambda: catalogue.bursts(after=deep()),
        "a rare taxon": lambda: catalogue.bursts(BurstFilter(taxon="Panthera uncia")),
        "any taxon": lambda: catalogue.bursts(BurstFilter(taxon=taxon())),
        "a class with all below": lambda: catalogue.bursts(BurstFilter(taxon="Mammalia")),
        "a camera and a category": lambda: catalogue.bursts(BurstFilter(cameras=(camera(),), categories=("animal",))),
        "a month, hours across midnight": lambda: catalogue.bursts(
            BurstFilter(since=(start := day()), until=start + timedelta(days=30), hours=Hours(21 * 60, 5 * 60))
        ),
        "a taxon, a station, a confidence range": lambda: catalogue.bursts(
            BurstFilter(taxon=taxon(), stations=("ridge",), confidence_min=0.5, confidence_max=0.52)
        ),
        "nothing": lambda: catalogue.bursts(BurstFilter(taxon="Ursus arctos", confidence_min=2)),
        "favourites": lambda: catalogue.bursts(BurstFilter(flags=("favourite",))),
        "review queue": lambda: catalogue.bursts(BurstFilter(reviewed=False), BurstOrder.UNCERTAIN),
        "facets of everything": lambda: catalogue.facets(),
        "facets of a taxon": lambda: catalogue.facets(BurstFilter(taxon=taxon())),
        "facets of a month at night": lambda: catalogue.facets(
            BurstFilter(since=(start := day()), until=start + timedelta(days=30), hours=Hours(21 * 60, 5 * 60))
        ),
        "a burst": lambda: catalogue.burst(chance.choice(some).burst_id),
        "its neighbours": lambda: catalogue.neighbours(chance.choice(some).burst_id),
        "health of the cameras": lambda: catalogue.camera_health(),
        "changes": lambda: catalogue.changes(catalogue.newest_change() - 1),
    }
    found = []
    for name, query in queries.items():
        query()
        times = []
        for _ in range(repeats):
            began = time.perf_counter()
            query()
            times.append(1000 * (time.perf_counter() - began))
        found.append(Page(name, percentile(times, 0.5), percentile(times, 0.95)))
    engine.dispose()
    return found


if __name__ == "__main__":
    typer.run(main)
