"""Descriptions of crops, kept in the object store: each crop is described once, when its burst is matched.

    individuals/<station>/<camera>/<crop id>.description

A description is read again at every start for each reference, and has up to some hundred kilobytes: too much for a
message. One that another version or another embedder wrote is computed again. The side of the animal, which a person
decides and may decide again, is not part of what is stored.
"""

import contextlib
from dataclasses import replace

import numpy as np
import structlog

from uncia.errors import PermanentError
from uncia.events import AnimalSide, IndividualCrop
from uncia.imaging.frames import decode_photograph
from uncia.processors.identify.embedding import Embedding
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

    With `embedding`, descriptions have the vectors of that embedder. Raises `DependencyDown` or `AccessRefused` while
    the store or the embedder is not available.
    """

    def __init__(self, store: ObjectStore, bucket: str, matcher: Matcher, embedding: Embedding | None = None) -> None:
        self._store = store
        self._bucket = bucket
        self._matcher = matcher
        self._embedding = embedding

    def get(self, camera: str, crop: IndividualCrop, *, keep: bool = True) -> Description | None:
        """The description of a crop; None, and a line in the log, where the crop is gone or cannot be read.

        `keep`: store one that has to be computed. Only who is certain to delete it may do so: the worker that holds the
        state of the crop's burst.
        """
        key = description_key(camera, crop.crop_id)
        known = self._stored(key)
        if known is not None and known.embedder == self._matcher.embedder:
            return self._with_side(known, crop.side)
        try:
            data = self._store.get(crop.bucket, crop.key, max_bytes=MAX_BYTES)
            image = np.asarray(decode_photograph(data, (), max_pixels=MAX_PIXELS).image.convert("RGB"))
        except PermanentError as error:
            log.info("crop_not_described", crop_id=crop.crop_id, key=crop.key, reason=error.reason, error=str(error))
            return None
        vector = self._embedding(image) if self._embedding else None
        described = self._matcher.describe(image, vector)
        # What the embedder failed on is not stored: its next version, or the same one when it is loaded again, may not.
        if keep and (vector is not None or self._embedding is None):
            # The store takes no key that is too long, as of a camera with a long name: there is a description all the
            # same, and it is computed again when it is needed again.
            with contextlib.suppress(PermanentError):
                self._store.put(self._bucket, key, described.to_bytes(), content_type="application/octet-stream")
        return self._with_side(described, crop.side)

    def delete(self, camera: str, crop_id: str) -> None:
        """Delete the description of a crop, if there is one. Under a key that the store does not take there is none."""
        with contextlib.suppress(PermanentError):
            self._store.delete_with_versions(self._bucket, description_key(camera, crop_id))

    def _with_side(self, described: Description, side: AnimalSide) -> Description:
        """With the side that a person decided, and without the vector of a side that the embedder never learnt."""
        sides = self._embedding.card.sides if self._embedding else ()
        if sides and side is not AnimalSide.UNKNOWN and side not in sides:
            described = replace(described, embedding=described.embedding[:0])
        # A head is none of the matcher's sides.
        known = {AnimalSide.LEFT: Side.LEFT, AnimalSide.RIGHT: Side.RIGHT}.get(side)
        return described if known is None else replace(described, quality=replace(described.quality, side=known))

    def _stored(self, key: str) -> Description | None:
        try:
            return Description.from_bytes(self._store.get(self._bucket, key, max_bytes=MAX_BYTES))
        except (PermanentError, UnreadableDescription):
            return None
