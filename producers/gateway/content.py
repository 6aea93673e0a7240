"""Reading a file once, in a stream: hashes, EXIF for the capture time, and a copy where one is wanted."""

import contextlib
import hashlib
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
from uncia.imaging.maker_notes import read_maker_note
from uncia.producers.gateway.completeness import Completeness, CompletenessReader
from uncia.producers.gateway.spool_file import made_folder
from uncia.storage.durable import sync_folder

_CHUNK = 1 << 20

RESERVE = 256 << 20
"""Bytes that copying leaves free on the spool's disk."""


class SourceMissing(Exception):
    """The file is not there."""


class SourceChanged(Exception):
    """The file is not as it was when it was found."""


class SourceUnreadable(Exception):
    """The file is there and cannot be read (now)."""


class Stopped(Exception):
    """The gateway was asked to end."""


class NoRoom(Exception):
    """The copy does not fit on the spool's disk."""


@dataclass(frozen=True)
class Content:
    """What one reading of a file told."""

    sha256: str
    md5: str
    exif: Exif
    completeness: Completeness
    ctime_ns: int
    """When the file was last changed in any way, as the file system had it before the first byte was read."""


def read(path: Path, size: int, mtime_ns: int | None, *, copy: Path | None, stop: threading.Event) -> Content:
    """Read the whole file; `copy` names a file that will hold its bytes, on the disk, when this returns.

    Raises `SourceMissing`, `SourceUnreadable`, `NoRoom`, `Stopped`, or `SourceChanged` when size or modification time
    (None: not looked at) are not these before and after, or when anything about the file changed in between.
    """
    part = copy.with_name(copy.name + ".part") if copy else None
    try:
        with _source(path) as file, contextlib.ExitStack() as stack:
            before = _same(file, size, mtime_ns)
            target = stack.enter_context(_target(part, size)) if part else None
            sha256, md5, completeness = _stream(file, target, stop)
            exif = _exif(file)
            if _same(file, size, mtime_ns) != before:
                raise SourceChanged("it changed while it was read")
            if target:
                with _room():
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
    return Content(sha256, md5, exif, completeness, before)


def digest_of_first(path: Path, size: int) -> str | None:
    """The SHA-256 of so many first bytes; None where there are fewer, or they cannot be read."""
    digest, left = hashlib.sha256(), size
    try:
        with path.open("rb") as file:
            while left and (chunk := file.read(min(_CHUNK, left))):
                digest.update(chunk)
                left -= len(chunk)
    except OSError:
        return None
    return None if left else digest.hexdigest()


def time_of_capture(exif: Exif, name: str, mtime_ns: int) -> CaptureTime:
    """When the photograph was taken, by the camera's clock, in the order of `uncia.imaging.capture_time`.

    The last resort is the file's time in this machine's zone: FAT cards hold it without any zone.
    """
    found = find_capture_time(exif, read_maker_note(exif.maker_note), name)
    if found is not None:
        return found
    try:
        written = datetime.fromtimestamp(mtime_ns // 1_000_000_000)
    except (ValueError, OverflowError, OSError):  # a file system may hold times that no calendar has
        written = datetime(1970, 1, 1)
    return CaptureTime(written, TimeOrigin.FILE_TIME)


@contextlib.contextmanager
def _source(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceMissing(f"{path.name} is not there any more") from error
    except OSError as error:
        raise SourceUnreadable(f"cannot read {path.name}: {error.strerror}") from error
    with file:
        yield file


def _same(file: BinaryIO, size: int, mtime_ns: int | None) -> int:
    """The file's ctime: unlike its modification time no program can set it back."""
    now = os.fstat(file.fileno())
    if now.st_size != size or (mtime_ns is not None and now.st_mtime_ns != mtime_ns):
        raise SourceChanged("it changed after it was found")
    return now.st_ctime_ns


@contextlib.contextmanager
def _target(part: Path, size: int) -> Iterator[BinaryIO]:
    with _room():
        made_folder(part.parent)
        if shutil.disk_usage(part.parent).free < size + RESERVE:
            raise NoRoom
        file = part.open("wb")
    with file:
        yield file


@contextlib.contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NoRoom(str(error)) from error


def _exif(file: BinaryIO) -> Exif:
    try:
        return read_exif_file(file)
    except OSError as error:
        raise SourceUnreadable(f"reading failed: {error.strerror}") from error


def _stream(file: BinaryIO, target: BinaryIO | None, stop: threading.Event) -> tuple[str, str, Completeness]:
    """SHA-256 and MD5 of the whole file, and whether it is whole; written to `target` where there is one."""
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
            with _room():
                target.write(chunk)
