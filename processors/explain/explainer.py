"""From a request to its explanation or rejection: read, decode, score in small batches, conclude, store."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np
import structlog

from uncia import ids
from uncia.errors import DependencyDown, PermanentError
from uncia.events import ExplanationMethod, ExplanationRequested, ImageExplained, Lane, Rejection
from uncia.events.explanations import ExplainedBox
from uncia.events.images import OBJECT_CHANGED
from uncia.explaining.document import explanation_document
from uncia.explaining.explain import ExplanationOptions, conclude, plan
from uncia.explaining.explanation import Explanation, Scores, ScoresUnsound, check_scores
from uncia.explaining.heat_map import decode_backdrop, render_heat_map, to_photograph
from uncia.explaining.perturbations import Perturbations
from uncia.explaining.target import ClassUnknown, best_class, class_at
from uncia.imaging.frames import Pixels, decode_frame
from uncia.processors.faust_runtime.object_errors import StoreProbe, read_one_object
from uncia.processors.faust_runtime.retry import retry_until_available
from uncia.processors.predict.live_model import LiveModel
from uncia.serving.labels import LabelClass
from uncia.serving.model_card import ModelCard
from uncia.serving.triton_client import Classifier
from uncia.settings import Settings
from uncia.storage.object_store import AccessRefused, ObjectMissing, ObjectStore

BATCH = 2
"""Pictures in one inference request, of which one at a time is in Triton: a live photograph waits for the request that
is being computed, which takes as long as two photographs."""

MAX_UNSOUND_RESULTS = 3
"""After this many results with NaN scores in a row, the request is rejected."""

UNSOUND_RETRY_S = 1.0
"""Seconds between two of them: a model that is being reloaded needs some."""

MAX_DOCUMENT_BYTES = 4 * 1_048_576

PERSON_IN_BURST = "person-in-burst"
_PERSON = (
    "a person is in the photograph's burst, or may be where the detector knows no persons: nothing of it is stored"
)
"""Rejection reason: the explanation would show, or showed, a person."""
METHOD_NOT_SERVED = "method-not-served"
"""Rejection reason: Triton's model does not give what the method needs."""

_WEIGHTS = ".json"
_MARK = json.dumps({"withheld": PERSON_IN_BURST}).encode()

T = TypeVar("T")

log = structlog.get_logger("uncia")


class _ModelReplaced(Exception):
    """The version of a request did not respond, and another version is live by now."""


@dataclass(frozen=True)
class _Scored:
    """The outcome of the part that needs the model."""

    card: ModelCard
    target: LabelClass
    explanation: Explanation


def object_keys(request: ExplanationRequested) -> tuple[str, str]:
    """Keys of the heat map and of the weights: the same for the same explanation."""
    base = f"explanations/{request.camera}/{request.explanation_id}"
    return f"{base}.png", f"{base}{_WEIGHTS}"


def marker_key(camera: str, image_id: str) -> str:
    """Key of the object that marks a photograph in whose burst a person was found."""
    return f"explanations/{camera}/{ids.explanation_prefix(image_id)}withheld"


class Explainer:
    """Explains photographs, and withdraws explanations; must be used from one event loop.

    Waits without limit for a store or a model that is down. Computes nothing that is stored already: the weights are
    written last, so that where they are, everything is, and their file holds the event.
    """

    def __init__(
        self, settings: Settings, model: LiveModel, store: ObjectStore, withheld: Callable[[str], bool]
    ) -> None:
        """`withheld` tells for an image id whether its burst is known to show a person."""
        self._settings = settings
        self._model = model
        self._store = store
        self._withheld = withheld
        self._probe = StoreProbe(store, settings.bucket)
        self._classifier = Classifier(settings, model.current().card)
        # Between the check and the last object nothing is withdrawn.
        self._storing = asyncio.Lock()

    async def explain(self, request: ExplanationRequested) -> ImageExplained:
        """The explanation or rejection for a request. Raises nothing that a photograph could cause."""
        began = time.monotonic()
        try:
            await self._refuse_withheld(request)
            if (stored := await self._stored(request)) is not None:
                return stored
            if request.method is ExplanationMethod.CLASS_ACTIVATION:
                raise PermanentError(
                    METHOD_NOT_SERVED,
                    "the served graph gives no feature maps: `uncia explain --method class-activation` computes them "
                    "from the model's file",
                )
            data = await self._read(request)
            scored = await self._explain(data, request)
            async with self._storing:
                # A person may have been found in the burst meanwhile.
                await self._refuse_withheld(request)
                return await self._save(request, data, scored, time.monotonic() - began)
        except PermanentError as error:
            return rejected(request, error)

    async def close(self) -> None:
        """Close the connection to Triton."""
        await self._classifier.close()

    async def _refuse_withheld(self, request: ExplanationRequested) -> None:
        if not self._settings.crops_withheld_by_person:
            return
        if request.person_in_burst or self._withheld(request.image_id) or await self._is_marked(request):
            raise PermanentError(PERSON_IN_BURST, _PERSON)

    async def _is_marked(self, request: ExplanationRequested) -> bool:
        """Whether `withdraw` was called for the photograph, by any process at any time."""
        key = marker_key(request.camera, request.image_id)

        def find() -> bool:
            try:
                self._store.head(self._settings.bucket, key)
            except ObjectMissing:
                return False
            return True

        return await self._with_store(lambda: asyncio.to_thread(find))

    async def _stored(self, request: ExplanationRequested) -> ImageExplained | None:
        """The event of an explanation that is in the store already."""
        event = await self._event_at(object_keys(request)[1])
        same = event and (event.explanation_id, event.image_id) == (request.explanation_id, request.image_id)
        return event if same else None

    async def _event_at(self, weights_key: str) -> ImageExplained | None:
        """The event in a file of weights; None without such a file, or for one of another version of Uncia."""

        async def read() -> bytes | None:
            try:
                bucket = self._settings.bucket
                return await asyncio.to_thread(self._store.get, bucket, weights_key, max_bytes=MAX_DOCUMENT_BYTES)
            except ObjectMissing:
                return None

        data = await self._with_store(read)
        try:
            return None if data is None else ImageExplained.from_bytes(data)
        except PermanentError:
            return None

    async def _read(self, request: ExplanationRequested) -> bytes:
        """The photograph. Raises `PermanentError` where it is gone, or another one is under its key."""
        content = await read_one_object(
            lambda: asyncio.to_thread(
                self._store.read,
                request.bucket,
                request.key,
                max_bytes=self._settings.max_object_mb * 1_048_576,
                etag=request.etag,
                size=0,
                version_id=request.version_id,
            ),
            self._probe,
            request.bucket,
            request.key,
        )
        if ids.image_id(request.camera, ids.content_hash(content.data)) != request.image_id:
            raise PermanentError(OBJECT_CHANGED, f"{request.bucket}/{request.key} no longer holds that photograph")
        return content.data

    async def _explain(self, data: bytes, request: ExplanationRequested) -> _Scored:
        """Explain with the version that is live; again from the start where another one replaces it."""
        options = ExplanationOptions(request.method, samples=self._settings.explanation_samples)
        max_pixels = self._settings.max_megapixels * 1_000_000
        while True:
            card = self._model.current().card
            frame = await asyncio.to_thread(decode_frame, data, card.frame, max_pixels=max_pixels)
            try:
                target = await self._target(frame.pixels, request, card)
                planned = await asyncio.to_thread(plan, frame.pixels, options)
                scores = await self._score_all(planned, target.index, card)
                return _Scored(card, target, await asyncio.to_thread(conclude, planned, scores, options))
            except _ModelReplaced:
                continue
            except ScoresUnsound as error:
                raise PermanentError("model-unsound", str(error)) from error
            except ClassUnknown as error:
                raise PermanentError("class-unknown", str(error)) from error

    async def _target(self, pixels: Pixels, request: ExplanationRequested, card: ModelCard) -> LabelClass:
        if request.class_index is not None:
            return class_at(card.labels, request.class_index)
        scores = (await self._infer(pixels[None], card))[0]
        return best_class(card.labels, scores, self._settings.focus_taxa_of(request.station))

    async def _score_all(self, planned: Perturbations, index: int, card: ModelCard) -> Scores:
        batch = min(BATCH, card.max_batch)
        parts = []
        for start in range(0, len(planned), batch):
            images = planned.images(start, start + batch)
            parts.append((await self._infer(images, card))[:, index])
        return np.concatenate(parts).astype(np.float64)

    async def _infer(self, images: Pixels, card: ModelCard) -> np.ndarray:
        """Each class's best window, (B, classes). Raises `_ModelReplaced` and `ScoresUnsound`."""
        for _ in range(MAX_UNSOUND_RESULTS):

            async def request() -> np.ndarray:
                try:
                    return (await self._classifier.classify(images, Lane.BACKFILL, card)).windows
                except DependencyDown as error:
                    if self._model.current().card != card:
                        raise _ModelReplaced from error
                    raise

            windows = await retry_until_available(request, waiting_for="triton")
            if np.isfinite(windows).all():
                return windows
            await asyncio.sleep(UNSOUND_RETRY_S)
        check_scores(windows.ravel(), windows.size)
        return windows

    async def _save(
        self, request: ExplanationRequested, data: bytes, scored: _Scored, seconds: float
    ) -> ImageExplained:
        card, found = scored.card, scored.explanation
        heat_map_key, weights_key = object_keys(request)
        event = ImageExplained(
            explanation_id=request.explanation_id,
            image_id=request.image_id,
            station=request.station,
            camera=request.camera,
            method=request.method,
            model=card.name,
            label_set=card.labels.id,
            class_index=scored.target.index,
            label=scored.target.label,
            taxon=scored.target.taxon,
            score=min(1.0, max(0.0, round(found.score, 6))),
            bucket=self._settings.bucket,
            heat_map_key=heat_map_key,
            weights_key=weights_key,
            r2=None if found.r2 is None else round(found.r2, 6),
            superpixels=len(found.weights),
            samples=found.samples,
            boxes=tuple(
                ExplainedBox(box=to_photograph(entry.box, card.frame), weight=round(entry.weight, 6))
                for entry in found.boxes
            ),
            seconds=round(seconds, 3),
            explained_at=datetime.now(UTC),
        )
        max_pixels = self._settings.max_megapixels * 1_000_000
        backdrop = await asyncio.to_thread(decode_backdrop, data, max_pixels=max_pixels)
        png = await asyncio.to_thread(render_heat_map, backdrop, found, card.frame)
        facts = {"event": event.topic, **event.model_dump(mode="json", exclude_none=True)}
        await self._put(heat_map_key, png, "image/png")
        await self._put(weights_key, explanation_document(found, card.frame, facts), "application/json")
        return event

    async def _put(self, key: str, data: bytes, content_type: str) -> None:
        async def put() -> None:
            await asyncio.to_thread(self._store.put, self._settings.bucket, key, data, content_type=content_type)

        await self._with_store(put)

    async def withdraw(self, camera: str, image_id: str, publish: Callable[[ImageExplained], Awaitable[None]]) -> None:
        """Mark a photograph, delete what is stored of its explanations, and publish that each is withdrawn.

        The weights go last: while they are there, a repetition finds and publishes the withdrawal again. The mark
        stays: nothing of the photograph is explained again.
        """
        marker = marker_key(camera, image_id)
        await self._put(marker, _MARK, "application/json")
        bucket, prefix = self._settings.bucket, f"explanations/{camera}/{ids.explanation_prefix(image_id)}"
        async with self._storing:
            keys = await self._with_store(lambda: asyncio.to_thread(self._stored_keys, bucket, prefix))
            for key in sorted(keys - {marker}, key=lambda key: key.endswith(_WEIGHTS)):
                event = await self._event_at(key) if key.endswith(_WEIGHTS) else None
                if event is not None:
                    await publish(_withdrawn(event))
                await self._with_store(lambda key=key: asyncio.to_thread(self._store.delete_with_versions, bucket, key))  # type: ignore[misc]

    def _stored_keys(self, bucket: str, prefix: str) -> set[str]:
        """With older versions: a deletion that was interrupted may have hidden an object without removing them.

        A key that may not list versions is one of a bucket without them, where the objects are all that there is;
        in another bucket the deletion of each is refused, and waits for the right.
        """
        try:
            return {found.object.key for found in self._store.history(bucket, prefix)}
        except AccessRefused:
            return {found.key for found in self._store.list(bucket, prefix)}

    async def _with_store(self, call: Callable[[], Awaitable[T]]) -> T:
        return await retry_until_available(call, waiting_for="object store", on=(DependencyDown, AccessRefused))


def _withdrawn(event: ImageExplained) -> ImageExplained:
    """An explanation's event without anything that it shows."""
    return ImageExplained(
        explanation_id=event.explanation_id,
        image_id=event.image_id,
        station=event.station,
        camera=event.camera,
        method=event.method,
        class_index=event.class_index,
        explained_at=datetime.now(UTC),
        rejection=Rejection(reason=PERSON_IN_BURST, message=_PERSON),
    )


def rejected(request: ExplanationRequested, error: PermanentError) -> ImageExplained:
    """The event that says why there is no explanation."""
    return ImageExplained(
        explanation_id=request.explanation_id,
        image_id=request.image_id,
        station=request.station,
        camera=request.camera,
        method=request.method,
        class_index=request.class_index,
        explained_at=datetime.now(UTC),
        rejection=Rejection(reason=error.reason, message=str(error)),
    )
