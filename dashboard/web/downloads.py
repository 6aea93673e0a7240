"""Exports that browsers download: a thread writes the files, and they are sent while they grow."""

import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog
from sqlalchemy import Engine

from uncia.dashboard.catalogue.filters import BurstFilter
from uncia.dashboard.exports.formats import SINGLE_FILES, ExportFormat, ExportOptions, write_export
from uncia.dashboard.web.accounts.roles import Caller
from uncia.dashboard.web.strings import TEXT, text
from uncia.errors import DependencyDown, UnciaError
from uncia.storage.atomic_dir import remove_stale_staging, staging_directory

__all__ = ["Download", "DownloadRefused", "Downloads"]

log = structlog.get_logger(__name__)

_AT_ONCE = 3
"""Exports of all accounts together: each reads the database on a core, and needs its size of disk until it was sent."""
_BYTES = 64 * 1024
_WAIT_S = 0.1
_PREFIX = ".writing-download-"

_FIRST_SENT = {
    ExportFormat.CAMTRAP_DP: "observations.csv",
    ExportFormat.TIMELAPSE: "recognition.json",
    ExportFormat.CSV: "photographs.csv",
    ExportFormat.PARQUET: "photographs.parquet",
    **SINGLE_FILES,
}
"""A large file of each format, which is sent while it grows; the others follow when all are complete."""


class DownloadRefused(UnciaError):
    """As many exports run as may at once, or the account has one already."""


class Downloads:
    """The exports that run in this process. Thread-safe."""

    def __init__(self, engine: Engine, folder: Path, at_once: int = _AT_ONCE) -> None:
        self._engine, self._folder, self._at_once = engine, folder, at_once
        self._lock = threading.Lock()
        self._accounts: list[int] = []

    def start(self, caller: Caller, kind: ExportFormat, chosen: BurstFilter, options: ExportOptions) -> "Download":
        """Begin an export of what the caller may see, and wait for its first bytes. Close it when it was sent.

        Raises `DownloadRefused`, and what the export raises before it has written anything.
        """
        with self._lock:
            if len(self._accounts) >= self._at_once or caller.account_id in self._accounts:
                raise DownloadRefused(TEXT["refused.exports"])
            self._accounts.append(caller.account_id)
        download = Download(self._engine, self._folder, caller, kind, chosen, options, self._ended)
        try:
            download.wait_for_first_bytes()
        except BaseException:
            download.close()
            raise
        return download

    def _ended(self, caller: Caller) -> None:
        with self._lock:
            self._accounts.remove(caller.account_id)


class _Cancelled(Exception):
    """The browser is gone, and the rest is not needed."""


class Download:
    """One export: its thread writes into a temporary folder, which lasts until `close`."""

    def __init__(
        self,
        engine: Engine,
        parent: Path,
        caller: Caller,
        kind: ExportFormat,
        chosen: BurstFilter,
        options: ExportOptions,
        ended: Callable[[Caller], None],
    ) -> None:
        self._engine, self._parent, self._caller, self._ended = engine, parent, caller, ended
        self._kind, self._chosen, self._options = kind, chosen, options
        self._written, self._closed = threading.Event(), threading.Event()
        self._counted = threading.Lock()
        self._folder: Path | None = None
        self._error: Exception | None = None
        threading.Thread(target=self._run, name="export", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def is_archive(self) -> bool:
        """Whether it is a ZIP archive; otherwise it is one JSON file."""
        return self._kind not in SINGLE_FILES

    def close(self) -> None:
        """Stop writing, if it is not complete, and remove the files. Does not wait for either."""
        self._closed.set()
        if self._written.is_set():
            # It was sent whole: the account may begin the next one at once.
            self._end()

    def wait_for_first_bytes(self) -> None:
        """Wait until something was written. Raises what made the export fail."""
        while not self._written.wait(_WAIT_S):
            path = self._first
            if path is not None and path.is_file() and path.stat().st_size:
                return
        self._raise_error()

    def content(self) -> Iterator[bytes]:
        """The file, or a ZIP archive of all files, as they are written.

        Raises what made the export fail: the browser must not take an incomplete file for a complete one.
        """
        first = self._first
        assert first is not None
        if not self.is_archive:
            yield from self._growing(first)
            return
        out = _Outlet()
        # Small integers of the same columns, again and again: the lowest level halves them for a third of the time.
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            yield from self._member(archive, out, first)
            for path in sorted(path for path in first.parent.iterdir() if path != first):
                yield from self._member(archive, out, path)
        yield out.take()

    def _member(self, archive: zipfile.ZipFile, out: "_Outlet", path: Path) -> Iterator[bytes]:
        # The size is not known in advance, and may exceed 4 GiB.
        with archive.open(path.name, "w", force_zip64=True) as member:
            for block in self._growing(path):
                member.write(block)
                if taken := out.take():
                    yield taken

    def _growing(self, path: Path) -> Iterator[bytes]:
        try:
            opened = path.open("rb")
        except FileNotFoundError:
            # An export that failed removes its files.
            self._written.wait()
            self._raise_error()
            raise
        with opened as file:
            while True:
                complete = self._written.is_set()
                if block := file.read(_BYTES):
                    yield block
                elif complete:
                    self._raise_error()
                    return
                else:
                    time.sleep(_WAIT_S)

    @property
    def _first(self) -> Path | None:
        return self._folder / _FIRST_SENT[self._kind] if self._folder is not None else None

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        began = time.monotonic()
        try:
            self._parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            remove_stale_staging(self._parent, _PREFIX)
            with staging_directory(self._parent, _PREFIX) as folder:
                self._folder = folder
                summary = write_export(
                    self._engine,
                    self._kind,
                    folder,
                    self._chosen,
                    self._options,
                    stations=self._caller.stations,
                    progress=self._step,
                )
                self._written.set()
                log.info(
                    "export_written",
                    account=self._caller.name,
                    format=self._kind.value,
                    bursts=summary.bursts,
                    exact_positions=self._options.exact_positions,
                    seconds=round(time.monotonic() - began, 1),
                )
                self._closed.wait()
        except _Cancelled as error:
            log.info("export_cancelled", account=self._caller.name, format=self._kind.value)
            self._error = error
        except OSError as error:
            self._error = DependencyDown(text("refused.export_failed", reason=error.strerror or error))
        except Exception as error:
            self._error = error
        finally:
            if self._error is not None and not isinstance(self._error, _Cancelled):
                log.warning("export_failed", account=self._caller.name, error=str(self._error))
            self._written.set()
            self._end()

    def _end(self) -> None:
        """Count it no more; the first call alone does so."""
        if self._counted.acquire(blocking=False):
            self._ended(self._caller)

    def _step(self, _bursts: int) -> None:
        if self._closed.is_set():
            raise _Cancelled


class _Outlet:
    """Buffers what `zipfile` writes until it is sent."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Take bytes."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Does nothing: all that was written can be taken."""

    def close(self) -> None:
        """Does nothing."""

    def take(self) -> bytes:
        """What was written since."""
        taken, self._parts = b"".join(self._parts), []
        return taken
