"""The processes of a replay: the same workers as live has, in another namespace."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from uncia.errors import SettingsError, UnciaError

MARK = "UNCIA_REPLAY_MARK"
"""In the environment of every process of a replay: a recorded pid may be somebody else's by now, this cannot."""

NAMES = ("predict-backfill", "bursts")

GAVE_UP = 78
"""A worker's status when most of what it reads is bad."""

MOST_DEATHS = 5
"""In a row: one that dies so often without getting on will not get on."""

_REFUSED = 2
"""A worker's status when its settings are wrong (`SettingsError`)."""

_LEAST_FREE_BYTES = 1_048_576
_TAIL_BYTES = 16_384
_END_S = 15
_AGAIN_S = 2.0


class Workers:
    """Runs the workers; starts one again that died. Use as a context: they are ended at its end."""

    def __init__(self, folder: Path, variables: Mapping[str, str], mark: str, names: Sequence[str] = NAMES) -> None:
        self._folder = folder
        self._names = names
        self._environment = {
            **os.environ,
            **variables,
            MARK: mark,
            "UNCIA_DATA_DIR": str(folder / "workers"),
            "UNCIA_WEB_PORT": "0",
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._ended_at: dict[str, float] = {}
        self._done: dict[str, int] = {}
        self._deaths: dict[str, int] = dict.fromkeys(names, 0)
        self.restarts = 0

    def __enter__(self) -> "Workers":
        for name in self._names:
            self._start(name)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running.values():
            if process.poll() is None:
                process.terminate()
        for process in self._running.values():
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def log(self, name: str) -> Path:
        """What a worker says."""
        return self._folder / f"{name}.log"

    def ready(self, name: str) -> Path:
        """There as soon as a worker has its partitions."""
        return self._folder / f"{name}.ready"

    def _start(self, name: str) -> None:
        command = [sys.executable, "-m", "uncia", "worker", name]
        if nice := shutil.which("nice"):
            command = [nice, "-n", "10", *command]
        with self.log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                command,
                env={**self._environment, "UNCIA_READY_FILE": str(self.ready(name))},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A Ctrl-C reaches us alone; they are then ended in order.
                start_new_session=True,
            )

    def note_done(self, done: Mapping[str, int]) -> None:
        """How much each worker has done by now: one that gets on may die as often as it likes."""
        for name, count in done.items():
            if count > self._done.get(name, 0):
                self._done[name], self._deaths[name] = count, 0

    def forgive(self) -> None:
        """Whatever died until now died of something else, such as a broker that does not answer."""
        self._deaths = dict.fromkeys(self._names, 0)

    def look_after(self) -> None:
        """Start again what died.

        Raises `SettingsError` for a worker that refuses its settings, and `UnciaError` for one that gave up, or that
        died `MOST_DEATHS` times without getting on in between.
        """
        now = time.monotonic()
        for name, process in list(self._running.items()):
            status = process.poll()
            if status is None:
                continue
            if status == _REFUSED:
                raise SettingsError(f"the worker {name} does not start: {self._last_words(name)}")
            if status == GAVE_UP:
                raise UnciaError(
                    f"the worker {name} gave up: {self._last_words(name)}; all of it is in {self.log(name)}"
                )
            if name not in self._ended_at:
                self._deaths[name] += 1
            if self._deaths[name] >= MOST_DEATHS:
                raise UnciaError(
                    f"the worker {name} ended {MOST_DEATHS} times in a row, at last with status {status}: "
                    f"{self._last_words(name)}; all of it is in {self.log(name)}"
                )
            if now - self._ended_at.setdefault(name, now) >= _AGAIN_S:
                del self._ended_at[name]
                self.restarts += 1
                self._start(name)

    def _last_words(self, name: str) -> str:
        """The last line of a worker's log that says anything; or that the disk is full, which leaves none."""
        if shutil.disk_usage(self._folder).free < _LEAST_FREE_BYTES:
            return f"the disk of {self._folder} is full"
        with self.log(name).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1].removeprefix("uncia: ")[:500] if lines else "it said nothing"


def left_behind(mark: str) -> list[int]:
    """Pids of this replay's living processes, whoever started them."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if int(entry.name) != os.getpid() and wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def end_left_behind(mark: str) -> int:
    """End what a killed replay left behind: ask, then insist. Returns how many there were."""
    found = left_behind(mark)
    for number, patience_s in ((signal.SIGTERM, _END_S), (signal.SIGKILL, 5)):
        for pid in left_behind(mark):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + patience_s
        while left_behind(mark) and time.monotonic() < deadline:
            time.sleep(0.05)
    return len(found)
