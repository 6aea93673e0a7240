"""What stands in the bucket against what was announced or refused; pure.

Invariants: an object is missed when it is older than the grace, and no event and no dead letter names it. What
was announced by us lately is not announced again until `again_after_s` has passed, so that a slow intake is not
flooded; an object is never forgotten, only waited for.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from uncia.ids import upload_id
from uncia.object_store import StoredObject


@dataclass
class Announced:
    """What the topics say: uploads by id, refused object paths, and what we announced ourselves, with the time."""

    uploads: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    by_us: dict[str, float] = field(default_factory=dict)

    def missed(
        self, bucket: str, listing: Iterable[StoredObject], *, now: float, older_than_s: float, again_after_s: float
    ) -> Iterator[StoredObject]:
        """Objects that nobody announced. `now` in seconds since the epoch."""
        for stored in listing:
            identity = upload_id(bucket, stored.key, stored.etag)
            if stored.key.endswith("/") or now - stored.modified.timestamp() < older_than_s:
                continue
            if identity in self.uploads or f"{bucket}/{stored.key}" in self.refused:
                self.by_us.pop(identity, None)
            elif now - self.by_us.get(identity, float("-inf")) >= again_after_s:
                self.by_us[identity] = now
                yield stored
