"""The model that Triton serves: it answers, it finds what it must, and a dead process behind it is cured."""

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
from uncia.serving.triton_client import Classifier, InferenceResult, ModelControl, ModelHealth, read_active_card
from uncia.settings import Settings


@pytest.fixture
def control(settings: Settings) -> Iterator[ModelControl]:
    with ModelControl(settings) as control:
        yield control


def classify(settings: Settings, batch: int) -> InferenceResult:
    """The self-test's frame, so many times at once."""
    card = read_active_card(settings)

    async def ask() -> InferenceResult:
        classifier = Classifier(settings, card)
        try:
            return await classifier.classify(np.repeat(self_test_pattern(card.frame)[np.newaxis], batch, axis=0))
        finally:
            await classifier.close()

    return asyncio.run(ask())


def stubs(stack: Stack, version: str = "") -> list[int]:
    """The processes that run this stack's python models, all or those of one version."""
    family = {part.pid for part in stack.status() if part.name == "triton" and part.pid}
    assert family, "Triton is not running"
    found = []
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
            if parent in family:
                family.add(int(entry.name))
                if b"triton_python_backend_stub" in command and (f"/{version}/" if version else "").encode() in command:
                    found.append(int(entry.name))
    return sorted(set(found))


def test_the_model_answers_its_self_test(settings: Settings, control: ModelControl) -> None:
    probe = control.probe(settings.model)

    assert probe.healthy, probe.detail


def test_every_frame_of_the_largest_batch_is_answered_alike(settings: Settings) -> None:
    card = read_active_card(settings)
    answer = classify(settings, card.max_batch)

    assert answer.whole.shape == (card.max_batch, len(card.labels.classes))
    assert np.abs(answer.windows - card.self_test.windows.unpack()).max() <= card.self_test.tolerance
    assert answer.version in card.versions


def test_what_the_repository_holds_is_what_triton_serves(stack: Stack | ContainerStack, settings: Settings) -> None:
    command = [sys.executable, "-m", "uncia", "models", "list", "--json"]
    environment = {**os.environ, **stack.environment(), "UNCIA_MODEL_REPOSITORY": str(settings.model_repository)}
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600, env=environment)

    lines = {(line["model"], line["version"]): line["state"] for line in json.loads(answer.stdout)}
    assert lines[settings.model, "1"] == "READY"


def test_a_dead_process_behind_the_model_is_noticed_and_cured(
    stack: Stack | ContainerStack, settings: Settings, control: ModelControl, wait_for: Callable[..., object]
) -> None:
    if not isinstance(stack, Stack):
        pytest.skip("the process is inside a container")
    doomed = stubs(stack)
    assert doomed
    for pid in doomed:
        os.kill(pid, signal.SIGKILL)

    # Triton goes on calling it ready; only a question shows that it is dead.
    live = read_active_card(settings).version
    assert [line.state for line in control.list_served(settings.model) if line.version == live] == ["READY"]
    assert control.probe(settings.model).health is not ModelHealth.HEALTHY
    wait_for(lambda: control.probe(settings.model).healthy, 60, "the watchdog to reload the model")
    assert not set(stubs(stack)) & set(doomed)
