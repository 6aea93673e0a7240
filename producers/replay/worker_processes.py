"""The worker processes of a replay or a shadow: the live system's workers, in another namespace."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from uncia import child_processes
from uncia.child_processes import Mark
from uncia.errors import SettingsError, UnciaError

MARK_VARIABLE = "UNCIA_REPLAY_MARK"
"""The environment variable that marks every process of a replay or a shadow (`uncia.child_processes`)."""

_REPLAY_WORKERS = ("predict-backfill", "bursts")

_TOO_MANY_FAILURES = 78
"""Exit status of a worker that received too many invalid messages."""

MAX_EXITS_WITHOUT_PROGRESS = 5
"""Number of consecutive exits without progress after which a worker is not restarted."""

_SETTINGS_REFUSED = 2
"""Exit status of a worker whose settings are wrong (`SettingsError`)."""

_MIN_FREE_BYTES = 1_048_576
_LOG_TAIL_BYTES = 16_384
_GRACE_S = 15
_RESTART_DELAY_S = 2.0


class WorkerProcesses:
    """Runs workers as child processes and restarts those that exit. A context manager: its exit ends them all.

    Not safe for use by several threads.
    """

    def __init__(
        self, folder: Path, variables: Mapping[str, str], mark: Mark, names: Sequence[str] = _REPLAY_WORKERS
    ) -> None:
        self._folder = folder
        self._names = names
        self._environment = {
            **variables,
            **mark.environment,
            "UNCIA_DATA_DIR": str(folder / "workers"),
            "UNCIA_WEB_PORT": "0",
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._exited_at: dict[str, float] = {}
        self._processed: dict[str, int] = {}
        self._exits: dict[str, int] = dict.fromkeys(names, 0)
        self.restarts = 0

    def __enter__(self) -> "WorkerProcesses":
        for name in self._names:
            self._start(name)
        return self

    def __exit__(self, *_: object) -> None:
        child_processes.terminate_all(self._running.values(), grace_s=_GRACE_S)

    def log_path(self, name: str) -> Path:
        """The log of a worker."""
        return self._folder / f"{name}.log"

    def ready_path(self, name: str) -> Path:
        """A file that exists as soon as the worker has been assigned its partitions."""
        return self._folder / f"{name}.ready"

    def _start(self, name: str) -> None:
        command = [sys.executable, "-m", "uncia", "worker", name]
        if nice := shutil.which("nice"):
            command = [nice, "-n", "10", *command]
        environment = {**self._environment, "UNCIA_READY_FILE": str(self.ready_path(name))}
        with self.log_path(name).open("ab") as log:
            self._running[name] = child_processes.start(command, environment, stdout=log, stderr=log)

    def record_progress(self, processed: Mapping[str, int]) -> None:
        """Note how many messages each worker has processed so far. Progress resets its count of exits."""
        for name, count in processed.items():
            if count > self._processed.get(name, 0):
                self._processed[name], self._exits[name] = count, 0

    def reset_exits(self) -> None:
        """Reset the count of exits, because they had an external cause, such as an unavailable broker."""
        self._exits = dict.fromkeys(self._names, 0)

    def restart_exited(self) -> None:
        """Restart each worker that exited at least two seconds ago.

        Raises `SettingsError` for a worker that refuses its settings, and `UnciaError` for one that gave up, or that
        exited `MAX_EXITS_WITHOUT_PROGRESS` times without progress in between.
        """
        now = time.monotonic()
        for name, process in list(self._running.items()):
            status = process.poll()
            if status is None:
                continue
            self._check_exit(name, status)
            if now - self._exited_at.setdefault(name, now) >= _RESTART_DELAY_S:
                del self._exited_at[name]
                self.restarts += 1
                self._start(name)

    def _check_exit(self, name: str, status: int) -> None:
        """Count a new exit. Raises where the worker must not be restarted."""
        if status == _SETTINGS_REFUSED:
            raise SettingsError(f"the worker {name} does not start: {self._last_log_line(name)}")
        if status == _TOO_MANY_FAILURES:
            raise UnciaError(f"the worker {name} gave up: {self._last_log_line(name)}; see {self.log_path(name)}")
        if name not in self._exited_at:
            self._exits[name] += 1
        if self._exits[name] >= MAX_EXITS_WITHOUT_PROGRESS:
            raise UnciaError(
                f"the worker {name} ended {MAX_EXITS_WITHOUT_PROGRESS} times in a row, most recently with status "
                f"{status}: {self._last_log_line(name)}; see {self.log_path(name)}"
            )

    def _last_log_line(self, name: str) -> str:
        """The last line of a worker's log that is not empty. A full disk, which leaves none, is reported instead."""
        if shutil.disk_usage(self._folder).free < _MIN_FREE_BYTES:
            return f"the disk of {self._folder} is full"
        with self.log_path(name).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES))
            lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1].removeprefix("uncia: ")[:500] if lines else "its log is empty"


def running_processes(mark: Mark) -> list[int]:
    """Pids of the running processes of a replay or a shadow, whichever command started them."""
    return [process.pid for process in child_processes.find_marked(mark)]


def end_processes(mark: Mark) -> int:
    """End the processes of a replay or a shadow, also those that a killed command left. Returns their number."""
    return child_processes.end_marked(mark, grace_s=_GRACE_S)
