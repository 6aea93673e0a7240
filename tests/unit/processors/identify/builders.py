"""Bursts, crops and pictures of patterned coats for the tests of the worker `identify`."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from tests.unit.uncia.camtrap.individual_decisions import decide
from uncia.events import (
    BurstCategory,
    BurstResolved,
    BurstStatus,
    CropPublished,
    DetectionCategory,
    IndividualCrop,
    IndividualDecided,
    IndividualDecision,
    TaxonVerdict,
    Trigger,
)

TAXON = "Panthera uncia"
CAMERA = "ridge/north"
NOW = datetime(2026, 5, 14, 12, tzinfo=UTC)


def coat(seed: int, *, light: float = 1.0, shift: int = 0) -> bytes:
    """A JPEG of a pattern that depends on the seed; `shift` moves the view by pixels, `light` is a factor."""
    cells = np.random.default_rng(seed).integers(30, 225, (30, 40)).astype(np.uint8)
    large = Image.fromarray(cells).resize((560, 420), Image.Resampling.BICUBIC).crop((shift, shift, 480 + shift, 360))
    pixels = np.clip(np.asarray(large).astype(float) * light, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").save(file, "JPEG", quality=92)
    return file.getvalue()


def grass(seed: int) -> bytes:
    """A JPEG of blades of grass without an animal."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(360, 480)), (4, 0.7))
    file = io.BytesIO()
    pixels = np.clip(110 + 60 * noise / noise.std(), 0, 255).astype(np.uint8)
    Image.fromarray(pixels).convert("RGB").save(file, "JPEG", quality=92)
    return file.getvalue()


def burst(number: int, *, taxon: str | None = TAXON, revision: int = 2, **fields: Any) -> BurstResolved:
    """A final burst of an animal, on a day of its own."""
    at = datetime(2026, 5, 1, 10) + timedelta(days=number)
    verdict = TaxonVerdict(taxon=taxon, label=taxon, group="animal", score=0.9, certain=True) if taxon else None
    return BurstResolved.model_validate(
        {
            "burst_id": f"bst-{number:024x}",
            "revision": revision,
            "status": BurstStatus.FINAL,
            "station": "ridge",
            "camera": CAMERA,
            "trigger": Trigger.MOTION,
            "started_at": at,
            "ended_at": at,
            "category": BurstCategory.ANIMAL,
            "crops_withheld": False,
            "verdict": verdict,
            "rule": "log-odds/1",
            "settings": "set-1",
            **fields,
        }
    )


def crop_of(of: BurstResolved, number: int = 1, **fields: Any) -> CropPublished:
    """A crop of a burst."""
    crop_id = f"crp-{number:04x}{of.burst_id[-20:]}"
    return CropPublished.model_validate(
        {
            "crop_id": crop_id,
            "burst_id": of.burst_id,
            "image_id": f"img-{number}",
            "station": of.station,
            "camera": of.camera,
            "bucket": "camera-uploads",
            "key": f"crops/{of.camera}/{crop_id}.jpg",
            "sha256": "0" * 64,
            "size": 1000,
            "width": 480,
            "height": 360,
            "box": (0.1, 0.1, 0.8, 0.8),
            "crop_box": (0.0, 0.0, 1.0, 1.0),
            "category": DetectionCategory.ANIMAL,
            "score": 0.9,
            "captured_at": of.started_at,
            "published_at": NOW,
            **fields,
        }
    )


def decided(
    minute: int, decision: IndividualDecision, of: BurstResolved, individual: str | None, *crops: CropPublished
) -> IndividualDecided:
    """A decision on a burst."""
    return decide(
        minute,
        decision,
        individual_id=individual,
        taxon=TAXON if decision is IndividualDecision.NEW else None,
        burst_id=of.burst_id,
        station=of.station,
        camera=of.camera,
        captured_at=of.started_at,
        crops=tuple(IndividualCrop(crop_id=one.crop_id, bucket=one.bucket, key=one.key) for one in crops),
    )
