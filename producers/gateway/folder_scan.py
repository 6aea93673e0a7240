"""Scans the folder at intervals and adds the files that are ready to the spool."""

import json
import time

from uncia.errors import SettingsError
from uncia.producers.gateway.file_kinds import RECORDING, VIDEO, label
from uncia.producers.gateway.object_names import camera_of
from uncia.producers.gateway.run_context import RunContext
from uncia.producers.gateway.spool_database import SpoolFull
from uncia.producers.gateway.watcher import FoundFile, Watcher

_UNREADABLE_FACTOR = 10
"""A folder that cannot be read is scanned this many times less often."""

_NAMES_SHOWN = 10
"""So many skipped files of a kind are named to people; JSON has `watcher.MAX_NAMED` of them."""

_OPTIONS = {VIDEO: "--videos", RECORDING: "--recordings"}
"""The option that uploads what is skipped without it, by kind."""

_SCAN_SHARE = 5
"""The interval is at least this many times the duration of a scan: a card of 100,000 files must not keep a small board
busy with scanning."""


class FolderScan:
    """Decides when the folder is scanned, and reports what is skipped."""

    def __init__(self, run: RunContext, watcher: Watcher) -> None:
        self._run = run
        self._watcher = watcher
        self._reported: set[str] = set()
        self._saved_skipped = ""
        self._next_scan = 0.0
        self._complete = False
        self._ever_complete = False

    @property
    def is_complete(self) -> bool:
        """True where the last scan added all files of the folder to the spool."""
        return self._complete and not self._watcher.unsettled

    @property
    def unsettled(self) -> int:
        """The number of files that still change, or changed too recently."""
        return self._watcher.unsettled

    def scan_if_due(self) -> None:
        """Scan if the interval has passed. Raises `SpoolFull`; what was found then is found again by a later scan."""
        if self._run.clock() >= self._next_scan:
            self._scan()

    def rescan_soon(self) -> None:
        """Scan at the next opportunity: a file of the spool is not as it was when it was found."""
        self._complete = False
        self._next_scan = 0

    def report_skipped(self) -> None:
        """Name the files that the last scan skipped, one event for each kind, the most frequent first."""
        skipped, options = self._watcher.skipped, self._run.options
        for kind, count in sorted(skipped.kinds.items(), key=lambda item: (-item[1], item[0])):
            paths = [str(path.relative_to(options.folder)) for path in skipped.paths[kind]]
            names = ", ".join(paths[:_NAMES_SHOWN])
            if count > _NAMES_SHOWN:
                names += f" and {count - _NAMES_SHOWN:,} more"
            hint = f"; upload them with {_OPTIONS[kind]}" if kind in _OPTIONS else ""
            message = f"left {options.location}: {count:,} {label(kind, count)}{hint}: {names}"
            self._run.reporter.emit("skipped", message, kind=kind, count=count, paths=paths)

    def _scan(self) -> None:
        options, clock = self._run.options, self._run.clock
        began = time.monotonic()
        try:
            ready = self._watcher.scan(began)
        except OSError as error:
            interval = options.poll_s * _UNREADABLE_FACTOR
            message = f"cannot read {options.folder} ({error.strerror}); retrying until it is readable"
            self._run.reporter.emit("waiting", message, error=message, seconds=interval)
            self._next_scan = clock() + interval
            self._complete = self._ever_complete  # a card that was read and pulled out is not waited for
            return
        self._add(self._by_camera(ready))
        self._save_skipped()
        self._complete = self._ever_complete = True
        self._next_scan = clock() + max(options.poll_s, _SCAN_SHARE * (time.monotonic() - began))

    def _by_camera(self, files: list[FoundFile]) -> dict[str, list[FoundFile]]:
        options = self._run.options
        cameras: dict[str, list[FoundFile]] = {}
        for file in files:
            try:
                camera = camera_of(file.path, options.folder, options.camera)
            except SettingsError as error:
                self._ignore(file, str(error))
                continue
            cameras.setdefault(camera, []).append(file)
        return cameras

    def _add(self, cameras: dict[str, list[FoundFile]]) -> None:
        try:
            for camera, files in cameras.items():
                self._run.spool.add_found(self._run.options.station, camera, files)
        except SpoolFull:
            for file in (file for files in cameras.values() for file in files):
                self._watcher.return_again(file.path)
            raise

    def _ignore(self, file: FoundFile, error: str) -> None:
        self._run.summary.ignored += 1
        self._report_once(error, "ignored", f"{file.path} is skipped: {error}", str(file.path), error)

    def _save_skipped(self) -> None:
        skipped, summary = self._watcher.skipped, self._run.summary
        summary.left, summary.unreadable = dict(skipped.kinds), len(skipped.unreadable)
        for path, reason in skipped.unreadable.items():
            self._report_once(str(path), "unreadable", f"cannot read {path}: {reason}", str(path), reason)
        saved = json.dumps({"kinds": skipped.kinds, "unreadable": len(skipped.unreadable)}, sort_keys=True)
        if saved != self._saved_skipped:
            self._run.spool.save_skipped(saved)
            self._saved_skipped = saved

    def _report_once(self, subject: str, event: str, message: str, path: str, error: str) -> None:
        if subject not in self._reported:
            self._reported.add(subject)
            self._run.reporter.emit(event, message, path=path, error=error)
