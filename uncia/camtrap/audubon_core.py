"""Sound recordings and their calls as tables of Audubon Core (TDWG, since 2023 Audiovisual Core). Pure.

Camtrap DP is made for cameras. In Audubon Core a recording is a medium, and a call a region of interest of it, with
start and end in seconds and a range of frequencies. Columns are named as the standard names its terms. The tables
contain no position: where a taxon is sensitive, that of its recorder is, too.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from uncia.events import IMAGE_FORGOTTEN, BurstCategory, RecordingAnalysed, SoundHeard

__all__ = ["MEDIA_COLUMNS", "REGION_COLUMNS", "current_results", "latest_results", "media_row", "region_row"]

MEDIA_COLUMNS = (
    "dcterms:identifier",
    "dcterms:type",
    "dcterms:format",
    "xmp:CreateDate",
    "ac:mediaDuration",
    "ac:hashFunction",
    "ac:hashValue",
    "ac:captureDevice",
    "ac:comments",
)
REGION_COLUMNS = (
    "dcterms:identifier",
    "ac:isROIOf",
    "ac:startTime",
    "ac:endTime",
    "ac:freqLow",
    "ac:freqHigh",
    "dwc:scientificName",
    "dwc:taxonRank",
    "dwc:vernacularName",
    "dwc:identifiedBy",
    "dwc:identificationVerificationStatus",
    "dwc:identificationRemarks",
)


def current_results(
    recordings: Iterable[RecordingAnalysed], calls: Iterable[SoundHeard]
) -> tuple[list[RecordingAnalysed], list[SoundHeard]]:
    """The latest result of each object, rejections left out, and the calls that belong to it.

    Both in the order of their times. A call of another model version or other settings than those of the latest result
    is superseded, and so is one of content that was overwritten. A repetition counts once. What was forgotten is left
    out; the same recording uploaded and analysed again counts again. `calls`: those of one recorder in the order of the
    topic.
    """
    known = list(recordings)
    # Copies under two names have one id: the latest result of them counts.
    analysed = {
        result.recording_id: result
        for result in sorted(latest_results(known), key=lambda result: result.analysed_at)
        if result.rejection is None
    }
    forgotten = _forgotten(known)
    found: dict[str, SoundHeard] = {}
    for call in calls:
        if call.withdrawn is not None:
            found.pop(call.call_id, None)
            continue
        result = analysed.get(call.recording_id)
        if result is None or (call.model, call.settings) != (result.model, result.settings):
            continue
        if (at := forgotten.get(call.upload_id)) is None or call.heard_at > at:
            found[call.call_id] = call
    return (
        sorted(analysed.values(), key=lambda result: (result.recorded_at, result.recording_id)),
        sorted(found.values(), key=lambda call: (call.started_at, call.call_id)),
    )


def latest_results(recordings: Iterable[RecordingAnalysed]) -> list[RecordingAnalysed]:
    """The latest result of each object, a rejection, too; none where its upload was forgotten since.

    That of an earlier content of the same key does not count again when the content that replaced it is forgotten.
    """
    known = list(recordings)
    latest: dict[tuple[str, str], RecordingAnalysed] = {}
    for recording in known:
        if _is_withdrawal(recording):
            continue
        other = latest.get((recording.bucket, recording.key))
        if other is None or recording.analysed_at >= other.analysed_at:
            latest[recording.bucket, recording.key] = recording
    forgotten = _forgotten(known)
    return [
        result
        for result in latest.values()
        if (at := forgotten.get(result.upload_id)) is None or result.analysed_at > at
    ]


def _forgotten(recordings: Iterable[RecordingAnalysed]) -> dict[str, datetime]:
    """By the id of an upload, when it was last forgotten."""
    found: dict[str, datetime] = {}
    for recording in recordings:
        if _is_withdrawal(recording):
            known = found.get(recording.upload_id)
            found[recording.upload_id] = recording.analysed_at if known is None else max(known, recording.analysed_at)
    return found


def _is_withdrawal(recording: RecordingAnalysed) -> bool:
    return recording.rejection is not None and recording.rejection.reason == IMAGE_FORGOTTEN


def media_row(recording: RecordingAnalysed) -> dict[str, Any]:
    """One recording, by `MEDIA_COLUMNS`. Times are by the recorder's clock, without a UTC offset."""
    return {
        "dcterms:identifier": recording.recording_id,
        "dcterms:type": "Sound",
        "dcterms:format": "audio/flac" if recording.key.lower().endswith(".flac") else "audio/wav",
        "xmp:CreateDate": recording.recorded_at.isoformat(timespec="seconds"),
        "ac:mediaDuration": recording.duration_s,
        "ac:hashFunction": "SHA-256",
        "ac:hashValue": recording.sha256,
        "ac:captureDevice": recording.camera,
        "ac:comments": "; ".join(recording.warnings),
    }


def region_row(call: SoundHeard) -> dict[str, Any] | None:
    """One call, by `REGION_COLUMNS`; None for a person's voice, which is no observation of wildlife.

    The frequencies are those of the spectrogram that the model saw, not of the call itself.
    """
    if call.category is BurstCategory.PERSON:
        return None
    verdict, drawn = call.verdict, call.spectrogram
    return {
        "dcterms:identifier": call.call_id,
        "ac:isROIOf": call.recording_id,
        "ac:startTime": call.start_s,
        "ac:endTime": call.end_s,
        "ac:freqLow": drawn.low_hz if drawn else None,
        "ac:freqHigh": drawn.high_hz if drawn else None,
        "dwc:scientificName": verdict.taxon,
        "dwc:taxonRank": verdict.rank,
        "dwc:vernacularName": verdict.label,
        "dwc:identifiedBy": call.model,
        "dwc:identificationVerificationStatus": "unverified",
        "dwc:identificationRemarks": f"machine, score {verdict.score:.3f}"
        + ("" if verdict.certain else ", without a calibrated threshold"),
    }
