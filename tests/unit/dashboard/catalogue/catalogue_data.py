"""Plausible events of a project with a few stations, and a catalogue filled with them, without Kafka.

Everything is a function of the number of bursts and the seed. `fill_catalogue` writes some hundred bursts a second.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine, make_url

from uncia import ids
from uncia.dashboard.catalogue.changes import LogRecord
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.schema import migrate
from uncia.dashboard.catalogue.store import CatalogueStore, PartitionState
from uncia.events import (
    AlertAction,
    AlertBurst,
    AlertHandled,
    AlertRaised,
    AlertState,
    BurstCategory,
    BurstFrame,
    BurstResolved,
    BurstStatus,
    Capture,
    CaptureTimeSource,
    ClassScore,
    ClassVector,
    ClockEvidence,
    ClockJudged,
    ClockVerdict,
    CloseReason,
    CropPublished,
    CropReference,
    DeploymentChanged,
    Detection,
    DetectionCategory,
    DetectionResult,
    Event,
    ExplanationMethod,
    ExplanationReason,
    ExplanationRequested,
    FetchReason,
    FetchRequested,
    FrameBox,
    ImageExplained,
    ImagePredicted,
    ImageUploaded,
    IndividualDecided,
    JoinReason,
    ObservationReviewed,
    Prediction,
    Rejection,
    ReviewDecision,
    ReviewedObservation,
    Sensitivity,
    TaxonVerdict,
    Trigger,
    mute_key,
)
from uncia.fetch_requests import fetch_id
from uncia.kafka.partitioning import partition_of

PARTITIONS = 4
FIRST_DAY = datetime(2026, 5, 1)
UTC_OFFSET = 360
BUCKET = "camera-uploads"

TAXA: tuple[tuple[str, str, str, float, tuple[int, int]], ...] = (
    # taxon, label, rank, share of the bursts with an animal, hours of activity
    ("Capra sibirica", "ibex", "species", 0.38, (6, 19)),
    ("Ovis", "sheep", "genus", 0.16, (6, 20)),
    ("Marmota", "marmot", "genus", 0.13, (7, 19)),
    ("Vulpes vulpes", "red fox", "species", 0.09, (19, 30)),
    ("Panthera uncia", "snow leopard", "species", 0.05, (18, 31)),
    ("Canis lupus", "wolf", "species", 0.04, (18, 30)),
    ("Felidae", "cat family", "family", 0.03, (18, 30)),
    ("Aves", "bird", "class", 0.12, (5, 20)),
)
"""Taxa of the packaged taxonomy."""


@dataclass(frozen=True)
class Camera:
    """A camera and its deployment."""

    station: str
    name: str
    latitude: float
    longitude: float

    @property
    def id(self) -> str:
        return f"{self.station}/{self.name}"


def cameras(count: int) -> list[Camera]:
    """Cameras of several stations; the names of stations hold what pages must escape and URLs must quote."""
    names = ("ridge", "pass", "spring", "Kök-Suu", "gorge & ford", "north <slope>")
    return [
        Camera(
            f"{names[number % len(names)]}{number // 12 or ''}",
            f"cam-{number // len(names) % 2 + 1}",
            42 + number / 100,
            75 + number / 100,
        )
        for number in range(count)
    ]


class ProjectEvents:
    """Events of a number of bursts in an order in which the topics could hold them."""

    def __init__(self, bursts: int, *, seed: int = 1, camera_count: int = 12, days: int = 60) -> None:
        self.cameras = cameras(camera_count)
        self._random = random.Random(seed)
        self._bursts, self._days = bursts, days

    def __iter__(self) -> Iterator[Event]:
        """Deployments and clocks, then every burst with its photographs, crops, reviews and explanations."""
        for number, camera in enumerate(self.cameras):
            yield self._deployment(camera, number)
            yield self._clock(camera, number)
        starts = sorted(self._start() for _ in range(self._bursts))
        for number, start in enumerate(starts):
            yield from self._burst(number, start)

    def _start(self) -> tuple[datetime, int]:
        """When a burst begins, and what it shows: the index of a taxon, -1 blank, -2 person, -3 vehicle."""
        kind = self._random.random()
        if kind < 0.35:
            shows, hours = -1, (0, 24)
        elif kind < 0.41:
            shows, hours = (-2 if kind < 0.39 else -3), (8, 18)
        else:
            shows = self._random.choices(range(len(TAXA)), [taxon[3] for taxon in TAXA])[0]
            hours = TAXA[shows][4]
        seconds = self._random.randrange(3600 * hours[0], 3600 * hours[1])
        return FIRST_DAY + timedelta(days=self._random.randrange(self._days), seconds=seconds), shows

    def _burst(self, number: int, start: tuple[datetime, int]) -> Iterator[Event]:
        started, shows = start
        camera = self._random.choice(self.cameras)
        uploaded = started.replace(tzinfo=UTC) - timedelta(minutes=UTC_OFFSET) + timedelta(seconds=40)
        frames: list[BurstFrame] = []
        length = self._random.choice((1, 3, 3, 3, 5))
        for sequence in range(length):
            prediction = self._prediction(camera, number, sequence, length, started, uploaded, shows)
            yield _upload_of(prediction)
            yield prediction
            frames.append(_frame_of(prediction, shows, sequence))
        final = self._verdict(camera, started, frames, shows, length)
        if number % 3 == 0:
            yield final.model_copy(
                update={
                    "revision": 1,
                    "status": BurstStatus.PROVISIONAL,
                    "frames": final.frames[:1],
                    "closed_by": None,
                    "closed_at": None,
                    "changes": ("first frame",),
                    "expected_frames": length,
                }
            )
        yield final.model_copy(update={"revision": 2})
        if number % 11 == 0:
            yield final.model_copy(
                update={"revision": 3, "status": BurstStatus.REVISED, "changes": ("another model version",)}
            )
        yield from self._about(camera, final, number)

    def _about(self, camera: Camera, burst: BurstResolved, number: int) -> Iterator[Event]:
        published = burst.frames[-1].predicted_at + timedelta(seconds=30)
        if burst.best_crop is not None and number % 2 == 0:
            yield _crop_of(burst, burst.best_crop, published)
        if number % 7 == 0 and burst.category is BurstCategory.ANIMAL:
            yield self._review(camera, burst, published, number)
        if number % 17 == 0 and burst.category is BurstCategory.ANIMAL:
            alert = _alert_of(burst, published)
            yield alert
            yield from _handlings_of(alert, published)
        if number % 13 == 0:
            frame = burst.frames[0]
            name = ids.explanation_id(frame.image_id, "species_classifier@1", None, "lime")
            common = {
                "explanation_id": name,
                "image_id": frame.image_id,
                "station": camera.station,
                "camera": camera.id,
                "method": ExplanationMethod.LIME,
            }
            if number % 26 == 0:
                yield FetchRequested(
                    fetch_id=fetch_id(frame.key),
                    station=common["station"],
                    camera=common["camera"],
                    image_id=frame.image_id,
                    key=frame.key,
                    reason=FetchReason.PERSON,
                    requested_by="Ama",
                    requested_at=published,
                )
            yield ExplanationRequested(
                **common,
                upload_id=frame.upload_id,
                bucket=BUCKET,
                key=frame.key,
                etag="etag",
                reason=ExplanationReason.NEAR_THRESHOLD,
                requested_at=published,
            )
            if number % 26 == 0:
                yield ImageExplained(
                    **common,
                    model="species_classifier@1",
                    label="ibex",
                    taxon="Capra sibirica",
                    score=0.4,
                    bucket=BUCKET,
                    heat_map_key=f"explanations/{name}.png",
                    explained_at=published + timedelta(seconds=9),
                )

    def _review(self, camera: Camera, burst: BurstResolved, at: datetime, number: int) -> ObservationReviewed:
        blank = number % 21 == 0
        decision = ReviewDecision.BLANK if blank else ReviewDecision.CONFIRM
        taxon = burst.verdict
        seen = ReviewedObservation(
            category=BurstCategory.ANIMAL,
            taxon=taxon.taxon if taxon else None,
            label=taxon.label if taxon else None,
            rank=taxon.rank if taxon else None,
            count=1 + number % 4,
        )
        reviewer = "aigul" if number % 2 else "bektur"
        return ObservationReviewed(
            review_id=ids.review_id(burst.burst_id, reviewer, at, decision.value),
            burst_id=burst.burst_id,
            burst_revision=2,
            station=camera.station,
            camera=camera.id,
            reviewer=reviewer,
            decision=decision,
            observations=() if blank else (seen,),
            images=tuple(frame.image_id for frame in burst.frames),
            marks=("favourite",) if number % 5 == 0 else None,
            reviewed_at=at + timedelta(days=1),
        )

    def _prediction(
        self,
        camera: Camera,
        number: int,
        sequence: int,
        length: int,
        started: datetime,
        uploaded: datetime,
        shows: int,
    ) -> ImagePredicted:
        taken = started + timedelta(seconds=sequence)
        sha256 = ids.content_hash(f"{camera.id} {number} {sequence}".encode())
        key = f"{camera.id}/{taken:%Y/%m/%d}/{taken:%Y%m%dT%H%M%S}-{sha256[:16]}.JPG"
        rejected = self._random.random() < 0.01
        stored = uploaded + timedelta(seconds=sequence)
        upload = ids.upload_id(BUCKET, key, sha256[:32])
        return ImagePredicted(
            upload_id=upload,
            image_id=ids.image_id(camera.id, sha256),
            station=camera.station,
            camera=camera.id,
            bucket=BUCKET,
            key=key,
            etag=sha256[:32],
            size=400_000,
            sha256=None if rejected else sha256,
            uploaded_at=stored,
            predicted_at=stored + timedelta(milliseconds=300),
            capture=Capture(
                time=taken,
                time_source=CaptureTimeSource.EXIF,
                trigger=Trigger.MOTION,
                sequence=sequence + 1,
                sequence_length=length,
                make="RECONYX",
                model="HYPERFIRE 2 COVERT",
                serial=f"H2X{self.cameras.index(camera):08d}",
                temperature_c=float(self._random.randrange(-15, 25)),
                battery_v=round(9.4 - 0.03 * (started - FIRST_DAY).days, 3),
                infrared=not 6 <= taken.hour < 19,
                width=2048,
                height=1440,
            ),
            rejection=Rejection(reason="image-truncated", message="the file ends early") if rejected else None,
            prediction=None if rejected else _prediction_of(stored, shows),
            detection=None if rejected else self._detection(stored, shows),
        )

    def _detection(self, at: datetime, shows: int) -> DetectionResult:
        categories = {-2: DetectionCategory.PERSON, -3: DetectionCategory.VEHICLE}
        found = [
            Detection(
                category=categories.get(shows, DetectionCategory.ANIMAL),
                score=round(self._random.uniform(0.5, 0.98) if shows != -1 else self._random.uniform(0.05, 0.2), 4),
                box=(round(self._random.uniform(0, 0.6), 4), round(self._random.uniform(0.2, 0.6), 4), 0.2, 0.3),
            )
            for _ in range(self._random.choice((1, 1, 2)) if shows != -1 else self._random.choice((0, 0, 1)))
        ]
        return DetectionResult(
            model="animal_detector",
            version="1",
            settings="set-0",
            asked_at=at,
            inference_ms=60,
            categories=tuple(DetectionCategory),
            detections=tuple(
                _classified(detection, shows, number)
                for number, detection in enumerate(sorted(found, key=lambda detection: -detection.score))
            ),
            crop_model="species_classifier@1",
            label_set="imagenet-1k@5f3a9c0d1e2b",
        )

    def _verdict(
        self, camera: Camera, started: datetime, frames: list[BurstFrame], shows: int, length: int
    ) -> BurstResolved:
        category = {-1: BurstCategory.BLANK, -2: BurstCategory.PERSON, -3: BurstCategory.VEHICLE}.get(
            shows, BurstCategory.ANIMAL
        )
        taxon = _taxon_of(shows, round(self._random.uniform(0.4, 0.99), 3))
        boxes = [(frame, box) for frame in frames for box in frame.boxes or () if not box.static]
        best = max(boxes, key=lambda pair: pair[1].score, default=None) if category is not BurstCategory.BLANK else None
        readable = [frame for frame in frames if frame.rejection is None]
        probability = self._random.uniform(0.7, 0.999) if category is BurstCategory.ANIMAL else None
        if category is BurstCategory.BLANK:
            probability = self._random.uniform(0.001, 0.4)
        return BurstResolved(
            burst_id=ids.burst_id(camera.id, "motion", started, frames[0].image_id),
            revision=2,
            status=BurstStatus.FINAL,
            station=camera.station,
            camera=camera.id,
            trigger=Trigger.MOTION,
            started_at=started,
            ended_at=started + timedelta(seconds=length - 1),
            frames=tuple(frames),
            expected_frames=length,
            unreadable=len(frames) - len(readable),
            category=category if readable else None,
            animal_probability=None if probability is None else round(probability, 4),
            count=None if category is BurstCategory.BLANK or not readable else 1 + int(shows == 0),
            best_crop=None
            if best is None
            else CropReference(
                image_id=best[0].image_id, box=best[1].box, category=best[1].category, score=best[1].score
            ),
            fusion="presence@3f2a9c0d1b7e",
            verdict=taxon if readable else None,
            taxa=(taxon,) if taxon and readable else (),
            rule="log-odds/1",
            models=("species_classifier@1",),
            settings="set-0",
            closed_by=CloseReason.SEQUENCE,
            closed_at=frames[-1].predicted_at + timedelta(seconds=20),
            flags=("clock-jump",) if self._random.random() < 0.02 else (),
        )

    def _deployment(self, camera: Camera, number: int) -> DeploymentChanged:
        levels = (Sensitivity.EXTREME, Sensitivity.HIGH, Sensitivity.MEDIUM, Sensitivity.NONE)
        return DeploymentChanged(
            deployment_id=f"dep-{number:03d}",
            camera=camera.id,
            start=(FIRST_DAY - timedelta(days=1)).replace(tzinfo=UTC),
            utc_offset_minutes=UTC_OFFSET,
            latitude=camera.latitude,
            longitude=camera.longitude,
            coordinate_uncertainty_m=10,
            coordinate_sensitivity=levels[number % len(levels)],
        )

    def _clock(self, camera: Camera, number: int) -> ClockJudged:
        return ClockJudged(
            camera=camera.id,
            verdict=ClockVerdict.SUSPICIOUS if number % 9 == 4 else ClockVerdict.OK,
            evidence=ClockEvidence(frames=100, occasions=40, arrival=40, order=10, sun=20),
            judged_at=FIRST_DAY.replace(tzinfo=UTC),
        )


def _taxon_of(shows: int, score: float) -> TaxonVerdict | None:
    if shows < 0:
        return None
    name, label, rank, _, _ = TAXA[shows]
    focus = name == "Panthera uncia"
    return TaxonVerdict(
        taxon=name,
        label=label,
        group="animal",
        rank=rank,
        score=score,
        confidence=score if focus else None,
        threshold=0.5 if focus else None,
        certain=score > 0.5,
        focus=focus,
    )


_VECTOR = ClassVector(length=4, f16="ADoAMAAsGRQ=")


def _classified(detection: Detection, shows: int, number: int) -> Detection:
    """With class probabilities of the crop: most of it for the taxon, a little for any other, and more or less so."""
    if detection.category is not DetectionCategory.ANIMAL or number >= 3:
        return detection
    draw = random.Random(repr(detection.box))
    weights = np.array([draw.random() ** 4 for _ in range(40)])
    weights[shows] += 30
    return detection.model_copy(update={"classes": ClassVector.pack(weights / weights.sum())})


def _prediction_of(at: datetime, shows: int) -> Prediction:
    name, label, _, _, _ = TAXA[max(shows, 0)]
    return Prediction(
        model="species_classifier",
        version="1",
        label_set="imagenet-1k@5f3a9c0d1e2b",
        settings="set-0",
        asked_at=at,
        inference_ms=30,
        whole=_VECTOR,
        windows=_VECTOR,
        top=(ClassScore(index=max(shows, 0), label=label, taxon=name, group="animal", score=0.6),),
    )


def _upload_of(event: ImagePredicted) -> ImageUploaded:
    names = ("upload_id", "station", "camera", "bucket", "key", "etag", "size", "uploaded_at", "lane")
    return ImageUploaded(**{name: getattr(event, name) for name in names}, announced_at=event.uploaded_at)


def _frame_of(event: ImagePredicted, shows: int, sequence: int) -> BurstFrame:
    category = {-1: BurstCategory.BLANK, -2: BurstCategory.PERSON, -3: BurstCategory.VEHICLE}.get(
        shows, BurstCategory.ANIMAL
    )
    found = event.detection.detections if event.detection else ()
    return BurstFrame(
        image_id=event.image_id,
        upload_id=event.upload_id,
        key=event.key,
        bucket=event.bucket,
        captured_at=event.capture.time,
        sequence=sequence + 1,
        joined=JoinReason.FIRST if sequence == 0 else JoinReason.SEQUENCE,
        uploaded_at=event.uploaded_at,
        predicted_at=event.predicted_at,
        top=event.prediction.top[0] if event.prediction else None,
        rejection=event.rejection,
        deciding=sequence == 0,
        category=category if event.rejection is None else None,
        animal_probability=0.9 if category is BurstCategory.ANIMAL else None,
        boxes=None
        if event.detection is None
        else tuple(
            FrameBox(
                category=detection.category,
                score=detection.score,
                box=detection.box,
                static=category is BurstCategory.BLANK,
            )
            for detection in found
        ),
    )


def _alert_of(burst: BurstResolved, at: datetime) -> AlertRaised:
    own = AlertBurst(
        burst_id=burst.burst_id,
        revision=2,
        status=BurstStatus.FINAL,
        started_at=burst.started_at,
        ended_at=burst.ended_at,
        matches=True,
        category=burst.category,
        count=burst.count,
    )
    return AlertRaised(
        alert_id=ids.alert_id("animals", burst.camera, burst.burst_id),
        revision=1,
        state=AlertState.RAISED,
        rule="animals",
        station=burst.station,
        camera=burst.camera,
        summary=f"an animal at {burst.camera}",
        bursts=(own,),
        raised_at=at,
        updated_at=at,
    )


def _handlings_of(alert: AlertRaised, at: datetime) -> Iterator[AlertHandled]:
    """Somebody acknowledges the alert, and mutes its rule at the camera for an hour."""
    common = {"station": alert.station, "camera": alert.camera, "rule": alert.rule, "by": "aigul", "at": at}
    yield AlertHandled(
        **common,
        handling_id=ids.handling_id(alert.alert_id, "aigul", at, "acknowledged"),
        action=AlertAction.ACKNOWLEDGED,
        alert_id=alert.alert_id,
        alert_revision=alert.revision,
        note="I ride up tomorrow.",
    )
    yield AlertHandled(
        **common,
        handling_id=ids.handling_id(mute_key(alert.rule, alert.camera), "aigul", at, "muted"),
        action=AlertAction.MUTED,
        until=at + timedelta(hours=1),
    )


def _crop_of(burst: BurstResolved, best: CropReference, at: datetime) -> CropPublished:
    name = ids.crop_id(best.image_id, best.box)
    return CropPublished(
        crop_id=name,
        burst_id=burst.burst_id,
        image_id=best.image_id,
        station=burst.station,
        camera=burst.camera,
        bucket=BUCKET,
        key=f"crops/{burst.camera}/{name}.jpg",
        sha256="9f" * 32,
        size=18_000,
        width=320,
        height=480,
        box=best.box,
        crop_box=best.box,
        category=best.category,
        score=best.score,
        captured_at=burst.started_at,
        published_at=at,
        withdrawn="person-in-burst" if burst.category is BurstCategory.PERSON else None,
    )


class Log:
    """Gives events the offsets that topics would, each partition by itself."""

    def __init__(self) -> None:
        self._ends: dict[tuple[str, int], int] = {}

    def append(self, event: Event, topic: str = "") -> LogRecord:
        by = getattr(event, "partitioned_by", "") or getattr(event, "partition_key", "")
        camera: str = by or event.camera  # type: ignore[attr-defined]
        name, partition = topic or event.topic, partition_of(camera, PARTITIONS)
        offset = self._ends.get((name, partition), 0)
        self._ends[(name, partition)] = offset + 1
        return LogRecord(name, partition, offset, _timestamp(event), _key(event), event.to_bytes())

    def partitions(self) -> dict[tuple[str, int], PartitionState]:
        """The state of all partitions before any of their messages."""
        return {place: PartitionState("id", 0, 0) for place in self._ends}


def records(events: Sequence[Event] | ProjectEvents, log: Log | None = None) -> Iterator[LogRecord]:
    """The messages of these events."""
    log = log or Log()
    for event in events:
        yield log.append(event)


@cache
def whole_project() -> tuple[Event, ...]:
    """The events of one project, of 120 bursts."""
    return tuple(ProjectEvents(120, seed=3, days=40))


def fill_catalogue(engine: Engine, events: Sequence[Event] | ProjectEvents, batch: int = 500) -> None:
    """Migrate an empty database and fold these events into it."""
    migrate(engine)
    log, store, waiting = Log(), CatalogueStore(engine), []
    for record in records(events, log):
        waiting.append(record)
        if len(waiting) == batch:
            _apply(store, log, waiting)
            waiting = []
    _apply(store, log, waiting)


def sqlite_catalogue(folder: Path, bursts: int = 200, **options: Any) -> Engine:
    """A catalogue in a file of this folder, filled with plausible bursts."""
    engine = open_database(make_url(f"sqlite:///{folder}/catalogue.sqlite"))
    fill_catalogue(engine, ProjectEvents(bursts, **options))
    return engine


def newest_burst(burst_id: str, bursts: int = 120) -> BurstResolved:
    """The newest revision of a burst in `ProjectEvents(bursts)`."""
    found = (event for event in ProjectEvents(bursts) if isinstance(event, BurstResolved))
    return max((event for event in found if event.burst_id == burst_id), key=lambda event: event.revision)


def revised_burst(burst_id: str, bursts: int = 120, **changes: Any) -> BurstResolved:
    """Its next revision: a snow leopard, as far as `changes` say nothing else."""
    newest = newest_burst(burst_id, bursts)
    leopard = _taxon_of(next(at for at, (name, *_) in enumerate(TAXA) if name == "Panthera uncia"), 0.97)
    assert leopard is not None
    revised: BurstResolved = newest.model_copy(
        update={
            "revision": newest.revision + 1,
            "status": BurstStatus.REVISED,
            "verdict": leopard,
            "taxa": (leopard,),
            **changes,
        }
    )
    return revised


def _apply(store: CatalogueStore, log: Log, waiting: list[LogRecord]) -> None:
    known = store.partitions()
    store.set_partitions({place: state for place, state in log.partitions().items() if place not in known})
    store.apply(waiting)


def _timestamp(event: Event) -> int:
    for name in ("reviewed_at", "explained_at", "requested_at", "published_at", "closed_at", "predicted_at"):
        if (moment := getattr(event, name, None)) is not None:
            return int(1000 * moment.timestamp())
    frames = getattr(event, "frames", ())
    return int(1000 * (frames[-1].predicted_at if frames else datetime(2026, 5, 1, tzinfo=UTC)).timestamp())


def _key(event: Event) -> bytes:
    if isinstance(event, DeploymentChanged | IndividualDecided):
        return event.message_key
    return str(getattr(event, "burst_id", None) or event.camera).encode()  # type: ignore[attr-defined]
