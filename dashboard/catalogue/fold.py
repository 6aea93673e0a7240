"""Folds one message of the log into changes of rows; pure, and independent of what the database holds.

Two rules make the result independent of repetitions, of the cut into batches and of the order of the topics:

- A row is written from one message only, and replaced only by a row with a higher version. Its version is the position
  of that message in its partition. All messages about one thing are in one partition, that of its camera. Bursts are
  replaced by their revision first, and status reports by the time of their reception.
- Where two topics write one row (an upload, then its prediction), all versions of one topic are above all of the other.

What depends on several rows (the verdict after reviews, the gap to the burst before, days of a camera) is computed from
the rows, see `uncia.dashboard.catalogue.derived`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from uncia.dashboard.catalogue.changes import Change, LogRecord, PutRow, RemoveRow, Row, SkipMessage
from uncia.dashboard.catalogue.embeddings import crop_embedding
from uncia.dashboard.catalogue.information import expected_information
from uncia.dashboard.catalogue.verdicts import named_taxon, shown_by_model, uncertainty_of
from uncia.errors import PermanentError
from uncia.events import (
    IMAGE_FORGOTTEN,
    AlertAction,
    AlertHandled,
    AlertRaised,
    BurstResolved,
    BurstStatus,
    ClockJudged,
    CropPublished,
    DeploymentChanged,
    Event,
    ExplanationRequested,
    FetchRequested,
    ImageExplained,
    ImagePredicted,
    ImageUploaded,
    IndividualDecided,
    IndividualSighted,
    ObservationReviewed,
    RecordingAnalysed,
    Rejection,
    SoundHeard,
    StaticObjectsChanged,
    StatusReported,
)
from uncia.topics import (
    ALERT_HANDLED,
    ALERT_RAISED,
    BURST_RESOLVED,
    CLOCK_JUDGED,
    CROP_PUBLISHED,
    DEPLOYMENT_CHANGED,
    EXPLANATION_REQUESTED,
    FETCH_REQUESTED,
    IMAGE_BACKFILLED,
    IMAGE_EXPLAINED,
    IMAGE_PREDICTED,
    IMAGE_UPLOADED,
    INDIVIDUAL_DECIDED,
    INDIVIDUAL_SIGHTED,
    OBSERVATION_REVIEWED,
    RECORDING_ANALYSED,
    SOUND_HEARD,
    STATIC_OBJECTS_CHANGED,
    STATUS_REPORTED,
    Topic,
)

__all__ = ["FOLDED_TOPICS", "fold"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_PREDICTED_RANK = 1 << 62
"""Added to the versions of captures by predictions, so that they are above those by uploads."""


def fold(record: LogRecord) -> tuple[Change, ...]:
    """The changes that a message makes. Never raises: a message that cannot be read yields a `SkipMessage`."""
    topic = _BY_NAME[record.topic]
    if record.value is None:
        return _fold_tombstone(topic, record)
    event_type, to_changes = _FOLDS[topic]
    try:
        event = event_type.from_bytes(record.value)
    except PermanentError as error:
        return (SkipMessage(record, error.reason, str(error)),)
    return to_changes(event, record)


def _fold_tombstone(topic: Topic, record: LogRecord) -> tuple[Change, ...]:
    """Remove what the key names. A tombstone on another topic means nothing."""
    if topic is DEPLOYMENT_CHANGED and record.key is not None:
        camera, _, deployment = record.key.decode(errors="replace").rpartition("|")
        name = deployment.replace("%7C", "|").replace("%25", "%")
        return (RemoveRow("deployments", (camera, name), record.position),)
    if topic is BURST_RESOLVED and record.key is not None:
        return (RemoveRow("bursts", (record.key.decode(errors="replace"),), record.position),)
    if topic is INDIVIDUAL_SIGHTED and record.key is not None:
        return (RemoveRow("individual_sightings", (record.key.decode(errors="replace"),), record.position),)
    return (SkipMessage(record, "tombstone", "a message without a value, where none is expected"),)


def _upload(event: ImageUploaded, record: LogRecord) -> tuple[Change, ...]:
    row = {
        "upload_id": event.upload_id,
        "state": "uploaded",
        **_where(event),
        "bucket": event.bucket,
        "key": event.key,
        "etag": event.etag,
        "version_id": event.version_id,
        "size": event.size,
        "lane": event.lane.value,
        "uploaded_at": event.uploaded_at,
    }
    return (_put("captures", record, row, ("upload_id",), also=_camera(event)),)


def _prediction(event: ImagePredicted, record: LogRecord) -> tuple[Change, ...]:
    capture, prediction, detection = event.capture, event.prediction, event.detection
    label_set = detection.label_set if detection else None
    top = prediction.top[0] if prediction and prediction.top else None
    row = {
        "upload_id": event.upload_id,
        "image_id": event.image_id,
        "state": "rejected" if event.rejection else "predicted",
        **_where(event),
        **_content(event),
        "lane": event.lane.value,
        "uploaded_at": event.uploaded_at,
        "predicted_at": event.predicted_at,
        "captured_at": capture.time,
        "captured_on": capture.time.date(),
        "time_source": capture.time_source.value,
        "time_origin": capture.time_origin,
        "utc_offset_minutes": capture.utc_offset_minutes,
        "trigger": capture.trigger.value,
        "sequence": capture.sequence,
        "sequence_length": capture.sequence_length,
        "event_number": capture.event_number,
        "make": capture.make,
        "model": capture.model,
        "serial": capture.serial,
        "temperature_c": capture.temperature_c,
        "battery_v": capture.battery_v,
        "infrared": capture.infrared,
        "width": capture.width,
        "height": capture.height,
        "warnings": list(capture.warnings),
        "classifier": f"{prediction.model}@{prediction.version}" if prediction else None,
        "label_set": prediction.label_set if prediction else None,
        "top_label": top.label if top else None,
        "top_taxon": (top.taxon or None) if top else None,
        "top_score": top.score if top else None,
        "detector": f"{detection.model}@{detection.version}" if detection else None,
        "detector_categories": [category.value for category in detection.categories or ()] if detection else None,
        **_rejection(event.rejection),
    }
    boxes = tuple(
        {
            "upload_id": event.upload_id,
            "number": number,
            "category": found.category.value,
            "score": found.score,
            **_box(found.box),
            "embedding": crop_embedding(found.classes, label_set) if found.classes else None,
        }
        for number, found in enumerate(detection.detections if detection else ())
    )
    return (
        _put(
            "captures", record, row, ("upload_id",), _PREDICTED_RANK, parts={"detections": boxes}, also=_camera(event)
        ),
    )


def _burst(event: BurstResolved, record: LogRecord) -> tuple[Change, ...]:
    shown, taxon = shown_by_model(event), named_taxon(event)
    verdict = {
        "category": shown.category,
        "taxon": shown.taxon,
        "label": shown.label,
        "rank": shown.rank,
        "count": shown.count,
        "confidence": shown.confidence,
    }
    common = {
        "burst_id": event.burst_id,
        "revision": event.revision,
        "status": event.status.value,
        "frame_count": event.frame_count,
        "animal_probability": event.animal_probability,
        "rule": event.rule,
        "models": list(event.models),
        "fusion": event.fusion,
        "settings": event.settings,
        "closed_by": event.closed_by.value if event.closed_by else None,
        "closed_at": event.closed_at,
        "superseded_by": event.superseded_by,
    }
    row = {
        **common,
        **verdict,
        **_where(event),
        "trigger": event.trigger.value,
        "started_at": event.started_at,
        "ended_at": event.ended_at,
        "minute": 60 * event.started_at.hour + event.started_at.minute,
        "updated_at": record.published_at,
        "expected_frames": event.expected_frames,
        "unreadable": event.unreadable,
        **{f"model_{name}": verdict[name] for name in ("category", "taxon", "label", "rank", "count", "confidence")},
        "taxon_score": taxon.score if taxon else None,
        "taxon_confidence": taxon.confidence if taxon else None,
        "certain": bool(taxon and taxon.certain),
        "focus": any(found.focus and found.certain for found in event.taxa),
        "uncertainty": uncertainty_of(event),
        "best_crop": event.best_crop.model_dump(mode="json") if event.best_crop else None,
        "crops_withheld": event.crops_withheld,
        "supersedes": list(event.supersedes),
        "split_from": event.split_from,
        "event_review_id": event.review.review_id if event.review else None,
        "flagged": bool(event.flags) and event.status is not BurstStatus.SUPERSEDED,
    }
    revision = {
        **common,
        **verdict,
        "published_at": record.published_at,
        "changes": list(event.changes),
        "flags": list(event.flags),
    }
    # A superseded burst is not counted; its revisions keep their flags.
    flags = () if event.status is BurstStatus.SUPERSEDED else tuple(sorted(set(event.flags)))
    parts = {
        "burst_frames": _frames(event),
        "observations": _model_observations(event),
        "burst_flags": tuple({"burst_id": event.burst_id, "flag": flag, "source": "model"} for flag in flags),
    }
    also = dict(_camera(event))
    if shown.taxon:
        also["taxa"] = ({"taxon": shown.taxon, "label": shown.label or "", "rank": shown.rank or ""},)
    return (
        _put("bursts", record, row, ("burst_id",), parts=parts, also=also),
        _put("burst_revisions", record, revision, ("burst_id", "revision")),
    )


def _frames(event: BurstResolved) -> tuple[Row, ...]:
    return tuple(
        {
            "burst_id": event.burst_id,
            "number": number,
            "upload_id": frame.upload_id,
            "image_id": frame.image_id,
            "bucket": frame.bucket,
            "key": frame.key,
            "captured_at": frame.captured_at,
            "sequence": frame.sequence,
            "joined": frame.joined.value if frame.joined else None,
            "uploaded_at": frame.uploaded_at,
            "predicted_at": frame.predicted_at,
            "category": frame.category.value if frame.category else None,
            "animal_probability": frame.animal_probability,
            "deciding": frame.deciding,
            "top_label": frame.top.label if frame.top else None,
            "top_taxon": (frame.top.taxon or None) if frame.top else None,
            "top_score": frame.top.score if frame.top else None,
            "box": list(frame.box) if frame.box else None,
            "score": frame.score,
            "boxes": None
            if frame.boxes is None
            else [
                {
                    "category": found.category.value,
                    "score": found.score,
                    "box": list(found.box),
                    "static": bool(found.static),
                }
                for found in frame.boxes
            ],
            **_rejection(frame.rejection),
        }
        for number, frame in enumerate(event.frames)
    )


def _model_observations(event: BurstResolved) -> tuple[Row, ...]:
    """The verdict first, then every other taxon of the burst."""
    shown, taxon = shown_by_model(event), named_taxon(event)
    if shown.category is None:
        return ()
    common = {
        "burst_id": event.burst_id,
        "source": "model",
        "observed_by": ", ".join(event.models) or event.fusion,
        "observed_at": event.closed_at,
        "review_id": None,
        "boxes": None,
    }
    main = {
        **common,
        "number": 0,
        "category": shown.category,
        "taxon": shown.taxon,
        "label": shown.label,
        "rank": shown.rank,
        "count": shown.count,
        "score": taxon.score if taxon else None,
        "confidence": shown.confidence if taxon is None else taxon.confidence,
        "certain": taxon.certain if taxon else None,
        "focus": taxon.focus if taxon else None,
    }
    others = [
        other for other in event.taxa if taxon is None or other.taxon != taxon.taxon or other.label != taxon.label
    ]
    return (
        main,
        *(
            {
                **common,
                "number": number,
                "category": "blank" if other.group == "nothing" else other.group,
                "taxon": other.taxon or None,
                "label": other.label,
                "rank": other.rank,
                "count": None,
                "score": other.score,
                "confidence": other.confidence,
                "certain": other.certain,
                "focus": other.focus,
            }
            for number, other in enumerate(others, 1)
        ),
    )


def _review(event: ObservationReviewed, record: LogRecord) -> tuple[Change, ...]:
    row = {
        "review_id": event.review_id,
        "burst_id": event.burst_id,
        "burst_revision": event.burst_revision,
        **_where(event),
        "reviewer": event.reviewer,
        "decision": event.decision.value,
        "observations": [seen.model_dump(mode="json", exclude_none=True) for seen in event.observations],
        "rejected_boxes": [found.model_dump(mode="json") for found in event.rejected_boxes],
        "images": list(event.images),
        "marks": None if event.marks is None else list(event.marks),
        "comment": event.comment,
        "supersedes": event.supersedes,
        "reviewed_at": event.reviewed_at,
    }
    taxa = tuple(
        {"taxon": seen.taxon, "label": seen.label or "", "rank": seen.rank or ""}
        for seen in event.observations
        if seen.taxon
    )
    return (_put("reviews", record, row, ("review_id",), also={**_camera(event), **({"taxa": taxa} if taxa else {})}),)


def _crop(event: CropPublished, record: LogRecord) -> tuple[Change, ...]:
    row = {
        "crop_id": event.crop_id,
        "burst_id": event.burst_id,
        "image_id": event.image_id,
        **_where(event),
        "bucket": event.bucket,
        "key": event.key,
        "sha256": event.sha256,
        "size": event.size,
        "pixel_width": event.width,
        "pixel_height": event.height,
        **_box(event.box),
        "crop_box": list(event.crop_box),
        "category": event.category.value,
        "score": event.score,
        "captured_at": event.captured_at,
        "published_at": event.published_at,
        "withdrawn": event.withdrawn,
    }
    return (_put("crops", record, row, ("crop_id",)),)


def _explanation_request(event: ExplanationRequested, record: LogRecord) -> tuple[Change, ...]:
    row = {
        "explanation_id": event.explanation_id,
        "image_id": event.image_id,
        "upload_id": event.upload_id,
        **_where(event),
        "method": event.method.value,
        "class_index": event.class_index,
        "reason": event.reason.value,
        "requested_at": event.requested_at,
    }
    return (_put("explanation_requests", record, row, ("explanation_id",)),)


def _fetch_request(event: FetchRequested, record: LogRecord) -> tuple[Change, ...]:
    row = {
        "fetch_id": event.fetch_id,
        "image_id": event.image_id,
        **_where(event),
        "reason": event.reason.value,
        "requested_by": event.requested_by,
        "requested_at": event.requested_at,
    }
    return (_put("fetch_requests", record, row, ("fetch_id",)),)


def _explanation(event: ImageExplained, record: LogRecord) -> tuple[Change, ...]:
    row = {
        "explanation_id": event.explanation_id,
        "image_id": event.image_id,
        **_where(event),
        "method": event.method.value,
        "model": event.model,
        "label_set": event.label_set,
        "class_index": event.class_index,
        "label": event.label,
        "taxon": event.taxon or None,
        "score": event.score,
        "bucket": event.bucket,
        "heat_map_key": event.heat_map_key,
        "weights_key": event.weights_key,
        "r2": event.r2,
        "superpixels": event.superpixels,
        "samples": event.samples,
        "boxes": [found.model_dump(mode="json") for found in event.boxes],
        "seconds": event.seconds,
        "explained_at": event.explained_at,
        **_rejection(event.rejection),
    }
    return (_put("explanations", record, row, ("explanation_id",)),)


def _deployment(event: DeploymentChanged, record: LogRecord) -> tuple[Change, ...]:
    row = {
        "camera": event.camera,
        "deployment_id": event.deployment_id,
        "starts_at": event.start,
        "ends_at": event.end,
        "utc_offset_minutes": event.utc_offset_minutes,
        "latitude": event.latitude,
        "longitude": event.longitude,
        "coordinate_uncertainty_m": event.coordinate_uncertainty_m,
        "sensitivity": event.level.value,
        "capture_method": event.capture_method.value if event.capture_method else None,
        "burst_gap_s": event.burst_gap_s,
        "burst_idle_s": event.burst_idle_s,
        "burst_lateness_s": event.burst_lateness_s,
        "event_gap_s": event.event_gap_s,
        "independence_gap_s": event.independence_gap_s,
        "contact_interval_s": event.contact_interval_s,
    }
    return (_put("deployments", record, row, ("camera", "deployment_id"), also=_camera(event)),)


def _clock(event: ClockJudged, record: LogRecord) -> tuple[Change, ...]:
    row = {
        "camera": event.camera,
        "verdict": event.verdict.value,
        "reasons": [reason.model_dump(mode="json") for reason in event.reasons],
        "evidence": event.evidence.model_dump(mode="json"),
        "offset_s": event.offset_s,
        "last_capture": event.last_capture,
        "last_upload": event.last_upload,
        "judged_at": event.judged_at,
    }
    return (_put("camera_clocks", record, row, ("camera",)),)


def _alert(event: AlertRaised, record: LogRecord) -> tuple[Change, ...]:
    row = {
        "alert_id": event.alert_id,
        "burst_id": next((one.burst_id for one in (*event.matching, *event.bursts)), None),
        "station": event.station,
        "camera": event.camera,
        "kind": event.severity.value,
        "state": event.state.value,
        "raised_at": event.raised_at,
        "content": event.model_dump(mode="json", exclude_none=True),
        "rule": event.rule,
    }
    revision = {
        "alert_id": event.alert_id,
        "revision": event.revision,
        "state": event.state.value,
        "summary": event.summary,
        "updated_at": event.updated_at,
    }
    return (
        _put("alerts", record, row, ("alert_id",)),
        _put("alert_revisions", record, revision, ("alert_id", "revision")),
    )


def _alert_handling(event: AlertHandled, record: LogRecord) -> tuple[Change, ...]:
    """Every event by itself, and the last one of its alert, or of its rule and camera."""
    common = {
        "handling_id": event.handling_id,
        "account": event.by,
        "note": event.note,
        "handled_at": event.at,
    }
    row = {
        **common,
        **_where(event),
        "action": event.action.value,
        "alert_id": event.alert_id,
        "alert_revision": event.alert_revision,
        "rule": event.rule,
        "until": event.until,
    }
    every = _put("alert_handlings", record, row, ("handling_id",))
    if event.action in (AlertAction.ACKNOWLEDGED, AlertAction.UNACKNOWLEDGED):
        if event.alert_id is None:
            return (every,)
        acknowledgement = {
            **common,
            "alert_id": event.alert_id,
            "alert_revision": event.alert_revision,
            "acknowledged": event.action is AlertAction.ACKNOWLEDGED,
        }
        return (every, _put("alert_acknowledgements", record, acknowledgement, ("alert_id",)))
    if not (event.rule or event.camera):
        return (every,)
    mute = {
        **common,
        **_where(event),
        "rule": event.rule or "",
        "until": event.until if event.action is AlertAction.MUTED else None,
    }
    return (every, _put("alert_mutes", record, mute, ("rule", "camera")))


def _static_objects(event: StaticObjectsChanged, record: LogRecord) -> tuple[Change, ...]:
    row = {
        "camera": event.camera,
        "objects": [found.model_dump(mode="json") for found in event.objects],
        "bursts": event.bursts,
        "changed_at": event.changed_at,
    }
    return (_put("static_objects", record, row, ("camera",)),)


def _status(event: StatusReported, record: LogRecord) -> tuple[Change, ...]:
    """A row for each quantity that the report states. Reports count by the time of their reception, not by position: a
    mailbox may bring an old one late. Only repetitions of one report have the same time."""
    stated = event.status
    quantities: dict[str, dict[str, float | int | None]] = {
        "battery": {
            "percent": stated.battery_percent,
            "volts": stated.battery_v,
            "bars": stated.battery_bars,
            "bars_of": stated.battery_bars_of,
        },
        "signal": {
            "percent": stated.signal_percent,
            "dbm": stated.signal_dbm,
            "bars": stated.signal_bars,
            "bars_of": stated.signal_bars_of,
        },
        "card": {
            "percent": stated.card_free_percent,
            "free_mb": stated.card_free_mb,
            "total_mb": stated.card_total_mb,
            "photographs": stated.photographs,
        },
        "temperature": {"celsius": stated.temperature_c},
    }
    common = {
        "camera": event.camera,
        "report_id": event.report_id,
        "reported_at": event.reported_at,
        "profile": event.profile,
    }
    version = (event.reported_at - _EPOCH) // timedelta(microseconds=1)
    changes = []
    for quantity, values in quantities.items():
        if any(value is not None for value in values.values()):
            row = {**common, "quantity": quantity, **values}
            put = _put("camera_status", record, row, ("camera", "quantity"), also=_camera(event))
            changes.append(replace(put, row={**put.row, "version": version}))
    return tuple(changes)


def _individual_sighting(event: IndividualSighted, record: LogRecord) -> tuple[Change, ...]:
    row = {
        "burst_id": event.burst_id,
        "revision": event.revision,
        **_where(event),
        "started_at": event.started_at,
        "taxon": event.taxon,
        "status": event.status.value,
        "information": expected_information([each.score for each in event.candidates], event.new_score),
        "content": event.model_dump(mode="json", exclude_none=True),
    }
    return (_put("individual_sightings", record, row, ("burst_id",), also=_camera(event)),)


def _individual_decision(event: IndividualDecided, record: LogRecord) -> tuple[Change, ...]:
    row = {
        "decision_id": event.decision_id,
        "decision": event.decision.value,
        "reviewer": event.reviewer,
        "decided_at": event.decided_at,
        "individual_id": event.individual_id,
        "other_id": event.other_id,
        "burst_id": event.burst_id,
        "station": event.station,
        "camera": event.camera,
        "undoes": event.undoes,
        "content": event.model_dump(mode="json", exclude_none=True),
    }
    return (_put("individual_decisions", record, row, ("decision_id",)),)


def _recording(event: RecordingAnalysed, record: LogRecord) -> tuple[Change, ...]:
    rejected = "forgotten" if event.rejection and event.rejection.reason == IMAGE_FORGOTTEN else "rejected"
    row = {
        "upload_id": event.upload_id,
        "recording_id": event.recording_id,
        "state": rejected if event.rejection else "analysed",
        **_where(event),
        **_content(event),
        "uploaded_at": event.uploaded_at,
        "analysed_at": event.analysed_at,
        "recorded_at": event.recorded_at,
        "time_origin": event.time_origin,
        "duration_s": event.duration_s,
        "sample_rate_hz": event.sample_rate_hz,
        "channels": event.channels,
        "windows": event.windows,
        "calls": event.calls,
        "model": event.model,
        "settings": event.settings,
        "warnings": list(event.warnings),
        **_rejection(event.rejection),
        "counted": False,
    }
    return (_put("recordings", record, row, ("upload_id",), also=_camera(event)),)


def _sound_call(event: SoundHeard, record: LogRecord) -> tuple[Change, ...]:
    """A call; of one that is withdrawn nothing but which it was."""
    row: dict[str, Any] = {
        "call_id": event.call_id,
        "recording_id": event.recording_id,
        "upload_id": event.upload_id,
        **_where(event),
        "rule": event.rule,
        "model": event.model,
        "label_set": event.label_set,
        "settings": event.settings,
        "heard_at": event.heard_at,
        "withdrawn": event.withdrawn,
        "counted": False,
    }
    if event.withdrawn is None:
        verdict = event.verdict
        row |= {
            "start_s": event.start_s,
            "end_s": event.end_s,
            "started_at": event.started_at,
            "ended_at": event.ended_at,
            "windows": event.windows,
            "category": event.category.value,
            "taxon": verdict.taxon or None,
            "label": verdict.label,
            "rank": verdict.rank,
            "score": verdict.score,
            "confidence": verdict.confidence,
            "threshold": verdict.threshold,
            "certain": verdict.certain,
            "spectrogram": event.spectrogram.model_dump(mode="json") if event.spectrogram else None,
        }
    return (_put("sound_calls", record, row, ("call_id",), also=_camera(event)),)


_FOLDS: dict[Topic, tuple[type[Event], Callable[[Any, LogRecord], tuple[Change, ...]]]] = {
    DEPLOYMENT_CHANGED: (DeploymentChanged, _deployment),
    IMAGE_UPLOADED: (ImageUploaded, _upload),
    IMAGE_BACKFILLED: (ImageUploaded, _upload),
    IMAGE_PREDICTED: (ImagePredicted, _prediction),
    BURST_RESOLVED: (BurstResolved, _burst),
    OBSERVATION_REVIEWED: (ObservationReviewed, _review),
    CROP_PUBLISHED: (CropPublished, _crop),
    EXPLANATION_REQUESTED: (ExplanationRequested, _explanation_request),
    IMAGE_EXPLAINED: (ImageExplained, _explanation),
    FETCH_REQUESTED: (FetchRequested, _fetch_request),
    CLOCK_JUDGED: (ClockJudged, _clock),
    STATIC_OBJECTS_CHANGED: (StaticObjectsChanged, _static_objects),
    ALERT_RAISED: (AlertRaised, _alert),
    ALERT_HANDLED: (AlertHandled, _alert_handling),
    STATUS_REPORTED: (StatusReported, _status),
    INDIVIDUAL_SIGHTED: (IndividualSighted, _individual_sighting),
    INDIVIDUAL_DECIDED: (IndividualDecided, _individual_decision),
    RECORDING_ANALYSED: (RecordingAnalysed, _recording),
    SOUND_HEARD: (SoundHeard, _sound_call),
}

FOLDED_TOPICS: tuple[Topic, ...] = tuple(_FOLDS)
"""The topics that the catalogue holds."""

_BY_NAME = {topic.name: topic for topic in FOLDED_TOPICS}


def _put(
    table: str,
    record: LogRecord,
    row: dict[str, Any],
    key: Sequence[str],
    rank: int = 0,
    parts: dict[str, tuple[Row, ...]] | None = None,
    also: dict[str, tuple[Row, ...]] | None = None,
) -> PutRow:
    row, parts, also = {**row, "version": rank + record.position}, parts or {}, also or {}
    if _NUL in (record.value or b""):
        row, parts, also = _without_nul(row), _without_nul(parts), _without_nul(also)
    return PutRow(table, tuple(row[name] for name in key), row, parts, also)


def _where(event: Any) -> dict[str, str]:
    return {"station": event.station, "camera": event.camera}


def _content(event: ImagePredicted | RecordingAnalysed) -> dict[str, Any]:
    return {name: getattr(event, name) for name in ("bucket", "key", "etag", "version_id", "size", "sha256")}


def _camera(event: Any) -> dict[str, tuple[Row, ...]]:
    return {"cameras": ({"camera": event.camera, "station": event.camera.partition("/")[0]},)}


def _box(box: Sequence[float]) -> dict[str, float]:
    return dict(zip(("x", "y", "width", "height"), box, strict=True))


def _rejection(rejection: Rejection | None) -> dict[str, str | None]:
    return {
        "rejection_reason": rejection.reason if rejection else None,
        "rejection_message": rejection.message if rejection else None,
    }


_NUL = b"\\u0000"
"""The one way to write a NUL character in JSON."""


def _without_nul(value: Any) -> Any:
    """The value with U+FFFD for NUL characters, which PostgreSQL stores neither in text nor in JSON."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, dict):
        return {name: _without_nul(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_without_nul(inner) for inner in value)
    return value
