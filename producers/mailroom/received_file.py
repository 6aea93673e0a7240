"""A file while a camera sends it."""

import errno
import os
from pathlib import Path
from typing import BinaryIO

from uncia.producers.gateway.completeness import CompletenessReader, Shape
from uncia.producers.gateway.file_kinds import is_photograph
from uncia.producers.gateway.video_completeness import video_completeness
from uncia.producers.mailroom.file_names import JPEG_START

_CHUNK = 1 << 20


class ReceivedFile:
    """A file in `receiving` that is being written, as pyftpdlib expects it: `name`, `write`, `seek`, `close`, `closed`.

    Every write that would make it larger than `max_size` bytes raises `OSError`, and the file is removed at its end.
    """

    def __init__(self, path: Path, file: BinaryIO, max_size: int, *, appends: bool) -> None:
        self.name = str(path)
        self.path = path
        self.appends = appends
        """True where the camera sends the file in several parts."""
        self.too_large = False
        self._file = file
        self._max_size = max_size

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self._file.closed

    def write(self, data: bytes) -> int:
        """Append bytes. Raises `OSError` (EFBIG) where the file becomes too large."""
        if self._file.tell() + len(data) > self._max_size:
            self.too_large = True
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        return self._file.write(data)

    def seek(self, offset: int) -> int:
        """Continue at this offset."""
        return self._file.seek(offset)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def sync(self) -> None:
        """Write the bytes to disk and close the file. Raises `OSError`."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def is_current(self) -> bool:
        """False where another session of the camera has begun the same file again since."""
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._file.fileno()))
        except FileNotFoundError:
            return False


def shape_of(path: Path) -> Shape:
    """What the bytes of a file are. Only photographs are `WHOLE`, and only they are read completely.

    A video is `PARTIAL` while its index or its end is missing, else `OTHER`: further fragments may follow.
    """
    reader = CompletenessReader()
    with path.open("rb") as file:
        chunk = file.read(_CHUNK)
        if not chunk.startswith(JPEG_START) and not is_photograph(path.name):
            video = video_completeness(file, path.stat().st_size)
            return Shape.PARTIAL if video is not None and video.shape is Shape.PARTIAL else Shape.OTHER
        while chunk:
            reader.feed(chunk)
            chunk = file.read(_CHUNK)
    return reader.result().shape


def begins_with(path: Path, other: Path) -> bool:
    """True where the file starts with all bytes of the other one."""
    with path.open("rb") as longer, other.open("rb") as shorter:
        while chunk := shorter.read(_CHUNK):
            if longer.read(len(chunk)) != chunk:
                return False
    return True
