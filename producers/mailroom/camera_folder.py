"""What one camera sees of the mailroom: the files that it sends, until they are handed over to the gateway."""

import contextlib
import shutil
import time
from pathlib import Path

from uncia.producers.gateway.completeness import Shape
from uncia.producers.gateway.spool_database import create_folder_durably
from uncia.producers.mailroom.file_names import final_name, is_provisional
from uncia.producers.mailroom.folders import MailroomFolders
from uncia.producers.mailroom.inbox import Inbox
from uncia.producers.mailroom.received_file import ReceivedFile, begins_with, shape_of
from uncia.storage.durable import replace_durably, sync_folder

__all__ = ["CameraFolder", "TransferBroken", "deliver_held", "remove_broken"]

_KEEP_BROKEN_S = 7 * 86400.0
"""Seconds after which the bytes of a broken transfer are removed: the camera has no confirmation of them."""

_START = 16


class TransferBroken(OSError):
    """The transfer ended before the file did. Its bytes are kept for a resume, and never handed over."""


class CameraFolder:
    """The files of one camera, by paths relative to its folder. Used by one thread.

    A confirmed file is handed over at once, with two exceptions, which are held until they have not changed for some
    time: a file with a provisional name, and a JPEG or video without its end, which the camera may continue (APPE,
    REST).

    Files that were handed over during this session still exist for the camera, with their sizes: some cameras check
    the size of a file that they have sent, or rename it.
    """

    def __init__(self, folders: MailroomFolders, inbox: Inbox, station: str, camera: str, max_size: int) -> None:
        """`max_size`: of one file, in bytes. Raises `OSError`."""
        self.station, self.camera = station, camera
        self.receiving = folders.receiving / station / camera
        self.held = folders.held / station / camera
        self._folders = folders
        self._inbox = inbox
        self._max_size = max_size
        self._delivered: dict[Path, int] = {}
        create_folder_durably(self.receiving)

    def begin(self, path: Path, mode: str) -> ReceivedFile:
        """Start or continue a file: `w` from its first byte, `a` after its last one, `r+` at an offset.

        A continued file is copied first: another session of the camera may still hold it open. Raises `OSError`, with
        `r+` where there is nothing to continue.
        """
        self._folders.check_space()
        target = self.receiving / path
        earlier = None if mode == "w" else self._newest(path)
        if mode == "r+" and earlier is None:
            raise FileNotFoundError(f"{path} does not exist")
        create_folder_durably(target.parent)
        new = target.with_name(target.name + ".~")
        new.unlink(missing_ok=True)
        if earlier is None:
            file = new.open("x+b")
        else:
            shutil.copyfile(earlier, new)
            file = new.open("r+b")
            if mode == "a":
                file.seek(0, 2)
        new.replace(target)
        return ReceivedFile(target, file, self._max_size, appends=mode == "a")

    def finish(self, file: ReceivedFile, *, clean: bool) -> Path | None:
        """The transfer of a file ended. Returns the path where it was handed over; None where it is held, or was empty.

        In both cases it is on disk, and the camera may get its confirmation. `clean`: the camera ended the transfer in
        an orderly way; after another end only a JPEG with its end marker is accepted. Raises `TransferBroken` or
        another `OSError` where the file must not be confirmed.
        """
        current = file.is_current()
        file.sync()
        if not current:
            raise TransferBroken("the camera began this file again")
        if file.too_large:
            file.path.unlink()
            raise TransferBroken("the file is too large")
        path = file.path.relative_to(self.receiving)
        if clean and not file.path.stat().st_size:
            file.path.unlink()
            self._delivered[path] = 0
            return None
        shape = shape_of(file.path)
        if not clean and shape is not Shape.WHOLE:
            raise TransferBroken("the connection ended before the file did")
        if shape is Shape.PARTIAL or is_provisional(path.name) or (file.appends and shape is not Shape.WHOLE):
            self._hold(file.path, path)
            return None
        return self._deliver(file.path, path)

    def abandon(self, file: ReceivedFile) -> None:
        """The transfer broke off: keep the bytes for a resume, unless they are too many or belong to an older try."""
        if file.too_large:
            file.path.unlink(missing_ok=True)
        file.close()

    def rename(self, path: Path, new: Path) -> Path | None:
        """Rename a confirmed file. Returns the path where it was handed over, None where it was or still is held.

        Raises `TransferBroken` for a file whose transfer did not end, another `OSError` where it does not exist.
        """
        held = self.held / path
        if held.is_file():
            if is_provisional(new.name) or shape_of(held) is Shape.PARTIAL:
                self._hold(held, new)
                return None
            return self._deliver(held, new)
        if path in self._delivered:
            self._delivered[new] = self._delivered.pop(path)
            return None
        if (self.receiving / path).exists():
            raise TransferBroken("its transfer did not end")
        raise FileNotFoundError(f"{path} does not exist")

    def remove(self, path: Path) -> None:
        """Remove the bytes of a broken transfer, at the camera's request. Confirmed files stay, unseen by the camera.

        Raises `OSError` where the file does not exist.
        """
        (self.receiving / path).unlink(missing_ok=True)
        self._delivered.pop(path, None)

    def size(self, path: Path) -> int | None:
        """The size of a file in bytes, as far as the camera has sent it; None where it does not exist."""
        newest = self._newest(path)
        return newest.stat().st_size if newest is not None else self._delivered.get(path)

    def names(self, path: Path) -> list[str]:
        """The names of the files and folders in a folder. Raises `OSError`."""
        found = {entry.name for entry in (self.receiving / path).iterdir() if not entry.name.endswith(".~")}
        with contextlib.suppress(FileNotFoundError):
            found |= {entry.name for entry in (self.held / path).iterdir() if entry.is_file()}
        return sorted(found)

    def place(self, path: Path) -> Path:
        """Where the bytes of a file are now, for its size and time."""
        return self._newest(path) or self.receiving / path

    def _newest(self, path: Path) -> Path | None:
        """The bytes that a resume continues: those of a broken transfer, else those that were confirmed."""
        return next((place for place in (self.receiving / path, self.held / path) if place.is_file()), None)

    def _hold(self, source: Path, path: Path) -> None:
        target = self.held / path
        create_folder_durably(target.parent)
        if target != source:
            self._supersede(target, source)
            replace_durably(source, target)
            sync_folder(source.parent)
        self._delivered.pop(path, None)

    def _deliver(self, source: Path, path: Path) -> Path:
        held = self.held / path
        if held != source:
            self._supersede(held, source)
        size = source.stat().st_size
        delivered = _deliver(self._inbox, source, self.station, self.camera, path.name)
        if held != source:
            held.unlink(missing_ok=True)
        self._delivered[path] = size
        return delivered

    def _supersede(self, held: Path, new: Path) -> None:
        """Before `held` is replaced by `new`: hand it over, unless all its bytes are in the new file as well."""
        if held.is_file() and not begins_with(new, held):
            _deliver(self._inbox, held, self.station, self.camera, held.name)


def deliver_held(folders: MailroomFolders, inbox: Inbox, unchanged_s: float) -> list[Path]:
    """Hand over held files that have not changed for this many seconds, as they are: the camera has their confirmation.

    Returns their new paths. Raises `OSError`.
    """
    limit, delivered = time.time() - unchanged_s, []
    for held in sorted(folders.held.glob("*/*/**/*")):
        path = held.relative_to(folders.held)
        if held.is_file() and held.stat().st_ctime <= limit and not _changed_since(folders.receiving / path, limit):
            station, camera = path.parts[:2]
            delivered.append(_deliver(inbox, held, station, camera, held.name))
    return delivered


def _changed_since(receiving: Path, limit: float) -> bool:
    """Whether the rest of a held file is arriving."""
    try:
        return receiving.is_file() and receiving.stat().st_ctime > limit
    except FileNotFoundError:
        return False


def remove_broken(folders: MailroomFolders, unchanged_s: float = _KEEP_BROKEN_S) -> None:
    """Remove the bytes of broken transfers that have not changed for this many seconds."""
    limit = time.time() - unchanged_s
    for path in folders.receiving.glob("*/*/**/*"):
        with contextlib.suppress(OSError):
            if path.is_file() and path.stat().st_ctime <= limit:
                path.unlink()


def _deliver(inbox: Inbox, source: Path, station: str, camera: str, name: str) -> Path:
    with source.open("rb") as file:
        start = file.read(_START)
    return inbox.deliver(source, station, camera, final_name(name, start))
