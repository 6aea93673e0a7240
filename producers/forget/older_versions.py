"""Older versions of objects: finds and removes those that were replaced or deleted some time ago."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from uncia.storage.object_store import ObjectStore, StoredVersion, in_deletion_order

__all__ = ["OlderVersions", "replaced_before"]


@dataclass(frozen=True)
class OlderVersions:
    """The older versions of one bucket. Both methods raise `AccessRefused` and `DependencyDown`."""

    store: ObjectStore
    """With the administrative key."""
    bucket: str
    before: datetime
    """When they were replaced or deleted, at the latest (aware)."""

    def find(self) -> Iterator[StoredVersion]:
        """All of them, key by key, each key's in the order in which they must be deleted.

        Lists the bucket once, then the versions of each folder that has an object, and each key that has older versions
        once more, as the parts of one key need not follow each other in a listing. Versions are listed by folders
        because SeaweedFS 4.48 leaves out whole folders where a listing of versions of several folders has more than
        one page. Of a folder in which every object was deleted it finds none.
        """
        folders = dict.fromkeys(_folder(found.key) for found in self.store.list(self.bucket))
        for folder in folders:
            yield from self._find_in(folder)

    def _find_in(self, folder: str) -> Iterator[StoredVersion]:
        history = self.store.history(self.bucket, folder)
        keys = dict.fromkeys(found.object.key for found in history if found.is_marker or not found.is_latest)
        for key in (key for key in keys if _folder(key) == folder):
            own = (found for found in self.store.history(self.bucket, key) if found.object.key == key)
            yield from replaced_before(own, self.before)

    def remove(self) -> tuple[int, int]:
        """Delete them. Returns their number and their bytes. A run that is interrupted is completed by the next."""
        count = size = 0
        for found in self.find():
            self.store.delete_version(self.bucket, found)
            count, size = count + 1, size + found.object.size
        return count, size


def _folder(key: str) -> str:
    """The key up to its last slash, with it; empty for a key without."""
    return key[: key.rfind("/") + 1]


def replaced_before(versions: Iterable[StoredVersion], before: datetime) -> list[StoredVersion]:
    """Those of all versions of one key that a newer one replaced or hid before this time, in the order of deletion.

    A marker that hides nothing any more is one of them. What readers of the key get never is.
    """
    newest_first = sorted(versions, key=lambda found: (found.is_latest, found.object.modified), reverse=True)
    gone = [older for newer, older in pairwise(newest_first) if newer.object.modified <= before]
    if newest_first and len(gone) == len(newest_first) - 1:
        latest = newest_first[0]
        gone += [latest] if latest.is_marker and latest.object.modified <= before else []
    return in_deletion_order(gone)
