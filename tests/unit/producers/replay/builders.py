"""Builders of bursts and upload events for the tests of replays."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from uncia.events import (
    BurstCategory,
    BurstFrame,
    BurstResolved,
    BurstStatus,
    ImageUploaded,
    Rejection,
    TaxonVerdict,
    Trigger,
)
from uncia.producers.replay.burst_snapshot import BurstSnapshot
from uncia.producers.replay.compare import HoldContext, ReplayComparison, compare_bursts

NOW = datetime(2026, 6, 1, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=1)
CAMERA = "ridge/north"


def upload_event(key: str, camera: str = CAMERA, at: datetime = NOW) -> ImageUploaded:
    """The upload event of one photograph."""
    return ImageUploaded(
        upload_id="upl-1",
        station=camera.split("/")[0],
        camera=camera,
        bucket="b",
        key=key,
        etag="e",
        size=1,
        uploaded_at=at,
        announced_at=at,
    )


def burst(
    frames: str,
    label: str | None = "goat",
    *,
    burst_id: str = "",
    revision: int = 2,
    status: BurstStatus = BurstStatus.FINAL,
    closed_at: datetime | None = LONG_AGO,
    rejected: str = "",
    reason: str = "image-truncated",
    certain: bool = True,
    score: float = 0.5,
    category: BurstCategory | None = None,
    crops_withheld: bool | None = None,
) -> BurstResolved:
    """A burst of photographs, one letter each; the smallest letter gives its id. `rejected` ones are unreadable."""
    return BurstResolved(
        burst_id=burst_id or f"bst-{min(frames)}",
        revision=revision,
        status=status,
        station="ridge",
        camera=CAMERA,
        trigger=Trigger.MOTION,
        started_at=datetime(2026, 5, 1),
        ended_at=datetime(2026, 5, 1),
        frames=tuple(
            BurstFrame(
                image_id=f"img-{name}",
                upload_id=f"upl-{name}",
                bucket="b",
                key=f"ridge/north/{name}.jpg",
                captured_at=datetime(2026, 5, 1),
                uploaded_at=NOW,
                predicted_at=NOW,
                rejection=Rejection(reason=reason, message="m") if name in rejected else None,
            )
            for name in sorted(frames)
        ),
        verdict=TaxonVerdict(taxon=f"{label} taxon", label=label, group="animal", score=score, certain=certain)
        if label
        else None,
        rule="mean/1",
        settings="set-1",
        closed_at=closed_at,
        category=category,
        crops_withheld=crops_withheld,
    )


def snapshots(*bursts: BurstResolved) -> list[BurstSnapshot]:
    """The form in which a comparison takes bursts."""
    return [BurstSnapshot.of(event) for event in bursts]


def compare(
    live: list[BurstResolved],
    replay: list[BurstResolved],
    *,
    copied: str = "abcdefgh",
    caught_up: bool = True,
    unread: Mapping[str, str] | None = None,
) -> ReplayComparison:
    """Compare with a lateness of 15 minutes. `copied`: a letter for each copied photograph."""
    context = HoldContext(
        now=NOW,
        lateness=timedelta(minutes=15),
        copied={f"upl-{name}" for name in copied},
        live_caught_up=caught_up,
        unread=unread or {},
    )
    return compare_bursts(snapshots(*live), snapshots(*replay), context)
