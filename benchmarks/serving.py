"""`python -m benchmarks.serving`: the cost of an inference request to Triton, and of changing the model's version.

Only Triton runs, with its own stack folder and model repository. Measures the latency of one request to a no-op model
and to the real one, the overhead of serving on a user's own graph, and the effect of a version change on clients.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import typer
from rich.console import Console

from benchmarks.background import BackgroundThreads
from benchmarks.machine import describe
from benchmarks.report import Results
from benchmarks.serving_load import InferenceTarget, grpc_requests, http_requests, percentiles, set_loaded
from benchmarks.serving_table import write_table
from benchmarks.third_party_classifier import create_session, export_classifier, preprocess
from uncia.errors import UnciaError
from uncia.imaging.frames import self_test_pattern
from uncia.infra.local.lifetime import changed_environment, stop_on_exit
from uncia.infra.local.stack import Stack
from uncia.serving.model_card import read_installed_card
from uncia.serving.model_versions import GRAPH_FILE, initial_state, write_version_state
from uncia.settings import Settings

_CLIENTS = 4
_POINTER_POLL_S = 0.5
_USER_GRAPH = "user_graph"

_NO_OP = """\
import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        shapes = [pb_utils.get_input_tensor_by_name(request, "FRAME").shape() for request in requests]
        tensors = [pb_utils.Tensor("WHOLE", np.zeros((shape[0], 1), dtype=np.float32)) for shape in shapes]
        return [pb_utils.InferenceResponse(output_tensors=[tensor]) for tensor in tensors]
"""
_NO_OP_CONFIG = """\
name: "no_op"
backend: "python"
max_batch_size: 32
input [ { name: "FRAME" data_type: TYPE_UINT8 dims: [ -1, -1, 3 ] } ]
output [ { name: "WHOLE" data_type: TYPE_FP32 dims: [ 1 ] } ]
dynamic_batching { }
instance_group [ { kind: KIND_CPU count: 1 } ]
"""


def latency(settings: Settings, times: int) -> Results:
    """Sequential requests of one client, with 3 bytes and with a real frame; in milliseconds."""
    card = read_installed_card(settings.model_repository, settings.model)
    folder = settings.model_repository / "no_op" / "1"
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(_NO_OP, encoding="utf-8")
    (folder.parent / "config.pbtxt").write_text(_NO_OP_CONFIG, encoding="utf-8")
    set_loaded(settings, "no_op", load=True)
    frame = self_test_pattern(card.frame)[np.newaxis]
    small = np.zeros((1, 1, 1, 3), dtype=np.uint8)
    results: Results = {}
    cases = {
        "no_op_small": (InferenceTarget("no_op", "1", ("WHOLE",), small), times),
        "no_op_frame": (InferenceTarget("no_op", "1", ("WHOLE",), frame), times),
        "real": (
            InferenceTarget(card.model, card.version, (card.whole, card.windows, card.places), frame),
            max(20, times // 10),
        ),
    }
    for name, (target, count) in cases.items():
        for protocol, requests in (("http", http_requests), ("grpc", grpc_requests)):
            with requests(settings, target) as send:
                latencies = _timed(send, count)
            p50, p99 = percentiles(latencies, 0.5, 0.99)
            results |= {f"serving_{name}_{protocol}_p50_ms": p50, f"serving_{name}_{protocol}_p99_ms": p99}
    set_loaded(settings, "no_op", load=False)
    shutil.rmtree(folder.parent)
    return results


def overhead(stack: Stack, settings: Settings, folder: Path, times: int) -> Results:
    """A user's graph: run by ONNX Runtime in this process, and imported and served by Triton, in turns."""
    graph, description = export_classifier(folder, _USER_GRAPH)
    _models(stack, "import", str(graph), "--description", str(description))
    _models(stack, "promote", f"{_USER_GRAPH}@1")
    card = read_installed_card(settings.model_repository, _USER_GRAPH)
    frame = self_test_pattern(card.frame)[np.newaxis]
    ready = preprocess(frame)
    user_graph = create_session(graph)
    wrapped_graph = create_session(settings.model_repository / _USER_GRAPH / "1" / GRAPH_FILE)
    target = InferenceTarget(_USER_GRAPH, "1", (card.whole, card.windows, card.places), frame)
    with grpc_requests(settings, target) as served:
        ways: dict[str, Callable[[], object]] = {
            "graph": lambda: user_graph.run(None, {"picture": ready}),
            "graph_prepared": lambda: user_graph.run(None, {"picture": preprocess(frame)}),
            "wrapped": lambda: wrapped_graph.run(None, {"FRAME": frame}),
            "served": served,
        }
        latencies: dict[str, list[float]] = {name: [] for name in ways}
        for send in ways.values():
            _timed(send, 5)
        for _ in range(times):
            # In turns, so that other load on the machine affects all of them.
            for name, send in ways.items():
                latencies[name] += _timed(send, 1)
    return {f"serving_import_{name}_ms": percentiles(values, 0.5)[0] for name, values in latencies.items()}


def switch(stack: Stack, settings: Settings, seconds: float) -> Results:
    """Install, promote and roll back a version under the load of clients that follow the live version as workers do."""
    home = settings.model_repository / settings.model
    load = RequestLoad(settings)
    took: dict[str, float] = {}
    with load:
        time.sleep(seconds)
        before = load.count()
        for name, line in (
            ("install", ("install", str(home / "1"), "--name", settings.model)),
            ("promote", ("promote", f"{settings.model}@2")),
            ("roll_back", ("roll-back",)),
        ):
            began = time.perf_counter()
            _models(stack, *line)
            took[f"serving_{name}_s"] = round(time.perf_counter() - began, 1)
            time.sleep(seconds)
    quiet = load.latencies[:before]
    return {
        **took,
        "serving_switch_requests": load.count(),
        "serving_switch_failed": len(load.failed),
        "serving_switch_by_second": load.by["2"],
        "serving_quiet_p99_ms": percentiles(quiet, 0.99)[0],
        "serving_switch_p99_ms": percentiles(load.latencies[before:], 0.99)[0],
        "serving_switch_worst_ms": round(max(load.latencies[before:]), 1),
    }


class RequestLoad(BackgroundThreads):
    """Asks the live version without a pause, each client with one request at a time; keeps every wait and failure."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__(*[self._send_requests] * _CLIENTS)
        self.latencies: list[float] = []
        self.failed: list[str] = []
        self.by: dict[str, int] = {"1": 0, "2": 0}

    def count(self) -> int:
        """Number of responses so far."""
        return len(self.latencies)

    def _send_requests(self, stop: threading.Event) -> None:
        while not stop.is_set():
            card = read_installed_card(self._settings.model_repository, self._settings.model)
            frame = self_test_pattern(card.frame)[np.newaxis]
            target = InferenceTarget(card.model, card.version, (card.whole, card.windows, card.places), frame)
            until = time.monotonic() + _POINTER_POLL_S
            with grpc_requests(self._settings, target) as send:
                while time.monotonic() < until and not stop.is_set():
                    try:
                        self.latencies += _timed(send, 1)
                        self.by[card.version] += 1
                    except Exception as error:
                        # Any error counts: a client got no response.
                        self.failed.append(str(error)[:200])


def _timed(send: Callable[[], object], times: int) -> list[float]:
    latencies = []
    for _ in range(times):
        began = time.perf_counter()
        send()
        latencies.append(1000 * (time.perf_counter() - began))
    return latencies


def _models(stack: Stack, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uncia", "models", *arguments],
        env={**os.environ, **stack.environment()},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        raise UnciaError(f"uncia models {' '.join(arguments)}: {done.stderr[-500:]}")


def measure(folder: Path, times: int, seconds: float, progress: Callable[[str], None]) -> Results:
    """Run all three measurements on a stack that is removed afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    real = Settings()
    repository = folder / "repository"
    shutil.copytree(real.model_repository / real.model / "1", repository / real.model / "1")
    shutil.copy(real.model_repository / real.model / "config.pbtxt", repository / real.model)
    write_version_state(repository / real.model, initial_state())
    stack = Stack(folder / "stack")
    results: Results = {}
    try:
        with stop_on_exit(stack, repository=repository):
            with changed_environment({"UNCIA_TRITON_SERVE_HTTP": "true"}):
                stack.up(("triton",))
            settings = stack.settings().model_copy(update={"model_repository": repository})
            parts: dict[str, Callable[[], Results]] = {
                "latency": lambda: latency(settings, times),
                "import": lambda: overhead(stack, settings, folder, max(10, times // 10)),
                "switch": lambda: switch(stack, settings, seconds),
            }
            for name, part in parts.items():
                found = part()
                results |= found
                figures = ", ".join(f"{key.removeprefix('serving_')} {value}" for key, value in found.items())
                progress(f"  {name}: {figures}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return results


def serving(
    folder: Path = typer.Option(Path(".local/bench/serving"), help="Folder of the temporary stack."),
    times: int = typer.Option(500, min=20, help="Requests to the no-op model; the others get a tenth of it."),
    seconds: float = typer.Option(5, min=1, help="Seconds of load before and after every step of the version change."),
    docs: bool = typer.Option(False, "--docs", help="Also write the table of docs/benchmarks.md."),
) -> None:
    """Measure the predict service: request latency, overhead of an imported model, version change under load."""
    console = Console(stderr=True, highlight=False)
    machine: dict[str, Any] = {**describe(), "load": os.getloadavg()[0]}
    results = measure(folder.absolute(), times, seconds, lambda line: console.print(line, markup=False))
    if docs:
        write_table(Path("docs/benchmarks.md"), results, machine, " ".join(sys.argv[1:]))
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    try:
        typer.run(serving)
    except UnciaError as error:
        sys.exit(f"benchmarks.serving: {error}")
