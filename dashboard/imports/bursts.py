"""Makes events of an imported burst: its photographs, the verdict of models, and the review of people; pure."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone

from uncia import ids
from uncia.dashboard.imports.items import ImportedMedia, ImportedObservation
from uncia.dashboard.imports.spool import ImportedBurst
from uncia.events import (
    BurstCategory,
    BurstFrame,
    BurstResolved,
    BurstStatus,
    Capture,
    CaptureTimeSource,
    Detection,
    DetectionCategory,
    DetectionResult,
    Event,
    FrameBox,
    ImagePredicted,
    Lane,
    ObservationReviewed,
    Rejection,
    ReviewDecision,
    ReviewedBox,
    ReviewedObservation,
    TaxonVerdict,
    Trigger,
)

__all__ = ["RULE", "burst_events"]

RULE = "import/1"
"""`rule` of imported bursts."""

_LEAST_SCORE = 0.2
"""Boxes below this score do not decide what a burst shows."""

_MOST_BOXES, _MOST_FRAMES = 100, 2000
_DETECTED = tuple(each.value for each in DetectionCategory)


def burst_events(burst: ImportedBurst, origin: str, bucket: str) -> Iterator[Event]:
    """The events of one burst. Raises pydantic's `ValidationError` where a value is none that events allow.

    `origin` is stored as the settings digest of the burst and the time origin of its photographs.
    """
    station = burst.camera.partition("/")[0]
    on_media: dict[str, list[ImportedObservation]] = {}
    for each in burst.observations:
        if each.media is not None and not each.about_burst:
            on_media.setdefault(each.media, []).append(each)
    frames = []
    for item in burst.media[:_MOST_FRAMES]:
        predicted = _prediction(item, station, on_media.get(item.id, []), origin, bucket)
        yield predicted
        frames.append(_frame(predicted, on_media.get(item.id, [])))
    human, machine = _verdicts(burst)
    resolved = _resolved(burst, station, frames, machine, origin)
    yield resolved
    if human:
        yield _review(burst, resolved, human)


def _verdicts(burst: ImportedBurst) -> tuple[list[ImportedObservation], list[ImportedObservation]]:
    """What people and models say of the whole burst; without such, what they say of its photographs."""
    stated = [each for each in burst.observations if each.media is None or each.about_burst]
    if stated:
        whole = [each for each in stated if each.classified]
        return [each for each in whole if each.human], [each for each in whole if not each.human]
    single = [each for each in burst.observations if each.classified]
    sure = [each for each in single if each.box is None or (each.probability or 1.0) >= _LEAST_SCORE]
    return _distinct([each for each in single if each.human]), _distinct([each for each in sure if not each.human])


def _distinct(seen: Sequence[ImportedObservation]) -> list[ImportedObservation]:
    """Of each taxon the observation with most individuals, then the surest; blanks only where there is nothing else."""
    best: dict[tuple[str | None, str | None], ImportedObservation] = {}
    for each in seen:
        key = (each.category, each.taxon or each.label)
        if key not in best or _weight(each) > _weight(best[key]):
            best[key] = each
    ranked = sorted(best.values(), key=_weight, reverse=True)
    named = [each for each in ranked if each.category not in (None, "blank")]
    return named or ranked[:1]


def _weight(each: ImportedObservation) -> tuple[bool, bool, int, float]:
    return each.category is not None, each.taxon is not None, each.count or 0, each.probability or 0.0


def _moment(local: datetime, offset_minutes: int) -> datetime:
    return local.replace(tzinfo=timezone(timedelta(minutes=offset_minutes))).astimezone(UTC)


def _prediction(
    item: ImportedMedia, station: str, seen: Sequence[ImportedObservation], origin: str, bucket: str
) -> ImagePredicted:
    stored = _moment(item.captured_at, item.utc_offset_minutes)
    predicted = next((each.at for each in seen if each.at is not None and not each.human), stored)
    rejected = next((reason for each in seen if (reason := each.tag("rejected"))), None)
    boxes = _boxes(seen)
    return ImagePredicted(
        upload_id=ids.upload_id(bucket, item.path, item.id),
        image_id=item.id,
        station=station,
        camera=item.camera,
        bucket=bucket,
        key=item.path,
        etag="",
        size=0,
        uploaded_at=stored,
        predicted_at=predicted,
        lane=Lane.BACKFILL,
        capture=Capture(
            time=item.captured_at,
            time_source=CaptureTimeSource.KEY,
            time_origin=origin,
            trigger=Trigger(item.trigger),
            make=item.make,
            model=item.model,
            serial=item.serial,
            width=item.width,
            height=item.height,
        ),
        detection=_detection(item, seen, boxes, predicted, rejected),
        rejection=Rejection(reason=rejected, message=item.comment.partition(": ")[2] or item.comment)
        if rejected
        else None,
    )


def _boxes(seen: Sequence[ImportedObservation]) -> list[ImportedObservation]:
    found = [each for each in seen if each.box is not None and not each.human and each.category in _DETECTED]
    return sorted(found, key=lambda each: -(each.probability or 0.0))[:_MOST_BOXES]


def _detection(
    item: ImportedMedia,
    seen: Sequence[ImportedObservation],
    boxes: Sequence[ImportedObservation],
    at: datetime,
    rejected: str | None,
) -> DetectionResult | None:
    looked = [each for each in seen if each.classified and not each.human]
    if rejected or not (looked or item.detected):
        return None
    model, _, version = next((each.by for each in looked if each.by), "unknown").rpartition("@")
    return DetectionResult(
        model=model or version,
        version=version if model else "import",
        settings=RULE,
        asked_at=at,
        inference_ms=0,
        detections=tuple(
            Detection(
                category=DetectionCategory(each.category or ""),
                score=1.0 if each.probability is None else each.probability,
                box=each.box,
            )
            for each in boxes
        ),
    )


def _frame(event: ImagePredicted, seen: Sequence[ImportedObservation]) -> BurstFrame:
    stated = next((value for each in seen if (value := each.tag("frame"))), None)
    own = [each.category for each in seen if each.classified and each.category is not None and not each.ours]
    found = event.detection
    return BurstFrame(
        image_id=event.image_id,
        upload_id=event.upload_id,
        key=event.key,
        bucket=event.bucket,
        captured_at=event.capture.time,
        uploaded_at=event.uploaded_at,
        predicted_at=event.predicted_at,
        rejection=event.rejection,
        deciding=any(each.tag("deciding") == "true" for each in seen),
        category=BurstCategory(stated or own[0]) if stated or own else None,
        boxes=None
        if found is None
        else tuple(FrameBox(category=each.category, score=each.score, box=each.box) for each in found.detections),
    )


def _resolved(
    burst: ImportedBurst,
    station: str,
    frames: Sequence[BurstFrame],
    machine: Sequence[ImportedObservation],
    origin: str,
) -> BurstResolved:
    main = machine[0] if machine else None
    about = next((each for each in burst.observations if each.tag("status")), None)
    taxa = tuple(verdict for each in machine if (verdict := _taxon(each)) is not None)
    named = main is not None and taxa and (main.taxon or main.label)
    count = main.count if main and main.category != "blank" else None
    return BurstResolved(
        burst_id=burst.id,
        revision=1,
        status=BurstStatus((about and about.tag("status")) or BurstStatus.FINAL),
        station=station,
        camera=burst.camera,
        trigger=Trigger((about and about.tag("trigger")) or _trigger_of(burst)),
        started_at=burst.started_at,
        ended_at=max(burst.started_at, burst.ended_at),
        frames=tuple(frames),
        frames_left_out=len(burst.media) - len(frames) or None,
        unreadable=sum(frame.rejection is not None for frame in frames),
        category=BurstCategory(main.category) if main and main.category else None,
        animal_probability=_animal_probability(main),
        count=count,
        verdict=taxa[0] if named else None,
        taxa=taxa,
        rule=RULE,
        models=(main.by,) if main and main.by else (),
        settings=origin,
        closed_at=main.at if main else None,
        flags=tuple(about.tags.get("flag", ())) if about else (),
    )


def _trigger_of(burst: ImportedBurst) -> str:
    return burst.media[0].trigger if burst.media else Trigger.UNKNOWN.value


def _taxon(each: ImportedObservation) -> TaxonVerdict | None:
    if each.category in (None, "blank") or not (each.taxon or each.label):
        return None
    probability = 1.0 if each.probability is None else each.probability
    calibrated, score = each.tag("calibrated") == "true", each.tag("score")
    return TaxonVerdict(
        taxon=each.taxon or "",
        label=each.label or each.taxon or "",
        group=each.category or "",
        rank=each.rank,
        score=probability if score is None else float(score),
        confidence=probability if calibrated else None,
        certain=each.tag("certain") != "false",
    )


def _animal_probability(main: ImportedObservation | None) -> float | None:
    if main is None:
        return None
    if (stated := main.tag("animalProbability")) is not None:
        return float(stated)
    if main.probability is None or main.taxon or main.label:
        return None
    return {"animal": main.probability, "blank": 1 - main.probability}.get(main.category or "")


def _review(burst: ImportedBurst, resolved: BurstResolved, human: Sequence[ImportedObservation]) -> ObservationReviewed:
    first = human[0]
    known = [each for each in human if each.category not in (None, "blank")]
    if known:
        decision = ReviewDecision.CORRECT
    else:
        decision = ReviewDecision.BLANK if first.category == "blank" else ReviewDecision.UNKNOWN
    reviewer = first.by or "unknown"
    at = first.at or _moment(burst.ended_at, burst.utc_offset_minutes)
    marks = tuple(first.tags.get("mark", ()))
    return ObservationReviewed(
        review_id=ids.review_id(burst.id, reviewer, at, decision.value),
        burst_id=burst.id,
        burst_revision=1,
        station=resolved.station,
        camera=burst.camera,
        reviewer=reviewer,
        decision=decision,
        observations=tuple(
            ReviewedObservation(
                category=BurstCategory(each.category or ""),
                taxon=each.taxon,
                label=each.label,
                rank=each.rank,
                count=each.count,
                boxes=tuple(_drawn(burst, each)),
            )
            for each in known
        ),
        images=tuple(item.id for item in burst.media[:_MOST_FRAMES]),
        marks=marks or None,
        comment=first.comment or None,
        reviewed_at=at,
    )


def _drawn(burst: ImportedBurst, verdict: ImportedObservation) -> Iterator[ReviewedBox]:
    """The boxes that people drew around what this observation names."""
    for each in burst.observations:
        same = (each.category, each.taxon, each.label) == (verdict.category, verdict.taxon, verdict.label)
        if each.human and each.box is not None and each.media is not None and same:
            yield ReviewedBox(image_id=each.media, box=each.box)
