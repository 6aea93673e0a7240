"""When cameras stood and photographed, one row for each, and small lines of their values over time; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

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
        since, day_width = period.since.toordinal(), period.day_width
        return cls(
            camera,
            tuple(period.piece(span.first, span.end) for span in spans),
            tuple(((first - since) * day_width, count * day_width) for first, count in _runs(active)),
            tuple(period.piece(gap.first, gap.last) for gap in gaps),
        )

    def path(self, kind: str, top: float, height: float) -> str:
        """The pieces of a kind (deployed, active or gaps) as one path."""
        pieces: tuple[Piece, ...] = getattr(self, kind)
        return "".join(f"M{x:.1f} {top:g}h{width:.1f}v{height:g}h-{width:.1f}z" for x, width in pieces)


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
    edges, first = _edges(period, 0), period.since.toordinal()
    width, bottom = f"{max(0.6, period.day_width * 0.9):.1f}", f"{height:.1f}"
    sizes = {count: f"{max(2.0, height * count / most):.1f}" for count in set(counts.values()) if count}
    return "".join(
        f"M{edges[day.toordinal() - first]} {bottom}v-{sizes[count]}h{width}v{sizes[count]}z"
        for day, count in sorted(counts.items())
        if count and period.since <= day <= period.until
    )


def spark_line(values: Sequence[tuple[date, float]], period: Period, height: float) -> str:
    """A line through values by day, scaled to their range; empty with fewer than two."""
    if len(values) < 2:
        return ""
    low, high = min(value for _, value in values), max(value for _, value in values)
    extent = (high - low) or 1.0
    centres, first = _edges(period, 0.5), period.since.toordinal()
    factor = height / extent
    points = [f"{centres[day.toordinal() - first]} {height - factor * (value - low):.1f}" for day, value in values]
    return "M" + "L".join(points)


@lru_cache(maxsize=32)
def _edges(period: Period, share: float) -> tuple[str, ...]:
    """The places of all days, at a share of their width. Cached: a page draws the same days for hundreds of cameras."""
    days = (period.until - period.since).days + 1
    return tuple(f"{(day + share) * period.day_width:.1f}" for day in range(days))


def _runs(days: Iterable[date]) -> list[tuple[int, int]]:
    """Runs of days: the number of the first day, and how many there are."""
    runs: list[tuple[int, int]] = []
    first = following = -1
    for day in sorted({day.toordinal() for day in days}):
        if day != following:
            if first >= 0:
                runs.append((first, following - first))
            first = day
        following = day + 1
    return [*runs, (first, following - first)] if first >= 0 else runs
