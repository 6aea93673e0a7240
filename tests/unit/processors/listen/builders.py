"""A store, a model and a classifier for the tests of `listen`, without a network."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from uncia import ids
from uncia.errors import DependencyDown
from uncia.events import ClassVector, ImageUploaded, Lane, RecordingAnalysed, SoundHeard
from uncia.imaging.frames import Pixels, self_test_pattern
from uncia.processors.listen.analysis import Listener, LiveSoundModel
from uncia.serving.labels import LabelClass, LabelSet
from uncia.serving.model_card import ModelCard, SelfTest
from uncia.serving.model_versions import CARD_FILE, LABELS_FILE, initial_state, write_version_state
from uncia.serving.triton_client import InferenceResult
from uncia.settings import Settings
from uncia.sound.recording import Samples
from uncia.sound.spec import SoundSpec
from uncia.storage.object_store import DownloadedObject, ObjectMissing, ObjectStore, ObjectTooLarge

RATE = 8_000
SPEC = SoundSpec(
    sample_rate=RATE, window_s=1, hop_s=0.5, fft=256, mels=16, columns=32, low_hz=100, high_hz=4_000, range_db=30
)
LABELS = LabelSet(
    name="test-sounds",
    classes=(
        LabelClass(index=0, label="low caller", taxon="Strix aluco", group="animal", threshold=0.6),
        LabelClass(index=1, label="high caller", taxon="Regulus regulus", group="animal"),
        LabelClass(index=2, label="voice", taxon="Homo sapiens", group="person"),
        LabelClass(index=3, label="noise", taxon="", group="nothing"),
    ),
)
LOW, HIGH, VOICE = 400.0, 3_000.0, 1_200.0
"""Frequencies of the calls of the first three classes, in Hz."""
_ROWS = {LOW: slice(12, 16), VOICE: slice(6, 9), HIGH: slice(0, 3)}
"""Where they are in the frame, from the top."""

KEY = "ridge/audio-02/2026/03/14/20260314T051500000-file-name-0f1e2d3c4b5a6978.wav"


def install_model(repository: Path, version: str = "1", spec: SoundSpec = SPEC) -> None:
    """Put the card of the audio classifier into a repository, and make this version live."""
    card = ModelCard(
        model="audio_classifier",
        versions=(version,),
        frame=spec.frame,
        label_set=LABELS.id,
        labels=LABELS,
        self_test=SelfTest(whole=ClassVector.pack(np.zeros(4)), windows=ClassVector.pack(np.zeros(4))),
        onnx_sha256="0" * 64,
        sound=spec,
    )
    folder = repository / "audio_classifier" / version
    folder.mkdir(parents=True)
    (folder / CARD_FILE).write_text(card.model_dump_json())
    (folder / LABELS_FILE).write_text(LABELS.model_dump_json())
    write_version_state(folder.parent, initial_state(version))


class BandClassifier:
    """Hears a class where its band of the frame is bright; a real client's interface."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self.fails_once_and_then_replaced = False
        self.unsound = False
        """Whether the last window of every request gets NaN."""
        self.self_test_is_sound = True
        self.windows = 0

    async def classify(self, pixels: Pixels, lane: Lane = Lane.LIVE, card: ModelCard | None = None) -> InferenceResult:
        """Scores of the classes, (B, 4)."""
        if np.array_equal(pixels, self_test_pattern(SPEC.frame)[None]):
            return _result(np.full((1, 4), 0.1 if self.self_test_is_sound else np.nan, np.float32))
        if self.fails_once_and_then_replaced and self.windows:
            self.fails_once_and_then_replaced = False
            install_model(self._repository, "2")
            raise DependencyDown("the version was unloaded")
        self.windows += len(pixels)
        loud: NDArray[Any] = np.stack(
            [pixels[:, _ROWS[band], :, 0].max(axis=(1, 2)) / 255 for band in (LOW, HIGH, VOICE)], axis=1
        )
        scores = np.concatenate([np.where(loud > 0.9, 0.9, 0.1), np.full((len(pixels), 1), 0.95)], axis=1)
        if self.unsound:
            scores[-1, 0] = np.nan
        return _result(scores.astype(np.float32))


def _result(vectors: NDArray[np.float32]) -> InferenceResult:
    return InferenceResult(vectors, vectors, np.zeros(vectors.shape, np.int32), "1", 1.0)


class MemoryStore(ObjectStore):
    """Objects in memory, with what `listen` uses of a store."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def download(self, bucket: str, key: str, file: BinaryIO, **options: Any) -> DownloadedObject:
        """Copy an object."""
        if key not in self.objects:
            raise ObjectMissing("object-missing", f"{key} is not in the store")
        data = self.objects[key]
        if len(data) > options["max_bytes"]:
            raise ObjectTooLarge("object-too-large", f"{len(data):,} bytes")
        file.write(data)
        return DownloadedObject(ids.content_hash(data), len(data), options["etag"])

    def put(self, bucket: str, key: str, data: bytes, **options: Any) -> str:
        """Store an object."""
        self.objects[key] = data
        return ""

    def read_first_byte(self, bucket: str, key: str) -> None:
        """Succeeds."""

    def list(self, bucket: str, prefix: str = "", start_after: str = "") -> Iterator[Any]:
        """No objects."""
        return iter(())


class ListeningStation:
    """One listener with its store and classifier."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        install_model(folder / "models")
        self.settings = Settings(
            _env_file=None,
            data_dir=folder,
            model_repository=folder / "models",
            listen_gap_s=0.5,
            missing_grace_s=0,
            **settings,
        )
        self.store = MemoryStore()
        self.classifier = BandClassifier(folder / "models")
        self.heard: list[SoundHeard] = []
        self._clock = iter(range(10_000_000))
        # Every look at the clock is a second later, so that a new version is noticed at once.
        model = LiveSoundModel(self.settings, lambda: float(next(self._clock)))
        self._listener = Listener(self.settings, model, self.store, self.classifier)

    def analyse(self, data: bytes | None, key: str = KEY, limit_s: float | None = None) -> RecordingAnalysed:
        """Store a recording (None: nothing) and analyse it; its calls are added to `heard`.

        Raises `TimeoutError` after `limit_s` seconds.
        """
        if data is not None:
            self.store.objects[key] = data

        async def publish(call: SoundHeard) -> None:
            self.heard.append(call)

        async def scene() -> RecordingAnalysed:
            return await asyncio.wait_for(self._listener.analyse(uploaded(key, len(data or b"")), publish), limit_s)

        return asyncio.run(scene())


def uploaded(key: str, size: int) -> ImageUploaded:
    """The event of an upload."""
    now = datetime.now(UTC)
    return ImageUploaded(
        upload_id=ids.upload_id("camera-uploads", key, "e"),
        station="ridge",
        camera="ridge/audio-02",
        bucket="camera-uploads",
        key=key,
        etag="e",
        size=size,
        uploaded_at=now,
        announced_at=now,
    )


def field(seconds: float, calls: Iterable[tuple[float, float, float]], rate: int = RATE) -> Samples:
    """A recording: quiet noise, with tones as (start in seconds, length in seconds, Hz)."""
    samples = np.random.default_rng(0).normal(0, 0.003, round(seconds * rate)).astype(np.float32)
    for start, length, hertz in calls:
        at, count = round(start * rate), round(length * rate)
        samples[at : at + count] += (0.4 * np.sin(2 * np.pi * hertz * np.arange(count) / rate)).astype(np.float32)
    return samples
