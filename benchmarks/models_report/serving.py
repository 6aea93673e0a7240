"""Serves the trained package: installs, shadows, compares, promotes and rolls it back while photographs are uploaded.

Uses a separate stack and model repository, and the same commands that a person runs.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import numpy as np

from benchmarks.background import BackgroundThreads
from benchmarks.models_report.data import real_photographs, split_data
from benchmarks.models_report.steps import Facts, Report
from uncia.errors import DependencyDown, UnciaError
from uncia.events import ImagePredicted
from uncia.infra.local.lifetime import stop_on_exit
from uncia.infra.local.stack import Stack
from uncia.kafka.broker import read_topics
from uncia.serving.triton_client import ModelControl
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore
from uncia.topics import IMAGE_PREDICTED
from uncia.training.datasets.dataset import Sample
from uncia.training.offline_inference.inference import score_images
from uncia.triton_models.packages.loading import open_package

MODEL = "species_classifier"
_TIMEOUT_S = 90
_PER_S = 4
_QUICK = {"UNCIA_BURST_IDLE_S": "3", "UNCIA_TICK_S": "0.5"}


class PredictionLog:
    """Predictions by object key, with the time at which a subscriber received them."""

    def __init__(self) -> None:
        self.received: dict[str, tuple[float, ImagePredicted]] = {}

    def by(self, version: str) -> list[tuple[float, str]]:
        """Time and key of the predictions of this version."""
        return [(at, key) for key, (at, image) in list(self.received.items()) if _by_version(image, version)]


def serving_step(report: Report) -> Facts:
    """Take a version through its life cycle on a running stack."""
    home = report.folder / "serving"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(report.folder / "repository", home / "models", ignore=shutil.ignore_patterns("__pycache__"))
    stack = Stack(home / "stack")
    with stop_on_exit(stack, repository=home / "models"):
        report.progress("      starting a stack")
        stack.up(extra_env=_QUICK, timeout_s=300)
        return _serve(report, stack)


def _serve(report: Report, stack: Stack) -> Facts:
    settings, facts = stack.settings(), Facts()

    def models(*arguments: str) -> Any:
        return _command(stack, *arguments)

    installed = models("install", str(report.package("species_and_groups")), "--name", MODEL, "--json")
    second = str(installed["version"])
    name = f"{MODEL}@{second}"
    with _log_predictions(settings) as log, _uploading(report, settings) as sent:
        _wait(lambda: len(log.by("1")) >= 5, "the first predictions")
        report.progress("      shadow")
        models("shadow", "start", name)
        _wait(
            lambda: any(row["answers"] >= 20 for row in models("shadow", "status", "--json")),
            "predictions of the shadow",
        )
        found = models("compare", f"{MODEL}@1", name, "--output", str(report.folder / "compare.html"), "--json")
        facts["shadow"] = {name: found[name] for name in ("both", "differ")}
        models("shadow", "stop", name)
        failed = _failures(stack)
        report.progress("      promote and roll back")
        facts["promote"] = _measure_switch(log, second, lambda: models("promote", name))
        time.sleep(report.sizes.served_s)
        facts["roll_back"] = _measure_switch(log, "1", lambda: models("roll-back"))
        time.sleep(report.sizes.served_s / 2)
        facts["failed_requests"] = _failures(stack) - failed
        keys = list(sent)
        # Uploads go on while this waits: only the photographs listed before are counted.
        _wait(lambda: all(key in log.received for key in keys), "a result for every photograph")
    predictions = [log.received[key][1].prediction for key in keys if key in log.received]
    facts["uploads"] = len(keys)
    facts["answered"] = sum(prediction is not None for prediction in predictions)
    facts["versions"] = {version: len(log.by(version)) for version in ("1", second)}
    facts["inference_ms"] = {
        version: round(statistics.median(p.inference_ms for p in predictions if p and p.version == version), 1)
        for version in ("1", second)
    }
    facts["skew"] = _score_difference(report, sent, log, second)
    return facts


def _by_version(image: ImagePredicted, version: str) -> bool:
    return image.prediction is not None and image.prediction.version == version


def _measure_switch(log: PredictionLog, version: str, move: Any) -> Facts:
    """Run the command `move`. Returns its duration and the time until the first prediction of the version."""
    seen, began = {key for _, key in log.by(version)}, time.monotonic()
    move()
    took = time.monotonic() - began
    _wait(lambda: any(key not in seen for _, key in log.by(version)), f"a prediction of version {version}")
    first = min(at for at, key in log.by(version) if key not in seen)
    return {"command_s": round(took, 2), "first_answer_s": round(max(0.0, first - began), 2)}


def _score_difference(report: Report, sent: dict[str, Sample], log: PredictionLog, version: str) -> Facts:
    """Largest difference between the scores in the stream and those of offline inference, over 20 photographs."""
    keys = [key for _, key in log.by(version)][:20]
    package = open_package(report.package("species_and_groups"))
    answers = score_images(package, [sent[key] for key in keys])
    served = [log.received[key][1].prediction for key in keys]
    differences = [
        float(np.abs(prediction.windows.unpack() - offline.astype(np.float32)).max())
        for prediction, offline in zip(served, answers.window_scores, strict=True)
        if prediction is not None
    ]
    return {"photographs": len(differences), "off_by": max(differences, default=0.0)}


@contextmanager
def _uploading(report: Report, settings: Settings) -> Iterator[dict[str, Sample]]:
    """Upload four photographs per second while the context is entered: composites, and real ones when available."""
    _, parts = split_data(report)
    pictures = list(parts.test)
    leopards = [picture for picture in real_photographs() if picture.burst == "snow_leopard_burst"]
    pictures = [*leopards, *pictures]
    store, sent = ObjectStore(settings), dict[str, Sample]()

    def upload(stop: threading.Event) -> None:
        while not stop.wait(1 / _PER_S):
            picture = pictures[len(sent) % len(pictures)]
            key = f"report/cam/{len(sent):05}.jpg"
            # Repeated photographs may have the same bytes: they are different uploads because their keys differ.
            store.client.put_object(Bucket=settings.bucket, Key=key, Body=picture.path.read_bytes())
            sent[key] = picture

    with closing(store), BackgroundThreads(upload):
        yield sent


@contextmanager
def _log_predictions(settings: Settings) -> Iterator[PredictionLog]:
    log, ready = PredictionLog(), threading.Event()

    def consume(stop: threading.Event) -> None:
        for message in read_topics(settings, (IMAGE_PREDICTED,), stop=stop, ready=ready):
            if message.value is not None:
                image = ImagePredicted.from_bytes(message.value)
                log.received.setdefault(image.key, (time.monotonic(), image))

    with BackgroundThreads(consume):
        if not ready.wait(30):
            raise DependencyDown(f"no partition offsets from Kafka at {settings.kafka}")
        yield log


def _failures(stack: Stack) -> int:
    """Triton's count of failed requests for the model, over all versions."""
    with ModelControl(stack.settings()) as control:
        return control.count_failures(MODEL)


def _command(stack: Stack, *arguments: str) -> Any:
    """Run `uncia models` with these arguments. Returns the decoded output with `--json`, else None."""
    environment = {**os.environ, **stack.environment(), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "uncia", "models", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, env=environment, check=False)
    if done.returncode:
        raise UnciaError(f"uncia models {' '.join(arguments)}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout) if "--json" in arguments else None


def _wait(ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not ready():
        if time.monotonic() > deadline:
            raise DependencyDown(f"{what} did not arrive within {_TIMEOUT_S} s")
        time.sleep(0.3)
