"""Descriptions of crops, kept in the object store: each crop is described once, by whichever process needs it first.

    individuals/<station>/<camera>/<crop id>.description

A description is read again at every start for each reference, and has up to some hundred kilobytes: too much for a
message. One that another version or another embedder wrote is computed again and replaced.
"""

import numpy as np
import structlog

from uncia.errors import PermanentError
from uncia.events import AnimalSide, IndividualCrop
from uncia.imaging.frames import decode_photograph
from uncia.processors.identify.matching.description import Description, Side, UnreadableDescription
from uncia.processors.identify.matching.interface import Matcher
from uncia.storage.object_keys import INDIVIDUALS_PREFIX
from uncia.storage.object_store import ObjectStore

__all__ = ["DescriptionStore", "description_key"]

MAX_BYTES = 16 * 1_048_576
MAX_PIXELS = 40_000_000
"""Of a crop or an imported picture."""

log = structlog.get_logger("uncia")


def description_key(camera: str, crop_id: str) -> str:
    """The object key of a crop's description."""
    return f"{INDIVIDUALS_PREFIX}{camera}/{crop_id}.description"


class DescriptionStore:
    """Reads, computes and deletes descriptions. Blocks: call it in a thread.

    Raises `DependencyDown` or `AccessRefused` while the store is not available.
    """

    def __init__(self, store: ObjectStore, bucket: str, matcher: Matcher) -> None:
        self._store = store
        self._bucket = bucket
        self._matcher = matcher

    def get(self, camera: str, crop: IndividualCrop) -> Description | None:
        """The description of a crop; None, and a line in the log, where the crop is gone or cannot be read."""
        key = description_key(camera, crop.crop_id)
        side = _side(crop.side)
        known = self._stored(key)
        if (
            known is not None
            and known.embedder == self._matcher.embedder
            and side in (known.quality.side, Side.UNKNOWN)
        ):
            return known
        try:
            data = self._store.get(crop.bucket, crop.key, max_bytes=MAX_BYTES)
            image = np.asarray(decode_photograph(data, (), max_pixels=MAX_PIXELS).image.convert("RGB"))
        except PermanentError as error:
            log.info("crop_not_described", crop_id=crop.crop_id, key=crop.key, reason=error.reason, error=str(error))
            return None
        described = self._matcher.describe(image, side=side)
        self._store.put(self._bucket, key, described.to_bytes(), content_type="application/octet-stream")
        return described

    def delete(self, camera: str, crop_id: str) -> None:
        """Delete the description of a crop, if there is one."""
        self._store.delete(self._bucket, description_key(camera, crop_id))

    def _stored(self, key: str) -> Description | None:
        try:
            return Description.from_bytes(self._store.get(self._bucket, key, max_bytes=MAX_BYTES))
        except (PermanentError, UnreadableDescription):
            return None


def _side(side: AnimalSide) -> Side:
    """What the matcher calls a side; a head is none of its sides."""
    return {AnimalSide.LEFT: Side.LEFT, AnimalSide.RIGHT: Side.RIGHT}.get(side, Side.UNKNOWN)
