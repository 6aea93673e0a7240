"""Starts child processes with a mark in their environment, finds them by this mark, and ends them in order.

A stored pid does not identify a process: after a crash or a reboot, another program can have it. The mark is an
environment variable with a random value, which all descendants inherit, including Triton's stubs. Only marked processes
are ever signalled, including those that a killed command left.

Every process has its own session: Ctrl-C in the terminal reaches only the parent, which then ends its children in
order: a signal, a grace period, SIGKILL.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

import psutil

__all__ = ["Mark", "MarkedProcess", "end_marked", "find_marked", "start", "terminate", "terminate_all"]

_KILL_WAIT_S = 5
"""Seconds for which `end_marked` waits for the kernel to remove processes after SIGKILL."""

_POLL_INTERVAL_S = 0.05


@dataclass(frozen=True)
class Mark:
    """The environment variable that identifies a group of processes, and its random value."""

    variable: str
    value: str

    @property
    def environment(self) -> dict[str, str]:
        """The variable as a mapping, for `start`."""
        return {self.variable: self.value}


@dataclass(frozen=True)
class MarkedProcess:
    """A running process that carries a mark."""

    pid: int
    environment: Mapping[str, str]


def start(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    stderr: IO[bytes],
    stdout: IO[bytes] | int | None,
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, without standard input.

    `environment` is added to that of this process and overrides it. `stdout` is an open file, `subprocess.PIPE`, or
    None for the parent's.
    """
    return subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )


def terminate(
    process: subprocess.Popen[bytes], *, grace_s: float, first_signal: signal.Signals = signal.SIGTERM
) -> int:
    """Send `first_signal`, wait up to `grace_s` seconds, then send SIGKILL. Returns the exit status."""
    return terminate_all([process], grace_s=grace_s, first_signal=first_signal)[0]


def terminate_all(
    processes: Iterable[subprocess.Popen[bytes]], *, grace_s: float, first_signal: signal.Signals = signal.SIGTERM
) -> list[int]:
    """Terminate several processes: signal all of them, then wait for each."""
    running = list(processes)
    for process in running:
        if process.poll() is None:
            process.send_signal(first_signal)
    return [_wait_or_kill(process, grace_s) for process in running]


def _wait_or_kill(process: subprocess.Popen[bytes], grace_s: float) -> int:
    try:
        return process.wait(grace_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def find_marked(mark: Mark) -> list[MarkedProcess]:
    """Return all running processes with the mark, except this one."""
    return [MarkedProcess(process.pid, environment) for process, environment in _marked(mark)]


def _marked(mark: Mark) -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    for pid in psutil.pids():
        if pid == os.getpid():
            continue
        # A process of another user, or one that has ended since it was listed.
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            environment = process.environ()
            if environment.get(mark.variable) == mark.value:
                yield process, environment


def end_marked(mark: Mark, *, grace_s: float, matching: Callable[[MarkedProcess], bool] = lambda _: True) -> int:
    """End the marked processes for which `matching` is true: SIGTERM, `grace_s` seconds, SIGKILL.

    Returns how many there were. Processes that they start while they end are ended too.
    """
    count = _signal_and_wait(mark, matching, signal.SIGTERM, grace_s)
    _signal_and_wait(mark, matching, signal.SIGKILL, _KILL_WAIT_S)
    return count


def _signal_and_wait(
    mark: Mark, matching: Callable[[MarkedProcess], bool], number: signal.Signals, wait_s: float
) -> int:
    def living() -> list[psutil.Process]:
        found = _marked(mark)
        return [process for process, environment in found if matching(MarkedProcess(process.pid, environment))]

    signalled = living()
    for process in signalled:
        # psutil compares the start time first: a process that has inherited the pid since is left alone.
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
    deadline = time.monotonic() + wait_s
    while signalled and living() and time.monotonic() < deadline:
        time.sleep(_POLL_INTERVAL_S)
    return len(signalled)
