"""What follows once the store has a file: a line about it, its copy dropped, the card's file removed on demand."""

import threading
from collections import deque
from datetime import UTC, datetime
from typing import Protocol

from uncia.producers.gateway import content
from uncia.producers.gateway.report import Report
from uncia.producers.gateway.run import Options, Summary
from uncia.producers.gateway.spool import Entry, Spool, State
from uncia.producers.gateway.upload_pool import Outcome
from uncia.producers.gateway.uploader import Receipt, StoreDisagrees, Upload


class Destination(Protocol):
    """Where photographs go."""

    @property
    def bucket(self) -> str:
        """The bucket's name."""

    def send(self, upload: Upload) -> Receipt:
        """Send the bytes and have them confirmed."""

    def look_up(self, upload: Upload) -> Receipt | None:
        """The receipt of bytes that are stored already, else None."""


class Endings:
    """Keeps track of what is still to be told and removed."""

    def __init__(
        self,
        options: Options,
        spool: Spool,
        destination: Destination,
        report: Report,
        stop: threading.Event,
        summary: Summary,
    ) -> None:
        self._options = options
        self._spool = spool
        self._destination = destination
        self._report = report
        self._stop = stop
        self._summary = summary
        self._told: list[Entry] = []
        self._to_remove: deque[Entry] = deque()

    @property
    def pending(self) -> bool:
        """Something is still to be noted or removed."""
        return bool(self._told or self._to_remove)

    def catch_up(self) -> None:
        """What an earlier run was cut off before it could tell, remove or tidy."""
        for entry in self._spool.unreported():
            self._tell(entry, None)
        if self._options.remove:
            self._to_remove.extend(self._spool.removable())
        for copy in self._spool.folder.iterdir():
            if copy.name.endswith(".part") or not self._spool.is_unfinished(copy.name):
                copy.unlink(missing_ok=True)

    def take(self, entry: Entry, receipt: Receipt | None) -> None:
        """This file is confirmed or a duplicate now."""
        if entry.state is State.DUPLICATE:
            self._summary.duplicates += 1
        else:
            self._summary.uploaded += 1
            self._summary.partial += entry.partial is not None
            self._summary.bytes += entry.size
        self._tell(entry, receipt)
        self.drop_copy(entry)
        if self._options.remove and entry.partial is None:
            self._to_remove.append(entry)

    def note(self) -> None:
        """Write down what was told: it is told again after a crash before this, and not after."""
        if self._told:
            self._spool.reported(self._told)
            self._told.clear()

    def drop_copy(self, entry: Entry) -> None:
        """Remove the copy in the spool, if there is one."""
        if entry.copy:
            (self._spool.folder / entry.copy).unlink(missing_ok=True)

    def next_removal(self) -> Entry | None:
        """A stored file that may go from the card once both sides were read again."""
        while self._to_remove:
            entry = self._to_remove.popleft()
            if entry.source.is_relative_to(self._options.folder):
                return entry
        return None

    def check_both_sides(self, entry: Entry, upload: Upload) -> Outcome:
        """Read the card's bytes again and ask the store again; the receipt says that both are as they were."""
        try:
            told = content.read(entry.source, entry.size, entry.mtime_ns, copy=None, stop=self._stop)
            if told.sha256 != entry.sha256:
                raise content.SourceUnreadable("its bytes on the card are not those that were uploaded")
            receipt = self._destination.look_up(upload)
            if receipt is None:
                raise StoreDisagrees("the store does not show it")
            return Outcome(entry, receipt, None, removing=True)
        except Exception as error:  # then the file stays where it is
            return Outcome(entry, None, error, removing=True)

    def remove(self, outcome: Outcome) -> None:
        """Take the file from the card, or say why not."""
        entry, error = outcome.entry, outcome.error
        if error is None:
            try:
                now = entry.source.stat()
                if (now.st_size, now.st_mtime_ns) == (entry.size, entry.mtime_ns):
                    entry.source.unlink()
                    self._spool.removed(entry, datetime.now(UTC).isoformat(timespec="seconds"))
                    self._summary.removed += 1
                return
            except OSError as problem:
                error = problem
        if not isinstance(error, content.SourceMissing | content.SourceChanged | content.Stopped):
            why = str(error)
            self._report.tell("kept", f"{entry.source} stays: {why}", path=str(entry.source), error=why)

    def _tell(self, entry: Entry, receipt: Receipt | None) -> None:
        stored = self._spool.stored(entry)
        fields = {
            "path": str(entry.source),
            "station": entry.station,
            "camera": entry.camera,
            "bucket": self._destination.bucket,
            "key": stored.key,
            "etag": stored.etag,
            "size": entry.size,
            "sha256": entry.sha256,
            "confirmed_at": stored.confirmed_at,
        }
        if entry.state is State.DUPLICATE:
            text = f"{entry.source} repeats {stored.source.name}, which is stored"
            self._report.tell("duplicate", text, **fields, duplicate_of=str(stored.source))
        else:
            began = receipt.began_at if receipt else stored.confirmed_at
            text = f"{entry.source} -> {stored.key}" + (
                f" (no whole photograph: {entry.partial})" if entry.partial else ""
            )
            more: dict[str, str | None] = {"partial": entry.partial} if entry.partial else {}
            more |= {"replaces": self._spool.entry(entry.replaces).etag} if entry.replaces else {}
            self._report.tell("uploaded", text, **fields, **more, started_at=began)
        self._told.append(entry)
