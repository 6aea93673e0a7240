"""The manifest of a burst: which of its crops are in the store. It is kept there, next to the crops.

    crops/<station>/<camera>/<crop id>.jpg       a crop; its metadata names the burst that it belongs to
    crops/<station>/<camera>/<burst id>.json     the manifest

A worker without any state of its own can therefore be killed, restarted and moved at any moment, and a burst of last
year that is revised today loses the crops that it no longer has. The manifest is written before the first crop is
stored: nothing is in the store that no manifest lists.
"""

from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from uncia.events import BurstResolved, CropPublished
from uncia.storage.object_keys import CROPS_PREFIX
from uncia.storage.object_store import ObjectMissing, ObjectStore

MAX_BYTES = 1_048_576
OWNER = "uncia-burst"
"""The metadata of a crop's object that names its burst."""


class Manifest(BaseModel):
    """The crops of one burst, as of one revision. Field names are a stored format."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    burst_id: str
    revision: int = Field(description="of the burst's event")
    complete: bool = Field(description="everything that this revision changes is carried out")
    crops: tuple[CropPublished, ...] = ()
    """Those in the store; while not complete, also those about to be stored or deleted."""

    @classmethod
    def of(cls, burst: BurstResolved, crops: tuple[CropPublished, ...], *, complete: bool) -> Self:
        """The manifest of this revision."""
        return cls(burst_id=burst.burst_id, revision=burst.revision, complete=complete, crops=crops)

    def to_bytes(self) -> bytes:
        """The stored form."""
        return self.model_dump_json().encode()

    def covers(self, burst: BurstResolved) -> bool:
        """Whether this revision of the burst, or a later one, was carried out."""
        return self.revision > burst.revision or (self.revision == burst.revision and self.complete)


def crop_key(camera: str, crop_id: str) -> str:
    """The object key of a crop."""
    return f"{CROPS_PREFIX}{camera}/{crop_id}.jpg"


def manifest_key(camera: str, burst_id: str) -> str:
    """The object key of a burst's manifest."""
    return f"{CROPS_PREFIX}{camera}/{burst_id}.json"


@dataclass(frozen=True)
class StoredManifest:
    """What the store holds under the key of a burst's manifest."""

    data: bytes = b""
    etag: str = ""
    """Of `data`, without quotes; empty where nothing is stored."""

    @property
    def manifest(self) -> Manifest | None:
        """None where there is none, or one that cannot be read."""
        try:
            return Manifest.model_validate_json(self.data)
        except ValidationError:
            return None


def read_manifest(store: ObjectStore, bucket: str, camera: str, burst_id: str) -> StoredManifest:
    """The manifest of a burst. Raises `AccessRefused`, `ObjectUnreadable` or `DependencyDown`."""
    try:
        content = store.read(bucket, manifest_key(camera, burst_id), max_bytes=MAX_BYTES)
    except ObjectMissing:
        return StoredManifest()
    return StoredManifest(content.data, content.etag)


def crop_owner(store: ObjectStore, bucket: str, key: str) -> str | None:
    """The burst that a stored crop belongs to; None where it is not stored. Raises as `read_manifest` does."""
    try:
        return store.metadata(bucket, key).get(OWNER, "")
    except ObjectMissing:
        return None
