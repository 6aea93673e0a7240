"""Runs a program that prints `begin` and `end`, and measures what happens between."""

import contextlib
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from uncia.errors import DependencyDown

_EXIT_S = 60


@dataclass(frozen=True)
class Measured:
    """One run over a number of photographs."""

    images: int
    seconds: float
    cpu_s: float
    """CPU time of all processes that did the work, without those that made the load."""

    @property
    def images_per_s(self) -> float:
        """Photographs per second of the clock."""
        return self.images / self.seconds

    @property
    def cpu_ms_per_image(self) -> float:
        """CPU time of a photograph."""
        return 1000 * self.cpu_s / self.images


def tree_cpu(pid: int) -> float:
    """CPU seconds of a process and of all below it, with those that ended and were waited for."""
    total = 0.0
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total


def run_between(command: Sequence[str | Path], images: int, log: Path) -> Measured:
    """Run a command to its end, and measure from its line `begin` to its line `end`.

    Raises `DependencyDown` with the end of its output where it fails or prints neither.
    """
    with log.open("wb") as errors, _running(command, errors) as program:
        moments: dict[str, tuple[float, float]] = {}
        assert program.stdout is not None
        for line in program.stdout:
            if (word := line.strip()) in ("begin", "end"):
                moments[word] = (time.perf_counter(), tree_cpu(program.pid))
        status = program.wait(_EXIT_S)
    if status or len(moments) != 2:
        raise DependencyDown(f"{command[1]} ended with status {status}: {log.read_text(errors='replace')[-2000:]}")
    (began, used), (ended, used_in_all) = moments["begin"], moments["end"]
    return Measured(images, ended - began, used_in_all - used)


@contextlib.contextmanager
def background(command: Sequence[str | Path], log: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """A command that runs until the context ends; its process id."""
    with log.open("wb") as output:
        program = subprocess.Popen(
            [str(word) for word in command], env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL
        )
        try:
            yield program.pid
        finally:
            program.terminate()
            try:
                program.wait(_EXIT_S)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()


@contextlib.contextmanager
def _running(command: Sequence[str | Path], errors: IO[bytes]) -> Iterator["subprocess.Popen[str]"]:
    program = subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=errors,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield program
    finally:
        if program.poll() is None:
            for child in psutil.Process(program.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    child.kill()
            program.kill()
            program.wait()
        assert program.stdout is not None
        program.stdout.close()
