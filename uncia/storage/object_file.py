"""A stored object as a file that can be read and searched: what a decoder does not ask for is not transferred."""

import io

from uncia.errors import UnciaError
from uncia.storage.object_store import ObjectStore

__all__ = ["ObjectFile"]


class ObjectFile(io.RawIOBase):
    """The announced content of one object, read-only. Not safe for use by several threads at a time.

    Reads do not raise: decoders in C call them, and would lose the error. After one the file ends, and `error` says
    why; look at it after whatever has read. Wrap it in `io.BufferedReader`: each read is a request.
    """

    def __init__(
        self, store: ObjectStore, bucket: str, key: str, size: int, *, etag: str = "", version_id: str | None = None
    ) -> None:
        """`size` in bytes; `etag` and `version_id` as in `ObjectStore.read`."""
        super().__init__()
        self._store, self._bucket, self._key = store, bucket, key
        self._size, self._etag, self._version_id = size, etag, version_id
        self._at = 0
        self.error: UnciaError | None = None
        """Why the file could not be read; None: it could."""

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """The position in bytes."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move, without a request. Raises `ValueError` for a position before the start."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"position {base + offset} is before the start")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        """Fill the buffer by one request; returns the number of bytes, 0 at the end and after an error."""
        count = min(len(buffer), self._size - self._at)
        if count <= 0 or self.error is not None:
            return 0
        try:
            data = self._store.read_range(
                self._bucket,
                self._key,
                self._at,
                count,
                etag=self._etag,
                size=self._size,
                version_id=self._version_id,
            )
        except UnciaError as error:
            self.error = error
            return 0
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
