"""Records without a database: as many as a test needs, one at a time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from uncia.dashboard.exports.records import (
    BoxRecord,
    BurstRecord,
    DeploymentRecord,
    FrameRecord,
    ObservationRecord,
    Verdict,
)
from uncia.events import Sensitivity

DEPLOYMENT = DeploymentRecord(
    camera="ridge/cam-1",
    station="ridge",
    deployment_id="dep-1",
    starts_at=datetime(2026, 5, 1, tzinfo=UTC),
    ends_at=None,
    utc_offset_minutes=345,
    latitude=42.12345,
    longitude=75.98765,
    coordinate_uncertainty_m=10,
    sensitivity=Sensitivity.HIGH,
)
IBEX = Verdict("animal", "Capra sibirica", "ibex", "species", 2, 0.875)


def a_frame(name: str = "1", **changes: object) -> FrameRecord:
    """A photograph with one box of an animal."""
    values: dict[str, object] = {
        "image_id": f"img-{name}",
        "upload_id": f"upl-{name}",
        "bucket": "uploads",
        "key": f"ridge/cam-1/{name}.JPG",
        "captured_at": datetime(2026, 5, 14, 21, 36, 5, 250_000),
        "category": "animal",
        "boxes": (BoxRecord("animal", 1.0, (0.25, 0.5, 0.25, 0.25)),),
        "detector": "animal_detector@1",
        "predicted_at": datetime(2026, 5, 14, 16, 0, tzinfo=UTC),
        "width": 2000,
        "height": 1000,
        **changes,
    }
    return FrameRecord(**values)  # type: ignore[arg-type]


def a_burst(name: str = "1", **changes: object) -> BurstRecord:
    """A burst of one photograph of two ibexes, by models alone."""
    at = datetime(2026, 5, 14, 21, 36, 5, 250_000)
    values: dict[str, object] = {
        "burst_id": f"bst-{name}",
        "station": "ridge",
        "camera": "ridge/cam-1",
        "started_at": at,
        "ended_at": at + timedelta(seconds=2),
        "frame_count": 1,
        "shown": IBEX,
        "model": IBEX,
        "frames": (a_frame(name),),
        "observations": (
            ObservationRecord("model", 0, IBEX, 0.875, True, "species_classifier@1", datetime(2026, 5, 14, tzinfo=UTC)),
        ),
        "trigger": "motion",
        "certain": True,
        "deployment": DEPLOYMENT,
        **changes,
    }
    return BurstRecord(**values)  # type: ignore[arg-type]


def reviewed(burst: BurstRecord, *seen: ObservationRecord) -> dict[str, object]:
    """The changes that a review makes to a burst."""
    return {
        "reviewed": True,
        "reviewer": "aigul",
        "shown": seen[0].verdict,
        "observations": (*burst.observations, *seen),
    }


def many_bursts(count: int) -> Iterator[BurstRecord]:
    """Bursts one after the other, made as they are read."""
    for number in range(count):
        yield a_burst(f"{number:07d}")
