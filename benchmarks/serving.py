"""`python -m benchmarks.serving`: what it costs to ask a model by Triton, and to change its version meanwhile.

Triton alone runs, on a stack and a repository of its own. Three questions: how long one request takes, of a model that
does nothing and of the real one; what serving adds to a user's own graph; and what those who ask notice while
another version becomes live.
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

from benchmarks.background import Beside
from benchmarks.foreign_classifier import export_theirs, prepared, session_of
from benchmarks.machine import describe
from benchmarks.report import Results
from benchmarks.serving_load import Asked, by_grpc, by_http, percentiles, release
from benchmarks.serving_table import write_table
from uncia.errors import UnciaError
from uncia.imaging.frames import self_test_pattern
from uncia.infra.local.lifetime import stopped_at_the_end
from uncia.infra.local.stack import Stack
from uncia.serving.model_card import read_installed_card
from uncia.serving.model_versions import GRAPH_FILE, write_version_state
from uncia.serving.model_versions import initial_state as first_standing
from uncia.settings import Settings

_CLIENTS = 4
_LOOK_S = 0.5
_THEIRS = "theirs"

_NO_OP = """\
import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        shapes = [pb_utils.get_input_tensor_by_name(each, "FRAME").shape() for each in requests]
        answers = [pb_utils.Tensor("WHOLE", np.zeros((shape[0], 1), dtype=np.float32)) for shape in shapes]
        return [pb_utils.InferenceResponse(output_tensors=[answer]) for answer in answers]
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
    """One client, one request after the other: milliseconds, of 3 bytes and of the real frame."""
    card = read_installed_card(settings.model_repository, settings.model)
    folder = settings.model_repository / "no_op" / "1"
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(_NO_OP, encoding="utf-8")
    (folder.parent / "config.pbtxt").write_text(_NO_OP_CONFIG, encoding="utf-8")
    release(settings, "no_op", load=True)
    frame = self_test_pattern(card.frame)[np.newaxis]
    small = np.zeros((1, 1, 1, 3), dtype=np.uint8)
    results: Results = {}
    asked = {
        "no_op_small": (Asked("no_op", "1", ("WHOLE",), small), times),
        "no_op_frame": (Asked("no_op", "1", ("WHOLE",), frame), times),
        "real": (Asked(card.model, card.version, (card.whole, card.windows, card.places), frame), max(20, times // 10)),
    }
    for name, (what, count) in asked.items():
        for way, ask in (("http", by_http), ("grpc", by_grpc)):
            with ask(settings, what) as once:
                waits = _timed(once, count)
            half, most = percentiles(waits, 0.5, 0.99)
            results |= {f"serving_{name}_{way}_p50_ms": half, f"serving_{name}_{way}_p99_ms": most}
    release(settings, "no_op", load=False)
    shutil.rmtree(folder.parent)
    return results


def overhead(stack: Stack, settings: Settings, folder: Path, times: int) -> Results:
    """A user's graph, asked by ONNX Runtime in this process, and imported and asked by Triton; one after the other."""
    graph, description = export_theirs(folder, _THEIRS)
    _models(stack, "import", str(graph), "--description", str(description))
    _models(stack, "promote", f"{_THEIRS}@1")
    card = read_installed_card(settings.model_repository, _THEIRS)
    frame = self_test_pattern(card.frame)[np.newaxis]
    ready = prepared(frame)
    theirs = session_of(graph)
    ours = session_of(settings.model_repository / _THEIRS / "1" / GRAPH_FILE)
    asked = Asked(_THEIRS, "1", (card.whole, card.windows, card.places), frame)
    with by_grpc(settings, asked) as served:
        ways: dict[str, Callable[[], object]] = {
            "graph": lambda: theirs.run(None, {"picture": ready}),
            "graph_prepared": lambda: theirs.run(None, {"picture": prepared(frame)}),
            "wrapped": lambda: ours.run(None, {"FRAME": frame}),
            "served": served,
        }
        waits: dict[str, list[float]] = {name: [] for name in ways}
        for once in ways.values():
            _timed(once, 5)
        for _ in range(times):
            # In turns, so that whatever else the machine does meets all of them.
            for name, once in ways.items():
                waits[name] += _timed(once, 1)
    return {f"serving_import_{name}_ms": percentiles(each, 0.5)[0] for name, each in waits.items()}


def switch(stack: Stack, settings: Settings, seconds: float) -> Results:
    """Clients that follow the pointer as workers do, while a version is installed, promoted and rolled back."""
    home = settings.model_repository / settings.model
    flow = Flow(settings)
    took: dict[str, float] = {}
    with flow:
        time.sleep(seconds)
        before = flow.count()
        for name, line in (
            ("install", ("install", str(home / "1"), "--name", settings.model)),
            ("promote", ("promote", f"{settings.model}@2")),
            ("roll_back", ("roll-back",)),
        ):
            began = time.perf_counter()
            _models(stack, *line)
            took[f"serving_{name}_s"] = round(time.perf_counter() - began, 1)
            time.sleep(seconds)
    quiet = flow.waits[:before]
    return {
        **took,
        "serving_switch_requests": flow.count(),
        "serving_switch_failed": len(flow.failed),
        "serving_switch_by_second": flow.by["2"],
        "serving_quiet_p99_ms": percentiles(quiet, 0.99)[0],
        "serving_switch_p99_ms": percentiles(flow.waits[before:], 0.99)[0],
        "serving_switch_worst_ms": round(max(flow.waits[before:]), 1),
    }


class Flow(Beside):
    """Asks the live version without a pause, each client with one request at a time; keeps every wait and failure."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__(*[self._ask] * _CLIENTS)
        self.waits: list[float] = []
        self.failed: list[str] = []
        self.by: dict[str, int] = {"1": 0, "2": 0}

    def count(self) -> int:
        """Answers so far."""
        return len(self.waits)

    def _ask(self, stop: threading.Event) -> None:
        while not stop.is_set():
            card = read_installed_card(self._settings.model_repository, self._settings.model)
            frame = self_test_pattern(card.frame)[np.newaxis]
            asked = Asked(card.model, card.version, (card.whole, card.windows, card.places), frame)
            until = time.monotonic() + _LOOK_S
            with by_grpc(self._settings, asked) as once:
                while time.monotonic() < until and not stop.is_set():
                    try:
                        self.waits += _timed(once, 1)
                        self.by[card.version] += 1
                    except Exception as error:
                        # Whatever it is, somebody who asked got no answer.
                        self.failed.append(str(error)[:200])


def _timed(once: Callable[[], object], times: int) -> list[float]:
    waits = []
    for _ in range(times):
        began = time.perf_counter()
        once()
        waits.append(1000 * (time.perf_counter() - began))
    return waits


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


def measure(folder: Path, times: int, seconds: float, say: Callable[[str], None]) -> Results:
    """All three, on a stack of its own that is removed afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    real = Settings()
    repository = folder / "repository"
    shutil.copytree(real.model_repository / real.model / "1", repository / real.model / "1")
    shutil.copy(real.model_repository / real.model / "config.pbtxt", repository / real.model)
    write_version_state(repository / real.model, first_standing())
    stack = Stack(folder / "stack")
    results: Results = {}
    try:
        with stopped_at_the_end(stack, repository=repository):
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
                told = ", ".join(f"{key.removeprefix('serving_')} {value}" for key, value in found.items())
                say(f"  {name}: {told}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return results


def serving(
    folder: Path = typer.Option(Path(".local/bench/serving"), help="Where its stack is meanwhile."),
    times: int = typer.Option(500, min=20, help="Requests of the model that does nothing; others a tenth."),
    seconds: float = typer.Option(5, min=1, help="How long requests flow before and after each step of the switch."),
    docs: bool = typer.Option(False, "--docs", help="Also write the table of docs/benchmarks.md."),
) -> None:
    """Measure the predict service: a request, an import's overhead, a version switch under load."""
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
