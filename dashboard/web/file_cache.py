"""A folder of files with a maximum size: the ones that were not used for the longest are removed first."""

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["FileCache"]

_KEEP_SHARE = 0.9
"""Share of the maximum that is left after removing files, so that not every write removes one."""


class FileCache:
    """Bytes by name. Thread-safe within one process; files older than `max_age_s` count as missing.

    The age is limited so that a photograph that was deleted from the store disappears here, too. A full disk or a
    removed folder is no error: then nothing is cached.
    """

    def __init__(
        self, folder: Path, *, max_bytes: int, max_age_s: float = 86_400, now: Callable[[], float] = time.time
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._now = now
        self._lock = threading.Lock()
        self._bytes = sum(path.stat().st_size for path in self._files())

    def get(self, name: str) -> bytes | None:
        """The bytes of a name; None where there are none, or too old ones."""
        path = self._path(name)
        try:
            written = path.stat().st_mtime
            if self._now() - written > self._max_age_s:
                return None
            data = path.read_bytes()
            # The access time says when it was used last; most file systems are mounted without it.
            os.utime(path, (self._now(), written))
        except OSError:
            return None
        return data

    def put(self, name: str, data: bytes) -> None:
        """Store bytes under a name."""
        path = self._path(name)
        staging = path.with_suffix(f".{threading.get_ident()}.new")
        with self._lock:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                before = path.stat().st_size if path.exists() else 0
                staging.write_bytes(data)
                staging.replace(path)
            except OSError:
                with contextlib.suppress(OSError):
                    staging.unlink()
                return
            self._bytes += len(data) - before
            if self._bytes > self._max_bytes:
                self._evict()

    def _evict(self) -> None:
        found = []
        for path in self._files():
            with contextlib.suppress(OSError):
                status = path.stat()
                found.append((status.st_atime, status.st_size, path))
        # Counted again: another process can have written here.
        self._bytes = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if self._bytes <= self._max_bytes * _KEEP_SHARE:
                return
            with contextlib.suppress(OSError):
                path.unlink()
                self._bytes -= size

    def _files(self) -> list[Path]:
        return [path for path in self._folder.glob("??/*") if path.is_file()]

    def _path(self, name: str) -> Path:
        # Hashed: names come from outside.
        digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
        return self._folder / digest[:2] / digest[2:34]
