"""Downloads one picture for a request, from the host of the request and no other."""

import hashlib
import io
from dataclasses import dataclass
from datetime import UTC, datetime

from uncia.events import HarvestPictureRequested
from uncia.harvest_requests import MAX_PICTURE_BYTES, picture_key
from uncia.polite_http.client import FetchFailed, origin_of
from uncia.processors.harvest.assignment import Assignment
from uncia.storage.object_store import ObjectMissing, ObjectStore

__all__ = ["MovedToHost", "PictureStore", "StoredBytes", "download"]


class MovedToHost(Exception):
    """The host redirects to another one, which another worker may be the one to ask."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


@dataclass(frozen=True)
class StoredBytes:
    """What is in the object store."""

    key: str
    sha256: str
    size: int
    retrieved: datetime


def download(assignment: Assignment, request: HarvestPictureRequested) -> bytes:
    """The bytes at the URL of a request.

    Raises `MovedToHost`, `FetchFailed`, and `FetchStopped` where the assignment has ended. Whether they are a picture
    is for the harvest to find out: it checks them in the same way as those that it downloads itself.
    """
    client, robots = assignment.client(request.contact)

    def check(url: str) -> None:
        host = origin_of(url)[0]
        if not host:
            raise FetchFailed("not-a-url", "a redirect to what is no URL of http or https", temporary=False)
        if host != request.host:
            raise MovedToHost(url)
        if not robots.allows(url):
            raise FetchFailed("robots", "robots.txt of the host forbids it", temporary=False)

    sink = io.BytesIO()
    check(request.url)
    client.get_file(request.url, sink, MAX_PICTURE_BYTES, check)
    return sink.getvalue()


class PictureStore:
    """The bytes of requests in the object store. Safe from any thread."""

    def __init__(self, store: ObjectStore, bucket: str) -> None:
        self._store, self._bucket = store, bucket

    def find(self, request: HarvestPictureRequested) -> StoredBytes | None:
        """What was stored for the request before, as by a worker that was killed before it published the outcome.

        Raises `DependencyDown` and `AccessRefused`.
        """
        key = picture_key(request.harvest_id, request.request_id)
        try:
            kept = self._store.metadata(self._bucket, key)
            return StoredBytes(key, kept["sha256"], int(kept["size"]), datetime.fromisoformat(kept["retrieved"]))
        except (ObjectMissing, KeyError, ValueError):
            return None

    def put(self, request: HarvestPictureRequested, data: bytes) -> StoredBytes:
        """Store the bytes. Raises `DependencyDown` and `AccessRefused`."""
        stored = StoredBytes(
            picture_key(request.harvest_id, request.request_id),
            hashlib.sha256(data).hexdigest(),
            len(data),
            datetime.now(UTC).replace(microsecond=0),
        )
        self._store.put(
            self._bucket,
            stored.key,
            data,
            content_type="application/octet-stream",
            metadata={"sha256": stored.sha256, "size": str(stored.size), "retrieved": stored.retrieved.isoformat()},
        )
        return stored
