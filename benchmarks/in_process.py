"""The baseline without a stream: the model alone, and decoding plus the model, in a separate process.

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
import onnxruntime

from benchmarks.photographs import Photographs, exif_block
from benchmarks.upload_plan import plan_bursts
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels, decode_frame
from uncia.serving.model_card import read_model_card
from uncia.serving.model_versions import GRAPH_FILE

_MAX_PIXELS = 150_000_000
_LIMIT_S = 300


@dataclass(frozen=True)
class Strategy:
    """One way of using the cores.

    `pool`: each of `cores` threads decodes `batch` photographs and runs the model on them with a single thread.
    `staged`: `cores` threads decode, and the model runs on batches with all cores.

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
    what: str, model: Path, photographs: Path, *, strategy: str, batch: int, count: int, distinct: int, cores: int
) -> Throughput:
    """Measure in a child process; `what` is `model` or `frames`.

    Raises `subprocess.CalledProcessError` or `subprocess.TimeoutExpired`.
    """
    numbers = {"batch": batch, "count": count, "distinct": distinct, "cores": cores}
    command = [sys.executable, "-m", "benchmarks.in_process", what, "--model", str(model)]
    command += ["--photographs", str(photographs), "--strategy", strategy]
    command += [argument for name, value in numbers.items() for argument in (f"--{name}", str(value))]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=_LIMIT_S)
    return Throughput(**json.loads(done.stdout))


def _session(model: Path, threads: int) -> Callable[[Pixels], object]:
    """A function that runs the graph that Triton serves."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(model / GRAPH_FILE), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda frames: session.run(None, {name: frames})


def _model_alone(
    run: Callable[[Pixels], object], files: list[bytes], spec: FrameSpec, strategy: Strategy, count: int, cores: int
) -> None:
    frames = [decode_frame(data, spec, max_pixels=_MAX_PIXELS).pixels for data in files[: strategy.batch]]
    pixels = np.stack([frames[index % len(frames)] for index in range(strategy.batch)])
    runs = count // strategy.batch
    with ThreadPoolExecutor(cores if strategy.name == "pool" else 1) as pool:
        _timed(lambda: list(pool.map(run, [pixels] * runs)), lambda: run(pixels), runs * strategy.batch)


def _frames(
    run: Callable[[Pixels], object], files: list[bytes], spec: FrameSpec, strategy: Strategy, count: int, cores: int
) -> None:
    def decode(data: bytes) -> Pixels:
        return decode_frame(data, spec, max_pixels=_MAX_PIXELS).pixels

    def decode_and_run(chunk: list[bytes]) -> None:
        run(np.stack([decode(data) for data in chunk]))

    def chunks(total: int) -> Iterator[list[bytes]]:
        for begin in range(0, total, strategy.batch):
            yield [files[index % len(files)] for index in range(begin, min(begin + strategy.batch, total))]

    with ThreadPoolExecutor(cores) as pool:

        def pooled(total: int) -> None:
            for future in [pool.submit(decode_and_run, chunk) for chunk in chunks(total)]:
                future.result()

        def staged(total: int) -> None:
            decoding = [[pool.submit(decode, data) for data in chunk] for chunk in chunks(total)]
            for batch in decoding:
                run(np.stack([future.result() for future in batch]))

        work = pooled if strategy.name == "pool" else staged
        _timed(lambda: work(count), lambda: work(2 * cores * strategy.batch), count)


def _timed(work: Callable[[], object], warm_up: Callable[[], object], count: int) -> None:
    warm_up()
    began, cpu = time.perf_counter(), time.process_time()
    work()
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    print(json.dumps({"images_per_s": count / seconds, "cpu_s_per_image": cpu_seconds / count}))


def main() -> None:
    """Measure once and print one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.in_process")
    parser.add_argument("what", choices=["model", "frames"])
    parser.add_argument("--model", type=Path, required=True, help="folder of a version in Triton's model repository")
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--strategy", choices=["pool", "staged"], default="staged")
    for name in ("batch", "count", "distinct", "cores"):
        parser.add_argument(f"--{name}", type=int, required=True)
    arguments = parser.parse_args()
    library = Photographs(arguments.photographs, arguments.distinct)
    spec = read_model_card(arguments.model).frame
    files = [
        library.with_exif(upload.photograph, exif_block(upload.captured_at, upload.sequence, 10, upload.event))
        for upload in plan_bursts(0, max(1, arguments.distinct // 10), cameras=arguments.distinct)
    ]
    session = _session(arguments.model, 1 if arguments.strategy == "pool" else arguments.cores)
    work = _model_alone if arguments.what == "model" else _frames
    work(session, files, spec, Strategy(arguments.strategy, arguments.batch), arguments.count, arguments.cores)


if __name__ == "__main__":
    main()
