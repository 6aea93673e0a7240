"""The demo's child processes: simulator, gateways, the watching subscriber."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

_END_S = 10


def uncia(*arguments: str) -> list[str]:
    """Command line of an Uncia command in this environment, whatever PATH says."""
    return [sys.executable, "-m", "uncia", *arguments]


class Child:
    """A process of its own group, so that a Ctrl-C reaches us first and we end it in order."""

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
        self.process = subprocess.Popen(
            arguments,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=None if on_terminal else subprocess.PIPE if on_line else self._log,
            stderr=self._log,
            start_new_session=True,
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
        """True once the process is gone."""
        return self.process.poll() is not None

    def end(self, first: signal.Signals = signal.SIGINT) -> int:
        """Ask, then insist; the exit status."""
        if not self.ended:
            self.process.send_signal(first)
        try:
            status = self.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        if self._reader is not None:
            self._reader.join(_END_S)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._log.close()
        return status


class Gateway:
    """One station's gateway, started again whenever it ends before its work does."""

    def __init__(
        self, arguments: list[str], environment: dict[str, str], log: Path, on_event: Callable[[dict[str, Any]], None]
    ) -> None:
        self._arguments = arguments
        self._environment = environment
        self._log = log
        self._on_event = on_event
        self._child = self._start()

    def _start(self) -> Child:
        return Child(self._arguments, self._environment, log=self._log, on_line=self._line)

    def _line(self, line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            return
        self._on_event(event)

    def revive(self) -> None:
        """Start it again if it died; its spool knows where it was."""
        if self._child.ended:
            self._child.end()
            self._child = self._start()

    def end(self) -> None:
        """End it in order."""
        self._child.end()
