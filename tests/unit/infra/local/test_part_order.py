"""Dependencies of parts, stacks that were never started, and the ownership of processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import SCALE
from uncia.errors import StackError
from uncia.infra.local import processes
from uncia.infra.local.part_order import PART_NAMES, SERVICES, with_dependencies
from uncia.infra.local.stack import Stack


def test_parts_include_their_dependencies() -> None:
    assert with_dependencies(["predict"]) == ("kafka", "seaweedfs", "triton", "predict")


def test_a_part_is_listed_after_its_dependencies() -> None:
    for service in SERVICES:
        assert all(PART_NAMES.index(need) < PART_NAMES.index(service.name) for need in service.needs)


def test_an_unknown_part_is_rejected_with_the_known_names() -> None:
    with pytest.raises(StackError, match="no such part: kafak; available: kafka"):
        with_dependencies(["kafak"])


def test_a_stack_that_was_never_started_is_down(tmp_path: Path) -> None:
    assert {status.state for status in Stack(tmp_path / "none").status()} == {"down"}


def test_a_stack_that_was_never_started_can_be_stopped(tmp_path: Path) -> None:
    Stack(tmp_path / "none").down()
    assert not (tmp_path / "none").exists()


def test_a_stack_has_no_environment_before_its_first_start(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="`uncia up` creates it"):
        Stack(tmp_path / "none").environment()


def test_a_folder_with_other_files_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    before = tmp_path.stat().st_mode
    with pytest.raises(StackError, match="contains other files"):
        Stack(tmp_path).up()
    assert tmp_path.stat().st_mode == before


@pytest.fixture
def stubborn() -> Iterator[subprocess.Popen[bytes]]:
    """A process with a stack's mark that ignores SIGTERM."""
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
    environment = {**os.environ, processes.ID_MARK: "unit-test-mark", processes.PART_MARK: "stubborn"}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def test_a_process_is_identified_by_its_mark(stubborn: subprocess.Popen[bytes]) -> None:
    assert list(processes.of_stack("unit-test-mark")) == [processes.Process(stubborn.pid, "stubborn")]


def test_another_stacks_processes_are_not_touched(stubborn: subprocess.Popen[bytes]) -> None:
    assert processes.end("another-mark", grace_s=0) == 0
    assert stubborn.poll() is None


def test_a_process_that_ignores_sigterm_is_killed(stubborn: subprocess.Popen[bytes]) -> None:
    assert processes.end("unit-test-mark", grace_s=0.05) == 1
    assert stubborn.wait(SCALE * 5) == -9
