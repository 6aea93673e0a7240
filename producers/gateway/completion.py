"""What follows once the store has a file: an event about it, its copy removed, the file on the card removed."""

from collections import deque
from datetime import UTC, datetime
from typing import Protocol

from uncia.producers.gateway.content import SourceChanged, SourceMissing, SourceUnreadable, Stopped, read_content
from uncia.producers.gateway.run_context import RunContext
from uncia.producers.gateway.spool_entry import NOT_STORED, FileState, SpoolEntry
from uncia.producers.gateway.upload_pool import UploadOutcome
from uncia.producers.gateway.uploader import Receipt, StoreMismatch, Upload

_NOT_WHOLE = (*NOT_STORED, FileState.EXPIRED)
"""States of a file behind a thin link that others may repeat before the store has all of it."""


class Destination(Protocol):
    """Where photographs are uploaded. Called by several threads."""

    @property
    def bucket(self) -> str:
        """The name of the bucket."""

    def send(self, upload: Upload) -> Receipt:
        """Upload the bytes and have them confirmed."""

    def find_stored(self, upload: Upload) -> Receipt | None:
        """The receipt of bytes that are already stored, else None."""


class Completion:
    """Reports stored files, and removes their copies and, on request, the files on the card.

    Reports and removals that a crash interrupted are repeated by `resume`.
    """

    def __init__(self, run: RunContext, destination: Destination) -> None:
        self._run = run
        self._spool = run.spool
        self._destination = destination
        self._reported: list[SpoolEntry] = []
        self._to_remove: deque[SpoolEntry] = deque()

    @property
    def pending(self) -> bool:
        """True where reports are to be stored, or files to be removed."""
        return bool(self._reported or self._to_remove)

    def resume(self) -> None:
        """Report, remove and tidy up what an earlier run could not."""
        for entry in self._spool.unreported():
            self._report(entry, None)
        if self._run.options.remove:
            self._to_remove.extend(self._spool.removable())
        for copy in self._spool.folder.iterdir():
            if copy.name.endswith(".part") or not self._spool.is_copy_needed(copy.name):
                copy.unlink(missing_ok=True)

    def complete(self, entry: SpoolEntry, receipt: Receipt | None) -> None:
        """A file became confirmed, or a duplicate (then without a receipt)."""
        summary = self._run.summary
        if entry.state is FileState.DUPLICATE:
            summary.duplicates += 1
        else:
            summary.uploaded += 1
            summary.partial += entry.partial is not None
            summary.bytes += entry.size
        self._report(entry, receipt)
        self.remove_copy(entry)
        if self._run.options.remove and entry.partial is None:
            self._to_remove.append(entry)

    def save_reported(self) -> None:
        """Store what was reported: a crash before this repeats the reports, one after it does not."""
        if self._reported:
            self._spool.mark_reported(self._reported)
            self._reported.clear()

    def remove_copy(self, entry: SpoolEntry) -> None:
        """Remove the copy in the spool, if there is one."""
        if entry.copy:
            (self._spool.folder / entry.copy).unlink(missing_ok=True)

    def next_removal(self) -> SpoolEntry | None:
        """The next stored file that is to be removed from the card, after both sides were read again."""
        while self._to_remove:
            entry = self._to_remove.popleft()
            if entry.source.is_relative_to(self._run.options.folder):
                return entry
        return None

    def verify_both_sides(self, entry: SpoolEntry, upload: Upload) -> UploadOutcome:
        """Read the file on the card again and have the store confirm it again. A receipt: both have the same bytes."""
        try:
            content = read_content(
                entry.source,
                entry.size,
                entry.mtime_ns,
                copy=None,
                stop=self._run.stop,
                strip_gps=self._run.options.strip_gps,
            )
            if content.sha256 != entry.sha256:
                raise SourceUnreadable("its bytes on the card are not those that were uploaded")
            receipt = self._destination.find_stored(upload)
            if receipt is None:
                raise StoreMismatch("the store does not confirm it")
            return UploadOutcome(entry, receipt, None, is_removal_check=True)
        except Exception as error:  # any error: the file stays on the card
            return UploadOutcome(entry, None, error, is_removal_check=True)

    def remove_source(self, outcome: UploadOutcome) -> None:
        """Remove the file from the card where both sides were verified and it is unchanged; else report why not."""
        entry, error = outcome.entry, outcome.error
        if error is None:
            try:
                now = entry.source.stat()
                if (now.st_size, now.st_mtime_ns) == (entry.size, entry.mtime_ns):
                    entry.source.unlink()
                    self._spool.mark_removed(entry, datetime.now(UTC).isoformat(timespec="seconds"))
                    self._run.summary.removed += 1
                return
            except OSError as problem:
                error = problem
        if not isinstance(error, SourceMissing | SourceChanged | Stopped):
            message = f"{entry.source} stays on the card: {error}"
            self._run.reporter.emit("kept", message, path=str(entry.source), error=str(error))

    def _report(self, entry: SpoolEntry, receipt: Receipt | None) -> None:
        stored = self._spool.stored_entry(entry)
        fields = {
            "path": str(entry.source),
            "station": entry.station,
            "camera": entry.camera,
            "bucket": self._destination.bucket,
            "key": stored.key if stored.state not in _NOT_WHOLE else None,
            "etag": stored.etag,
            "size": entry.size,
            "sha256": entry.sha256,
            "confirmed_at": stored.confirmed_at,
        }
        emit = self._run.reporter.emit
        if entry.state is FileState.DUPLICATE:
            whole = stored.state not in _NOT_WHOLE
            where = "which is stored" if whole else "of which the store has the thumbnail"
            message = f"{entry.source} repeats {stored.source.name}, {where}"
            emit("duplicate", message, **fields, duplicate_of=str(stored.source))
        else:
            message = f"{entry.source} -> {stored.key}" + (f" (incomplete: {entry.partial})" if entry.partial else "")
            optional: dict[str, str | None] = {"partial": entry.partial} if entry.partial else {}
            if entry.replaces:
                optional["replaces"] = self._spool.entry(entry.replaces).etag
            emit(
                "uploaded",
                message,
                **fields,
                **optional,
                started_at=receipt.began_at if receipt else stored.confirmed_at,
            )
        self._reported.append(entry)
