"""The part `auditor`: puts what the broker and the object store say about requests into the audit log of the stack.

The broker appends to a file of its own, which this process follows. SeaweedFS sends its audit log to a socket, in the
JSON form of the protocol of Fluentd: `[tag, time, entry, options]`, one after the other. Neither waits for this
process: the broker keeps the last megabyte, and the store the last 8192 entries.
"""

import codecs
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import IO, Any

from uncia.audit import audit_file
from uncia.infra.local.access_log import Access, HourlyRecords, at_broker, at_store
from uncia.infra.local.layout import Layout
from uncia.settings import settings, stack_dir
from uncia.telemetry import Logger, configure_logging, mark_ready

__all__ = ["BROKER_LOG", "SOCKET_VARIABLE", "FollowedFile", "audit_socket", "entries", "main"]

BROKER_LOG = "kafka-access.log"
"""In the folder `logs` of the stack."""

SOCKET_VARIABLE = "UNCIA_AUDITOR_SOCKET"


def audit_socket(layout: Layout) -> Path:
    """The socket of this stack, where others reach nothing."""
    return layout.runtime_dir / "auditor.sock"


_INTERVAL_S = 1.0
_MAX_ENTRY_BYTES = 1_048_576


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


def entries(connection: socket.socket) -> Iterator[dict[str, Any]]:
    """The entries that a program sends until it disconnects. Raises `ValueError` for anything else."""
    decoder, text, json_decoder = codecs.getincrementaldecoder("utf-8")("replace"), "", json.JSONDecoder()
    while data := connection.recv(65_536):
        text += decoder.decode(data)
        while text := text.lstrip():
            try:
                message, end = json_decoder.raw_decode(text)
            except ValueError:
                if len(text) > _MAX_ENTRY_BYTES:
                    raise
                break
            text = text[end:]
            if not (isinstance(message, list) and len(message) > 2 and isinstance(message[2], dict)):
                raise ValueError("not an entry of an audit log")
            yield message[2]


def _serve(path: Path, handle: Callable[[dict[str, Any]], None], log: Logger) -> None:
    """Accept connections at a socket, each in a thread, as long as the process runs."""
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def read(connection: socket.socket) -> None:
        with connection:
            try:
                for entry in entries(connection):
                    handle(entry)
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("connection_closed", error=f"{type(error).__name__}: {error}")

    def accept() -> None:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=read, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    path = os.environ.get(SOCKET_VARIABLE)
    if not path:
        sys.exit(f"auditor: {SOCKET_VARIABLE} is not set; `uncia up` starts this process")
    log = configure_logging(settings(), "auditor")
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    folder, lock = stack_dir(), threading.Lock()
    records, broker = HourlyRecords(audit_file(folder)), FollowedFile(folder / "logs" / BROKER_LOG)

    def record(found: Iterator[Access]) -> None:
        with lock:
            for access in found:
                records.record(access)

    def follow_broker() -> None:
        for line in broker.lines():
            record(at_broker(line))

    # First: what was read before a restart is known, until a later hour begins.
    follow_broker()
    _serve(Path(path), lambda entry: record(at_store(entry)), log)
    mark_ready()
    while not stop.wait(_INTERVAL_S):
        follow_broker()
    follow_broker()
    broker.close()


if __name__ == "__main__":
    main()
