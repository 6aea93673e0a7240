"""Identifies the content that a verdict is about, among all that was stored under an object key."""

from dataclasses import dataclass

from uncia import ids
from uncia.events import BurstFrame, ImagePredicted
from uncia.storage.object_store import ObjectContent


@dataclass(frozen=True)
class AssessedContent:
    """The content that was predicted or rejected. A later upload under the same key has other ids."""

    camera: str
    bucket: str
    key: str
    upload_id: str
    image_id: str
    version_id: str | None = None
    """The version to read first, in a versioned bucket."""

    def is_content(self, content: ObjectContent) -> bool:
        """Return whether these are the assessed bytes, even if the store now returns another ETag."""
        if ids.upload_id(self.bucket, self.key, content.etag) == self.upload_id:
            return True
        return ids.image_id(self.camera, ids.content_hash(content.data)) == self.image_id

    @classmethod
    def of_frame(cls, camera: str, frame: BurstFrame) -> "AssessedContent":
        """Return the content of a burst's frame."""
        return cls(camera, frame.bucket, frame.key, frame.upload_id, frame.image_id)

    @classmethod
    def of_prediction(cls, event: ImagePredicted) -> "AssessedContent":
        """Return the content that was read for a prediction."""
        return cls(event.camera, event.bucket, event.key, event.upload_id, event.image_id, event.version_id)
