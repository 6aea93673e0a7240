"""Hands received files over to the gateway, into the folder of their camera.

Nothing removes them there before the store has confirmed their bytes.
"""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from uncia.producers.gateway.completeness import Shape
from uncia.producers.gateway.spool_database import create_folder_durably
from uncia.producers.mailroom.received_file import begins_with, shape_of
from uncia.producers.mailroom.report_store import ReportStore
from uncia.storage.durable import sync_folder

__all__ = ["Inbox"]


class Inbox:
    """A folder `<station>/<camera>/<name>` that the gateway watches. Safe for several threads and processes.

    A file that is there is on disk. Only a partial photograph or video is ever replaced, by a file that begins with all
    its bytes, which the gateway then stores under the same key. Any other file of the same name gets a folder of its
    own, so that its name, which may contain the time of the capture, stays as it is.
    """

    def __init__(
        self,
        folder: Path,
        on_delivery: Callable[[str, str, Path], None] | None = None,
        reports: ReportStore | None = None,
    ) -> None:
        """`on_delivery` is called with station, camera and path of each new file; what files report of the condition of
        their camera goes into `reports`."""
        self.folder = folder
        self._reports = reports
        self._on_delivery = on_delivery

    def deliver(self, source: Path, station: str, camera: str, name: str) -> Path:
        """Move a file into the folder of its camera; it is on disk there when this returns.

        After a crash the file is at its old place, at the new one, or at both; the gateway recognises copies. Raises
        `OSError`, and the file is then where it was.
        """
        _sync_file(source)
        if self._reports is not None:
            self._reports.add_file(source, station, camera, name)
        folder = self.folder / station / camera
        target = folder / name
        while not _link(source, target):
            with contextlib.suppress(FileNotFoundError):  # the gateway has just removed it
                if target.samefile(source):
                    break  # a crash came between the two steps of an earlier delivery
                # Only a partial one: the gateway, which never removes those, must not remove what has just replaced it.
                if shape_of(target) is Shape.PARTIAL and begins_with(source, target):
                    source.replace(target)
                    break
            target = folder / f"{time.time_ns():x}" / name
        sync_folder(target.parent)
        source.unlink(missing_ok=True)
        if self._on_delivery is not None:
            self._on_delivery(station, camera, target)
        return target

    def remove_empty_folders(self) -> None:
        """Remove the folders of second files that the gateway has uploaded and removed."""
        for folder in self.folder.glob("*/*/*/"):
            with contextlib.suppress(OSError):  # not empty
                folder.rmdir()


def _link(source: Path, target: Path) -> bool:
    """Link a file under another name. False where this name exists."""
    while True:
        create_folder_durably(target.parent)
        try:
            os.link(source, target)
        except FileExistsError:
            return False
        except FileNotFoundError:
            if not source.exists():
                raise
            continue  # `remove_empty_folders` was faster
        return True


def _sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
