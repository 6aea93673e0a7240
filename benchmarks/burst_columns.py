"""`python -m benchmarks.burst_columns`: CPU time of counts from the columns in memory, with made-up bursts."""

import random
import resource
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from statistics import median
from typing import Annotated, Any

import typer

from uncia.camtrap.taxonomy import Taxonomy
from uncia.dashboard.catalogue.burst_columns import BurstColumns
from uncia.dashboard.catalogue.column_counts import column_facets, column_numbers
from uncia.dashboard.catalogue.filters import BurstFilter, Hours, Scope

_PAGE = 5000
_CAMERAS = [f"st{number % 60}/cam{number}" for number in range(240)]
_TAXA = [f"Genus{number} species" for number in range(30)]
_FILTERS = {
    "everything": BurstFilter(),
    "hours and confidence": BurstFilter(hours=Hours(21 * 60, 5 * 60), confidence_min=0.4, confidence_max=0.6),
    "a taxon in a year": BurstFilter(taxon=_TAXA[3], since=date(2025, 6, 1), until=date(2026, 6, 1)),
    "eight stations": BurstFilter(stations=tuple(f"st{number}" for number in range(8))),
}


def main(
    bursts: Annotated[int, typer.Option(min=_PAGE)] = 1_000_000,
    repeats: Annotated[int, typer.Option(min=1)] = 5,
    seed: int = 1,
) -> None:
    """Measure; prints a table in Markdown with medians."""
    columns, used = BurstColumns(), 0.0
    for page in _pages(bursts, random.Random(seed)):
        began = time.process_time()
        columns.put(page, {})
        used += time.process_time() - began
    scope = Scope({camera: camera.split("/")[0] for camera in _CAMERAS}, frozenset(_TAXA), Taxonomy.load())
    resident_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{len(columns):,} bursts, {columns.kinds:,} kinds, filled in {used:.1f} s of CPU time, {resident_mb} MB\n")
    print("| filter | facets, CPU ms | all numbers, CPU ms |\n|---|---:|---:|")
    for name, chosen in _FILTERS.items():
        facets = _cpu_ms(lambda chosen=chosen: column_facets(columns, chosen, scope), repeats)  # type: ignore[misc]
        numbers = _cpu_ms(lambda chosen=chosen: column_numbers(columns, chosen, 1800, scope), repeats)  # type: ignore[misc]
        print(f"| {name} | {facets:.0f} | {numbers:.0f} |")


def _pages(count: int, chance: random.Random) -> Iterator[list[tuple[Any, ...]]]:
    for start in range(0, count, _PAGE):
        yield [_row(number, chance) for number in range(start, min(start + _PAGE, count))]


def _row(number: int, chance: random.Random) -> tuple[Any, ...]:
    """A burst as `READ_COLUMNS` of the catalogue."""
    category = "animal" if chance.random() < 0.6 else "blank"
    taxon = chance.choice(_TAXA) if category == "animal" else None
    at = datetime(2024, 12, 1) + timedelta(seconds=chance.randrange(730 * 86_400))
    gap = chance.choice((None, chance.random() * 1e5))
    reviewer = chance.choice("ab") if chance.random() < 0.1 else None
    status = chance.choice(("final", "final", "revised"))
    shown = (category, taxon, taxon, taxon)
    judged = (status, reviewer is not None, reviewer, False, taxon, category)
    return (
        f"bst-{number}",
        at,
        at.hour * 60 + at.minute,
        chance.random(),
        gap,
        chance.choice(_CAMERAS),
        *shown,
        *judged,
    )


def _cpu_ms(run: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        began = time.process_time()
        run()
        times.append(1000 * (time.process_time() - began))
    return median(times)


if __name__ == "__main__":
    typer.run(main)
