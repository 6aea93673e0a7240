"""Sightings and decisions for tests of pages: of bursts of the catalogue that show an animal, with crops."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from uncia import ids
from uncia.camtrap.individual_decisions import make_decision
from uncia.dashboard.catalogue.rows import BurstRow
from uncia.events import (
    AnimalSide,
    BurstResolved,
    CropPublished,
    DetectionCategory,
    IndividualCandidate,
    IndividualCrop,
    IndividualDecided,
    IndividualDecision,
    IndividualSighted,
    MatchedPoints,
    SightingStatus,
)

AnyBurst = BurstRow | BurstResolved

__all__ = ["NOW", "TAXON", "candidate_of", "created", "crop_event", "crop_of", "sighted"]

TAXON = "Panthera uncia"
NOW = datetime(2026, 6, 20, 12, tzinfo=UTC)


def crop_of(burst: AnyBurst, number: int = 1, side: AnimalSide = AnimalSide.UNKNOWN) -> IndividualCrop:
    """A crop of a burst."""
    crop_id = ids.crop_id(burst.burst_id, (number, 0, 0, 0))
    return IndividualCrop(
        crop_id=crop_id, bucket="camera-uploads", key=f"crops/{burst.camera}/{crop_id}.jpg", side=side
    )


def crop_event(burst: AnyBurst, crop: IndividualCrop, **fields: Any) -> CropPublished:
    """The publication of a crop."""
    values = {
        "crop_id": crop.crop_id,
        "burst_id": burst.burst_id,
        "image_id": f"img-of-{crop.crop_id}",
        "station": burst.station,
        "camera": burst.camera,
        "bucket": crop.bucket,
        "key": crop.key,
        "sha256": "0" * 64,
        "size": 1000,
        "width": 480,
        "height": 360,
        "box": (0.1, 0.1, 0.8, 0.8),
        "crop_box": (0.0, 0.0, 1.0, 1.0),
        "category": DetectionCategory.ANIMAL,
        "score": 0.9,
        "captured_at": burst.started_at,
        "published_at": NOW,
    }
    return CropPublished.model_validate({**values, **fields})


def created(
    burst: AnyBurst, code: str, side: AnimalSide = AnimalSide.LEFT, reviewer: str = "aigul"
) -> IndividualDecided:
    """A person's decision that a burst shows a new individual."""
    return make_decision(
        IndividualDecision.NEW,
        reviewer,
        NOW - timedelta(days=1),
        individual_id=f"ind-{code.lower()}",
        code=code,
        taxon=TAXON,
        burst_id=burst.burst_id,
        station=burst.station,
        camera=burst.camera,
        captured_at=burst.started_at,
        crops=(crop_of(burst, side=side),),
    )


def candidate_of(
    individual: IndividualDecided, query: IndividualCrop, score: float, points: Sequence[tuple[float, ...]] = ()
) -> IndividualCandidate:
    """A known individual as a candidate."""
    reference = individual.crops[0]
    return IndividualCandidate(
        individual_id=individual.individual_id or "",
        score=score,
        matches=len(points),
        crop_id=query.crop_id,
        reference_crop_id=reference.crop_id,
        reference_bucket=reference.bucket,
        reference_key=reference.key,
        points=tuple(
            MatchedPoints(query_x=one[0], query_y=one[1], reference_x=one[2], reference_y=one[3]) for one in points
        ),
    )


def sighted(burst: AnyBurst, *candidates: IndividualCandidate, **fields: Any) -> IndividualSighted:
    """A proposal of who a burst shows."""
    values = {
        "burst_id": burst.burst_id,
        "revision": 1,
        "station": burst.station,
        "camera": burst.camera,
        "started_at": burst.started_at,
        "taxon": TAXON,
        "status": SightingStatus.PROPOSED,
        "crops": (crop_of(burst),),
        "candidates": candidates,
        "new_score": 0.2 if candidates else None,
        "calibrated": True,
        "sighted_at": NOW,
    }
    return IndividualSighted.model_validate({**values, **fields})
