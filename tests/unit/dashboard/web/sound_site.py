"""A dashboard with calls in sound recordings, whose recordings and spectrograms are in a store in memory."""

import hashlib
import io
from datetime import timedelta
from typing import Any

import numpy as np
import soundfile
from PIL import Image
from sqlalchemy import Engine

from tests.unit.dashboard.catalogue.sound_data import BEGAN, analysed, call_in, person_in
from tests.unit.dashboard.web.alert_data import fold_events
from uncia.errors import UnciaError
from uncia.events import SoundHeard, Spectrogram
from uncia.storage.object_store import ObjectContent, ObjectMissing, ObjectStore

__all__ = ["RATE", "MemoryStore", "fold_sounds", "recording_bytes"]

RATE = 16_000


def recording_bytes(seconds: float = 60.0) -> bytes:
    """A recording with a tone that rises: the frequency tells the time."""
    at = np.arange(round(seconds * RATE)) / RATE
    out = io.BytesIO()
    soundfile.write(out, 0.4 * np.sin(2 * np.pi * (300 + 20 * at) * at), RATE, format="WAV", subtype="PCM_16")
    return out.getvalue()


class MemoryStore(ObjectStore):
    """Objects in memory by key, of which parts can be read."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.problem: UnciaError | None = None

    def read(self, bucket: str, key: str, **_: Any) -> ObjectContent:
        return ObjectContent(self.read_range(bucket, key, 0, 1 << 30), "")

    def read_range(self, bucket: str, key: str, start: int, count: int, **_: Any) -> bytes:
        if self.problem is not None:
            raise self.problem
        if key not in self.objects:
            raise ObjectMissing("object-missing", f"{key} is gone")
        return self.objects[key][start : start + count]


def spectrogram_bytes(seed: int = 1) -> bytes:
    """A picture in the size of a spectrogram: a call with two overtones in noise."""
    levels = np.random.default_rng(seed).normal(225, 9, (256, 384))
    for overtone in (70, 130, 190):
        columns = np.arange(90, 300)
        rows = (overtone + 26 * np.sin((columns - 90) / 60)).astype(int)
        for offset in range(-3, 4):
            levels[rows + offset, columns] = 40 + 24 * abs(offset)
    out = io.BytesIO()
    Image.fromarray(levels.clip(0, 255).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def fold_sounds(engine: Engine, store: MemoryStore, calls: int = 3) -> list[SoundHeard]:
    """Fold recordings of two recorders: `calls` wolves and a voice at the ridge, a dog at the pass. Returns the calls.

    The first wolf has a calibrated probability, the second a score that no calibrated threshold decided.
    """
    data, picture = recording_bytes(), spectrogram_bytes()
    changes: dict[str, Any] = {"size": len(data), "sample_rate_hz": RATE, "calls": calls + 1}
    ridge = analysed(**changes)
    other = analysed("pass/audio-1", "20260516_051500.WAV", recorded_at=BEGAN + timedelta(days=2), **changes)
    verdicts: list[dict[str, Any]] = [{"confidence": 0.91}, {"certain": False, "threshold": None, "score": 0.42}]
    heard = [
        call_in(ridge, 6.0 * number, verdict=verdicts[number] if number < len(verdicts) else {})
        for number in range(calls)
    ]
    heard += [person_in(ridge, 52.0), call_in(other, 1.0, "dog", "")]
    stored = []
    for call in heard:
        if call.spectrogram is not None:
            drawn = {"sha256": hashlib.sha256(picture).hexdigest(), "size": len(picture)}
            call = call.model_copy(update={"spectrogram": Spectrogram(**{**call.spectrogram.model_dump(), **drawn})})
            store.objects[call.spectrogram.key if call.spectrogram else ""] = picture
        stored.append(call)
    store.objects |= {ridge.key: data, other.key: data}
    fold_events(engine, *stored, ridge, other)
    return stored
