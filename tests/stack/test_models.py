"""The model that Triton serves: its self-test and scores, and the replacement of its process after a crash."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.stack.containers import ContainerStack
from uncia.imaging.frames import self_test_pattern
from uncia.infra.local.stack import Stack
from uncia.serving.detector_card import read_active_detector_card
from uncia.serving.detector_client import Detector, DetectorOutput
from uncia.serving.self_tests import self_test_frame
from uncia.serving.triton_client import Classifier, InferenceResult, ModelControl, ModelHealth, read_active_card
from uncia.settings import Settings


@pytest.fixture
def control(settings: Settings) -> Iterator[ModelControl]:
    with ModelControl(settings) as control:
        yield control


def classify(settings: Settings, batch: int) -> InferenceResult:
    """Classify a batch of `batch` copies of the self-test's frame."""
    card = read_active_card(settings)

    async def classify_batch() -> InferenceResult:
        classifier = Classifier(settings, card)
        try:
            return await classifier.classify(np.repeat(self_test_pattern(card.frame)[np.newaxis], batch, axis=0))
        finally:
            await classifier.close()

    return asyncio.run(classify_batch())


def stubs(stack: Stack, version: str = "", model: str = "species_classifier") -> list[int]:
    """The processes that run a python model of this stack, all or those of one version."""
    tree_pids = {part.pid for part in stack.status() if part.name == "triton" and part.pid}
    assert tree_pids, "Triton is not running"
    pids = []
    # Children have higher numbers than their parents, except when the numbers wrapped round; twice finds those too.
    for _ in range(2):
        for entry in sorted(
            (path for path in Path("/proc").iterdir() if path.name.isdigit()), key=lambda p: int(p.name)
        ):
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if parent in tree_pids:
                tree_pids.add(int(entry.name))
                part = f"/{model}/{version}/" if version else f"/{model}/"
                if b"triton_python_backend_stub" in command and part.encode() in command:
                    pids.append(int(entry.name))
    return sorted(set(pids))


def test_the_model_passes_its_self_test(settings: Settings, control: ModelControl) -> None:
    probe = control.probe(settings.model)

    assert probe.healthy, probe.detail


def test_every_frame_of_the_largest_batch_gets_the_scores_of_the_self_test(settings: Settings) -> None:
    card = read_active_card(settings)
    result = classify(settings, card.max_batch)

    assert result.whole.shape == (card.max_batch, len(card.labels.classes))
    assert np.abs(result.windows - card.self_test.windows.unpack()).max() <= card.self_test.tolerance
    assert result.version in card.versions


def test_the_installed_version_is_served_by_triton(stack: Stack | ContainerStack, settings: Settings) -> None:
    command = [sys.executable, "-m", "uncia", "models", "list", "--json"]
    environment = {**os.environ, **stack.environment(), "UNCIA_MODEL_REPOSITORY": str(settings.model_repository)}
    completed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600, env=environment)

    lines = {(line["model"], line["version"]): line["state"] for line in json.loads(completed.stdout)}
    assert lines[settings.model, "1"] == "READY"


def test_a_dead_process_behind_the_model_is_detected_and_replaced(
    stack: Stack | ContainerStack, settings: Settings, control: ModelControl, wait_for: Callable[..., object]
) -> None:
    if not isinstance(stack, Stack):
        pytest.skip("the process is inside a container")
    killed = stubs(stack)
    assert killed
    for pid in killed:
        os.kill(pid, signal.SIGKILL)

    # Triton still reports it as ready; only an inference request shows that it is dead.
    live = read_active_card(settings).version
    assert [line.state for line in control.list_served(settings.model) if line.version == live] == ["READY"]
    assert control.probe(settings.model).health is not ModelHealth.HEALTHY
    wait_for(lambda: control.probe(settings.model).healthy, 60, "the watchdog to reload the model")
    assert not set(stubs(stack)) & set(killed)


def test_the_detector_is_served_checked_and_finds_the_boxes_of_its_self_test(
    stack: Stack | ContainerStack, settings: Settings, control: ModelControl
) -> None:
    card = read_active_detector_card(settings)
    if card is None:
        pytest.skip("the model repository holds no detector")
    command = [sys.executable, "-m", "uncia", "models", "check", "--json"]
    environment = {**os.environ, **stack.environment(), "UNCIA_MODEL_REPOSITORY": str(settings.model_repository)}
    completed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600, env=environment)

    assert {line["model"]: line["health"] for line in json.loads(completed.stdout)}[card.model] == "healthy"

    async def detect_batch() -> DetectorOutput:
        detector = Detector(settings, card)
        try:
            return await detector.detect(np.repeat(self_test_frame(card)[np.newaxis], card.max_batch, axis=0))
        finally:
            await detector.close()

    output = asyncio.run(detect_batch())
    expected = card.self_test.scores
    assert output.boxes.shape == (card.max_batch, card.max_boxes, 4)
    assert np.abs(output.scores[:, : len(expected)] - np.array(expected)).max() <= card.self_test.tolerance


def test_a_dead_process_behind_the_detector_is_replaced(
    stack: Stack | ContainerStack, settings: Settings, control: ModelControl, wait_for: Callable[..., object]
) -> None:
    if not isinstance(stack, Stack):
        pytest.skip("the process is inside a container")
    if read_active_detector_card(settings) is None:
        pytest.skip("the model repository holds no detector")
    killed = stubs(stack, model=settings.detector)
    assert killed
    for pid in killed:
        os.kill(pid, signal.SIGKILL)

    wait_for(lambda: control.probe(settings.detector).healthy, 60, "the watchdog to reload the detector")
    assert control.probe(settings.model).healthy
