"""The work without any stream, in a process of its own: the model alone, and decoding with the model.

`python -m benchmarks.in_process model --batch 8 …` prints one line of JSON. A process of its own, so that memory and
threads of one measurement do not disturb the next.
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
from benchmarks.plan import shots
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels, decode_frame
from uncia.serving.model_card import read_model_card
from uncia.serving.model_versions import GRAPH_FILE

_MAX_PIXELS = 150_000_000
_LIMIT_S = 300


@dataclass(frozen=True)
class Way:
    """One way of using the cores.

    `pool`: each of `cores` threads decodes `batch` photographs and runs the model on them, one thread per run.
    `staged`: `cores` threads decode, and the model runs on batches with all cores.

    Of the model alone: `cores` runs at a time, one thread each, or one run on all cores.
    """

    name: str
    batch: int


WAYS = (Way("pool", 1), Way("pool", 4), Way("pool", 8), Way("staged", 8))


@dataclass(frozen=True)
class Measured:
    """Photographs per second, and CPU seconds per photograph."""

    images_per_s: float
    cpu_s_per_image: float


def measure(
    what: str, model: Path, photographs: Path, *, way: str, batch: int, count: int, distinct: int, cores: int
) -> Measured:
    """Measure in a child process: `what` is `model` or `frames`. Raises `CalledProcessError` or `TimeoutExpired`."""
    numbers = {"batch": batch, "count": count, "distinct": distinct, "cores": cores}
    command = [sys.executable, "-m", "benchmarks.in_process", what, "--model", str(model)]
    command += ["--photographs", str(photographs), "--way", way]
    command += [word for name, value in numbers.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=_LIMIT_S)
    return Measured(**json.loads(done.stdout))


def _session(model: Path, threads: int) -> Callable[[Pixels], object]:
    """The graph that Triton serves."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(model / GRAPH_FILE), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda frames: session.run(None, {name: frames})


def _model_alone(
    run: Callable[[Pixels], object], files: list[bytes], spec: FrameSpec, way: Way, count: int, cores: int
) -> None:
    frames = [decode_frame(data, spec, max_pixels=_MAX_PIXELS).pixels for data in files[: way.batch]]
    pixels = np.stack([frames[place % len(frames)] for place in range(way.batch)])
    runs = count // way.batch
    with ThreadPoolExecutor(cores if way.name == "pool" else 1) as pool:
        _timed(lambda: list(pool.map(run, [pixels] * runs)), lambda: run(pixels), runs * way.batch)


def _frames(
    run: Callable[[Pixels], object], files: list[bytes], spec: FrameSpec, way: Way, count: int, cores: int
) -> None:
    def decode(data: bytes) -> Pixels:
        return decode_frame(data, spec, max_pixels=_MAX_PIXELS).pixels

    def decode_and_run(chunk: list[bytes]) -> None:
        run(np.stack([decode(data) for data in chunk]))

    def chunks(total: int) -> Iterator[list[bytes]]:
        for begin in range(0, total, way.batch):
            yield [files[place % len(files)] for place in range(begin, min(begin + way.batch, total))]

    with ThreadPoolExecutor(cores) as pool:

        def pooled(total: int) -> None:
            for future in [pool.submit(decode_and_run, chunk) for chunk in chunks(total)]:
                future.result()

        def staged(total: int) -> None:
            decoding = [[pool.submit(decode, data) for data in chunk] for chunk in chunks(total)]
            for batch in decoding:
                run(np.stack([future.result() for future in batch]))

        work = pooled if way.name == "pool" else staged
        _timed(lambda: work(count), lambda: work(2 * cores * way.batch), count)


def _timed(work: Callable[[], object], warm_up: Callable[[], object], count: int) -> None:
    warm_up()
    began, cpu = time.perf_counter(), time.process_time()
    work()
    took, used = time.perf_counter() - began, time.process_time() - cpu
    print(json.dumps({"images_per_s": count / took, "cpu_s_per_image": used / count}))


def main() -> None:
    """Measure once and print one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.in_process")
    parser.add_argument("what", choices=["model", "frames"])
    parser.add_argument("--model", type=Path, required=True, help="the folder of a version in Triton's repository")
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--way", choices=["pool", "staged"], default="staged")
    for name in ("batch", "count", "distinct", "cores"):
        parser.add_argument(f"--{name}", type=int, required=True)
    asked = parser.parse_args()
    library = Photographs(asked.photographs, asked.distinct)
    spec = read_model_card(asked.model).frame
    files = [
        library.with_exif(shot.picture, exif_block(shot.taken, shot.sequence, 10, shot.event))
        for shot in shots(0, max(1, asked.distinct // 10), cameras=asked.distinct)
    ]
    session = _session(asked.model, 1 if asked.way == "pool" else asked.cores)
    work = _model_alone if asked.what == "model" else _frames
    work(session, files, spec, Way(asked.way, asked.batch), asked.count, asked.cores)


if __name__ == "__main__":
    main()
