"""One photograph from the store to the models' frames: one GET, one hash, one EXIF parse, one decode, in one thread."""

import asyncio
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from PIL import Image

from uncia import ids
from uncia.errors import PermanentError, RejectedImage
from uncia.events import OBJECT_MOVED, SOUND_RECORDING, VIDEO_NOT_ANALYSED, Capture, ImageUploaded, LuminanceGrid
from uncia.imaging.exif import Exif, read_exif
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import DecodedPhotograph, Pixels, decode_photograph, scale_to_frame
from uncia.imaging.luminance import luminance_grid
from uncia.processors.faust_runtime import metrics
from uncia.processors.faust_runtime.object_errors import StoreProbe, read_one_object
from uncia.processors.predict.capture import read_capture
from uncia.settings import Settings
from uncia.storage.object_store import ObjectChanged, ObjectMissing, ObjectStore
from uncia.storage.recording_names import is_recording_name
from uncia.storage.video_names import is_video_name

_MAX_PICTURE = 4_000_000
"""Pixels of a decoded picture that is kept until its boxes are cut out; larger ones are reduced."""

_LUMINANCE_INPUT = (192, 144)
"""Width and height to which a picture is reduced, at most, before its grey values are averaged: a third of the work."""

_MISSING_POLL_S = 0.25
"""How often an object that was announced and is not there is requested again."""


@dataclass(frozen=True)
class ModelFrames:
    """What the frames of one photograph must look like: one decode serves both models."""

    classifier: FrameSpec
    detector: FrameSpec | None = None
    """None where no detector is installed."""


@dataclass(frozen=True)
class PhotographFrames:
    """One decoded photograph, scaled for the models."""

    classifier: Pixels
    """uint8, shape (height, width, 3), RGB; as is the detector's."""
    detector: Pixels | None = None
    picture: Image.Image | None = None
    """The decoded picture, from which boxes are cut; None without a detector, which frees its memory."""
    luminance: LuminanceGrid | None = None
    """Of the whole picture; None without a detector."""


@dataclass(frozen=True)
class LoadedPhotograph:
    """What could be read of one upload: its frames, or the reason why there are none."""

    capture: Capture
    sha256: str | None = None
    frames: PhotographFrames | None = None
    rejection: PermanentError | None = None
    etag: str = ""
    """The ETag that the store returned with the bytes; empty where nothing was read."""
    size: int = 0
    """Number of bytes that were read."""


class PhotographLoader:
    """Loads photographs; at most `settings.decode_threads` are in memory as bytes at any moment.

    Must be used from one event loop; reading and decoding run in a thread pool of its own.
    """

    def __init__(self, settings: Settings, store: ObjectStore) -> None:
        self._store = store
        self._probe = StoreProbe(store, settings.bucket)
        self._max_bytes = settings.max_object_mb * 1_048_576
        self._max_pixels = settings.max_megapixels * 1_000_000
        self._grace = timedelta(seconds=settings.missing_grace_s)
        self._pool = ThreadPoolExecutor(settings.decode_threads, thread_name_prefix="photograph")

    async def load(self, upload: ImageUploaded, wanted: ModelFrames) -> LoadedPhotograph:
        """Read a photograph, decode it once, and scale it to the frame of each model.

        A photograph that cannot be decoded is returned with its rejection, as is an object that the store does not
        serve while it serves others; while the store is down, this waits.

        Only the announced content is read: what is stored later under the same key is announced separately. An
        announced object that is missing, or still has its older content, is requested again until `missing_grace_s`
        after the announcement, and at least twice: stores may show an object later than they announce it.

        A video or a sound recording, by its name, is not requested: it is rejected as one.
        """
        if is_video_name(upload.key) and upload.moved_to is None:
            return LoadedPhotograph(read_capture(Exif(), upload), rejection=_video())
        if is_recording_name(upload.key) and upload.moved_to is None:
            return LoadedPhotograph(read_capture(Exif(), upload), rejection=_sound())
        attempts = 0
        while True:
            try:
                return await read_one_object(
                    lambda: asyncio.get_running_loop().run_in_executor(self._pool, self._read, upload, wanted),
                    self._probe,
                    upload.bucket,
                    upload.key,
                )
            except (ObjectMissing, ObjectChanged) as error:
                attempts += 1
                if upload.moved_to is not None and isinstance(error, ObjectMissing):
                    return LoadedPhotograph(read_capture(Exif(), upload), rejection=_moved(upload, upload.moved_to))
                if isinstance(error, ObjectChanged) and _is_newer(error, upload):
                    return LoadedPhotograph(read_capture(Exif(), upload), rejection=error)
                if attempts > 1 and datetime.now(UTC) >= upload.announced_at + self._grace:
                    return LoadedPhotograph(read_capture(Exif(), upload), rejection=error)
                await asyncio.sleep(_MISSING_POLL_S)
            except PermanentError as error:
                return LoadedPhotograph(read_capture(Exif(), upload), rejection=error)

    def close(self) -> None:
        """Let the threads end; results that are still being read are dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _read(self, upload: ImageUploaded, wanted: ModelFrames) -> LoadedPhotograph:
        """Read and decode; runs in a thread of the pool."""
        began = time.perf_counter()
        content = self._store.read(
            upload.bucket,
            upload.key,
            max_bytes=self._max_bytes,
            etag=upload.etag,
            size=upload.size,
            version_id=upload.version_id,
        )
        data = content.data
        fetched = time.perf_counter()
        sha256, exif = ids.content_hash(data), read_exif(data)
        parsed = time.perf_counter()
        metrics.STAGE_SECONDS.labels("fetch").observe(fetched - began)
        metrics.STAGE_SECONDS.labels("metadata").observe(parsed - fetched)
        specs = [spec for spec in (wanted.classifier, wanted.detector) if spec is not None]
        try:
            decoded = decode_photograph(data, specs, max_pixels=self._max_pixels)
        except RejectedImage as error:
            return LoadedPhotograph(read_capture(exif, upload), sha256, None, error, content.etag, len(data))
        frames = frames_of(decoded, wanted)
        metrics.STAGE_SECONDS.labels("decode").observe(time.perf_counter() - parsed)
        capture = read_capture(exif, upload, width=decoded.width, height=decoded.height, damage=decoded.damage)
        return LoadedPhotograph(capture, sha256, frames, None, content.etag, len(data))


def frames_of(decoded: DecodedPhotograph, wanted: ModelFrames) -> PhotographFrames:
    """The frames of a decoded photograph, and its luminance grid where there is a detector."""
    classifier = scale_to_frame(decoded.image, wanted.classifier)
    if wanted.detector is None:
        return PhotographFrames(classifier)
    picture = decoded.image
    # Rare: a photograph of an odd shape. Up to `predict_batch` pictures wait for their inference at the same time.
    if (shrink := math.ceil(math.sqrt(picture.width * picture.height / _MAX_PICTURE))) > 1:
        picture = picture.reduce(shrink)
    return PhotographFrames(
        classifier, scale_to_frame(decoded.image, wanted.detector), picture, _luminance(decoded.image)
    )


def _luminance(image: Image.Image) -> LuminanceGrid:
    """Of the whole picture, printed strips included: boxes are shares of the photograph, too."""
    shrink = max(1, min(image.width // _LUMINANCE_INPUT[0], image.height // _LUMINANCE_INPUT[1]))
    return LuminanceGrid.pack(luminance_grid(np.asarray(image.reduce(shrink).convert("RGB"))))


def _video() -> PermanentError:
    return RejectedImage(
        VIDEO_NOT_ANALYSED, "not analysed: a video; it stays in the store, and no model reads videos yet"
    )


def _sound() -> PermanentError:
    return RejectedImage(
        SOUND_RECORDING, "no photograph: a sound recording; it stays in the store, and the worker `listen` analyses it"
    )


def _moved(upload: ImageUploaded, moved_to: str) -> PermanentError:
    return PermanentError(OBJECT_MOVED, f"{upload.bucket}/{upload.key} is gone; its content is now at {moved_to}")


def _is_newer(changed: ObjectChanged, upload: ImageUploaded) -> bool:
    """Whether the present content was stored after the announced one, by the store's clock.

    Then the announced content will not appear any more. A store that does not yet show what it announces shows older
    content.
    """
    return changed.modified is not None and changed.modified >= upload.uploaded_at.replace(microsecond=0)
