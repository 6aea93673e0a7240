"""Child processes of the demo: simulator, gateways, and the subscriber that prints verdicts."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from uncia import child_processes

_GRACE_S = 10


def uncia(*arguments: str) -> list[str]:
    """Command line of an Uncia command in this Python environment, independent of PATH."""
    return [sys.executable, "-m", "uncia", *arguments]


class ChildProcess:
    """A child process whose standard error goes to a log.

    Its standard output goes to the log too, to the terminal (`on_terminal`), or line by line to `on_line`, which is
    called on a thread of its own.
    """

    def __init__(
        self,
        arguments: list[str],
        environment: dict[str, str],
        *,
        log: Path,
        on_line: Callable[[str], None] | None = None,
        on_terminal: bool = False,
    ) -> None:
        self._log = log.open("ab")
        self.process = child_processes.start(
            arguments,
            environment,
            stdout=None if on_terminal else subprocess.PIPE if on_line else self._log,
            stderr=self._log,
        )
        self._reader: threading.Thread | None = None
        if on_line is not None:
            self._reader = threading.Thread(target=self._read, args=(on_line,), daemon=True)
            self._reader.start()

    def _read(self, on_line: Callable[[str], None]) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            on_line(line.decode(errors="replace"))

    @property
    def ended(self) -> bool:
        """True once the process has exited."""
        return self.process.poll() is not None

    def end(self, first: signal.Signals = signal.SIGINT) -> int:
        """Send `first`, wait up to 10 seconds, then SIGKILL. Returns the exit status."""
        status = child_processes.terminate(self.process, grace_s=_GRACE_S, first_signal=first)
        if self._reader is not None:
            self._reader.join(_GRACE_S)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._log.close()
        return status


class GatewayProcess:
    """The gateway of one station, restarted whenever it ends before the demo does."""

    def __init__(
        self, arguments: list[str], environment: dict[str, str], log: Path, on_event: Callable[[dict[str, Any]], None]
    ) -> None:
        self._arguments = arguments
        self._environment = environment
        self._log = log
        self._on_event = on_event
        self._child = self._start()

    def _start(self) -> ChildProcess:
        return ChildProcess(self._arguments, self._environment, log=self._log, on_line=self._line)

    def _line(self, line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            return
        self._on_event(event)

    def revive(self) -> None:
        """Restart the gateway if it has exited; its spool holds its progress."""
        if self._child.ended:
            self._child.end()
            self._child = self._start()

    def end(self) -> None:
        """End the gateway and close its log."""
        self._child.end()
