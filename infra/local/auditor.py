"""The part `auditor`: puts what broker, object store and Triton say about requests into the audit log of the stack.

The broker and the readers of logs (`part_log`) append to files of their own, which this process follows. SeaweedFS
sends its audit log to a socket, in the JSON form of Fluentd's protocol: `[tag, time, entry, options]`, one after the
other. None waits for this process: the files keep the last megabyte, and the store 8192 entries.
"""

import asyncio
import codecs
import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from uncia.audit import audit_file
from uncia.infra.local.access_log import Access, HourlyRecords, at_broker, at_store, at_store_ports, at_triton
from uncia.infra.local.layout import Layout
from uncia.infra.local.part_log import access_file
from uncia.settings import settings, stack_dir
from uncia.telemetry import Logger, configure_logging, mark_ready

__all__ = ["EntryDecoder", "FollowedFile", "audit_socket", "main"]

_INTERVAL_S = 1.0
_READ_BYTES = 65_536
_MAX_ENTRY_CHARACTERS = 1_048_576


def audit_socket(layout: Layout) -> Path:
    """The socket of the stack for the store's entries, in a folder that its user alone can enter."""
    return layout.runtime_dir / "audit.sock"


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


class EntryDecoder:
    """Decodes the entries that arrive on one connection, whose messages nothing separates."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._json = json.JSONDecoder()
        self._text = ""

    def decode(self, data: bytes) -> Iterator[dict[str, Any]]:
        """The entries that are complete with these bytes. Raises `ValueError` for another protocol."""
        self._text += self._utf8.decode(data)
        while self._text:
            try:
                message, end = self._json.raw_decode(self._text)
            except ValueError:
                if len(self._text) > _MAX_ENTRY_CHARACTERS:
                    raise
                return
            self._text = self._text[end:]
            if not (isinstance(message, list) and len(message) > 2 and isinstance(message[2], dict)):
                raise ValueError("not an entry of an audit log")
            yield message[2]


class _Auditor:
    """Follows the files and serves the store's connections, all in one event loop."""

    def __init__(self, folder: Path, log: Logger) -> None:
        self._records = HourlyRecords(audit_file(folder))
        self._followed = (
            (FollowedFile(access_file(folder / "logs", "kafka")), at_broker),
            (FollowedFile(access_file(folder / "logs", "triton")), at_triton),
            (FollowedFile(access_file(folder / "logs", "seaweedfs")), at_store_ports),
        )
        self._log = log

    async def run(self, socket: Path) -> None:
        """Run until SIGTERM or SIGINT."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        # First: what was read before a restart is known until a later hour begins.
        self._follow_files()
        # This replaces the socket of a process that was killed.
        server = await asyncio.start_unix_server(self._receive, socket)
        mark_ready()
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _INTERVAL_S)
            self._follow_files()
        server.close()
        for file, _ in self._followed:
            file.close()

    def _follow_files(self) -> None:
        for file, parse in self._followed:
            for line in file.lines():
                self._record(parse(line))

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = EntryDecoder()
        try:
            while data := await reader.read(_READ_BYTES):
                for entry in decoder.decode(data):
                    self._record(at_store(entry))
        except (OSError, ValueError, KeyError, TypeError) as error:
            # The store connects again with its next entry.
            self._log.warning("connection_closed", error=f"{type(error).__name__}: {error}")
        finally:
            writer.close()

    def _record(self, found: Iterator[Access]) -> None:
        for access in found:
            self._records.record(access)


def main() -> None:
    """Run as `auditor SOCKET` until SIGTERM or SIGINT."""
    log = configure_logging(settings(), "auditor")
    asyncio.run(_Auditor(stack_dir(), log).run(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
