"""Uploads what is in the inbox: one gateway per station, each with its own spool."""

import threading
from pathlib import Path
from typing import Any

from uncia.producers.gateway.completion import Destination
from uncia.producers.gateway.engine import Gateway
from uncia.producers.gateway.event_reporter import EventReporter
from uncia.producers.gateway.file_kinds import PHOTOGRAPHS_AND_VIDEOS
from uncia.producers.gateway.incomplete_files import GracePeriod
from uncia.producers.gateway.options import GatewayOptions
from uncia.producers.gateway.spool import Spool
from uncia.producers.gateway.upload_pool import ThreadUploadPool
from uncia.producers.gateway.watcher import Watcher
from uncia.producers.mailroom.folders import MailroomFolders
from uncia.sealed_positions import PositionPublicKey
from uncia.settings import StripGps

__all__ = ["MailroomReporter", "StationUploads"]


class MailroomReporter(EventReporter):
    """Prints one line per event of several threads, without a progress bar."""

    def __init__(self, *, as_json: bool = False) -> None:
        super().__init__(as_json=as_json)
        self._bar = None
        self._guard = threading.Lock()

    def emit(self, event: str, message: str, **fields: Any) -> None:
        """See `EventReporter`."""
        with self._guard:
            super().emit(event, message, **fields)


class StationUploads:
    """A gateway in a thread for each station that has a folder in the inbox. Uploads photographs and videos.

    A file is removed from the inbox after the store has confirmed it and both copies were read again and compared.
    """

    def __init__(
        self,
        folders: MailroomFolders,
        destination: Destination,
        reporter: EventReporter,
        *,
        store: str,
        same_store: bool = False,
        parallel: int = 2,
        poll_s: float = 0.5,
        strip_gps: StripGps = StripGps.OFF,
        position_key: PositionPublicKey | None = None,
    ) -> None:
        """`store` names the store in the spools; `parallel` is the number of concurrent uploads of one station.

        `strip_gps` and `position_key` are as in `GatewayOptions`.
        """
        self._strip_gps = strip_gps
        self._position_key = position_key
        self._folders = folders
        self._destination = destination
        self._reporter = reporter
        self._store = store
        self._same_store = same_store
        self._parallel = parallel
        self._poll_s = poll_s
        self._stop = threading.Event()
        self._threads: dict[Path, threading.Thread] = {}
        self._error: Exception | None = None

    def start_new(self) -> None:
        """Start the gateways of new stations. Raises the error of a gateway that failed."""
        if self._error is not None:
            raise self._error
        for folder in sorted(self._folders.inbox.iterdir()):
            if folder.is_dir() and folder not in self._threads:
                thread = threading.Thread(target=self._upload, args=(folder,), name=f"gateway-{folder.name}")
                self._threads[folder] = thread
                thread.start()

    def stop(self) -> None:
        """End all gateways; running uploads are repeated by the next start."""
        self._stop.set()
        for thread in self._threads.values():
            thread.join()

    def _upload(self, folder: Path) -> None:
        options = GatewayOptions(
            folder=folder,
            station=folder.name,
            remove=True,
            poll_s=self._poll_s,
            grace=GracePeriod(),  # what is in the inbox is as complete as it gets
            link_sizes=True,
            strip_gps=self._strip_gps,
            position_key=self._position_key,
            location="in the mailroom",
        )
        try:
            path = self._folders.spool(folder.name)
            with Spool(path, destination=self._store, same_store=self._same_store) as spool:
                Gateway(
                    options,
                    spool,
                    Watcher(folder, settle_s=0, extensions=PHOTOGRAPHS_AND_VIDEOS),
                    self._destination,
                    ThreadUploadPool(self._parallel),
                    self._reporter,
                    self._stop,
                ).run()
        except Exception as error:  # any error: `start_new` raises it in the main thread
            self._error = error
