"""Geometry of the plots, which the templates draw as SVG; pure."""

import math
from collections.abc import Sequence

__all__ = ["polar_sector", "stacked", "step_line"]


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


def stacked(
    counts: Sequence[dict[str, int]], names: Sequence[str], height: float
) -> list[list[tuple[str, float, float]]]:
    """For each place, name, top and height of the stacked bars."""
    most = max((sum(one.get(name, 0) for name in names) for one in counts), default=0) or 1
    columns = []
    for one in counts:
        bars, bottom = [], height
        for name in names:
            size = height * one.get(name, 0) / most
            if size:
                bottom -= size
                bars.append((name, bottom, size))
        columns.append(bars)
    return columns


def step_line(points: Sequence[tuple[float, float]], width: float, height: float) -> str:
    """A line that rises in steps, scaled into the area; the first point begins at the left edge."""
    if not points:
        return ""
    first, last = points[0][0], points[-1][0]
    most = max(value for _, value in points) or 1
    across = (last - first) or 1
    parts = [f"M0 {height:.1f}"]
    for x, y in points:
        parts.append(f"H{width * (x - first) / across:.1f}V{height - height * y / most:.1f}")
    return "".join([*parts, f"H{width:.1f}"])
