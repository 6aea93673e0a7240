"""Makes the store and the topic hold exactly the crops that one revision of a burst selects.

The order in which it writes, so that a kill at any point loses nothing and a second run completes the first:

1. the manifest, with every crop that is about to be deleted or stored;
2. deletions, each before its event: a crop that must not be seen is deleted before its withdrawal is published;
3. new crops, each before its event;
4. the manifest of what is left, complete.

A manifest replaces the one that was read, and no other (a conditional write): a request that timed out may still be
carried out, after later ones. A revision whose manifest is complete is skipped, so that a repetition reads one object
and publishes nothing. A crop belongs to one burst, which its object names: where a photograph moved from one burst to
another, the burst that lost it does not delete what the other one has stored, in whichever order the two are processed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import structlog

from uncia import ids
from uncia.errors import DependencyDown, PermanentError
from uncia.events import BurstResolved, CropPublished, DetectionCategory
from uncia.imaging.frames import decode_photograph
from uncia.processors.crops.cutting import Crop, cut_crop
from uncia.processors.crops.manifest import (
    OWNER,
    Manifest,
    StoredManifest,
    crop_key,
    crop_owner,
    manifest_key,
    read_manifest,
)
from uncia.processors.crops.selection import NOT_SELECTED, Selection, WantedCrop, select_crops
from uncia.processors.faust_runtime.object_errors import StoreProbe, read_one_object
from uncia.processors.faust_runtime.retry import retry_until_available
from uncia.settings import Settings
from uncia.storage.object_store import AccessRefused, ObjectChanged, ObjectMissing, ObjectStore

T = TypeVar("T")
Publish = Callable[[CropPublished], Awaitable[None]]
"""Sends an event and returns when the broker has confirmed it."""

log = structlog.get_logger("uncia")

_CONDITIONAL_WRITES = 3
"""Attempts to replace a manifest that is another one than was read before."""


class CropPublisher:
    """Carries out the revisions of bursts. Those of one camera must come one after the other, in their order.

    Waits without limit while the store is down. A photograph that is gone, was replaced or cannot be decoded costs its
    own crop only.
    """

    def __init__(self, settings: Settings, store: ObjectStore, publish: Publish) -> None:
        self._settings = settings
        self._bucket = settings.bucket
        self._store = store
        self._publish = publish
        self._probe = StoreProbe(store, settings.bucket)
        # A photograph decoded at full scale is up to 100 MB.
        self._decoding = asyncio.Semaphore(1)

    async def apply(self, burst: BurstResolved) -> None:
        """Publish the crops of a settled burst, and withdraw those that it no longer has.

        Raises `PermanentError` where the store takes no key of this camera.
        """
        selection = select_crops(
            burst,
            most=self._settings.crops_per_burst,
            withheld_by_person=self._settings.crops_withheld_by_person,
        )
        stored = await self._read_manifest(burst)
        before = stored.manifest
        if before is None and not selection.wanted:
            return
        if before is not None and before.covers(burst):
            return
        listed = {crop.crop_id: crop for crop in before.crops} if before else {}
        kept = await self._kept(burst, selection, before)
        kept_ids = {crop.crop_id for crop in kept}
        made = [await self._make(burst, wanted) for wanted in selection.wanted if wanted.crop_id not in kept_ids]
        new = [crop for crop in made if crop is not None]
        stays = kept_ids | {crop.crop_id for crop, _ in new}
        dropped = [crop for crop in listed.values() if crop.crop_id not in stays]
        await self._carry_out(burst, stored.etag, kept, new, dropped, selection.withdrawal)

    async def _carry_out(
        self,
        burst: BurstResolved,
        etag: str,
        kept: list[CropPublished],
        new: list[tuple[CropPublished, bytes]],
        dropped: list[CropPublished],
        why: str,
    ) -> None:
        after = (*kept, *(crop for crop, _ in new))
        if new or dropped:
            etag = await self._write_manifest(burst, etag, (*after, *dropped), complete=False)
        for crop in dropped:
            await self._withdraw(burst, crop, why)
        for crop, jpeg in new:
            await self._put(crop.key, jpeg, "image/jpeg", {OWNER: burst.burst_id})
            await self._publish(crop)
            log.info("crop_published", crop_id=crop.crop_id, burst_id=crop.burst_id, camera=crop.camera)
        await self._write_manifest(burst, etag, after, complete=True)

    async def _kept(self, burst: BurstResolved, selection: Selection, before: Manifest | None) -> list[CropPublished]:
        """The crops that stay as they are: still selected, and in the store as this burst's own.

        While a manifest is not complete it is unknown which of its crops were announced: they are published again.
        """
        if before is None:
            return []
        wanted = {crop.crop_id for crop in selection.wanted}
        stays = [crop for crop in before.crops if crop.crop_id in wanted and before.complete]
        if burst.frames_left_out and selection.withdrawal == NOT_SELECTED:
            # The event was too large for all of its frames: it says nothing about the others.
            frames = {frame.image_id for frame in burst.frames}
            stays += [crop for crop in before.crops if crop.image_id not in frames]
        return [crop for crop in stays if await self._owner(crop) == burst.burst_id]

    async def _withdraw(self, burst: BurstResolved, crop: CropPublished, why: str) -> None:
        owner = await self._owner(crop)
        if owner not in (burst.burst_id, None):
            return
        await self._call(lambda: self._store.delete_with_versions(self._bucket, crop.key))
        gone = {"sha256": None, "size": 0, "width": None, "height": None}
        await self._publish(crop.model_copy(update={**gone, "published_at": datetime.now(UTC), "withdrawn": why}))
        log.info("crop_withdrawn", crop_id=crop.crop_id, burst_id=burst.burst_id, camera=crop.camera, reason=why)

    async def _make(self, burst: BurstResolved, wanted: WantedCrop) -> tuple[CropPublished, bytes] | None:
        """The event and the JPEG of a crop; None, and a line in the log, where there can be none."""
        frame = wanted.frame
        try:
            async with self._decoding:
                crop = await self._cut(burst, wanted)
        except PermanentError as error:
            log.warning("crop_not_made", image_id=frame.image_id, key=frame.key, reason=error.reason, error=str(error))
            return None
        if crop is None:
            log.info("crop_too_small", image_id=frame.image_id, box=wanted.box)
            return None
        return (
            CropPublished(
                crop_id=wanted.crop_id,
                burst_id=burst.burst_id,
                image_id=frame.image_id,
                station=burst.station,
                camera=burst.camera,
                bucket=self._bucket,
                key=crop_key(burst.camera, wanted.crop_id),
                sha256=crop.sha256,
                size=len(crop.jpeg),
                width=crop.region.width,
                height=crop.region.height,
                box=wanted.box,
                crop_box=crop.region.box,
                category=DetectionCategory.ANIMAL,
                score=wanted.score,
                source=wanted.source,
                captured_at=frame.captured_at,
                published_at=datetime.now(UTC),
            ),
            crop.jpeg,
        )

    async def _cut(self, burst: BurstResolved, wanted: WantedCrop) -> Crop | None:
        """Read, check and decode the photograph, and cut the box out. Raises `PermanentError`."""
        frame, settings = wanted.frame, self._settings
        data = await read_one_object(
            lambda: asyncio.to_thread(
                self._store.get, frame.bucket, frame.key, max_bytes=settings.max_object_mb * 1_048_576
            ),
            self._probe,
            frame.bucket,
            frame.key,
        )

        def decode_and_cut() -> Crop | None:
            if ids.image_id(burst.camera, ids.content_hash(data)) != frame.image_id:
                raise PermanentError("object-changed", f"{frame.key} holds another photograph now")
            photograph = decode_photograph(data, (), max_pixels=settings.max_megapixels * 1_000_000)
            return cut_crop(photograph, wanted.box, min_pixels=settings.crop_min_pixels)

        return await asyncio.to_thread(decode_and_cut)

    async def _owner(self, crop: CropPublished) -> str | None:
        return await self._call(lambda: crop_owner(self._store, self._bucket, crop.key))

    async def _read_manifest(self, burst: BurstResolved) -> StoredManifest:
        return await self._call(lambda: read_manifest(self._store, self._bucket, burst.camera, burst.burst_id))

    async def _write_manifest(
        self, burst: BurstResolved, etag: str, crops: Sequence[CropPublished], *, complete: bool
    ) -> str:
        """Replace the manifest that has this ETag; empty: there is none. Returns the ETag of the new one.

        Never unconditionally: a write that timed out while the store was down may be carried out after later ones, and
        would bring an older manifest back. One that covers the burst is of another worker, and stays.
        """
        data = Manifest.of(burst, tuple(crops), complete=complete).to_bytes()
        for _ in range(_CONDITIONAL_WRITES):
            try:
                return await self._put(
                    manifest_key(burst.camera, burst.burst_id), data, "application/json", {}, replaces=etag
                )
            except (ObjectChanged, ObjectMissing):
                stored = await self._read_manifest(burst)
                if stored.data == data or (stored.manifest is not None and stored.manifest.covers(burst)):
                    return stored.etag
                etag = stored.etag
        # A store that refuses every condition.
        return await self._put(manifest_key(burst.camera, burst.burst_id), data, "application/json", {})

    async def _put(
        self, key: str, data: bytes, content_type: str, metadata: dict[str, str], replaces: str | None = None
    ) -> str:
        return await self._call(
            lambda: self._store.put(
                self._bucket, key, data, content_type=content_type, metadata=metadata, replaces=replaces
            )
        )

    async def _call(self, request: Callable[[], T]) -> T:
        """Run a request to the store in a thread; repeat it while the store is down or refuses it."""
        return await retry_until_available(
            lambda: asyncio.to_thread(request), waiting_for="object store", on=(DependencyDown, AccessRefused)
        )
