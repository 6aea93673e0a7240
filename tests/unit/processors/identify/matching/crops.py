"""Crops, descriptions and references of animals that exist for a test."""

from datetime import UTC, datetime
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from uncia.processors.identify.matching.description import NO_EMBEDDER, Description, Quality, Side
from uncia.processors.identify.matching.fused_matcher import FusedMatcher
from uncia.processors.identify.matching.interface import Position, Reference

NOON = datetime(2026, 5, 14, 12, tzinfo=UTC)
HERE = Position(46.0, 94.0)


@cache
def coat(seed: int, height: int = 200, width: int = 300) -> NDArray[np.uint8]:
    """A spotted crop that no other seed gives."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(height, width)), 5)
    grey = 110 + 70 * np.tanh(3 * noise / noise.std())
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


@cache
def described(seed: int, side: Side = Side.UNKNOWN) -> Description:
    return FusedMatcher().describe(coat(seed), side=side)


def made_up(
    seed: int, *, dimensions: int = 8, points: int = 3, embedder: str = NO_EMBEDDER, side: Side = Side.UNKNOWN
) -> Description:
    """A description of random numbers: for tests in which no point is compared."""
    rng = np.random.default_rng(seed)
    vector = rng.normal(size=dimensions)
    return Description(
        embedder=embedder,
        embedding=(vector / max(float(np.linalg.norm(vector)), 1e-9)).astype(np.float32),
        keypoints=rng.uniform(0, 100, (points, 4)).astype(np.float32),
        descriptors=rng.integers(0, 256, (points, 128)).astype(np.uint8),
        fingerprint=rng.bytes(32),
        quality=Quality(1.5, 0.4, 0.2, width=100, height=80, side=side),
    )


def reference(
    individual_id: str,
    description: Description,
    *,
    number: int = 0,
    captured_at: datetime | None = NOON,
    position: Position | None = HERE,
) -> Reference:
    return Reference(
        reference_id=f"{individual_id}/{number}",
        individual_id=individual_id,
        encounter_id=f"{individual_id}-encounter-{number}",
        camera="ridge",
        captured_at=captured_at,
        position=position,
        description=description,
    )
