"""What was learnt, served: installed, asked as a shadow, promoted and rolled back while photographs come.

On a stack of the report's own, with a repository of its own, by the commands that a person types.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import numpy as np

from benchmarks.background import Beside
from benchmarks.models_report.pictures import genuine, sides
from benchmarks.models_report.running import Facts, Report
from uncia.errors import DependencyDown, UnciaError
from uncia.events import ImagePredicted
from uncia.infra.local.lifetime import stopped_at_the_end
from uncia.infra.local.stack import Stack
from uncia.kafka.broker import read_topics
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore
from uncia.topics import IMAGE_PREDICTED
from uncia.training.datasets.dataset import Sample
from uncia.training.offline_inference.inference import score_images
from uncia.triton_models.packages.loading import open_package

MODEL = "species_classifier"
_PATIENCE_S = 90
_PER_S = 4
_QUICK = {"UNCIA_BURST_IDLE_S": "3", "UNCIA_TICK_S": "0.5"}


class Heard:
    """Predictions by upload key, as a subscriber hears them."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[float, ImagePredicted]] = {}

    def by(self, version: str) -> list[tuple[float, str]]:
        """When which upload was answered by this version."""
        found = list(self.answers.items())
        return [(at, key) for key, (at, told) in found if told.prediction and told.prediction.version == version]


def serving_step(report: Report) -> Facts:
    """The whole life of a version on a running stack."""
    home = report.folder / "serving"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(report.folder / "repository", home / "models", ignore=shutil.ignore_patterns("__pycache__"))
    stack = Stack(home / "stack")
    with stopped_at_the_end(stack, repository=home / "models"):
        report.say("      starting a stack")
        stack.up(extra_env=_QUICK, timeout_s=300)
        return _serve(report, stack)


def _serve(report: Report, stack: Stack) -> Facts:
    settings, facts = stack.settings(), Facts()

    def models(*words: str) -> Any:
        return _command(stack, *words)

    installed = models("install", str(report.package("species_and_groups")), "--name", MODEL, "--json")
    second = str(installed["version"])
    name = f"{MODEL}@{second}"
    with _heard(settings) as heard, _uploads(report, settings) as sent:
        _wait(lambda: len(heard.by("1")) >= 5, "the first answers")
        report.say("      a shadow")
        models("shadow", "start", name)
        _wait(
            lambda: any(row["answers"] >= 20 for row in models("shadow", "status", "--json")), "answers of the shadow"
        )
        found = models("compare", f"{MODEL}@1", name, "--output", str(report.folder / "compare.html"), "--json")
        facts["shadow"] = {each: found[each] for each in ("both", "differ")}
        models("shadow", "stop", name)
        failed = _failures(stack)
        report.say("      promoting and rolling back")
        facts["promote"] = _moved(heard, second, lambda: models("promote", name))
        time.sleep(report.sizes.served_s)
        facts["roll_back"] = _moved(heard, "1", lambda: models("roll-back"))
        time.sleep(report.sizes.served_s / 2)
        facts["failed_requests"] = _failures(stack) - failed
        keys = list(sent)
        _wait(lambda: all(key in heard.answers for key in keys), "an answer to every photograph")
        keys = list(sent)
    answered = [heard.answers[key][1] for key in keys if key in heard.answers]
    facts["uploads"] = len(keys)
    facts["answered"] = sum(told.prediction is not None for told in answered)
    facts["versions"] = {each: len(heard.by(each)) for each in ("1", second)}
    facts["inference_ms"] = {
        each: round(statistics.median(t.prediction.inference_ms for t in answered if _is(t, each)), 1)  # type: ignore[union-attr]
        for each in ("1", second)
    }
    facts["skew"] = _skew(report, sent, heard, second)
    return facts


def _is(told: ImagePredicted, version: str) -> bool:
    return told.prediction is not None and told.prediction.version == version


def _moved(heard: Heard, version: str, move: Any) -> Facts:
    """How long the command took, and until the stream had an answer of the version."""
    seen, began = {key for _, key in heard.by(version)}, time.monotonic()
    move()
    took = time.monotonic() - began
    _wait(lambda: any(key not in seen for _, key in heard.by(version)), f"an answer by version {version}")
    first = min(at for at, key in heard.by(version) if key not in seen)
    return {"command_s": round(took, 2), "first_answer_s": round(max(0.0, first - began), 2)}


def _skew(report: Report, sent: dict[str, Sample], heard: Heard, version: str) -> Facts:
    """The largest difference between what the stream said of a file and what the recipe says of it."""
    keys = [key for _, key in heard.by(version)][:20]
    package = open_package(report.package("species_and_groups"))
    answers = score_images(package, [sent[key] for key in keys])
    served = [heard.answers[key][1].prediction for key in keys]
    off = [
        float(np.abs(told.windows.unpack() - mine.astype(np.float32)).max())
        for told, mine in zip(served, answers.window_scores, strict=True)
        if told is not None
    ]
    return {"photographs": len(off), "off_by": max(off, default=0.0)}


@contextmanager
def _uploads(report: Report, settings: Settings) -> Iterator[dict[str, Sample]]:
    """Photographs come, a few a second, as long as the context lasts: composites, and genuine ones where they are."""
    _, parts = sides(report)
    pictures = list(parts.test)
    leopards = [picture for picture in genuine() if picture.burst == "snow_leopard_burst"]
    pictures = [*leopards, *pictures]
    store, sent = ObjectStore(settings), dict[str, Sample]()

    def play(stop: threading.Event) -> None:
        while not stop.wait(1 / _PER_S):
            picture = pictures[len(sent) % len(pictures)]
            key = f"report/cam/{len(sent):05}.jpg"
            # A photograph that comes again is another upload, not another photograph: the same bytes are as good.
            store.client.put_object(Bucket=settings.bucket, Key=key, Body=picture.path.read_bytes())
            sent[key] = picture

    with closing(store), Beside(play):
        yield sent


@contextmanager
def _heard(settings: Settings) -> Iterator[Heard]:
    heard, ready = Heard(), threading.Event()

    def listen(stop: threading.Event) -> None:
        for message in read_topics(settings, (IMAGE_PREDICTED,), stop=stop, ready=ready):
            if message.value is not None:
                told = ImagePredicted.from_bytes(message.value)
                heard.answers.setdefault(told.key, (time.monotonic(), told))

    with Beside(listen):
        if not ready.wait(30):
            raise DependencyDown(f"Kafka at {settings.kafka} gave no positions")
        yield heard


def _failures(stack: Stack) -> float:
    """What Triton counts as failed requests of the model, over all versions."""
    drawn = stack.drawn()
    assert drawn is not None
    url = f"http://127.0.0.1:{drawn.ports['triton_metrics']}/metrics"
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    mine = [line for line in lines if line.startswith("nv_inference_request_failure") and f'model="{MODEL}"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in mine)


def _command(stack: Stack, *words: str) -> Any:
    """`uncia models …`; what it printed, where that is JSON."""
    environment = {**os.environ, **stack.environment(), "OMP_NUM_THREADS": "1"}
    line = [sys.executable, "-m", "uncia", "models", *words]
    done = subprocess.run(line, capture_output=True, text=True, timeout=_PATIENCE_S, env=environment, check=False)
    if done.returncode:
        raise UnciaError(f"uncia models {' '.join(words)}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout) if "--json" in words else None


def _wait(ready: Any, what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not ready():
        if time.monotonic() > deadline:
            raise DependencyDown(f"{what} did not come within {_PATIENCE_S} s")
        time.sleep(0.3)
