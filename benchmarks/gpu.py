"""The served models on a GPU: `python -m benchmarks.gpu`, in under ten minutes, on a machine that has one.

Needs `onnxruntime-gpu` in place of `onnxruntime`, and for TensorRT its libraries. The graphs are those that
`uncia models build --backend onnxruntime` makes for GPUs, the detector in float32; `--models` names another repository.
In fp16 they are converted, and their inputs and outputs keep their types. Without a GPU the CPU alone is measured,
which only shows that the script works.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnxruntime.transformers.float16 import convert_float_to_float16

from benchmarks.machine import cores, describe
from benchmarks.markdown_section import table
from benchmarks.photographs import Photographs
from benchmarks.pipeline import MAX_PIXELS
from uncia.errors import UnciaError
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels, decode_frame
from uncia.serving.base_card import BaseCard
from uncia.serving.detector_card import read_detector_card
from uncia.serving.model_card import read_model_card
from uncia.serving.model_versions import GRAPH_FILE, resolve_version
from uncia.settings import Settings
from uncia.triton_models.recipes import animal_detector, species_classifier

BATCHES = (1, 2, 4, 8, 16, 32, 64)
PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
LIMIT_S = 540
_PHOTOGRAPHS = 48


@dataclass(frozen=True)
class Model:
    """A served graph and what it takes."""

    name: str
    graph: Path
    input: str
    frame: FrameSpec
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Figure:
    """One row: photographs per second of the model alone, and with decoding on all cores meanwhile."""

    model: str
    provider: str
    precision: str
    batch: int
    images_per_s: float
    with_decoding_per_s: float
    batch_ms: float
    """Median time of a batch."""


def build_models(repository: Path) -> Path:
    """Both models as for Triton on a GPU. Raises `BuildError`."""
    settings = Settings()
    persons = settings.person_vehicle_weights
    species_classifier.build(repository, backend="onnxruntime")
    animal_detector.build(
        repository,
        settings.detector_weights,
        persons=persons if persons.is_dir() else None,
        backend="onnxruntime",
    )
    return repository


def served_models(repository: Path) -> list[Model]:
    """The live classifier and detector. Raises `SettingsError` where the repository has none."""
    found: list[Model] = []
    for name, read in (("species_classifier", read_model_card), ("animal_detector", read_detector_card)):
        folder = repository / name / resolve_version(repository, name)
        card: BaseCard = read(folder)
        outputs = tuple(output.name for output in card.outputs)
        found.append(Model(name, folder / GRAPH_FILE, card.input, card.frame, outputs))
    return found


def half_precision(graph: Path, folder: Path) -> Path:
    """The graph with float16 weights and arithmetic; inputs and outputs keep their types."""
    path = folder / f"{graph.parent.parent.name}-fp16.onnx"
    onnx.save(convert_float_to_float16(onnx.load(str(graph)), keep_io_types=True), str(path))
    return path


def open_session(graph: Path, provider: str, precision: str, cache: Path) -> Any:
    """A session on this provider alone. Raises `RuntimeError` where ONNX Runtime fell back to another one."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if provider == "cpu":
        options.intra_op_num_threads = cores()
    settings = {
        "tensorrt": {
            "trt_fp16_enable": precision == "fp16",
            "trt_engine_cache_enable": True,
            "trt_engine_cache_path": str(cache),
        }
    }
    wanted = [(PROVIDERS[provider], settings.get(provider, {}))]
    # TensorRT leaves what it cannot run to CUDA, and a detector's last steps always are on the CPU.
    wanted += [(PROVIDERS["cuda"], {})] if provider == "tensorrt" else []
    wanted += [(PROVIDERS["cpu"], {})] if provider != "cpu" else []
    session = onnxruntime.InferenceSession(str(graph), options, providers=wanted)
    if PROVIDERS[provider] not in session.get_providers():
        raise RuntimeError(f"ONNX Runtime has no {PROVIDERS[provider]} here")
    return session


def measure(
    run: Callable[[Pixels], object], frames: Pixels, files: Sequence[bytes], spec: FrameSpec, batch: int, seconds: float
) -> tuple[float, float, float]:
    """Images/s of the model alone, images/s with decoding in threads meanwhile, and the median ms of a batch."""
    pixels = frames[np.arange(batch) % len(frames)]
    for _ in range(3):
        run(pixels)
    times: list[float] = []
    began = time.perf_counter()
    while not times or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        run(pixels)
        times.append(time.perf_counter() - start)
    alone = batch * len(times) / (time.perf_counter() - began)
    done, began = 0, time.perf_counter()
    with ThreadPoolExecutor(cores()) as pool:
        for decoded in decoded_batches(pool, files, spec, batch):
            run(decoded)
            done += batch
            if time.perf_counter() - began >= seconds:
                break
    return alone, done / (time.perf_counter() - began), 1000 * float(np.median(times))


def decoded_batches(pool: ThreadPoolExecutor, files: Sequence[bytes], spec: FrameSpec, batch: int) -> Iterator[Pixels]:
    """Batches of decoded frames without end; the next ones are decoded while one is used."""

    def decode(number: int) -> Pixels:
        return decode_frame(files[number % len(files)], spec, max_pixels=MAX_PIXELS).pixels

    ahead = max(2 * batch, 2 * cores())
    waiting = [pool.submit(decode, number) for number in range(ahead)]
    number = ahead
    try:
        while True:
            ready, waiting = waiting[:batch], waiting[batch:]
            for _ in ready:
                waiting.append(pool.submit(decode, number))
                number += 1
            yield np.stack([one.result() for one in ready])
    finally:
        for one in waiting:
            one.cancel()


def figures(
    models: Sequence[Model],
    providers: Sequence[str],
    batches: Sequence[int],
    folder: Path,
    *,
    seconds: float,
    limit_s: float,
) -> Iterator[Figure | str]:
    """One figure after the other, or a sentence on what could not be measured. Ends at the limit."""
    end = time.perf_counter() + limit_s
    library = Photographs(folder / "photographs", _PHOTOGRAPHS)
    files = [library.with_exif(number, b"") for number in range(_PHOTOGRAPHS)]
    for model in models:
        frames = np.stack(
            [decode_frame(data, model.frame, max_pixels=MAX_PIXELS).pixels for data in islice(files, max(batches))]
        )
        for provider in providers:
            for precision in ("fp32", "fp16"):
                if provider == "cpu" and precision == "fp16":
                    continue
                try:
                    # TensorRT converts by itself, with the scales that it needs.
                    converted = precision == "fp16" and provider != "tensorrt"
                    graph = half_precision(model.graph, folder) if converted else model.graph
                    session = open_session(graph, provider, precision, folder)
                    for batch in batches:
                        if time.perf_counter() > end:
                            yield f"{model.name}, {provider}, {precision}, batches from {batch}: no time was left"
                            break
                        run = _runner(session, model)
                        found = measure(run, frames, files, model.frame, batch, seconds)
                        yield Figure(model.name, provider, precision, batch, *(round(one, 1) for one in found))
                except Exception as error:  # one provider's fault must not cost the others' figures
                    yield f"{model.name}, {provider}, {precision}: {type(error).__name__}: {str(error)[:300]}"


def _runner(session: Any, model: Model) -> Callable[[Pixels], object]:
    outputs = list(model.outputs)
    return lambda pixels: session.run(outputs, {model.input: pixels})


def as_table(rows: Sequence[Figure]) -> str:
    """The table of `docs/benchmarks.md`."""
    header = ("model", "on", "precision", "batch", "images/s", "with decoding", "ms per batch")
    return table(
        header,
        [
            (
                row.model,
                row.provider,
                row.precision,
                str(row.batch),
                f"{row.images_per_s:.0f}",
                f"{row.with_decoding_per_s:.0f}",
                f"{row.batch_ms:.1f}",
            )
            for row in rows
        ],
    )


def main() -> None:
    """Measure, print the table, and write the figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.partition("\n")[0])
    parser.add_argument("--models", type=Path, help="a model repository; default: built for this run")
    parser.add_argument("--providers", nargs="+", choices=list(PROVIDERS), help="default: those of the machine")
    parser.add_argument("--batches", nargs="+", type=int, default=list(BATCHES), metavar="N")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each of the two measurements of a row")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds of the whole run")
    parser.add_argument("--out", type=Path, default=Path(".local/bench/gpu.json"))
    arguments = parser.parse_args()
    there = onnxruntime.get_available_providers()
    providers = arguments.providers or [name for name, provider in PROVIDERS.items() if provider in there]
    if providers == ["cpu"]:
        print("no GPU: this ONNX Runtime has the CPU alone; install onnxruntime-gpu", file=sys.stderr)
    rows: list[Figure] = []
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        models = served_models(arguments.models or build_models(Path(folder) / "repository"))
        for found in figures(
            models, providers, arguments.batches, Path(folder), seconds=arguments.seconds, limit_s=arguments.limit
        ):
            if isinstance(found, Figure):
                rows.append(found)
                print(f"{found}", file=sys.stderr)
            else:
                faults.append(found)
                print(f"not measured: {found}", file=sys.stderr)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    document = {**describe(), "figures": [asdict(row) for row in rows], "not_measured": faults}
    arguments.out.write_text(json.dumps(document, indent=1), encoding="utf-8")
    print(as_table(rows))


if __name__ == "__main__":
    try:
        main()
    except UnciaError as error:
        sys.exit(f"benchmarks.gpu: {error}")
