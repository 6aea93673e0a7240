"""`python -m benchmarks.rivals`: Uncia, SynapseML, Bytewax and a plain loop in turns, with the same model."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.machine import cores, describe
from benchmarks.rivals.burst_files import BURSTS, FRAMES, BurstFiles
from benchmarks.rivals.environments import BYTEWAX, LOOP, SPARK
from benchmarks.rivals.measured_process import Measured, run_between
from benchmarks.rivals.streams import import_classifier, measure_bytewax, measure_uncia
from benchmarks.rivals.table import NAMES, tables, write_table
from uncia.errors import UnciaError

_HERE = Path(__file__).parent
_IMAGES = BURSTS * FRAMES


def rivals(
    folder: Annotated[Path, typer.Option(help="Folder of the photographs, the model and the stack.")] = Path(
        ".local/bench/rivals"
    ),
    rounds: Annotated[int, typer.Option(min=1, help="Rounds in which all run in turns.")] = 3,
    only: Annotated[str, typer.Option(help="Run these alone, e.g. uncia,loop.")] = ",".join(NAMES),
    docs: Annotated[bool, typer.Option("--docs", help="Also write the table of docs/benchmarks.md.")] = False,
) -> None:
    """Classify 80 bursts of 5 photographs with the same ONNX file in each way, and print the figures as JSON."""
    console = Console(stderr=True, highlight=False)
    names = only.split(",")
    if unknown := set(names) - set(NAMES):
        raise UnciaError(f"--only names {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    folder = folder.absolute()
    for environment in (SPARK, BYTEWAX, LOOP):
        if environment.name.removeprefix("rival-") in names:
            console.print(f"{environment.folder.name} …")
            environment.ensure()
    bursts = BurstFiles(folder / "photographs")
    graph = import_classifier(folder)
    machine = {**describe(), "load": os.getloadavg()[0]}
    parts: dict[str, float] = {}

    def uncia() -> Measured:
        measured, by_part = measure_uncia(folder, bursts, _IMAGES)
        parts.update(by_part)
        return measured

    runs: dict[str, Callable[[], Measured]] = {
        "uncia": uncia,
        "spark": lambda: run_between(
            [SPARK.python, _HERE / "spark_job.py", bursts.folder, graph, SPARK.folder / "jars", str(cores())],
            _IMAGES,
            folder / "spark.log",
        ),
        "bytewax": lambda: measure_bytewax(folder, bursts, _IMAGES, graph, cores()),
        "loop": lambda: run_between(
            [LOOP.python, _HERE / "plain_loop.py", bursts.folder, graph, str(cores())], _IMAGES, folder / "loop.log"
        ),
    }
    measured: dict[str, list[Measured]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names:
            one = runs[name]()
            measured[name].append(one)
            rate = f"{one.images_per_s:.1f} images/s, {one.cpu_ms_per_image:.1f} CPU ms"
            console.print(f"round {number + 1}, {NAMES[name]}: {rate}", markup=False)
    if docs:
        write_table(Path("docs/benchmarks.md"), tables(measured, parts), machine, rounds, bursts.mean_bytes)
    found = {name: [asdict(one) for one in made] for name, made in measured.items()}
    print(json.dumps({**machine, "measured": found, "uncia_cpu_ms_by_part": parts}, indent=2))


if __name__ == "__main__":
    try:
        typer.run(rivals)
    except UnciaError as error:
        sys.exit(f"benchmarks.rivals: {error}")
