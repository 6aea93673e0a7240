"""A simulated project: cameras in cells, bursts with all kinds of private marks, and their public events."""

import random
from datetime import UTC, datetime, timedelta, timezone

from uncia.camtrap.deployments import Deployments
from uncia.events import (
    BurstCategory,
    BurstFrame,
    BurstResolved,
    BurstReview,
    BurstStatus,
    DeploymentChanged,
    FurtherObservation,
    ReviewDecision,
    Sensitivity,
    TaxonVerdict,
    Trigger,
)

FIRST_DAY = datetime(2026, 1, 1)
OFFSET = timedelta(hours=5, minutes=45)
SPECIES = ("Capra sibirica", "Vulpes vulpes", "Sus scrofa")


def deployment(
    camera: str, latitude: float, longitude: float, level: Sensitivity = Sensitivity.MEDIUM
) -> DeploymentChanged:
    """A deployment of the whole year, with a position of its own."""
    return DeploymentChanged(
        deployment_id=f"dep-{camera}",
        camera=camera,
        start=datetime(2025, 12, 1, tzinfo=timezone(OFFSET)),
        utc_offset_minutes=345,
        latitude=latitude,
        longitude=longitude,
        coordinate_uncertainty_m=7.25,
        coordinate_sensitivity=level,
    )


def known(*deployments: DeploymentChanged) -> Deployments:
    """The deployments as a worker knows them."""
    found = Deployments()
    for one in deployments:
        found.apply(one.message_key, one.to_bytes())
    return found


def cell_of_cameras(count: int, level: Sensitivity = Sensitivity.MEDIUM) -> list[DeploymentChanged]:
    """Cameras of one station, all in one cell of 0.01 degrees."""
    return [
        deployment(f"ridge/cam-{number}", 42.1171 + number / 3000, 75.9863 + number / 2999, level)
        for number in range(count)
    ]


def burst(
    name: str = "bst-1",
    camera: str = "ridge/cam-0",
    *,
    revision: int = 1,
    at: datetime = FIRST_DAY + timedelta(days=3, hours=21, minutes=36, seconds=17),
    taxon: str | None = "Capra sibirica",
    certain: bool = True,
    status: BurstStatus = BurstStatus.FINAL,
    category: BurstCategory | None = BurstCategory.ANIMAL,
    review: BurstReview | None = None,
) -> BurstResolved:
    """A verdict with one photograph."""
    found = (
        (TaxonVerdict(taxon=taxon, label="a label", group="x", score=0.8731, confidence=0.9137, certain=certain),)
        if taxon
        else ()
    )
    logged = at.replace(tzinfo=UTC) + timedelta(minutes=5)
    frame = BurstFrame(
        image_id=f"img-{name}",
        upload_id=f"upl-{name}",
        key=f"{camera}/IMG_7731_{name}.JPG",
        bucket="camera-uploads",
        captured_at=at,
        uploaded_at=logged,
        predicted_at=logged,
    )
    return BurstResolved(
        burst_id=name,
        revision=revision,
        status=status,
        station=camera.partition("/")[0],
        camera=camera,
        trigger=Trigger.MOTION,
        started_at=at,
        ended_at=at + timedelta(seconds=9),
        frames=(frame,),
        category=category,
        count=4,
        verdict=found[0] if found else None,
        taxa=found,
        review=review,
        rule="log-odds/1",
        models=("species_classifier@3", "SN-HC600-8812734"),
        settings="set-9d1f",
        closed_at=logged,
    )


def review(
    decision: ReviewDecision,
    taxon: str | None = None,
    category: BurstCategory | None = BurstCategory.ANIMAL,
    *further: FurtherObservation,
) -> BurstReview:
    """A review by a person."""
    return BurstReview(
        review_id="rev-77",
        reviewer="aigul",
        decision=decision.value,
        category=category,
        taxon=taxon,
        further=further or None,
        reviewed_at=datetime(2026, 2, 1, 12, 34, 56, tzinfo=UTC),
    )


def simulated_year(cameras: list[DeploymentChanged], seed: int, per_camera: int = 150) -> list[BurstResolved]:
    """Bursts of every camera, each camera with its own species, hours and weekdays, as real ones have."""
    chance = random.Random(seed)
    bursts = []
    for number, one in enumerate(cameras):
        weights = [chance.random() + 0.1 for _ in SPECIES]
        hour = chance.randrange(24)
        for index in range(per_camera):
            day = chance.randrange(365)
            at = FIRST_DAY + timedelta(
                days=day, hours=(hour + chance.randrange(4)) % 24, seconds=chance.random() * 3600
            )
            taxon = chance.choices(SPECIES, weights)[0]
            bursts.append(burst(f"bst-{number}-{index}", one.camera, at=at, taxon=taxon))
    return sorted(bursts, key=lambda each: each.started_at)
