"""Formats figures as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

MEASURES = ("top-1", "top-5", "mean reciprocal rank", "log loss", "calibration error")


def verdict(gain: Sequence[float], what: str = "top-1") -> str:
    """The effect of a part, from the interval (low, value, high) of a paired difference; shares from 0 to 1."""
    low, value, high = (100 * bound for bound in gain)
    figures = f"{value:+.1f} points of {what} ({low:+.1f} to {high:+.1f})"
    if low > 0:
        return f"**helps**: {figures}"
    return f"**harms**: {figures}" if high < 0 else f"**no significant effect**: {figures}"


def cell(interval: Sequence[float]) -> str:
    """`value (low to high)` from (low, value, high)."""
    low, value, high = interval
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def cell_of(interval: Mapping[str, float]) -> str:
    """`cell` of an interval with the keys `low`, `value` and `high`."""
    return cell((interval["low"], interval["value"], interval["high"]))


def signed(interval: Sequence[float]) -> str:
    """`cell` with signs, for differences."""
    low, value, high = interval
    return f"{value:+.3f} ({low:+.3f} to {high:+.3f})"


def share(interval: Mapping[str, Any]) -> str:
    """A share of bursts in percent with its interval; `-` without any burst."""
    if not interval["bursts"]:
        return "-"
    return f"{interval['value']:.0%} of {interval['bursts']} ({interval['low']:.0%} to {interval['high']:.0%})"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Lines of a Markdown table."""
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    return [*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)]
