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

from uncia.infra.local.lifetime import stop_on_exit
from uncia.infra.local.part_health import PartStatus
from uncia.infra.local.stack import Stack

KIND = os.environ.get("UNCIA_TEST_STACK", "embedded")


@pytest.fixture
def small() -> Iterator[Stack]:
    """Kafka alone."""
    if KIND != "embedded":
        pytest.skip("containers have restart policies of their own")
    folder = Path(tempfile.mkdtemp(prefix="uncia crash loop "))
    stack = Stack(folder / "stack")
    try:
        with stop_on_exit(stack):
            stack.up(["kafka"])
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


def test_status_tells_a_crash_loop_though_the_part_runs_and_answers(small: Stack) -> None:
    for _ in range(3):
        pid = small.kill("kafka", signal.SIGKILL)
        until(lambda pid=pid: kafka(small).ready and kafka(small).pid not in (None, pid))  # type: ignore[misc]
    done = subprocess.run(
        [sys.executable, "-m", "uncia", "status", "--json"],
        env={**os.environ, **small.environment()}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    (part,) = [part for part in json.loads(done.stdout)["parts"] if part["name"] == "kafka"]
    assert (part["state"], part["restarts"], part["ready"]) == ("crash-loop", 3, True)
    assert "crash loop: 3 restarts" in part["detail"]
    assert "terminated by SIGKILL" in part["detail"]
