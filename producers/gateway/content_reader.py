"""Reads the files of the spool and decides under which key each content is uploaded."""

from collections import Counter
from pathlib import Path

from uncia.producers.gateway import content as contents
from uncia.producers.gateway.completeness import Shape
from uncia.producers.gateway.completion import Completion
from uncia.producers.gateway.content import FileContent, prefix_sha256, read_content
from uncia.producers.gateway.file_failures import FileFailures
from uncia.producers.gateway.incomplete_files import OPEN_FOR_WRITING, FileStamp, IncompleteFiles, is_open_for_writing
from uncia.producers.gateway.object_names import object_key, own_digest
from uncia.producers.gateway.replacement import capture_identity, continues, is_edit, is_unchanged
from uncia.producers.gateway.run_context import RunContext
from uncia.producers.gateway.spool_entry import NOT_STORED, FileState, SpoolEntry, StablePrefix
from uncia.producers.gateway.thin.records import ThinRecords
from uncia.producers.gateway.watcher import Watcher

_PARTIAL_CHECK_INTERVAL_S = 3600.0
"""How often the bytes of a stored partial file are read again."""

_MAX_UNCHANGED_CONTENTS = 5
"""Number of changes of a file's change time without a change of its content after which change times are ignored."""


class ContentReader:
    """Moves rows of the spool from `found` to `spooled`. Reads one file a call, so that uploads go on in between."""

    def __init__(
        self,
        run: RunContext,
        watcher: Watcher,
        incomplete: IncompleteFiles,
        completion: Completion,
        failures: FileFailures,
    ) -> None:
        self._run = run
        self._spool = run.spool
        self._watcher = watcher
        self._incomplete = incomplete
        self._completion = completion
        self._failures = failures
        self._unchanged: Counter[Path] = Counter()

    def read_next(self) -> bool:
        """Read the next file. False when no file is due."""
        entry = self._spool.next_to_read(self._run.clock())
        if entry is None:
            return False
        stamp = FileStamp.of(entry.source)
        reason = self._incomplete.reason_if_unchanged(entry.id, stamp)
        if reason == OPEN_FOR_WRITING and not is_open_for_writing(entry.source):
            reason = None  # closed meanwhile
        if stamp is not None and reason is not None and self._wait(entry, stamp, reason):
            return True  # unchanged since it was read as incomplete: no need to read it again
        try:
            content, copy = self._read_with_copy(entry)
        except contents.SourceMissing as error:
            self._failures.drop(entry, str(error), vanished=True)
        except contents.SourceChanged as error:
            self._failures.drop(entry, str(error), vanished=False)
        except contents.SourceUnreadable as error:
            self._failures.retry_later(entry, error)
        else:
            if not self._is_awaited(entry, content):
                self._accept(entry, content, copy)
            elif copy is not None:
                copy.unlink(missing_ok=True)  # of an incomplete file
        return True

    def check_partial(self) -> bool:
        """Read a stored partial file again: some file systems show no change but that of the size.

        False when none is due.
        """
        now = self._run.clock()
        entry = self._spool.next_partial_check(now)
        if entry is None:
            return False
        try:
            content = self._read(entry, None)
            if content.sha256 != entry.sha256:
                self._spool.add_changed_content(entry)
        except (contents.SourceMissing, contents.SourceChanged, contents.SourceUnreadable):
            pass  # a scan finds changes of size and time
        self._spool.schedule_check(entry, now + _PARTIAL_CHECK_INTERVAL_S)
        return True

    def _read_with_copy(self, entry: SpoolEntry) -> tuple[FileContent, Path | None]:
        """The content and its copy; without a copy where none was requested, or the disk has no space for it."""
        copy = self._copy_path(entry) if self._run.options.copy else None
        try:
            return self._read(entry, copy), copy
        except contents.NoRoom:
            message = (
                f"{entry.source.name} is not copied: no space on the disk of {self._spool.path.name}; "
                "do not pull the card out"
            )
            self._run.reporter.emit("kept", message, path=str(entry.source))
            return self._read(entry, None), None

    def _read(self, entry: SpoolEntry, copy: Path | None) -> FileContent:
        stop, strip_gps = self._run.stop, self._run.options.strip_gps
        try:
            return read_content(entry.source, entry.size, entry.mtime_ns, copy=copy, stop=stop, strip_gps=strip_gps)
        except (contents.SourceMissing, contents.SourceUnreadable):
            if copy and copy.exists() and copy.stat().st_size == entry.size:
                # A run ended between the copy and its transaction, and then the card was pulled out.
                return read_content(copy, entry.size, None, copy=None, stop=stop, strip_gps=strip_gps)
            raise

    def _copy_path(self, entry: SpoolEntry) -> Path:
        return self._spool.folder / f"{entry.id}-{entry.size}-{entry.mtime_ns}"

    # Incomplete files.

    def _is_awaited(self, entry: SpoolEntry, content: FileContent) -> bool:
        """True where the rest of the file may still arrive and its grace period is not over.

        A complete JPEG as well, while a program has it open: some add to it, or change its metadata, after its end.
        """
        if not self._run.options.grace.grace_s:
            return False
        if content.completeness.shape is not Shape.PARTIAL and not is_open_for_writing(entry.source):
            return False
        reason = content.completeness.reason or OPEN_FOR_WRITING
        return self._wait(entry, FileStamp(entry.size, entry.mtime_ns, content.ctime_ns), reason)

    def _wait(self, entry: SpoolEntry, stamp: FileStamp, reason: str) -> bool:
        """Schedule the next check of an incomplete file. False when its grace period is over."""
        now, is_known = self._run.clock(), entry.id in self._incomplete
        seconds = self._incomplete.seconds_to_wait(entry.id, stamp, reason, now)
        if seconds is None and is_open_for_writing(entry.source):
            seconds = self._incomplete.seconds_to_wait(entry.id, stamp, reason, now, is_open=True)
        if seconds is None:
            return False
        if not is_known:
            self._run.reporter.emit("incomplete", "", path=str(entry.source), camera=entry.camera, error=reason)
        self._spool.schedule_retry(entry, error=f"waiting for the rest of the file: {reason}", next_try=now + seconds)
        return True

    # The key of a content.

    def _accept(self, entry: SpoolEntry, content: FileContent, copy: Path | None) -> None:
        """Spool a content under a new key, or under the key of an earlier content that it continues."""
        data = copy or entry.source
        stable_size, stable_prefix = content.completeness.stable_size, None
        if stable_size < entry.size:
            sha256 = prefix_sha256(data, stable_size, self._run.options.strip_gps)
            if sha256 is None:
                self._failures.drop(entry, "it changed after it was read", vanished=False)
                return
            stable_prefix = StablePrefix(stable_size, sha256)
        earlier_contents = self._spool.earlier_contents(entry)
        replaces = None
        for earlier in earlier_contents:
            if earlier.state is FileState.UPLOADING:
                next_try = self._run.clock() + 1
                self._spool.schedule_retry(entry, error="waiting for its earlier content", next_try=next_try)
                return
            if is_unchanged(entry, content, earlier):
                self._drop_unchanged(entry, content, earlier, copy)
                return
            if not continues(content, data, earlier, self._run.options.strip_gps) and not self._replaces_by_edit(
                content, earlier
            ):
                continue
            if earlier.state in (*NOT_STORED, FileState.EXPIRED):
                self._pass_on_thumbnail(earlier, entry)
            if earlier.state is FileState.EXPIRED:
                continue
            if earlier.state in NOT_STORED:
                self._spool.mark_gone(earlier, "a later content of the file replaces it")
                self._completion.remove_copy(earlier)
            else:
                replaces = earlier
        self._incomplete.discard(entry.id)
        if content.gps_problem is not None:
            self._run.summary.gps_kept += 1
            message = f"{entry.source} is uploaded with its position, if it has one: {content.gps_problem}"
            self._run.reporter.emit("gps-kept", message, path=str(entry.source), error=content.gps_problem)
        partial = content.completeness.reason if content.completeness.shape is Shape.PARTIAL else None
        self._spool.mark_spooled(
            entry,
            content,
            key=(replaces.key if replaces else None) or self._free_key(entry, content, partial),
            copy=copy.name if copy is not None else None,
            partial=partial,
            stable_prefix=stable_prefix,
            replaces=replaces,
            capture_identity=capture_identity(content.exif),
        )

    def _pass_on_thumbnail(self, earlier: SpoolEntry, entry: SpoolEntry) -> None:
        """Behind a thin link: the thumbnail of the new content takes the place of the earlier one's."""
        if self._run.options.thin is not None:
            ThinRecords(self._spool).pass_on(earlier, entry)

    def _free_key(self, entry: SpoolEntry, content: FileContent, partial: str | None) -> str:
        """The key of the content; one of this file alone where a later content took over the key of the same content
        of another file."""
        key = self._key(entry, content, is_own=partial is not None)
        return self._key(entry, content, is_own=True) if self._spool.is_key_taken(key, content.sha256) else key

    def _key(self, entry: SpoolEntry, content: FileContent, *, is_own: bool) -> str:
        name = entry.source.name
        capture = contents.gateway_capture_time(content.exif, name, entry.mtime_ns)
        digest = own_digest(content.sha256, entry.source) if is_own else content.sha256
        file_name = name if self._run.options.link_sizes or self._run.options.thin is not None else None
        return object_key(entry.station, entry.camera, capture, digest, entry.source.suffix, file_name=file_name)

    def _replaces_by_edit(self, content: FileContent, earlier: SpoolEntry) -> bool:
        """True where the content is an edit of the earlier one, whose bytes no other file needs in the store."""
        return is_edit(content, earlier) and not self._spool.is_repeated(earlier)

    def _drop_unchanged(self, entry: SpoolEntry, content: FileContent, stored: SpoolEntry, copy: Path | None) -> None:
        self._spool.mark_unchanged(entry, stored, content.ctime_ns)
        self._incomplete.discard(entry.id)
        self._unchanged[entry.source] += 1
        if self._unchanged[entry.source] >= _MAX_UNCHANGED_CONTENTS:
            self._watcher.trusts_change_times = False  # some mounts return another one at every scan
        if copy is not None:
            copy.unlink(missing_ok=True)
