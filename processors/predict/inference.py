"""From an upload to its prediction or rejection: read, decode, infer, and handle models that fail."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from uncia import ids
from uncia.errors import DependencyDown, PermanentError, ScoresNotFinite
from uncia.events import ImagePredicted, ImageUploaded, Lane, Prediction, Rejection
from uncia.imaging.frames import DecodedFrame, self_test_pattern
from uncia.processors.faust_runtime import metrics
from uncia.processors.faust_runtime.retry import retry_until_available
from uncia.processors.predict.image_loading import LoadedPhotograph, PhotographLoader
from uncia.processors.predict.live_model import ActiveModel, LiveModel
from uncia.serving.triton_client import Classifier
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

MAX_UNSOUND_RESULTS = 3
"""After this many results with NaN scores for one photograph, the model's self-test decides which is at fault."""


class ModelReplaced(Exception):
    """The version of a request did not respond, and another version is live by now."""


class Predictor:
    """Turns uploads into predictions, or into rejections that name the reason.

    Waits without limit for a store or a model that is down. Safe to call from many tasks of one event loop; at most
    `max_requests` inference requests are in Triton at a time.
    """

    def __init__(self, settings: Settings, model: LiveModel, store: ObjectStore, lane: Lane, max_requests: int) -> None:
        self._lane = lane
        self._requests = asyncio.Semaphore(max_requests)
        self._loader = PhotographLoader(settings, store)
        self._model = model
        self._classifier = Classifier(settings, model.current().card)

    async def predict(self, upload: ImageUploaded) -> ImagePredicted:
        """The prediction or rejection of an upload. Raises nothing that a photograph could cause."""
        while True:
            active = self._model.current()
            photograph = await self._loader.load(upload, active.card.frame)
            try:
                prediction = await self._infer(photograph.frame, active, upload.station)
            except ModelReplaced:
                # Decode again: the other version may need another frame.
                continue
            except PermanentError as error:
                return self._event(upload, replace(photograph, frame=None, rejection=error), None)
            return self._event(upload, photograph, prediction)

    async def close(self) -> None:
        """Stop the decoding threads and close the connection to Triton."""
        self._loader.close()
        await self._classifier.close()

    def _event(
        self, upload: ImageUploaded, photograph: LoadedPhotograph, prediction: Prediction | None
    ) -> ImagePredicted:
        rejected = photograph.rejection
        return ImagePredicted(
            upload_id=upload.upload_id,
            image_id=ids.image_id(upload.camera, photograph.sha256 or upload.upload_id),
            station=upload.station,
            camera=upload.camera,
            bucket=upload.bucket,
            key=upload.key,
            etag=photograph.etag or upload.etag,
            version_id=upload.version_id,
            size=upload.size if photograph.sha256 is None else photograph.size,
            sha256=photograph.sha256,
            uploaded_at=upload.uploaded_at,
            predicted_at=datetime.now(UTC),
            lane=self._lane,
            capture=photograph.capture,
            prediction=prediction,
            rejection=Rejection(reason=rejected.reason, message=str(rejected)) if rejected else None,
        )

    async def _infer(self, frame: DecodedFrame | None, active: ActiveModel, station: str) -> Prediction | None:
        """The prediction for a frame; None without a frame.

        Raises `ModelReplaced` when the version does not respond and another one is live, and `PermanentError` when the
        model returns NaN for this photograph only.
        """
        if frame is None:
            return None
        unsound = 0

        async def request() -> Prediction:
            nonlocal unsound
            asked_at = datetime.now(UTC)
            try:
                async with self._requests:
                    result = await self._classifier.classify(frame.pixels[None], self._lane, active.card)
                metrics.STAGE_SECONDS.labels("infer").observe(result.inference_ms / 1000)
                return active.builder.build(result, station, asked_at)
            except DependencyDown as error:
                if self._model.current() is not active:
                    raise ModelReplaced from error
                if isinstance(error, ScoresNotFinite):
                    unsound += 1
                    if unsound >= MAX_UNSOUND_RESULTS and await self._passes_self_test(active):
                        raise PermanentError(
                            "model-unsound", f"{unsound} times, on this photograph: {error}"
                        ) from error
                raise

        return await retry_until_available(request, waiting_for="triton")

    async def _passes_self_test(self, active: ActiveModel) -> bool:
        """Whether the version returns finite scores for its self-test pattern: then the photograph is at fault."""
        pattern = self_test_pattern(active.card.frame)[None]
        try:
            result = await self._classifier.classify(pattern, self._lane, active.card)
        except DependencyDown:
            return False
        return bool(np.isfinite(result.whole).all() and np.isfinite(result.windows).all())
