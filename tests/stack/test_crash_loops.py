"""The real supervisord: a part that exits after every start is reported as a crash loop. Uses its own stack."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.waiting import SCALE
from uncia.infra.local.lifetime import stop_on_exit
from uncia.infra.local.part_health import PartStatus
from uncia.infra.local.stack import Stack

KIND = os.environ.get("UNCIA_TEST_STACK", "embedded")


@pytest.fixture
def kafka_stack() -> Iterator[Stack]:
    """A stack with Kafka only."""
    if KIND != "embedded":
        pytest.skip("containers have restart policies of their own")
    folder = Path(tempfile.mkdtemp(prefix="uncia crash loop "))
    stack = Stack(folder / "stack")
    try:
        with stop_on_exit(stack):
            stack.up(["kafka"], timeout_s=SCALE * 120)
            yield stack
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def until(condition: Callable[[], bool], limit_s: float = 90) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.2)


def kafka(stack: Stack) -> PartStatus:
    return next(part for part in stack.status() if part.name == "kafka")


@pytest.mark.thorough
def test_status_reports_a_crash_loop_although_the_part_is_running_and_ready(kafka_stack: Stack) -> None:
    for _ in range(3):
        pid = kafka_stack.kill("kafka", signal.SIGKILL)
        until(lambda pid=pid: kafka(kafka_stack).ready and kafka(kafka_stack).pid not in (None, pid))  # type: ignore[misc]
    done = subprocess.run(
        [sys.executable, "-m", "uncia", "status", "--json"],
        env={**os.environ, **kafka_stack.environment()},
        capture_output=True,
        text=True,
        timeout=SCALE * 120,
        check=False,
    )
    assert done.returncode == 1
    (part,) = [part for part in json.loads(done.stdout)["parts"] if part["name"] == "kafka"]
    assert (part["state"], part["restarts"], part["ready"]) == ("crash-loop", 3, True)
    assert "crash loop: 3 restarts" in part["detail"]
    assert "terminated by SIGKILL" in part["detail"]
