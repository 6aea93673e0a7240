"""Reads a file once, as a stream: hashes, completeness, EXIF for the capture time, and a copy where requested."""

import contextlib
import hashlib
import io
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from uncia.imaging.capture_time import CaptureTime, TimeOrigin, find_capture_time
from uncia.imaging.exif import Exif, read_exif_file
from uncia.imaging.gps_removal import MAX_BYTES, remove_gps
from uncia.imaging.maker_notes import read_maker_note
from uncia.producers.gateway.completeness import Completeness, CompletenessReader
from uncia.producers.gateway.recording_completeness import recording_completeness
from uncia.producers.gateway.spool_database import create_folder_durably
from uncia.producers.gateway.video_completeness import video_completeness
from uncia.settings import StripGps
from uncia.storage.durable import sync_folder

_CHUNK = 1 << 20

RESERVE = 256 << 20
"""Bytes that must stay free on the disk of the spool."""


class SourceMissing(Exception):
    """The file does not exist."""


class SourceChanged(Exception):
    """The file has changed since it was found."""


class SourceUnreadable(Exception):
    """The file exists and cannot be read (now)."""


class Stopped(Exception):
    """The gateway is ending."""


class NoRoom(Exception):
    """The copy does not fit on the disk of the spool."""


@dataclass(frozen=True)
class FileContent:
    """What was read from a file."""

    sha256: str
    md5: str
    exif: Exif
    completeness: Completeness
    ctime_ns: int
    """The change time of the file before its first byte was read."""
    gps_problem: str | None = None
    """Why a position may remain in the content, although it was to be removed."""


def read_content(
    path: Path,
    size: int,
    mtime_ns: int | None,
    *,
    copy: Path | None,
    stop: threading.Event,
    strip_gps: StripGps = StripGps.OFF,
) -> FileContent:
    """Read a file completely. `copy` is written with its bytes, on disk when this returns.

    With `strip_gps` hashes, EXIF and completeness are those of the content without its position, which has the same
    size; the copy is as the file.

    Raises `SourceMissing`, `SourceUnreadable`, `NoRoom`, `Stopped`, or `SourceChanged` where the file has not this size
    and modification time (None: any) before and after reading, or where anything about it changed in between.
    """
    part = copy.with_name(copy.name + ".part") if copy else None
    try:
        with _open_source(path) as file, contextlib.ExitStack() as stack:
            ctime_ns = _check_unchanged(file, size, mtime_ns)
            target = stack.enter_context(_open_target(part, size)) if part else None
            source, gps_problem = _without_gps(file, strip_gps)
            if target is not None and source is not file:
                # The copy is as the file: it is all that is left of the position once the card was pulled out.
                _copy_unchanged(file, target)
            sha256, md5, completeness = _stream(source, target if source is file else None, stop)
            exif = _exif(source)
            completeness = _container_completeness(source, size) or completeness
            if _check_unchanged(file, size, mtime_ns) != ctime_ns:
                raise SourceChanged("it changed while it was read")
            if target:
                with _disk_errors_as_no_room():
                    target.flush()
                    os.fsync(target.fileno())
        if part and copy:
            part.replace(copy)
            sync_folder(copy.parent)
    except BaseException:
        if part:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        raise
    return FileContent(sha256, md5, exif, completeness, ctime_ns, gps_problem)


def prefix_sha256(path: Path, size: int, strip_gps: StripGps = StripGps.OFF) -> str | None:
    """The SHA-256 of the first `size` bytes of the content; None where there are fewer, or they cannot be read."""
    digest, left = hashlib.sha256(), size
    try:
        with path.open("rb") as opened:
            file, _ = _without_gps(opened, strip_gps)
            while left and (chunk := file.read(min(_CHUNK, left))):
                digest.update(chunk)
                left -= len(chunk)
    except (OSError, SourceUnreadable):
        return None
    return None if left else digest.hexdigest()


def gateway_capture_time(exif: Exif, name: str, mtime_ns: int) -> CaptureTime:
    """The capture time by the camera's clock, from the sources in the order of `uncia.imaging.capture_time`.

    The last resort is the modification time in the zone of this machine: FAT cards store it without a zone.
    """
    found = find_capture_time(exif, read_maker_note(exif.maker_note), name)
    if found is not None:
        return found
    try:
        written = datetime.fromtimestamp(mtime_ns // 1_000_000_000)
    except (ValueError, OverflowError, OSError):  # a file system may hold times outside of the calendar
        written = datetime(1970, 1, 1)
    return CaptureTime(written, TimeOrigin.FILE_TIME)


def _without_gps(file: BinaryIO, strip_gps: StripGps) -> tuple[BinaryIO, str | None]:
    """The content without its position, and why one may remain. Raises `SourceUnreadable` for that when strict."""
    if strip_gps is StripGps.OFF:
        return file, None
    try:
        # One byte more, so that a larger file is recognised; it is not read into memory.
        data = file.read(MAX_BYTES + 1)
        file.seek(0)
    except OSError as error:
        raise SourceUnreadable(f"reading failed: {error.strerror}") from error
    removal = remove_gps(data)
    if removal.problem is None:
        return io.BytesIO(removal.data), None
    if strip_gps is StripGps.STRICT:
        raise SourceUnreadable(f"its position cannot be removed, so that it is not uploaded: {removal.problem}")
    return file, removal.problem


@contextlib.contextmanager
def _open_source(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceMissing(f"{path.name} does not exist any more") from error
    except OSError as error:
        raise SourceUnreadable(f"cannot read {path.name}: {error.strerror}") from error
    with file:
        yield file


def _check_unchanged(file: BinaryIO, size: int, mtime_ns: int | None) -> int:
    """The change time, which unlike the modification time no program can set back. Raises `SourceChanged`."""
    now = os.fstat(file.fileno())
    if now.st_size != size or (mtime_ns is not None and now.st_mtime_ns != mtime_ns):
        raise SourceChanged("it changed after it was found")
    return now.st_ctime_ns


@contextlib.contextmanager
def _open_target(part: Path, size: int) -> Iterator[BinaryIO]:
    with _disk_errors_as_no_room():
        create_folder_durably(part.parent)
        if shutil.disk_usage(part.parent).free < size + RESERVE:
            raise NoRoom
        file = part.open("wb")
    with file:
        yield file


@contextlib.contextmanager
def _disk_errors_as_no_room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NoRoom(str(error)) from error


def _exif(file: BinaryIO) -> Exif:
    try:
        return read_exif_file(file)
    except OSError as error:
        raise SourceUnreadable(f"reading failed: {error.strerror}") from error


def _container_completeness(file: BinaryIO, size: int) -> Completeness | None:
    """By the parts of a video, or the header of a recording; None for any other content."""
    try:
        return video_completeness(file, size) or recording_completeness(file, size)
    except OSError as error:
        raise SourceUnreadable(f"reading failed: {error.strerror}") from error


def _copy_unchanged(file: BinaryIO, target: BinaryIO) -> None:
    with _disk_errors_as_no_room():
        file.seek(0)
        shutil.copyfileobj(file, target, _CHUNK)


def _stream(file: BinaryIO, target: BinaryIO | None, stop: threading.Event) -> tuple[str, str, Completeness]:
    """SHA-256, MD5 and completeness of the file, which is copied to `target` where there is one."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    completeness = CompletenessReader()
    while True:
        try:
            chunk = file.read(_CHUNK)
        except OSError as error:
            raise SourceUnreadable(f"reading failed: {error.strerror}") from error
        if not chunk:
            return sha256.hexdigest(), md5.hexdigest(), completeness.result()
        if stop.is_set():
            raise Stopped
        sha256.update(chunk)
        md5.update(chunk)
        completeness.feed(chunk)
        if target:
            with _disk_errors_as_no_room():
                target.write(chunk)
