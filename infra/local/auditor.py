"""The part `auditor`: puts what the broker says about requests into the audit log of the stack.

The broker appends to a file of its own, which this process follows. The broker does not wait for it, and keeps the last
megabyte.
"""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import IO

from uncia.audit import audit_file
from uncia.infra.local.access_log import HourlyRecords, at_broker
from uncia.settings import settings, stack_dir
from uncia.telemetry import configure_logging, mark_ready

__all__ = ["BROKER_LOG", "FollowedFile", "main"]

BROKER_LOG = "kafka-access.log"
"""In the folder `logs` of the stack."""

_INTERVAL_S = 1.0


class FollowedFile:
    """The lines that a program appends to a file, which it renames when it is full. Not thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None
        self._rest = ""

    def lines(self) -> Iterator[str]:
        """The complete lines since the last call, without their ends."""
        while True:
            if self._file is None and not self._open():
                return
            assert self._file is not None
            # Before the file is read: what is written after the answer is in the file of this name.
            renamed = not self._is_current()
            *complete, self._rest = (self._rest + self._file.read()).split("\n")
            yield from complete
            if not renamed:
                return
            self._file.close()
            self._file, self._rest = None, ""

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _open(self) -> bool:
        try:
            self._file = self._path.open(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return False
        return True

    def _is_current(self) -> bool:
        assert self._file is not None
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), self._path.stat())
        except FileNotFoundError:
            return True


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    configure_logging(settings(), "auditor")
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    folder = stack_dir()
    records, broker = HourlyRecords(audit_file(folder)), FollowedFile(folder / "logs" / BROKER_LOG)

    def follow_broker() -> None:
        for line in broker.lines():
            for access in at_broker(line):
                records.record(access)

    mark_ready()
    while not stop.wait(_INTERVAL_S):
        follow_broker()
    follow_broker()
    broker.close()


if __name__ == "__main__":
    main()
