"""A bucket in memory that keeps versions."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from uncia import ids
from uncia.storage.object_store import ObjectContent, ObjectMissing, StoredObject, StoredVersion

NOW = datetime(2026, 5, 1, tzinfo=UTC)
"""Version `v001` is one second younger, and so on."""


class Killed(Exception):
    """The command was killed."""


@dataclass
class VersionedStore:
    """A bucket that keeps versions: by key, contents from the oldest to the newest; None is a delete marker."""

    keys: dict[str, dict[str, bytes | None]] = field(default_factory=dict)
    parts: bool = False
    """ETags are those of uploads in parts, which say nothing about the content."""
    count: int = 0
    steps: int = 0
    killed_at: int = 0
    """The change at which the command is killed, once."""

    def put(self, key: str, data: bytes | None) -> None:
        self.count += 1
        self.keys.setdefault(key, {})[f"v{self.count:03d}"] = data

    def etag(self, data: bytes) -> str:
        return "parts-2" if self.parts else ids.content_hash(data)[:32]

    def history(self, bucket: str, prefix: str) -> Iterator[StoredVersion]:
        for key in sorted(self.keys):
            last = next(reversed(self.keys[key]), None)
            for name, data in self.keys[key].items() if key.startswith(prefix) else ():
                at = NOW + timedelta(seconds=int(name[1:]))
                etag = "" if data is None else self.etag(data)
                yield StoredVersion(StoredObject(key, etag, len(data or b""), at, name), data is None, name == last)

    def list(self, bucket: str) -> Iterator[StoredObject]:
        for key in sorted(self.keys):
            for found in self.history(bucket, key):
                if found.object.key == key and found.is_latest and not found.is_marker:
                    yield found.object

    def read(self, bucket: str, key: str, *, max_bytes: int, version_id: str | None = None) -> ObjectContent:
        data = self.keys.get(key, {}).get(version_id or "")
        if data is None:
            raise ObjectMissing("object-missing", key)
        return ObjectContent(data, self.etag(data))

    def delete_version(self, bucket: str, found: StoredVersion) -> None:
        self._step()
        self.keys.get(found.object.key, {}).pop(found.object.version_id or "", None)

    def delete(self, bucket: str, key: str) -> None:
        self._step()
        self.put(key, None)

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self.killed_at:
            raise Killed

    def current(self, key: str) -> bytes | None:
        return next(reversed(self.keys.get(key, {}).values()), None)
