"""`python -m benchmarks`: writes `.local/bench/results.json` and, with `--docs`, the tables of `docs/benchmarks.md`."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.console import Console

from benchmarks.bursts import BurstsPlan
from benchmarks.bursts import measure as measure_bursts
from benchmarks.lanes import LanesPlan
from benchmarks.lanes import measure as measure_lanes
from benchmarks.report import write_docs, write_results
from benchmarks.run import Benchmark, Plan
from uncia.errors import UnciaError

_QUICK_BURSTS = BurstsPlan(pure=1000, streamed=2000, cameras=500)
_QUICK_LANES = LanesPlan(old=10_000, stored=500, seconds=10)
_QUICK = Plan(rounds=1, images=240, in_process_images=96, latency_s=15)


def bench(
    folder: Path = typer.Option(Path(".local/bench"), help="Folder of the stack, the photographs and the results."),
    docs: bool = typer.Option(False, "--docs", help="Also write the tables of docs/benchmarks.md."),
    quick: bool = typer.Option(False, "--quick", help="Run one short round as a smoke test; do not quote its figures."),
    rounds: int = typer.Option(Plan.rounds, min=1, help="Number of interleaved rounds of (a), (b) and (c)."),
    soak: int = typer.Option(0, min=0, help="Then send this many more photographs and record memory (e.g. 10000)."),
    keep: bool = typer.Option(False, "--keep", help="Keep the stack's folder with its logs and data."),
) -> None:
    """Measure the model alone, decoding and model, the whole stream, the bursts worker, and live against backfill."""
    console = Console(stderr=True, highlight=False)
    plan = Plan(**{**vars(_QUICK if quick else Plan(rounds=rounds)), "soak": soak})
    folder = folder.absolute()

    def progress(line: str) -> None:
        console.print(line, markup=False)

    results = Benchmark(folder, plan, progress).run()
    progress("bursts …")
    results |= measure_bursts(folder / "bursts", _QUICK_BURSTS if quick else BurstsPlan(), progress)
    progress("live and backfill lanes …")
    results |= measure_lanes(folder / "lanes", _QUICK_LANES if quick else LanesPlan())
    results["command"] = " ".join(["python -m benchmarks", *sys.argv[1:]])
    results["measured_at"] = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    write_results(folder / "results.json", results)
    if docs:
        write_docs(Path("docs/benchmarks.md"), results)
    if not keep:
        shutil.rmtree(folder / "stack", ignore_errors=True)
    names = ("end_to_end_images_per_s", "in_process_images_per_s", "end_to_end_ratio", "latency_p50_ms")
    print(" ".join(f"{name}={results[name]}" for name in (*names, "latency_p99_ms")))
    if results["rejected"] or results["dead_letters"]:
        raise UnciaError("photographs were rejected, so the figures are invalid: run with --keep and read the logs")


if __name__ == "__main__":
    try:
        typer.run(bench)
    except (UnciaError, subprocess.SubprocessError) as error:
        sys.exit(f"benchmarks: {error}")
