"""Uploads the status reports that the mailroom has received."""

import hashlib
import threading
import time
from pathlib import Path

from uncia.backoff import Backoff
from uncia.camtrap.status_documents import status_key
from uncia.errors import DependencyDown, UnciaError
from uncia.producers.gateway.backoff import ACCESS_REFUSED, ONE_FILE, STORE_UNAVAILABLE
from uncia.producers.gateway.completion import Destination
from uncia.producers.gateway.content import SourceChanged, SourceMissing, SourceUnreadable, Stopped
from uncia.producers.gateway.event_reporter import EventReporter
from uncia.producers.gateway.uploader import StoreMismatch, Upload
from uncia.storage.object_store import AccessRefused

__all__ = ["ReportUploads"]

_POLL_S = 0.5


class ReportUploads:
    """Uploads what is in the folder `<station>/<camera>/<report id>.json`, in a thread of its own.

    A report is removed there after the store has confirmed its bytes. A repetition replaces the object by the same one.
    While the store is down all reports wait; while it refuses the reports of a station, only these.
    """

    def __init__(
        self, folder: Path, destination: Destination, reporter: EventReporter, *, poll_s: float = _POLL_S
    ) -> None:
        self._folder = folder
        self._destination = destination
        self._reporter = reporter
        self._poll_s = poll_s
        self._failures: dict[str, int] = {}
        self._due: dict[str, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mailroom-reports", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End after the report that is being uploaded; the next start uploads the others."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def upload_all(self) -> None:
        """Upload every report whose station is not waiting."""
        for path in sorted(self._folder.glob("*/*/sts-*.json")):
            station, camera = path.parent.parent.name, path.parent.name
            if self._stop.is_set():
                return
            if max(self._due.get(station, 0.0), self._due.get("", 0.0)) > time.monotonic():
                continue
            try:
                key = self._upload(path, station, camera)
            except DependencyDown as error:
                self._wait("", STORE_UNAVAILABLE, error)
            except AccessRefused as error:
                self._wait(station, ACCESS_REFUSED, error)
            except (StoreMismatch, SourceChanged, SourceMissing, SourceUnreadable, OSError) as error:
                self._wait(station, ONE_FILE, error)
            else:
                self._failures.pop(station, None)
                self._failures.pop("", None)
                self._reporter.emit(
                    "reported", f"{station}/{camera} reported its status", station=station, camera=camera, key=key
                )

    def _upload(self, path: Path, station: str, camera: str) -> str:
        data, key = path.read_bytes(), status_key(station, camera, path.stem)
        self._destination.send(
            Upload(
                path=path,
                name=path.name,
                station=station,
                camera=camera,
                key=key,
                size=len(data),
                sha256=hashlib.sha256(data).hexdigest(),
                md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
            )
        )
        path.unlink(missing_ok=True)
        return key

    def _wait(self, what: str, backoff: Backoff, error: Exception) -> None:
        count = self._failures[what] = self._failures.get(what, 0) + 1
        delay_s = backoff.delay_s(count)
        self._due[what] = time.monotonic() + delay_s
        message = f"status reports {f'of {what} ' if what else ''}wait: {error}; next attempt in {delay_s:.0f} s"
        self._reporter.emit("waiting", message, station=what or None, error=str(error), seconds=delay_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.upload_all()
            except (Stopped, OSError, UnciaError) as error:
                if not isinstance(error, Stopped):
                    self._wait("", STORE_UNAVAILABLE, error)
            self._stop.wait(self._poll_s)
