"""Small plots as SVG text, for pages that stand alone: lines, reliability, values with intervals.

Colours tell apart for colour-blind eyes (Okabe and Ito), and no line is told by its colour alone.
"""

import math
from collections.abc import Sequence
from html import escape

from uncia.terminal import printable
from uncia.training.evaluation.bootstrap import Interval
from uncia.training.evaluation.reliability import ReliabilityBin

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
_DASHES = ("", "6 3", "2 2", "8 2 2 2")
_WIDTH, _HEIGHT = 440, 240
_LEFT, _TOP, _RIGHT, _BOTTOM = 52, 26, 12, 38

Line = Sequence[tuple[float, float]]


def line_plot(
    title: str, across: str, series: dict[str, Line], *, low: float | None = None, high: float | None = None
) -> str:
    """Lines of (x, y) by name. Points that are not numbers are left out; the y axis spans `low` to `high` at least."""
    clean = {name: [(x, y) for x, y in line if math.isfinite(y)] for name, line in series.items()}
    points = [point for line in clean.values() for point in line]
    if not points:
        return ""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    bounds = (min(xs), max(xs), min([*ys, *_told(low)]), max([*ys, *_told(high)]))
    parts = [_axes(title, across, bounds)]
    # The legend stands where the lines end not: below where they end high.
    ends = [_at(line[-1], bounds)[1] for line in clean.values() if line]
    legend = _HEIGHT - _BOTTOM - 10 - 15 * len(clean) if min(ends) < _HEIGHT / 3 else _TOP + 12
    for place, (name, line) in enumerate(clean.items()):
        colour, dash = _COLOURS[place % 4], _DASHES[place % 4]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (_at(point, bounds) for point in line))
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'
        )
        if len(line) == 1:
            x, y = _at(line[0], bounds)
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
        right, height = _WIDTH - _RIGHT - 118, legend + 15 * place
        parts.append(
            f'<line x1="{right}" x2="{right + 24}" y1="{height - 4}" y2="{height - 4}" stroke="{colour}" '
            f'stroke-width="2" stroke-dasharray="{dash}"/><text x="{right + 29}" y="{height}">{_escaped(name)}</text>'
        )
    return _svg(title, _WIDTH, _HEIGHT, parts)


def reliability_plot(title: str, bins: Sequence[ReliabilityBin]) -> str:
    """What was said against what happened; the dots' area is the number of answers."""
    bounds = (0.0, 1.0, 0.0, 1.0)
    most = max([each.count for each in bins], default=0)
    first, last = _at((0, 0), bounds), _at((1, 1), bounds)
    parts = [
        _axes(title, "said (mean probability of the best class)", bounds),
        f'<line x1="{first[0]}" y1="{first[1]}" x2="{last[0]}" y2="{last[1]}" stroke="#999" stroke-dasharray="4 3"/>',
    ]
    for each in bins:
        if each.count:
            x, y = _at((each.confidence, each.accuracy), bounds)
            radius = 2 + 9 * math.sqrt(each.count / most)
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{_COLOURS[0]}" fill-opacity="0.65">'
                f"<title>{each.count} answers: said {each.confidence:.2f}, right {each.accuracy:.2f}</title></circle>"
            )
    return _svg(title, _WIDTH, _HEIGHT, parts)


def interval_plot(title: str, across: str, rows: Sequence[tuple[str, Interval]]) -> str:
    """A dot with its interval for each row, in their order, best read from above."""
    left, step = 330, 18
    height = _TOP + step * len(rows) + _BOTTOM
    low = math.floor(min(own.low for _, own in rows) * 20) / 20
    high = math.ceil(max(own.high for _, own in rows) * 20) / 20
    high = high if high > low else low + 0.05

    def x_of(value: float) -> float:
        return left + (value - low) / (high - low) * 330

    parts = [f'<text x="10" y="16" class="title">{_escaped(title)}</text>']
    for number in range(6):
        value = low + (high - low) * number / 5
        parts.append(
            f'<line x1="{x_of(value):.1f}" x2="{x_of(value):.1f}" y1="{_TOP}" y2="{height - _BOTTOM}" stroke="#ddd"/>'
            f'<text x="{x_of(value):.1f}" y="{height - _BOTTOM + 15}" text-anchor="middle">{value:.2f}</text>'
        )
    for place, (name, own) in enumerate(rows):
        y = _TOP + step * (place + 0.5)
        parts.append(
            f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{_escaped(name)}</text>'
            f'<line x1="{x_of(own.low):.1f}" x2="{x_of(own.high):.1f}" y1="{y}" y2="{y}" stroke="{_COLOURS[0]}" '
            f'stroke-width="2"/><circle cx="{x_of(own.value):.1f}" cy="{y}" r="4" fill="{_COLOURS[1]}"/>'
        )
    parts.append(f'<text x="{left + 165}" y="{height - 5}" text-anchor="middle">{_escaped(across)}</text>')
    return _svg(title, left + 330 + 24, height, parts)


def _told(value: float | None) -> list[float]:
    return [] if value is None else [value]


def _at(point: tuple[float, float], bounds: tuple[float, float, float, float]) -> tuple[float, float]:
    left, right, low, high = bounds
    across = (point[0] - left) / (right - left) if right > left else 0.5
    up = (point[1] - low) / (high - low) if high > low else 0.5
    return (
        _LEFT + across * (_WIDTH - _LEFT - _RIGHT),
        _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM),
    )


def _axes(title: str, across: str, bounds: tuple[float, float, float, float]) -> str:
    left, right, low, high = bounds
    parts = [f'<text x="{_LEFT}" y="16" class="title">{_escaped(title)}</text>']
    for number in range(5):
        value = low + (high - low) * number / 4
        y = _at((left, value), bounds)[1] if high > low else _HEIGHT / 2
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.2f}</text>'
        )
        if high <= low:
            break
    for value, anchor in ((left, "start"), (right, "end")):
        x = _at((value, low), bounds)[0]
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 15}" text-anchor="{anchor}">{value:g}</text>')
        if right <= left:
            break
    parts.append(f'<text x="{(_WIDTH + _LEFT) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">{_escaped(across)}</text>')
    return "".join(parts)


def _svg(title: str, width: int, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{_escaped(title)}"><style>text{{font:11px sans-serif;fill:#333}}'
        f".title{{font-weight:bold;font-size:12px}}</style><rect width='{width}' height='{height}' fill='#fff'/>"
        f"{''.join(parts)}</svg>"
    )


def _escaped(text: str) -> str:
    return escape(printable(text))
