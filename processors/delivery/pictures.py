"""A picture on its way to a channel, and where it comes from."""

import re
import threading
from dataclasses import dataclass
from typing import Protocol

from uncia import ids
from uncia.imaging.metadata_removal import without_metadata
from uncia.processors.delivery.picture_queue import CropReference
from uncia.settings import Settings
from uncia.storage.object_store import ObjectChanged, ObjectStore

__all__ = ["Picture", "PictureReceiver", "PictureSource", "picture_name"]

MOST_BYTES = 8 * 1_048_576
_READ_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Picture:
    """A JPEG without metadata."""

    name: str
    """File name, the same for every attempt, and different for any other alert."""
    jpeg: bytes


class PictureReceiver(Protocol):
    """Attaches pictures to the events of one channel, one at a time, each within the channel's limit of time."""

    def attach(self, remote_id: str, picture: Picture, reached: bool) -> None:
        """Attach a picture to the event `remote_id`. Raises `SendFailed` or `RefusedForGood`.

        `reached`: an earlier attempt may have attached it, although it was never confirmed.
        """
        ...


def picture_name(alert_id: str) -> str:
    """The file name of the picture of an alert. It names no photograph, burst or camera."""
    return f"uncia-{re.sub(r'[^A-Za-z0-9_-]', '_', alert_id)[:100]}.jpg"


class PictureSource:
    """Reads crops from the object store. Thread-safe. Connects when the first one is needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: ObjectStore | None = None
        self._lock = threading.Lock()

    def read(self, crop: CropReference) -> bytes:
        """The JPEG of a crop, without metadata.

        Raises `PermanentError` where there is none that can be used: it is gone, replaced, too large or no picture;
        `DependencyDown`, `AccessRefused` or `SettingsError` where the store cannot be read.
        """
        data = self._opened().get(crop.bucket, crop.key, max_bytes=MOST_BYTES)
        if ids.content_hash(data) != crop.sha256:
            raise ObjectChanged(f"{crop.bucket}/{crop.key} was overwritten: it is not the crop that was announced")
        # A crop has none. Whatever is in the store, none leaves.
        return without_metadata(data)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None

    def _opened(self) -> ObjectStore:
        with self._lock:
            if self._store is None:
                self._store = ObjectStore(self._settings, timeout_s=_READ_TIMEOUT_S, attempts=1)
            return self._store
