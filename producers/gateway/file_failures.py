"""Handles files that fail: those that cannot be read or stored now, and those that vanished or changed."""

from uncia.producers.gateway import backoff
from uncia.producers.gateway.completion import Completion
from uncia.producers.gateway.folder_scan import FolderScan
from uncia.producers.gateway.incomplete_files import IncompleteFiles
from uncia.producers.gateway.run_context import RunContext
from uncia.producers.gateway.spool_entry import SpoolEntry
from uncia.producers.gateway.watcher import Watcher


class FileFailures:
    """Schedules retries for single files, and drops files that no longer exist as they were found."""

    def __init__(
        self,
        run: RunContext,
        watcher: Watcher,
        scan: FolderScan,
        incomplete: IncompleteFiles,
        completion: Completion,
    ) -> None:
        self._run = run
        self._watcher = watcher
        self._scan = scan
        self._incomplete = incomplete
        self._completion = completion

    def retry_later(self, entry: SpoolEntry, error: Exception) -> None:
        """This file cannot be read or stored: retry it with its own backoff."""
        reason = str(error) or type(error).__name__
        seconds = backoff.ONE_FILE.delay_s(max(entry.attempts, 1), self._run.rng)
        self._run.spool.schedule_retry(entry, error=reason, next_try=self._run.clock() + seconds)
        message = f"{entry.source}: {reason}; next attempt in {seconds:.0f} s"
        self._run.reporter.emit("failed", message, path=str(entry.source), error=reason, seconds=round(seconds, 1))

    def drop(self, entry: SpoolEntry, reason: str, *, vanished: bool) -> None:
        """The file vanished or changed: mark it as gone, and scan the folder again."""
        was_incomplete = entry.id in self._incomplete
        self._incomplete.discard(entry.id)
        self._run.spool.mark_gone(entry, reason)
        self._completion.remove_copy(entry)  # it may be damaged, and must never be taken for the file
        self._watcher.return_again(entry.source)
        self._scan.rescan_soon()
        self._run.summary.vanished += vanished
        event = "vanished" if vanished else "changed"
        # An incomplete file that changes is a transfer in progress: of no interest to people.
        message = f"{entry.source}: {reason}" if vanished or not was_incomplete else ""
        self._run.reporter.emit(event, message, path=str(entry.source), camera=entry.camera, error=reason)
