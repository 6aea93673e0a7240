"""Pictures of photographs, crops and heat maps, scaled for a page, without metadata, and cached.

Persons are blurred for accounts that may not see them: `photograph` takes what is to be
hidden, and keeps both copies apart.
"""

import hashlib
import threading
from enum import StrEnum

from uncia.camtrap.hidden_people import HiddenPeople
from uncia.dashboard.page_parts.assessed_content import AssessedContent
from uncia.dashboard.page_parts.thumbnails import GONE, REPLACED, UNREADABLE, PhotographLoader, scaled_jpeg
from uncia.dashboard.web.file_cache import FileCache
from uncia.dashboard.web.strings import TEXT
from uncia.errors import PermanentError
from uncia.imaging.metadata_removal import MetadataNotRemovable, without_metadata
from uncia.storage.object_store import ObjectMissing, ObjectStore

__all__ = ["NoPicture", "PictureService", "PictureSize"]

_DECODERS = 2
"""Photographs that are decoded at the same time: each takes up to 500 MB and a core."""


class PictureSize(StrEnum):
    """Sizes in which photographs are served."""

    THUMB = "thumb"
    VIEW = "view"
    FULL = "full"


_REASONS = {
    GONE: TEXT["picture.gone"],
    REPLACED: TEXT["picture.replaced"],
    UNREADABLE: TEXT["picture.unreadable"],
}
"""Texts by the reasons of the loader, which reports outside of the dashboard use, too."""
_PIXELS = {PictureSize.THUMB: (420, 320), PictureSize.VIEW: (1600, 1200), PictureSize.FULL: (20_000, 20_000)}
_QUALITY = {PictureSize.THUMB: 72, PictureSize.VIEW: 84, PictureSize.FULL: 92}


class NoPicture(PermanentError):
    """There is no picture; the message says why."""

    def __init__(self, message: str) -> None:
        super().__init__("no-picture", message)


class PictureService:
    """Reads pictures from the store. Thread-safe. Raises `NoPicture`, `DependencyDown` or `AccessRefused`."""

    def __init__(self, store: ObjectStore, cache: FileCache, *, max_bytes: int, max_pixels: int) -> None:
        self._store = store
        self._load = PhotographLoader(store, max_bytes=max_bytes)
        self._cache = cache
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels
        self._decoders = threading.BoundedSemaphore(_DECODERS)

    def photograph(self, assessed: AssessedContent, size: PictureSize, hidden: HiddenPeople | None = None) -> bytes:
        """A JPEG of the assessed content: never of what replaced it under the same key.

        With `hidden`, persons are blurred; a photograph in which their place is unknown is withheld.
        """
        if hidden is not None and hidden.withheld:
            raise NoPicture(TEXT["picture.person"])
        # The boxes are part of the name: a copy whose boxes have changed is another one.
        boxes = hidden.boxes if hidden else ()
        name = f"{assessed.image_id} {assessed.upload_id} {size}" + (f" without {boxes}" if boxes else "")
        if size is not PictureSize.FULL and (cached := self._cache.get(name)) is not None:
            return cached
        with self._decoders:
            data, missing = self._load(assessed)
            if data is None:
                raise NoPicture(_REASONS[missing])
            jpeg = scaled_jpeg(data, _PIXELS[size], quality=_QUALITY[size], max_pixels=self._max_pixels, blurred=boxes)
        if jpeg is None:
            raise NoPicture(_REASONS[UNREADABLE])
        if size is not PictureSize.FULL:
            self._cache.put(name, jpeg)
        return jpeg

    def crop(self, bucket: str, key: str, sha256: str | None) -> bytes:
        """A published crop; not cached, because it can be withdrawn.

        The workers write crops and heat maps from pixels. They are served without metadata whatever wrote them.
        """
        data = self._stored(bucket, key)
        if sha256 is None or hashlib.sha256(data).hexdigest() != sha256:
            raise NoPicture(_REASONS[REPLACED])
        return _bare(data)

    def spectrogram(self, bucket: str, key: str, sha256: str) -> bytes:
        """The PNG of a call; not cached, because its recording can be forgotten."""
        return self.crop(bucket, key, sha256)

    def imported(self, bucket: str, key: str) -> bytes:
        """A picture of an individual that was imported."""
        data = self._stored(bucket, key)
        if not data.startswith(b"\xff\xd8"):
            raise NoPicture(_REASONS[UNREADABLE])
        return _bare(data)

    def heat_map(self, bucket: str, key: str) -> bytes:
        """The PNG of an explanation."""
        data = self._stored(bucket, key)
        if not data.startswith(b"\x89PNG\r\n\x1a\n"):
            raise NoPicture(_REASONS[UNREADABLE])
        return _bare(data)

    def _stored(self, bucket: str, key: str) -> bytes:
        try:
            return self._store.read(bucket, key, max_bytes=self._max_bytes).data
        except ObjectMissing as error:
            raise NoPicture(_REASONS[GONE]) from error
        except PermanentError as error:
            raise NoPicture(_REASONS[UNREADABLE]) from error


def _bare(data: bytes) -> bytes:
    try:
        return without_metadata(data)
    except MetadataNotRemovable as error:
        raise NoPicture(_REASONS[UNREADABLE]) from error
