"""Child processes are found by their mark, and ended by a signal, a grace period and SIGKILL."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.waiting import SCALE
from uncia.child_processes import Mark, end_marked, find_marked, start, terminate, terminate_all

SLEEP = "import time; print(flush=True); time.sleep(60)"
IGNORE_SIGTERM = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"
WITH_CHILD = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]).wait()"


class Children:
    """Starts Python programs, and kills those that a test leaves."""

    def __init__(self, log: Path) -> None:
        self._log = log.open("wb")
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, program: str, mark: Mark) -> subprocess.Popen[bytes]:
        """Returns when the program has printed a line, so that it runs and has set its signal handlers."""
        command = [sys.executable, "-c", program]
        process = start(command, mark.environment, stdout=subprocess.PIPE, stderr=self._log)
        self._started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    def close(self) -> None:
        for process in self._started:
            process.kill()
            process.communicate()
        self._log.close()


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    children = Children(tmp_path / "log")
    yield children
    children.close()


@pytest.fixture
def mark() -> Mark:
    return Mark("UNCIA_TEST_MARK", uuid4().hex)


def test_only_marked_processes_are_found_and_ended(children: Children, mark: Mark) -> None:
    marked = children.start(SLEEP, mark)
    other = children.start(SLEEP, Mark(mark.variable, "other"))
    assert [process.pid for process in find_marked(mark)] == [marked.pid]
    assert end_marked(mark, grace_s=10) == 1
    assert marked.wait(SCALE * 10) == -signal.SIGTERM
    assert other.poll() is None


def test_descendants_carry_the_mark(children: Children, mark: Mark) -> None:
    children.start(WITH_CHILD, mark)
    assert len(find_marked(mark)) == 2
    assert end_marked(mark, grace_s=10) == 2
    assert find_marked(mark) == []


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace_period(children: Children, mark: Mark) -> None:
    process = children.start(IGNORE_SIGTERM, mark)
    assert end_marked(mark, grace_s=0.1) == 1
    assert process.wait(SCALE * 10) == -signal.SIGKILL


def test_a_filter_restricts_which_marked_processes_are_ended(children: Children, mark: Mark) -> None:
    first, second = children.start(SLEEP, mark), children.start(SLEEP, mark)
    assert end_marked(mark, grace_s=10, matching=lambda process: process.pid == first.pid) == 1
    assert first.wait(SCALE * 10) == -signal.SIGTERM
    assert second.poll() is None


def test_the_current_process_is_never_found(mark: Mark, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(mark.variable, mark.value)
    assert os.getpid() not in [process.pid for process in find_marked(mark)]


def test_a_process_runs_in_a_session_of_its_own(children: Children, mark: Mark) -> None:
    process = children.start(SLEEP, mark)
    assert os.getsid(process.pid) == process.pid


def test_terminate_sends_the_signal_then_kills_and_returns_the_status(children: Children, mark: Mark) -> None:
    assert terminate(children.start(SLEEP, mark), grace_s=10) == -signal.SIGTERM
    assert terminate(children.start(IGNORE_SIGTERM, mark), grace_s=0.1) == -signal.SIGKILL


def test_several_processes_are_terminated_at_once(children: Children, mark: Mark) -> None:
    processes = [children.start(SLEEP, mark) for _ in range(3)]
    assert terminate_all(processes, grace_s=10) == [-signal.SIGTERM] * 3


def test_a_process_that_has_exited_is_not_signalled(children: Children, mark: Mark) -> None:
    process = children.start("print()", mark)
    process.wait(SCALE * 10)
    assert terminate(process, grace_s=0) == 0
