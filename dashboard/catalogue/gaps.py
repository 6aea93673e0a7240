"""The gap between a burst and those before it, of which independent detections are counted; pure.

A burst is an independent detection at an interval when its gap is longer, or when it has none. The gap is stored, and
not whether it is long enough, so that every page can choose its interval.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from uncia.dashboard.catalogue.changes import Row

__all__ = ["BurstGap", "BurstTime", "deployment_at", "gaps"]


@dataclass(frozen=True)
class BurstTime:
    """One burst of a camera and subject, in the order of `started_at`, then of its id."""

    burst_id: str
    started_at: datetime
    ended_at: datetime
    deployment_id: str | None


@dataclass(frozen=True)
class BurstGap:
    """What is stored with a burst."""

    reached_at: datetime
    """The latest end of this burst and those before it in its deployment."""
    gap_s: float | None
    """Seconds from the end of those before to its start, at least 0; None: it is the first of its deployment."""


def gaps(
    before: tuple[str | None, datetime] | None, bursts: Iterable[BurstTime]
) -> Iterator[tuple[BurstTime, BurstGap]]:
    """The gaps of bursts in order. `before`: deployment and `reached_at` of the burst before the first, if any."""
    deployment, reached = before or (None, None)
    for burst in bursts:
        if reached is not None and burst.deployment_id != deployment:
            reached = None
        gap = None if reached is None else max(0.0, (burst.started_at - reached).total_seconds())
        reached = burst.ended_at if reached is None else max(reached, burst.ended_at)
        deployment = burst.deployment_id
        yield burst, BurstGap(reached, gap)


def deployment_at(deployments: Iterable[Row], local: datetime) -> str | None:
    """The id of the deployment (of one camera) at a time of the camera's clock; the one that began last, if several."""
    covering = [
        (row["starts_at"], row["deployment_id"])
        for row in deployments
        if row["starts_at"] <= (moment := _moment(local, row["utc_offset_minutes"]))
        and (row["ends_at"] is None or moment < row["ends_at"])
    ]
    return max(covering)[1] if covering else None


def _moment(local: datetime, offset_minutes: int) -> datetime:
    return local.replace(tzinfo=timezone(timedelta(minutes=offset_minutes))).astimezone(UTC)
