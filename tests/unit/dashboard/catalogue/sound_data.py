"""Events about sound recordings for tests of the catalogue and its pages: results, calls, and their withdrawals."""

from datetime import UTC, datetime, timedelta
from typing import Any

from uncia import ids
from uncia.events import (
    IMAGE_FORGOTTEN,
    BurstCategory,
    RecordingAnalysed,
    Rejection,
    SoundHeard,
    Spectrogram,
    TaxonVerdict,
)

__all__ = ["BEGAN", "MODEL", "analysed", "call_in", "forgotten", "person_in", "withdrawn"]

BEGAN = datetime(2026, 5, 14, 5, 15)
MODEL = "audio_classifier@3"
SETTINGS = "set-1"
_UPLOADED = datetime(2026, 5, 14, 6, tzinfo=UTC)


def analysed(camera: str = "ridge/audio-1", name: str = "20260514_051500.WAV", **changes: Any) -> RecordingAnalysed:
    """The result of a recording of a minute, with its content named after `sha256`."""
    sha256 = changes.get("sha256", f"{name}".encode().hex())
    minutes = changes.pop("after_minutes", 0)
    event = RecordingAnalysed(
        recording_id=ids.recording_id(camera, sha256),
        upload_id=f"upl-{camera}-{name}-{sha256}",
        station=camera.partition("/")[0],
        camera=camera,
        bucket="camera-uploads",
        key=f"{camera}/{name}",
        etag="e" * 32,
        size=5_760_044,
        sha256=sha256,
        uploaded_at=_UPLOADED + timedelta(minutes=minutes),
        analysed_at=_UPLOADED + timedelta(minutes=minutes + 1),
        recorded_at=BEGAN,
        time_origin="file-name",
        duration_s=60.0,
        sample_rate_hz=48_000,
        channels=1,
        windows=39,
        calls=1,
        model=MODEL,
        settings=SETTINGS,
    )
    return event.model_copy(update=changes)


def call_in(
    recording: RecordingAnalysed,
    start_s: float = 12.0,
    label: str = "wolf",
    taxon: str = "Canis lupus",
    **changes: Any,
) -> SoundHeard:
    """A call of four and a half seconds in a recording."""
    model, settings = recording.model or MODEL, recording.settings or SETTINGS
    call_id = ids.call_id(recording.recording_id, model, settings, hash_of(label), start_s)
    verdict = {"certain": True, "threshold": 0.7, "confidence": None, "score": 0.83, **changes.pop("verdict", {})}
    end_s = start_s + 4.5
    values: dict[str, Any] = {
        "call_id": call_id,
        "recording_id": recording.recording_id,
        "upload_id": recording.upload_id,
        "station": recording.station,
        "camera": recording.camera,
        "bucket": recording.bucket,
        "key": recording.key,
        "start_s": start_s,
        "end_s": end_s,
        "started_at": recording.recorded_at + timedelta(seconds=start_s),
        "ended_at": recording.recorded_at + timedelta(seconds=end_s),
        "windows": 2,
        "category": BurstCategory.ANIMAL,
        "verdict": TaxonVerdict(taxon=taxon, label=label, group="animal", rank="species", **verdict),
        "spectrogram": Spectrogram(
            bucket=recording.bucket,
            key=f"spectrograms/{recording.camera}/{recording.recording_id}/{call_id}.png",
            sha256="5" * 64,
            size=31_000,
            start_s=start_s,
            end_s=start_s + 3,
            low_hz=150,
            high_hz=12_000,
        ),
        "rule": "best-window/1",
        "model": model,
        "label_set": "birds@1",
        "settings": settings,
        "heard_at": recording.analysed_at,
    }
    return SoundHeard(**(values | changes))


def person_in(recording: RecordingAnalysed, start_s: float = 14.0) -> SoundHeard:
    """A voice, without a spectrogram."""
    call = call_in(recording, start_s, "human", "Homo sapiens", category=BurstCategory.PERSON, spectrogram=None)
    return call.model_copy(update={"verdict": call.verdict.model_copy(update={"group": "person"})})


def forgotten(recording: RecordingAnalysed, after_minutes: int = 600) -> RecordingAnalysed:
    """The withdrawal of a result, as `uncia forget` publishes it."""
    at = _UPLOADED + timedelta(minutes=after_minutes)
    content = ("sha256", "duration_s", "sample_rate_hz", "channels", "windows", "calls", "model", "settings")
    rejection = Rejection(reason=IMAGE_FORGOTTEN, message="removed by `uncia forget`")
    time = {"analysed_at": at, "recorded_at": recording.uploaded_at.replace(tzinfo=None), "time_origin": "upload"}
    return recording.model_copy(update={**dict.fromkeys(content), **time, "rejection": rejection, "warnings": ()})


def withdrawn(call: SoundHeard, after_minutes: int = 600) -> SoundHeard:
    """The withdrawal of a call."""
    at = _UPLOADED + timedelta(minutes=after_minutes)
    return call.model_copy(update={"spectrogram": None, "withdrawn": IMAGE_FORGOTTEN, "heard_at": at})


def hash_of(label: str) -> int:
    """A class index for a label."""
    return sum(label.encode())
