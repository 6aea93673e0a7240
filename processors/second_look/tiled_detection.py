"""From a request to its result: read, decode at a larger scale, detect tile by tile, merge, classify the best crops."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from uncia import ids
from uncia.errors import DependencyDown, PermanentError, ScoresNotFinite
from uncia.events import (
    DetectionResult,
    FrameSecondLook,
    Lane,
    Rejection,
    SecondLookCompleted,
    SecondLookFrame,
    SecondLookRequested,
)
from uncia.events.images import OBJECT_CHANGED
from uncia.imaging.frames import decode_photograph
from uncia.imaging.tiles import FoundBoxes, cut_tile, decode_spec, merge_boxes, shown_box, tile_boxes, tiles_of
from uncia.processors.faust_runtime.object_errors import StoreProbe, read_one_object
from uncia.processors.faust_runtime.retry import retry_until_available
from uncia.processors.predict.detection import boxes_to_classify, with_classes
from uncia.processors.predict.inference import crop_frames
from uncia.processors.predict.live_model import ActiveDetector, LiveDetector, LiveModel
from uncia.processors.second_look.selection import PER_SIDE, SHARE
from uncia.serving.detector_card import DetectorCard
from uncia.serving.detector_client import Detector, DetectorOutput
from uncia.serving.model_card import ModelCard
from uncia.serving.triton_client import Classifier
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

MAX_UNSOUND_RESULTS = 3
"""After this many results with NaN in a row, the frame has no second look."""

TOO_LATE = "too-late"
"""Rejection reason: the burst can no longer be revised."""
NO_DETECTOR = "no-detector"
"""Rejection reason: no detector is installed any more."""
UNSOUND = "detector-unsound"
"""Rejection reason: the detector returns NaN."""

_LANE = Lane.BACKFILL

T = TypeVar("T")


class _ModelReplaced(Exception):
    """The version of a request did not respond, and another version is live by now."""


@dataclass(frozen=True)
class _Versions:
    """The models of one frame, from its first byte to its result."""

    model: ModelCard
    detector: ActiveDetector


class TiledDetection:
    """Takes second looks; must be used from one event loop, and for one request at a time.

    One inference request is in Triton at any moment, of one tile or one crop: a photograph that arrives overtakes all
    others, and waits for the one that is being computed. Waits without limit for a store or a model that is down.
    """

    def __init__(self, settings: Settings, model: LiveModel, detector: LiveDetector, store: ObjectStore) -> None:
        self._settings = settings
        self._model = model
        self._live_detector = detector
        self._store = store
        self._probe = StoreProbe(store, settings.bucket)
        self._classifier = Classifier(settings, model.current().card)
        self._detector: Detector | None = None

    async def complete(self, request: SecondLookRequested) -> SecondLookCompleted:
        """The result of a request. Raises nothing that a photograph could cause."""
        began = time.monotonic()
        frames = [await self._frame(frame, request) for frame in request.frames]
        return SecondLookCompleted(
            second_look_id=request.second_look_id,
            burst_id=request.burst_id,
            station=request.station,
            camera=request.camera,
            frames=tuple(frames),
            reason=request.reason,
            rule=request.rule,
            seconds=round(time.monotonic() - began, 3),
            completed_at=datetime.now(UTC),
        )

    async def close(self) -> None:
        """Close the connections to Triton."""
        await self._classifier.close()
        if self._detector is not None:
            await self._detector.close()

    async def _frame(self, frame: SecondLookFrame, request: SecondLookRequested) -> FrameSecondLook:
        try:
            if request.useful_until is not None and datetime.now(UTC) > request.useful_until:
                raise PermanentError(TOO_LATE, "the burst can no longer be revised")
            data = await self._read(frame, request.camera)
            detection = await self._detect(data, frame, request.rule)
            return FrameSecondLook(image_id=frame.image_id, upload_id=frame.upload_id, detection=detection)
        except PermanentError as error:
            rejection = Rejection(reason=error.reason, message=str(error))
            return FrameSecondLook(image_id=frame.image_id, upload_id=frame.upload_id, rejection=rejection)

    async def _read(self, frame: SecondLookFrame, camera: str) -> bytes:
        """The photograph. Raises `PermanentError` where it is gone, or another one is under its key."""
        content = await read_one_object(
            lambda: asyncio.to_thread(
                self._store.read,
                frame.bucket,
                frame.key,
                max_bytes=self._settings.max_object_mb * 1_048_576,
                etag="",
                size=0,
                version_id=None,
            ),
            self._probe,
            frame.bucket,
            frame.key,
        )
        if ids.image_id(camera, ids.content_hash(content.data)) != frame.image_id:
            raise PermanentError(OBJECT_CHANGED, f"{frame.bucket}/{frame.key} no longer holds that photograph")
        return content.data

    async def _detect(self, data: bytes, frame: SecondLookFrame, rule: str) -> DetectionResult:
        """Detect with the versions that are live; again from the start where others replace them."""
        max_pixels = self._settings.max_megapixels * 1_000_000
        while True:
            active = self._live_detector.current()
            if active is None:
                raise PermanentError(NO_DETECTOR, "no detector is installed")
            versions = _Versions(self._model.current().card, active)
            spec = decode_spec(active.card.frame, SHARE)
            decoded = await asyncio.to_thread(decode_photograph, data, (spec,), max_pixels=max_pixels)
            try:
                result = await self._detect_tiles(decoded.image, frame, rule, versions)
                return await self._classify(decoded.image, result, versions)
            except _ModelReplaced:
                continue

    async def _detect_tiles(
        self, image: Image.Image, frame: SecondLookFrame, rule: str, versions: _Versions
    ) -> DetectionResult:
        card, builder = versions.detector.card, versions.detector.builder
        client = self._detector = self._detector or Detector(self._settings, card)
        asked_at, seconds = datetime.now(UTC), 0.0
        parts = [_first_look(frame, card)]
        # A tile fills the frame: it has no strips to cut off.
        whole = card.model_copy(update={"frame": card.frame.model_copy(update={"crop_top": 0.0, "crop_bottom": 0.0})})
        for tile in tiles_of(card.frame, PER_SIDE, SHARE):
            pixels = await asyncio.to_thread(cut_tile, image, tile, card.frame)
            output = await self._until_sound(lambda pixels=pixels: client.detect(pixels[None], _LANE, whole), versions)  # type: ignore[misc]
            seconds += output.inference_ms / 1000
            found = FoundBoxes.of(output.boxes[0], output.scores[0], output.categories[0])
            parts.append(tile_boxes(found, tile, shown_box(card.frame)))
        merged = merge_boxes(parts)
        output = DetectorOutput(
            merged.boxes[None],
            merged.scores[None].astype(np.float32),
            merged.categories[None].astype(np.int32),
            card.version,
            seconds * 1000,
        )
        result = builder.build(output, asked_at)
        return result.model_copy(update={"settings": ids.settings_digest(f"{rule} {result.settings}")})

    async def _classify(self, image: Image.Image, result: DetectionResult, versions: _Versions) -> DetectionResult:
        """Add class probabilities to the best animals, one crop at a time."""
        indices = boxes_to_classify(result)
        if not indices:
            return result
        card = versions.model
        pixels = await asyncio.to_thread(crop_frames, image, [result.detections[at] for at in indices], card.frame)
        vectors: list[NDArray[np.float32]] = []
        for crop in pixels:

            async def classify(crop: NDArray[np.uint8] = crop) -> NDArray[np.float32]:
                whole: NDArray[np.float32] = (await self._classifier.classify(crop[None], _LANE, card)).whole
                if not np.isfinite(whole).all():
                    raise ScoresNotFinite(f"{card.model} returned NaN or infinite scores for a crop")
                return whole

            try:
                vectors.append(await self._until_sound(classify, versions))
            except PermanentError:
                return result
        return with_classes(result, indices, np.concatenate(vectors), crop_model=card.name, label_set=card.labels.id)

    async def _until_sound(self, call: Callable[[], Awaitable[T]], versions: _Versions) -> T:
        """Retry until the model responds with finite numbers.

        Raises `_ModelReplaced`, and `PermanentError` where it returns NaN again and again.
        """
        unsound = 0

        async def once() -> T:
            nonlocal unsound
            try:
                return await call()
            except DependencyDown as error:
                if self._is_replaced(versions):
                    raise _ModelReplaced from error
                if isinstance(error, ScoresNotFinite):
                    unsound += 1
                    if unsound >= MAX_UNSOUND_RESULTS:
                        raise PermanentError(UNSOUND, str(error)) from error
                raise

        return await retry_until_available(once, waiting_for="triton")

    def _is_replaced(self, versions: _Versions) -> bool:
        return self._model.current().card != versions.model or self._live_detector.current() is not versions.detector


def _first_look(frame: SecondLookFrame, card: DetectorCard) -> FoundBoxes:
    """What the first look found, as far as the detector has its category."""
    known = [box for box in frame.boxes if box.category in card.categories]
    return FoundBoxes.of(
        [box.box for box in known], [box.score for box in known], [card.categories.index(box.category) for box in known]
    )
