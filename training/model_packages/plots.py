"""Small plots as SVG text for self-contained pages: lines, reliability diagrams, values with intervals.

The same data give the same bytes: no date, and ids that are derived from the title. Text stays text, which
keeps a plot at about 15 kB. The colours are distinguishable with colour blindness (Okabe and Ito), and lines differ in
their dashes too.
"""

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, MaxNLocator

from uncia.terminal import printable
from uncia.training.evaluation.bootstrap import Interval
from uncia.training.evaluation.reliability import ReliabilityBin

__all__ = ["interval_plot", "line_plot", "reliability_plot"]

Line = Sequence[tuple[float, float]]

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
_DASHES = ("-", "--", ":", "-.")
_DPI = 72
"""An SVG has 72 points per inch: sizes in pixels below."""
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    # The widths of this font, which Matplotlib contains, lay the plot out; a reader without it sees a similar one.
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#999",
    "axes.grid": True,
    "grid.color": "#ddd",
    "text.color": "#333",
    "axes.labelcolor": "#333",
    "xtick.color": "#333",
    "ytick.color": "#333",
    "legend.frameon": False,
    # Labels are the user's: "$" is no formula.
    "text.parse_math": False,
    "svg.fonttype": "none",
}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def line_plot(
    title: str, x_label: str, series: Mapping[str, Line], *, low: float | None = None, high: float | None = None
) -> str:
    """Lines of (x, y) by name; empty text without any point. Points whose y is not finite are left out.

    The y axis includes `low` and `high`.
    """
    finite = {name: [(x, y) for x, y in line if math.isfinite(y)] for name, line in series.items()}
    if not any(finite.values()):
        return ""
    with _plot(title, x_label, 440, 240) as (axes, svg):
        for number, (name, line) in enumerate(finite.items()):
            axes.plot(
                [x for x, _ in line],
                [y for _, y in line],
                label=printable(name),
                color=_COLOURS[number % 4],
                linestyle=_DASHES[number % 4],
                linewidth=2,
                marker="o" if len(line) == 1 else None,
            )
        ys = [y for line in finite.values() for _, y in line]
        bottom, top = min([*ys, *_given(low)]), max([*ys, *_given(high)])
        margin = (top - bottom or 1) * 0.04
        axes.set_ylim(bottom - margin, top + margin)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(loc="best")
    return svg.getvalue()


def reliability_plot(title: str, bins: Sequence[ReliabilityBin]) -> str:
    """Accuracy by confidence; the area of a dot is the number of answers in its bin."""
    filled = [one for one in bins if one.count]
    most = max((one.count for one in filled), default=1)
    with _plot(title, "confidence (mean probability of the best class)", 440, 240) as (axes, svg):
        axes.plot([0, 1], [0, 1], color="#999", linestyle="--", linewidth=1)
        axes.scatter(
            [one.confidence for one in filled],
            [one.accuracy for one in filled],
            s=[15 + 285 * one.count / most for one in filled],
            color=_COLOURS[0],
            alpha=0.65,
            zorder=3,
        )
        axes.set_xlim(-0.03, 1.03)
        axes.set_ylim(-0.05, 1.05)
        axes.set_ylabel("accuracy")
    return svg.getvalue()


def interval_plot(title: str, x_label: str, rows: Sequence[tuple[str, Interval]]) -> str:
    """A dot with its interval for each row, in their order from the top."""
    with _plot(title, x_label, 700, 70 + 18 * len(rows)) as (axes, svg):
        for number, (_, own) in enumerate(rows):
            axes.plot([own.low, own.high], [number, number], color=_COLOURS[0], linewidth=2)
            axes.plot([own.value], [number], "o", color=_COLOURS[1], markersize=6)
        axes.set_yticks(range(len(rows)), [printable(name) for name, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        axes.xaxis.set_major_formatter(FormatStrFormatter("%.2f"))
    return svg.getvalue()


@contextmanager
def _plot(title: str, x_label: str, width: int, height: int) -> Iterator[tuple[Axes, io.StringIO]]:
    """Axes to draw on; afterwards the buffer contains an `<svg>` element of this size in pixels."""
    svg = io.StringIO()
    with mpl.rc_context({**_STYLE, "svg.hashsalt": title}):
        figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, layout="constrained")
        axes = figure.subplots()
        axes.set_title(printable(title))
        axes.set_xlabel(printable(x_label))
        yield axes, svg
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata=_NO_METADATA)
    # The element alone: HTML allows no XML prologue. Its size is in pixels rather than points.
    element = written.getvalue()[written.getvalue().index("<svg") :]
    element = element.replace(f'width="{width}pt" height="{height}pt"', f'width="{width}" height="{height}"', 1)
    svg.write(f'<svg role="img" aria-label="{escape(printable(title))}"{element.removeprefix("<svg")}')


def _given(value: float | None) -> list[float]:
    return [] if value is None else [value]
