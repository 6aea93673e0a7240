"""Geometry of the plots, which the templates draw as SVG; pure."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

__all__ = ["BarChart", "LineChart", "bar_chart", "line_chart", "nice_step", "polar_sector", "ticks"]

_MOST_DAYS, _MOST_WEEKS = 100, 700
"""Up to so many days there is a bar for each day, or for each week."""


@dataclass(frozen=True)
class Bar:
    """One bar: what it counts, and its parts from the bottom up as name, top and height."""

    title: str
    x: float
    width: float
    parts: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True)
class BarChart:
    """Bars over time within an area whose left upper corner is at (0, 0)."""

    unit: str
    """`day`, `week` or `month`."""
    bars: tuple[Bar, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class LineChart:
    """A line within such an area, and its points as x and y."""

    path: str
    points: tuple[tuple[float, float], ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    most: float
    """Value at the upper edge."""


def polar_sector(hour: int, value: float, most: float, *, radius: float = 90, hole: float = 18) -> str:
    """The path of one hour in a clock of 24 hours around (100, 100), midnight at the top; area shows the value."""
    if value <= 0 or most <= 0:
        return ""
    # The area of a sector grows with the square of its radius: the root makes it proportional to the value.
    outer = math.sqrt(hole**2 + (radius**2 - hole**2) * value / most)
    angles = [math.radians(15 * at - 90) for at in (hour, hour + 1)]
    corners = [
        (100 + length * math.cos(angle), 100 + length * math.sin(angle)) for length in (hole, outer) for angle in angles
    ]
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = corners
    return (
        f"M{ax:.2f} {ay:.2f}L{cx:.2f} {cy:.2f}A{outer:.2f} {outer:.2f} 0 0 1 {dx:.2f} {dy:.2f}"
        f"L{bx:.2f} {by:.2f}A{hole:.2f} {hole:.2f} 0 0 0 {ax:.2f} {ay:.2f}Z"
    )


def nice_step(extent: float, most: int) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that divides the extent into at most so many parts."""
    if extent < 1e-12 or most < 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(extent / most))
    return next(factor * power for factor in (1, 2, 5, 10, 20) if extent / (factor * power) <= most * (1 + 1e-9))


def ticks(most: float, parts: int = 4) -> list[float]:
    """Round numbers from 0 to at least `most`; whole ones."""
    step = max(1.0, nice_step(most, parts))
    return [step * at for at in range(max(1, math.ceil(most / step - 1e-9)) + 1)] if most > 0 else [0.0, 1.0]


def bar_chart(
    days: Sequence[tuple[date, Mapping[str, int]]], names: Sequence[str], width: float, height: float
) -> BarChart:
    """Stacked bars by day; by week or month where there are too many days. `days` are in order."""
    unit = _unit(days)
    sums: dict[date, dict[str, int]] = {}
    for day, counts in days:
        own = sums.setdefault(_begin(day, unit), {})
        for name in names:
            own[name] = own.get(name, 0) + counts.get(name, 0)
    scale = ticks(max((sum(own.values()) for own in sums.values()), default=0))
    each = width / max(1, len(sums))
    bars = []
    for at, (begin, own) in enumerate(sums.items()):
        parts, bottom = [], height
        for name in names:
            size = height * own[name] / scale[-1]
            if size:
                bottom -= size
                parts.append((name, bottom, size))
        counted = ", ".join(f"{name} {own[name]}" for name in names if own[name])
        bars.append(Bar(f"{begin}: {counted or 0}", at * each, max(0.5, each * 0.9), tuple(parts)))
    every = max(1, math.ceil(len(sums) / max(1, width / 110)))
    x_ticks = tuple((at * each, str(begin)) for at, begin in enumerate(sums) if at % every == 0)
    return BarChart(unit, tuple(bars), x_ticks, _y_ticks(scale, height))


def line_chart(
    points: Sequence[tuple[float, float]],
    width: float,
    height: float,
    *,
    most: float = 0,
    steps: bool = False,
    label: Callable[[float], str] = "{:g}".format,
) -> LineChart:
    """A line from the first to the last x, upward from 0 at the lower edge; `steps`: it rises at each point.

    `most`: a value that must be within the area, too; `label`: text for a round value of x.
    """
    if not points:
        return LineChart("", (), (), (), 0)
    first, last = points[0][0], points[-1][0]
    scale = ticks(max(most, *(value for _, value in points)))
    across = (last - first) or 1
    placed = tuple((width * (x - first) / across, height - height * y / scale[-1]) for x, y in points)
    begin = f"M0 {height:.1f}" if steps else f"M{placed[0][0]:.1f} {placed[0][1]:.1f}"
    parts = [f"H{x:.1f}V{y:.1f}" if steps else f"L{x:.1f} {y:.1f}" for x, y in placed]
    path = "".join([begin, *parts, f"H{width:.1f}" if steps else ""])
    x_ticks = tuple(
        (width * value / across, label(first + value)) for value in ticks(last - first) if value <= last - first
    )
    return LineChart(path, placed, x_ticks, _y_ticks(scale, height), scale[-1])


def _y_ticks(scale: Sequence[float], height: float) -> tuple[tuple[float, str], ...]:
    return tuple((height - height * value / scale[-1], f"{value:g}") for value in scale)


def _unit(days: Sequence[tuple[date, Mapping[str, int]]]) -> str:
    extent = (days[-1][0] - days[0][0]).days + 1 if days else 0
    return "day" if extent <= _MOST_DAYS else "week" if extent <= _MOST_WEEKS else "month"


def _begin(day: date, unit: str) -> date:
    if unit == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if unit == "week" else day
