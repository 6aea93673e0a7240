"""The baseline without a stream: each model alone, and decoding plus both models, in a separate process.

`python -m benchmarks.in_process model --batch 8 …` prints one line of JSON. Every measurement runs in its own process,
so that its memory and threads do not affect the next one.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.photographs import Photographs, exif_block
from benchmarks.pipeline import MAX_PIXELS, Models, Pipeline
from benchmarks.upload_plan import plan_bursts
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels, decode_frame

_LIMIT_S = 300


@dataclass(frozen=True)
class Strategy:
    """One way of using the cores.

    `pool`: each of `cores` threads decodes `batch` photographs and runs the models on them with a single thread.
    `staged`: `cores` threads decode, and the models run on batches with all cores.

    Of the model alone: `cores` runs at a time, one thread each, or one run on all cores.
    """

    name: str
    batch: int


STRATEGIES = (Strategy("pool", 1), Strategy("pool", 4), Strategy("pool", 8), Strategy("staged", 8))


@dataclass(frozen=True)
class Throughput:
    """Images per second and CPU seconds per image."""

    images_per_s: float
    cpu_s_per_image: float


def measure(
    what: str,
    models: Models,
    photographs: Path,
    *,
    strategy: str,
    batch: int,
    count: int,
    distinct: int,
    cores: int,
) -> Throughput:
    """Measure in a child process; `what` is `model`, `detector` or `frames`.

    Raises `subprocess.CalledProcessError` or `subprocess.TimeoutExpired`.
    """
    return Throughput(**json.loads(_run(what, models, photographs, strategy, batch, count, distinct, cores)))


def measure_stages(models: Models, photographs: Path, *, count: int, distinct: int) -> dict[str, float]:
    """CPU milliseconds per photograph by stage, one photograph after the other in one thread; and `crops_per_image`.

    Raises `subprocess.CalledProcessError` or `subprocess.TimeoutExpired`.
    """
    stages: dict[str, float] = json.loads(_run("stages", models, photographs, "pool", 1, count, distinct, 1))
    return stages


def _run(
    what: str, models: Models, photographs: Path, strategy: str, batch: int, count: int, distinct: int, cores: int
) -> bytes:
    numbers = {"batch": batch, "count": count, "distinct": distinct, "cores": cores}
    command = [sys.executable, "-m", "benchmarks.in_process", what, "--model", str(models.classifier)]
    if models.detector:
        command += ["--detector", str(models.detector)]
    command += ["--photographs", str(photographs), "--strategy", strategy]
    command += [argument for name, value in numbers.items() for argument in (f"--{name}", str(value))]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=_LIMIT_S).stdout


def _model_alone(
    run: Callable[[Pixels], object], files: list[bytes], spec: FrameSpec, strategy: Strategy, count: int, cores: int
) -> None:
    frames = [decode_frame(data, spec, max_pixels=MAX_PIXELS).pixels for data in files[: strategy.batch]]
    pixels = np.stack([frames[index % len(frames)] for index in range(strategy.batch)])
    runs = count // strategy.batch
    with ThreadPoolExecutor(cores if strategy.name == "pool" else 1) as pool:
        _timed(lambda: list(pool.map(run, [pixels] * runs)), lambda: run(pixels), runs * strategy.batch)


def _frames(pipeline: Pipeline, files: list[bytes], strategy: Strategy, count: int, cores: int) -> None:
    def decode_and_run(chunk: list[bytes]) -> None:
        pipeline.infer([pipeline.decode(data) for data in chunk])

    def chunks(total: int) -> Iterator[list[bytes]]:
        for begin in range(0, total, strategy.batch):
            yield [files[index % len(files)] for index in range(begin, min(begin + strategy.batch, total))]

    with ThreadPoolExecutor(cores) as pool:

        def pooled(total: int) -> None:
            for future in [pool.submit(decode_and_run, chunk) for chunk in chunks(total)]:
                future.result()

        def staged(total: int) -> None:
            decoding = [[pool.submit(pipeline.decode, data) for data in chunk] for chunk in chunks(total)]
            for batch in decoding:
                pipeline.infer([future.result() for future in batch])

        work = pooled if strategy.name == "pool" else staged
        _timed(lambda: work(count), lambda: work(2 * cores * strategy.batch), count)


def _stages(pipeline: Pipeline, files: list[bytes], count: int) -> None:
    pipeline.timed(files[0])
    pipeline.seconds.clear()
    pipeline.crops = 0
    for index in range(count):
        pipeline.timed(files[index % len(files)])
    stages = {name: round(1000 * seconds / count, 3) for name, seconds in pipeline.seconds.items()}
    print(json.dumps({**stages, "crops_per_image": round(pipeline.crops / count, 2)}))


def _timed(work: Callable[[], object], warm_up: Callable[[], object], count: int) -> None:
    warm_up()
    began, cpu = time.perf_counter(), time.process_time()
    work()
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    print(json.dumps({"images_per_s": count / seconds, "cpu_s_per_image": cpu_seconds / count}))


def main() -> None:
    """Measure once and print one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.in_process")
    parser.add_argument("what", choices=["model", "detector", "frames", "stages"])
    parser.add_argument("--model", type=Path, required=True, help="folder of a version in Triton's model repository")
    parser.add_argument("--detector", type=Path, help="folder of a version of a detector; none: without detector")
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--strategy", choices=["pool", "staged"], default="staged")
    for name in ("batch", "count", "distinct", "cores"):
        parser.add_argument(f"--{name}", type=int, required=True)
    arguments = parser.parse_args()
    library = Photographs(arguments.photographs, arguments.distinct)
    files = [
        library.with_exif(upload.photograph, exif_block(upload.captured_at, upload.sequence, 10, upload.event))
        for upload in plan_bursts(0, max(1, arguments.distinct // 10), cameras=arguments.distinct)
    ]
    threads = 1 if arguments.strategy == "pool" else arguments.cores
    pipeline = Models(arguments.model, arguments.detector, threads).open()
    strategy = Strategy(arguments.strategy, arguments.batch)
    if arguments.what == "frames":
        _frames(pipeline, files, strategy, arguments.count, arguments.cores)
    elif arguments.what == "stages":
        _stages(pipeline, files, arguments.count)
    else:
        wanted = pipeline.wanted
        run, spec = (
            (pipeline.detect, wanted.detector)
            if arguments.what == "detector"
            else (pipeline.classify, wanted.classifier)
        )
        if run is None or spec is None:
            parser.error("--detector is missing")
        _model_alone(run, files, spec, strategy, arguments.count, arguments.cores)


if __name__ == "__main__":
    main()
