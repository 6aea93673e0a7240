"""Excerpts of sound recordings, as WAV; the parts that are needed are read from the store, not the recording."""

import io
import threading
from typing import BinaryIO, cast

from uncia.dashboard.catalogue.rows import StoredRecording
from uncia.dashboard.web.strings import TEXT
from uncia.errors import PermanentError, UnciaError
from uncia.sound.excerpt import wav_excerpt
from uncia.sound.recording import RejectedRecording
from uncia.storage.object_file import ObjectFile
from uncia.storage.object_store import ObjectChanged, ObjectMissing, ObjectStore

__all__ = ["NoRecording", "RecordingService"]

_AT_ONCE = 4
"""Excerpts that are cut at the same time: each takes up to 200 MB, at the highest sample rate."""
_BLOCK_BYTES = 262_144
"""Bytes of one request to the store."""


class NoRecording(PermanentError):
    """There is nothing to play; the message says why."""

    def __init__(self, message: str) -> None:
        super().__init__("no-recording", message)


class RecordingService:
    """Reads recordings from the store. Thread-safe."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._cutters = threading.BoundedSemaphore(_AT_ONCE)

    def excerpt(self, recording: StoredRecording, start_s: float, end_s: float) -> bytes:
        """A part of the content that was analysed, never of what replaced it; not cached, as it can be forgotten.

        Raises `NoRecording`, `DependencyDown` or `AccessRefused`.
        """
        stored = ObjectFile(
            self._store,
            recording.bucket,
            recording.key,
            recording.size,
            etag=recording.etag,
            version_id=recording.version_id,
        )
        with self._cutters:
            try:
                file = cast(BinaryIO, io.BufferedReader(stored, _BLOCK_BYTES))
                data = wav_excerpt(file, recording.size, start_s, end_s)
            except RejectedRecording as error:
                # A store that did not answer looks like a damaged recording to the decoder.
                raise (_reason(stored.error) if stored.error else NoRecording(TEXT["sound.unreadable"])) from error
        if stored.error is not None:
            raise _reason(stored.error)
        return data


def _reason(error: UnciaError) -> UnciaError:
    if isinstance(error, ObjectMissing):
        return NoRecording(TEXT["sound.gone"])
    if isinstance(error, ObjectChanged):
        return NoRecording(TEXT["sound.replaced"])
    return NoRecording(TEXT["sound.unreadable"]) if isinstance(error, PermanentError) else error
