"""Explanations that were requested and have no result yet."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, func, select

from uncia.dashboard.catalogue.tables import burst_frames, explanation_requests, explanations

__all__ = ["PendingExplanation", "PendingExplanations"]

Stations = Iterable[str] | None


@dataclass(frozen=True)
class PendingExplanation:
    """A request without a result. `burst_id`: a burst that contains the photograph; None where there is none yet."""

    explanation_id: str
    image_id: str
    camera: str
    method: str
    reason: str
    requested_at: datetime
    burst_id: str | None


class PendingExplanations:
    """Reads the requests. Safe from any thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read(self, limit: int, stations: Stations = None) -> tuple[int, list[PendingExplanation]]:
        """The number of all, and the oldest; of `stations` alone (None: all)."""
        request = explanation_requests.c
        answered = select(explanations.c.explanation_id).where(explanations.c.explanation_id == request.explanation_id)
        conditions = [~answered.exists()]
        if stations is not None:
            conditions.append(request.station.in_(list(stations)))
        burst = (
            select(func.min(burst_frames.c.burst_id))
            .where(burst_frames.c.image_id == request.image_id)
            .scalar_subquery()
        )
        columns = [request[name] for name in PendingExplanation.__dataclass_fields__ if name != "burst_id"]
        oldest = (
            select(*columns, burst.label("burst_id"))
            .where(*conditions)
            .order_by(request.requested_at, request.explanation_id)
            .limit(limit)
        )
        with self._engine.begin() as connection:
            total = connection.scalar(select(func.count()).select_from(explanation_requests).where(*conditions))
            rows = connection.execute(oldest).mappings().all()
        return total or 0, [PendingExplanation(**row) for row in rows]
