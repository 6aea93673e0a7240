"""Tables and cells of the page, Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

MEASURES = ("top-1", "top-5", "mean reciprocal rank", "log loss", "calibration error")


def verdict(gain: Sequence[float], what: str = "top-1") -> str:
    """What a paired difference says, in words."""
    low, value, high = (100 * each for each in gain)
    told = f"{value:+.1f} points of {what} ({low:+.1f} to {high:+.1f})"
    if low > 0:
        return f"**helps**: {told}"
    return f"**harms**: {told}" if high < 0 else f"**did not help for sure**: {told}"


def cell(each: Sequence[float]) -> str:
    low, value, high = each
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def cell_of(each: Mapping[str, float]) -> str:
    return cell((each["low"], each["value"], each["high"]))


def signed(each: Sequence[float]) -> str:
    low, value, high = each
    return f"{value:+.3f} ({low:+.3f} to {high:+.3f})"


def share(each: Mapping[str, Any]) -> str:
    if not each["bursts"]:
        return "-"
    return f"{each['value']:.0%} of {each['bursts']} ({each['low']:.0%} to {each['high']:.0%})"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return [*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)]
