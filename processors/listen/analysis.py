"""One sound recording, from the store to its events.

The recording is copied to a temporary file in `UNCIA_DATA_DIR`, without a name, which the system removes whatever
happens to the process, and read from there as a stream: memory holds a batch of windows, the spectrograms of those that
overlap, and the open calls. Calls are published as they end, and the result of the recording after them; a crash in
between publishes the same events again under the same ids.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, BinaryIO, Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from uncia import ids
from uncia.camtrap.taxonomy import Taxonomy
from uncia.errors import DependencyDown, PermanentError, ScoresNotFinite
from uncia.events import (
    OBJECT_MOVED,
    BurstCategory,
    Capture,
    ImageUploaded,
    Lane,
    RecordingAnalysed,
    Rejection,
    SoundHeard,
    Spectrogram,
    TaxonVerdict,
)
from uncia.imaging.exif import Exif
from uncia.imaging.frames import Pixels, self_test_pattern
from uncia.processors.faust_runtime.object_errors import StoreProbe, read_one_object
from uncia.processors.faust_runtime.retry import retry_until_available
from uncia.processors.listen.calls import Call, CallGrouper, HeardWindow, heard_classes
from uncia.processors.listen.voices import ScoredWindow, VoiceFilter
from uncia.processors.predict.capture import read_capture
from uncia.processors.predict.inference import MAX_UNSOUND_RESULTS
from uncia.processors.predict.live_model import LiveCard
from uncia.serving.labels import LabelClass
from uncia.serving.model_card import ModelCard, read_active_sound_card
from uncia.serving.triton_client import InferenceResult
from uncia.settings import Settings
from uncia.sound.recording import Recording, RejectedRecording, Samples
from uncia.sound.spec import SoundSpec
from uncia.sound.spectrogram import model_frame, spectrogram_levels, spectrogram_png
from uncia.sound.windows import SoundWindow, cut_windows, resampled
from uncia.storage.object_keys import spectrogram_prefix
from uncia.storage.object_store import AccessRefused, DownloadedObject, ObjectChanged, ObjectMissing, ObjectStore

__all__ = ["RULE", "Listener", "LiveSoundModel", "Publish", "SoundClassifier"]

RULE = "best-window/1"
"""Bump when identical scores give other calls or verdicts."""

_NEVER = 2.0
"""A threshold that no score reaches."""
_MISSING_POLL_S = 0.25
_BATCH = 16
"""Windows in one request, where the model takes as many."""

Publish = Callable[[SoundHeard], Awaitable[None]]

log = structlog.get_logger("uncia")


class SoundClassifier(Protocol):
    """What is needed of `uncia.serving.triton_client.Classifier`."""

    async def classify(self, pixels: Pixels, lane: Lane = Lane.LIVE, card: ModelCard | None = None) -> InferenceResult:
        """Classify B frames. Raises `DependencyDown`."""


class ModelReplaced(Exception):
    """The version does not answer, and another one is live."""


@dataclass(frozen=True)
class ActiveSoundModel:
    """One version of the audio classifier."""

    card: ModelCard
    spec: SoundSpec
    thresholds: NDArray[np.float32]
    """(classes,): the score from which each counts as heard; `_NEVER` for classes that are no sound of interest."""
    persons: NDArray[np.bool_]
    """(classes,): whether the class is a person."""


class LiveSoundModel:
    """The live version of the audio classifier. Raises `SettingsError` on creation where there is none."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._threshold = settings.listen_threshold
        folder = settings.model_repository / settings.sound_model
        self._live = LiveCard(folder, "", lambda: read_active_sound_card(settings), clock)
        self._active: ActiveSoundModel | None = None
        self.current()

    def current(self) -> ActiveSoundModel:
        """The version to use now; the same object until another version is live."""
        card = self._live.current()
        assert card is not None and card.sound is not None, "reading the card raises for any other"
        if self._active is None or self._active.card is not card:
            classes = card.labels.classes
            thresholds = [
                _NEVER if entry.group == "nothing" else entry.threshold or self._threshold for entry in classes
            ]
            persons = [entry.group == "person" for entry in classes]
            self._active = ActiveSoundModel(card, card.sound, np.array(thresholds, np.float32), np.array(persons))
        return self._active


@dataclass(frozen=True)
class _Prepared:
    """A window, ready for the model."""

    window: SoundWindow
    samples: Samples
    """At the model's sample rate."""
    frame: Pixels


class Listener:
    """Analyses recordings, one at a time. Waits without limit for a store or a model that is down."""

    def __init__(
        self, settings: Settings, model: LiveSoundModel, store: ObjectStore, classifier: SoundClassifier
    ) -> None:
        self._settings = settings
        self._model = model
        self._store = store
        self._classifier = classifier
        self._probe = StoreProbe(store, settings.bucket)
        self._taxonomy = Taxonomy.load(settings.taxonomy_file)
        chosen = (settings.listen_threshold, settings.listen_gap_s, settings.listen_max_call_windows, RULE)
        self._digest = ids.settings_digest(repr(chosen))

    async def analyse(self, upload: ImageUploaded, publish: Publish) -> RecordingAnalysed:
        """Publish the calls of a recording, and return its result. Raises nothing that a recording could cause."""
        capture = read_capture(Exif(), upload)
        with tempfile.TemporaryFile(dir=self._settings.data_dir) as file:
            content: DownloadedObject | None = None
            try:
                content = await self._download(upload, file)
                while True:
                    model = self._model.current()
                    run = _Run(upload, capture, content, model, self._digest)
                    try:
                        counts = await self._hear(file, run, publish)
                    except ModelReplaced:
                        # From the beginning: the ids of calls contain the version.
                        log.info("model_replaced", upload_id=upload.upload_id, model=model.card.name)
                        continue
                    return run.result(**counts)
            except PermanentError as error:
                return _rejected(upload, capture, content, error)

    async def _download(self, upload: ImageUploaded, file: BinaryIO) -> DownloadedObject:
        """Copy the announced content; waits for a store that shows an object later than it announces it."""

        def copy() -> DownloadedObject:
            file.seek(0)
            file.truncate()
            return self._store.download(
                upload.bucket,
                upload.key,
                file,
                max_bytes=self._settings.listen_max_mb * 1_048_576,
                etag=upload.etag,
                size=upload.size,
                version_id=upload.version_id,
            )

        attempts, grace = 0, timedelta(seconds=self._settings.missing_grace_s)
        while True:
            try:
                return await read_one_object(lambda: asyncio.to_thread(copy), self._probe, upload.bucket, upload.key)
            except (ObjectMissing, ObjectChanged) as error:
                attempts += 1
                if upload.moved_to is not None and isinstance(error, ObjectMissing):
                    raise PermanentError(OBJECT_MOVED, f"{upload.key} is gone; it is now {upload.moved_to}") from error
                if attempts > 1 and datetime.now(UTC) >= upload.announced_at + grace:
                    raise
                await asyncio.sleep(_MISSING_POLL_S)

    async def _hear(self, file: BinaryIO, run: "_Run", publish: Publish) -> dict[str, Any]:
        """Classify all windows and publish the calls. Returns what the result says of the recording.

        Raises `RejectedRecording`, `ModelReplaced`, and `PermanentError` when the model returns NaN for this recording
        only.
        """
        spec, settings = run.model.spec, self._settings
        recording = await asyncio.to_thread(Recording, file, run.content.size)
        grouper = CallGrouper(spec.window_s, settings.listen_gap_s, settings.listen_max_call_windows)
        windows = cut_windows(recording.blocks(), recording.sample_rate, spec)
        prepared = _prepare(windows, recording.sample_rate, spec)
        most, classified, calls = min(_BATCH, run.model.card.max_batch), 0, 0
        voices = VoiceFilter()
        try:
            while batch := await asyncio.to_thread(lambda: list(islice(prepared, most))):
                scores = await self._classify(np.stack([one.frame for one in batch]), run)
                classified += len(batch)
                for one, row in zip(batch, scores, strict=True):
                    for window in voices.add(_scored(one, row, run.model)):
                        calls += await self._publish(grouper.add(window.start_s, window.heard), run, publish)
            for window in voices.finish():
                calls += await self._publish(grouper.add(window.start_s, window.heard), run, publish)
            calls += await self._publish(grouper.finish(), run, publish)
        finally:
            recording.close()
        if recording.not_finite == recording.samples_read * recording.channels:
            raise RejectedRecording("recording-not-finite", "all values of the recording are NaN or infinite")
        return {
            "duration_s": round(recording.seconds_read, 3),
            "sample_rate_hz": recording.sample_rate,
            "channels": recording.channels,
            "windows": classified,
            "calls": calls,
            "warnings": recording.warnings(),
        }

    async def _classify(self, frames: Pixels, run: "_Run") -> NDArray[np.float32]:
        card, unsound = run.model.card, 0

        async def once() -> NDArray[np.float32]:
            nonlocal unsound
            try:
                result = await self._classifier.classify(frames, run.upload.lane, card)
                if not np.isfinite(result.whole).all():
                    raise ScoresNotFinite(f"{card.name} returned NaN or infinite scores: `uncia models check --reload`")
            except DependencyDown as error:
                if self._model.current() is not run.model:
                    raise ModelReplaced from error
                if isinstance(error, ScoresNotFinite):
                    unsound += 1
                    if unsound >= MAX_UNSOUND_RESULTS and await self._model_is_sound(run):
                        raise PermanentError("model-unsound", f"{unsound} times, on this recording: {error}") from error
                raise
            return result.whole

        return await retry_until_available(once, waiting_for="Triton")

    async def _model_is_sound(self, run: "_Run") -> bool:
        """Whether the version returns finite scores for its self-test pattern: then the recording is at fault."""
        card = run.model.card
        try:
            result = await self._classifier.classify(self_test_pattern(card.frame)[None], run.upload.lane, card)
        except DependencyDown:
            return False
        return bool(np.isfinite(result.whole).all())

    async def _publish(self, calls: list[Call], run: "_Run", publish: Publish) -> int:
        for call in calls:
            call_id = ids.call_id(run.recording_id, run.model.card.name, self._digest, call.class_index, call.start_s)
            spectrogram = await self._store_spectrogram(call, call_id, run)
            await publish(run.heard(call, call_id, self._verdict(call, run), spectrogram))
        return len(calls)

    async def _store_spectrogram(self, call: Call, call_id: str, run: "_Run") -> Spectrogram | None:
        if call.best.picture is None:
            return None
        data = await asyncio.to_thread(spectrogram_png, call.best.picture)
        key = f"{spectrogram_prefix(run.upload.camera, run.recording_id)}{call_id}.png"
        bucket = self._settings.bucket

        async def put() -> None:
            await asyncio.to_thread(self._store.put, bucket, key, data, content_type="image/png")

        await retry_until_available(put, waiting_for="object store", on=(DependencyDown, AccessRefused))
        spec = run.model.spec
        return Spectrogram(
            bucket=bucket,
            key=key,
            sha256=ids.content_hash(data),
            size=len(data),
            start_s=call.best.start_s,
            end_s=call.best.end_s,
            low_hz=spec.low_hz,
            high_hz=spec.high_hz,
        )

    def _verdict(self, call: Call, run: "_Run") -> TaxonVerdict:
        entry = run.label(call)
        score = min(1.0, max(0.0, call.best.score))
        calibration = entry.calibration
        return TaxonVerdict(
            taxon=entry.taxon,
            label=entry.label,
            group=entry.group,
            rank=self._taxonomy.rank(entry.taxon) if entry.taxon else None,
            score=score,
            confidence=calibration.probability(score) if calibration else None,
            threshold=entry.threshold,
            # Only a threshold of the label set was calibrated; the one of the settings is a guess.
            certain=entry.threshold is not None,
        )


@dataclass(frozen=True)
class _Run:
    """One analysis of one recording with one model version."""

    upload: ImageUploaded
    capture: Capture
    content: DownloadedObject
    model: ActiveSoundModel
    settings: str

    @property
    def recording_id(self) -> str:
        return ids.recording_id(self.upload.camera, self.content.sha256)

    def label(self, call: Call) -> LabelClass:
        return self.model.card.labels.classes[call.class_index]

    def heard(self, call: Call, call_id: str, verdict: TaxonVerdict, spectrogram: Spectrogram | None) -> SoundHeard:
        upload, began = self.upload, self.capture.time
        return SoundHeard(
            call_id=call_id,
            recording_id=self.recording_id,
            upload_id=upload.upload_id,
            station=upload.station,
            camera=upload.camera,
            bucket=upload.bucket,
            key=upload.key,
            start_s=round(call.start_s, 3),
            end_s=round(call.end_s, 3),
            started_at=began + timedelta(milliseconds=round(call.start_s * 1000)),
            ended_at=began + timedelta(milliseconds=round(call.end_s * 1000)),
            windows=call.windows,
            category=BurstCategory(verdict.group),
            verdict=verdict,
            spectrogram=spectrogram,
            rule=RULE,
            model=self.model.card.name,
            label_set=self.model.card.label_set,
            settings=self.settings,
            heard_at=datetime.now(UTC),
        )

    def result(self, **counts: Any) -> RecordingAnalysed:
        return _result(
            self.upload,
            self.capture,
            self.content,
            recording_id=self.recording_id,
            model=self.model.card.name,
            settings=self.settings,
            **counts,
        )


def _prepare(windows: Iterator[SoundWindow], rate: int, spec: SoundSpec) -> Iterator[_Prepared]:
    """What the model is asked about: windows with any sound. Digital silence is a recorder that was off."""
    for window in windows:
        if not window.silent:
            samples = resampled(window, rate, spec)
            yield _Prepared(window, samples, model_frame(samples, spec))


def _scored(one: _Prepared, scores: NDArray[np.float32], model: ActiveSoundModel) -> ScoredWindow:
    """A window with its heard classes. Its spectrogram is drawn unless a person is heard in it, too."""
    heard = heard_classes(scores, model.thresholds)
    voice = bool((scores[model.persons] >= model.thresholds[model.persons]).any())
    picture = spectrogram_levels(one.samples, model.spec) if heard and not voice else None
    start_s, end_s = one.window.start_s, one.window.end_s
    windows = {index: HeardWindow(start_s, end_s, float(scores[index]), picture) for index in heard}
    return ScoredWindow(start_s, end_s, windows, voice)


def _rejected(
    upload: ImageUploaded, capture: Capture, content: DownloadedObject | None, error: PermanentError
) -> RecordingAnalysed:
    reason = "recording-too-large" if error.reason == "object-too-large" else error.reason
    return _result(
        upload,
        capture,
        content,
        recording_id=ids.recording_id(upload.camera, content.sha256 if content else upload.upload_id),
        rejection=Rejection(reason=reason, message=str(error)),
    )


def _result(
    upload: ImageUploaded, capture: Capture, content: DownloadedObject | None, **fields: Any
) -> RecordingAnalysed:
    return RecordingAnalysed(
        upload_id=upload.upload_id,
        station=upload.station,
        camera=upload.camera,
        bucket=upload.bucket,
        key=upload.key,
        etag=(content.etag if content else "") or upload.etag,
        version_id=upload.version_id,
        size=content.size if content else upload.size,
        sha256=content.sha256 if content else None,
        uploaded_at=upload.uploaded_at,
        analysed_at=datetime.now(UTC),
        lane=upload.lane,
        recorded_at=capture.time,
        time_origin=capture.time_origin or "upload",
        **fields,
    )
