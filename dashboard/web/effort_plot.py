"""When cameras stood and photographed, one row for each, and small lines of their values over time; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from uncia.dashboard.catalogue.effort import EffortGap, Span

__all__ = ["EffortRow", "Period", "clip", "day_bars", "spark_line"]

Piece = tuple[float, float]
"""Left edge and width."""


@dataclass(frozen=True)
class Period:
    """Days, both included, that are drawn from 0 to `width`."""

    since: date
    until: date
    width: float

    @property
    def day_width(self) -> float:
        """Width of one day."""
        return self.width / ((self.until - self.since).days + 1)

    def x(self, day: date) -> float:
        """Left edge of a day."""
        return (day - self.since).days * self.day_width

    def piece(self, first: date, last: date) -> Piece:
        """From a day to another one, both included."""
        return self.x(first), self.x(last) - self.x(first) + self.day_width

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Days with their dates, evenly spaced."""
        days = (self.until - self.since).days + 1
        step = max(1, -(-days // most))
        return [
            (self.x(self.since + timedelta(days=at)), str(self.since + timedelta(days=at)))
            for at in range(0, days, step)
        ]


@dataclass(frozen=True)
class EffortRow:
    """One camera in the plot of effort."""

    camera: str
    deployed: tuple[Piece, ...]
    active: tuple[Piece, ...]
    """Runs of days with photographs."""
    gaps: tuple[Piece, ...]

    @classmethod
    def of(
        cls, camera: str, spans: Iterable[Span], active: Iterable[date], gaps: Iterable[EffortGap], period: Period
    ) -> "EffortRow":
        """Lay out a camera; its spans and gaps must be within the period."""
        return cls(
            camera,
            tuple(period.piece(span.first, span.end) for span in spans),
            tuple(period.piece(first, last) for first, last in _runs(active)),
            tuple(period.piece(gap.first, gap.last) for gap in gaps),
        )


def clip(spans: Iterable[Span], since: date, until: date) -> list[Span]:
    """The parts of spans within days."""
    return [
        Span(max(span.first, since), min(span.end, until))
        for span in spans
        if span.first <= until and span.end >= since
    ]


def day_bars(counts: dict[date, int], period: Period, height: float) -> str:
    """One path with a bar for each day with a count."""
    most = max(counts.values(), default=0)
    parts = []
    for day, count in sorted(counts.items()):
        if count and period.since <= day <= period.until:
            size = max(2.0, height * count / most)
            width = max(0.6, period.day_width * 0.9)
            parts.append(f"M{period.x(day):.1f} {height:.1f}v{-size:.1f}h{width:.1f}v{size:.1f}z")
    return "".join(parts)


def spark_line(values: Sequence[tuple[date, float]], period: Period, height: float) -> str:
    """A line through values by day, scaled to their range; empty with fewer than two."""
    if len(values) < 2:
        return ""
    low, high = min(value for _, value in values), max(value for _, value in values)
    extent = (high - low) or 1.0
    points = [
        f"{period.x(day) + period.day_width / 2:.1f} {height - height * (value - low) / extent:.1f}"
        for day, value in values
    ]
    return "M" + "L".join(points)


def _runs(days: Iterable[date]) -> list[tuple[date, date]]:
    runs: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if runs and day - runs[-1][1] == timedelta(days=1):
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    return runs
