"""Removes every version of photographs, and of all that was made of them, from the object store; finds what is left."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from uncia import ids
from uncia.errors import PermanentError
from uncia.producers.forget.plan import ForgetPlan, PlannedPhotograph
from uncia.storage.object_keys import CROPS_PREFIX, EXPLANATIONS_PREFIX, INDIVIDUALS_PREFIX
from uncia.storage.object_store import ObjectStore, StoredVersion, in_deletion_order

__all__ = ["StoreRemoval"]


@dataclass(frozen=True)
class StoreRemoval:
    """The objects of one plan. Every method may be repeated; all raise `AccessRefused` and `DependencyDown`."""

    store: ObjectStore
    bucket: str
    """Of crops, their descriptions and explanations; photographs name theirs."""
    max_bytes: int

    def remove(
        self, plan: ForgetPlan, ended_bursts: Collection[tuple[str, str]], spectrograms: Iterable[str] = ()
    ) -> int:
        """Delete all versions. `ended_bursts`: camera and id of bursts without a photograph left, whose manifests go.

        `spectrograms`: prefixes of those of the plan's recordings. Returns how many versions were deleted.
        """
        deleted = 0
        for photograph in plan.photographs:
            deleted += self._remove_photograph(photograph, plan.kept_uploads)
        for key in (*self._derived_keys(plan, ended_bursts), *spectrograms):
            for found in in_deletion_order(self.store.history(self.bucket, key)):
                self.store.delete_version(self.bucket, found)
                deleted += 1
        return deleted

    def left(self, plan: ForgetPlan, spectrograms: Iterable[str] = ()) -> list[str]:
        """What the store still holds of the plan and of its spectrograms, as `key (version)`."""
        found = [
            _described(version)
            for photograph in plan.photographs
            for version in self._versions(photograph)
            if not version.is_marker and self._is_of(photograph, version, plan.kept_uploads)
        ]
        for key in (*self._derived_keys(plan, ()), *spectrograms):
            found += [
                _described(version)
                for version in self.store.history(self.bucket, key)
                # The worker `identify` deletes descriptions in its own time, and may have left a marker since.
                if not (version.is_marker and key.startswith(INDIVIDUALS_PREFIX))
            ]
        return found

    def _remove_photograph(self, photograph: PlannedPhotograph, kept: Collection[str]) -> int:
        versions = self._versions(photograph)
        contents = [version for version in versions if not version.is_marker]
        own = [version for version in contents if self._is_of(photograph, version, kept)]
        others = [version for version in contents if version not in own]
        if others and versions[0] in own and others[0].object.version_id:
            # What it had replaced must not appear as a new photograph: the delete marker comes first, and stays.
            self.store.delete(photograph.bucket, photograph.key)
        gone = in_deletion_order(own if others else versions)
        for version in gone:
            self.store.delete_version(photograph.bucket, version)
        return len(gone)

    def _versions(self, photograph: PlannedPhotograph) -> list[StoredVersion]:
        """All versions under the key, the newest first."""
        found = self.store.history(photograph.bucket, photograph.key)
        own = [version for version in found if version.object.key == photograph.key]
        return sorted(own, key=lambda version: version.object.modified, reverse=True)

    def _is_of(self, photograph: PlannedPhotograph, version: StoredVersion, kept: Collection[str]) -> bool:
        """Whether a version is the photograph: the same key can hold another one that replaced it."""
        stored = version.object
        upload = ids.upload_id(photograph.bucket, stored.key, stored.etag)
        if upload == photograph.upload_id or upload in kept:
            # The same content, uploaded again under the same key, is an upload of its own that may stay.
            return upload == photograph.upload_id
        # The ETag of an upload in parts is no digest of its content.
        try:
            content = self.store.read(
                photograph.bucket, stored.key, max_bytes=self.max_bytes, version_id=stored.version_id
            )
        except PermanentError:
            return False
        return ids.image_id(photograph.camera, ids.content_hash(content.data)) == photograph.image_id

    def _derived_keys(self, plan: ForgetPlan, ended_bursts: Collection[tuple[str, str]]) -> Iterator[str]:
        """Prefixes of which everything is of the plan's photographs."""
        for crop in plan.crops:
            yield crop.key
            yield f"{INDIVIDUALS_PREFIX}{crop.camera}/{crop.crop_id}."
        gone = plan.images
        for camera, image_id in sorted(
            {(one.camera, one.image_id) for one in plan.photographs if one.image_id in gone}
        ):
            yield f"{EXPLANATIONS_PREFIX}{camera}/{ids.explanation_prefix(image_id)}"
        for camera, burst_id in sorted(ended_bursts):
            yield f"{CROPS_PREFIX}{camera}/{burst_id}.json"


def _described(version: StoredVersion) -> str:
    name = version.object.version_id
    return version.object.key + (f" (version {name})" if name else "")
