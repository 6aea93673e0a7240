"""Renders the Mermaid flowcharts of the documentation as SVG when the site is built.

The site loads nothing from other hosts, and Mermaid's own renderer is a script of three megabytes. This module knows
only what `uncia topology docs` writes: `id[label]`, `id([label])`, `id[/label/]`, `a --> b`, `a -.-> b`. It draws from
top to bottom, which fits a page's column, as Sugiyama, Tagawa and Toda do (1981): nodes in layers, edges over several
layers through bends between the nodes of each layer, and nodes ordered by the mean position of their neighbours.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from statistics import fmean
from typing import Any

_NODE = re.compile(r"^(\w+)(\(\[|\[/|\[)(.+?)(\]\)|/\]|\])$")
_EDGE = re.compile(r"^(\w+) (-->|-\.->) (\w+)$")
_CHARACTER, _PADDING, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 6.6, 6, 40, 7, 46, 8
_ROUNDING = {"([": 20, "[/": 0, "[": 5}
_COLUMN = 690
"""The width of a page's column. A drawing is wider only where the nodes of one layer are."""
_SWEEPS = 8
"""The order of the topology's nodes is stable after five."""
_RETURN_OFFSET = 10
"""Upward edges are drawn beside the downward ones between the same nodes."""
_LEGIBLE = 500
"""A drawing is not scaled below this width: on a phone it scrolls."""
_STRAIGHTNESS = 6
"""Weight of a bend's next bend in its position: a long edge is straight rather than short."""


@dataclass(frozen=True)
class Flowchart:
    """Nodes by id, as label and shape, and edges between ids; `True` for a solid edge."""

    nodes: dict[str, tuple[str, str]]
    edges: list[tuple[str, str, bool]]

    @classmethod
    def parse(cls, source: str) -> "Flowchart":
        """Raises `ValueError` for a line that is neither a node nor an edge."""
        nodes, edges = {}, []
        for line in map(str.strip, source.splitlines()):
            if node := _NODE.match(line):
                nodes[node[1]] = (node[3], node[2])
            elif edge := _EDGE.match(line):
                edges.append((edge[1], edge[3], edge[2] == "-->"))
            elif line and line != "flowchart LR":
                raise ValueError(f"cannot draw this line of a flowchart: {line}")
        return cls(nodes, edges)

    def layers(self) -> dict[str, int]:
        """Each node's layer: after the last node that leads to it. Edges that close a cycle do not count.

        A node to which nothing leads is in the layer before the first node that it leads to.
        """
        following = defaultdict(list)
        for begin, end, _ in self.edges:
            following[begin].append(end)
        depth = dict.fromkeys(self.nodes, 0)
        path: list[str] = []

        def place(node: str, at: int) -> None:
            if node in path or (at and at <= depth[node]):
                return
            depth[node] = at
            path.append(node)
            for end in following[node]:
                place(end, at + 1)
            path.pop()

        sources = [node for node in self.nodes if not any(end == node != begin for begin, end, _ in self.edges)]
        for node in sources:
            place(node, 0)
        for node in sources:
            depth[node] = max(0, min((depth[end] for end in following[node]), default=1) - 1)
        return depth


@dataclass(frozen=True)
class _Layout:
    """Points by layer, from left to right: nodes, and bends of long edges. `x` is the centre of each point."""

    layers: list[list[str]]
    paths: list[tuple[list[str], bool]]
    """Nodes and bends along each edge, and whether the edge is solid."""
    widths: dict[str, float]
    x: dict[str, float]

    @property
    def width(self) -> float:
        return max((self.x[point] + self.widths[point] / 2 for point in self.x), default=0) + _RETURN_OFFSET + _MARGIN

    @property
    def height(self) -> float:
        return len(self.layers) * (_HEIGHT + _GAP_Y) - _GAP_Y + 2 * _MARGIN


def render(chart: Flowchart, title: str = "Flowchart") -> str:
    """The chart as an SVG element that takes its colour from the page."""
    layout = _lay_out(chart)
    top = {
        point: _MARGIN + number * (_HEIGHT + _GAP_Y) for number, layer in enumerate(layout.layers) for point in layer
    }
    # Edges to one node share segments, which are drawn once.
    parts = list(
        dict.fromkeys(
            segment
            for path, solid in layout.paths
            for segment in _segments([(layout.x[point], top[point]) for point in path], solid)
        )
    )
    parts += [
        _box(layout.x[node] - layout.widths[node] / 2, top[node], layout.widths[node], *chart.nodes[node])
        for node in chart.nodes
    ]
    size = f"{layout.width:.0f}", f"{layout.height:.0f}"
    return (
        f'<svg role="img" aria-label="{escape(title)}" xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="0 0 {size[0]} {size[1]}" fill="none" '
        f'style="width: 100%; min-width: min({size[0]}px, {_LEGIBLE}px); max-width: {size[0]}px; height: auto" '
        f'stroke="currentColor" font-family="sans-serif" font-size="12">{"".join(parts)}</svg>'
    )


def _lay_out(chart: Flowchart) -> _Layout:
    depth = chart.layers()
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node, layer in depth.items():
        layers[layer].append(node)
    widths = {
        node: max(map(len, _lines(label))) * _CHARACTER + 2 * _PADDING for node, (label, _) in chart.nodes.items()
    }
    paths = []
    for begin, end, solid in chart.edges:
        step = 1 if depth[end] > depth[begin] else -1
        path = [begin]
        for layer in range(depth[begin] + step, depth[end], step):
            # Edges to one node share their bends: many lines become one trunk.
            bend = f"{end} {solid} {step} {layer}"
            if bend not in widths:
                widths[bend] = 0
                layers[layer].append(bend)
            path.append(bend)
        paths.append(([*path, end], solid))
    neighbours: dict[str, list[str]] = defaultdict(list)
    for first, second in {pair: None for path, _ in paths for pair in pairwise(path)}:
        weight = _STRAIGHTNESS if widths[first] == widths[second] == 0 else 1
        neighbours[first] += [second] * weight
        neighbours[second] += [first] * weight
    room = max(_COLUMN - _RETURN_OFFSET - 2 * _MARGIN, *(_natural_width(points, widths) for points in layers), 0)
    x: dict[str, float] = {}
    for layer_points in layers:
        x.update(_separate(layer_points, [0.0] * len(layer_points), widths, room))
    for _ in range(_SWEEPS):
        for layer_points in (*layers, *reversed(layers)):
            wanted = {point: fmean(x[other] for other in neighbours[point] or [point]) for point in layer_points}
            layer_points.sort(key=wanted.__getitem__)
            x.update(_separate(layer_points, [wanted[point] for point in layer_points], widths, room))
    left = min((x[point] - widths[point] / 2 for point in x), default=0) - _MARGIN
    return _Layout(layers, paths, widths, {point: centre - left for point, centre in x.items()})


def _natural_width(points: Sequence[str], widths: dict[str, float]) -> float:
    """The width of a layer whose points are as near to each other as the gaps allow."""
    return sum(widths[point] for point in points) + _GAP_X * (len(points) - 1)


def _separate(
    points: Sequence[str], wanted: Sequence[float], widths: dict[str, float], room: float
) -> Iterator[tuple[str, float]]:
    """Each point's centre: as near to the wanted one as the widths, the gaps and the room allow, in least squares."""
    offsets, offset = [], 0.0
    for number, point in enumerate(points):
        offset += widths[points[number - 1]] / 2 + _GAP_X + widths[point] / 2 if number else 0
        offsets.append(offset)
    # Isotonic regression by pooling adjacent violators.
    pools: list[tuple[float, int]] = []
    for centre, offset in zip(wanted, offsets, strict=True):
        total, count = centre - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            before, number = pools.pop()
            total, count = total + before, count + number
        pools.append((total, count))
    if not points:
        return
    # Within bounds it is the same solution, cut off at them.
    least, most = widths[points[0]] / 2, room - offsets[-1] - widths[points[-1]] / 2
    means = [min(max(total / count, least), most) for total, count in pools for _ in range(count)]
    yield from zip(points, (mean + offset for mean, offset in zip(means, offsets, strict=True)), strict=True)


def _lines(label: str) -> list[str]:
    """A topic's name in two lines of nearly equal length, so that the layers are narrow; another label in one."""
    dots = [match.start() for match in re.finditer(r"\.", label)]
    if not dots:
        return [label]
    at = min(dots, key=lambda dot: abs(dot - len(label) / 2))
    return [label[:at], label[at:]]


def _box(x: float, y: float, width: float, label: str, shape: str) -> str:
    dashes = ' stroke-dasharray="2 2"' if shape == "[/" else ""
    lines = _lines(label)
    first = y + _HEIGHT / 2 + 4 - 7 * (len(lines) - 1)
    spans = "".join(
        f'<tspan x="{x + width / 2:.1f}" y="{first + 14 * number:g}">{escape(line)}</tspan>'
        for number, line in enumerate(lines)
    )
    return (
        f'<rect x="{x:.1f}" y="{y:g}" width="{width:.1f}" height="{_HEIGHT}" rx="{_ROUNDING[shape]}"{dashes}/>'
        f'<text text-anchor="middle" stroke="none" fill="currentColor">{spans}</text>'
    )


def _segments(points: Sequence[tuple[float, float]], solid: bool) -> Iterator[str]:
    """A curve through the layers, given the centre and the top of each point, and an arrowhead at its end."""
    down = points[-1][1] > points[0][1]
    leaving, entering, tail = (_HEIGHT, 0, -7) if down else (0, _HEIGHT, 7)
    dashes = "" if solid else ' stroke-dasharray="5 4"'
    places = [(x + (0 if down else _RETURN_OFFSET), y) for x, y in points]
    for number, ((x1, y1), (x2, y2)) in enumerate(pairwise(places)):
        begin, end = y1 + leaving, y2 + entering
        middle = (begin + end) / 2
        # A bend is a straight line through the height of its layer.
        through = f"M{x1:.1f} {y1 + entering:g}V{begin:g}" if number else f"M{x1:.1f} {begin:g}"
        curve = f"C{x1:.1f} {middle:g} {x2:.1f} {middle:g} {x2:.1f} {end:g}"
        yield f'<path opacity="0.6" d="{through}{curve}"{dashes}/>'
    x, tip = places[-1][0], places[-1][1] + entering
    arrowhead = f"M{x:.1f} {tip:g}L{x - 3.5:.1f} {tip + tail:g}H{x + 3.5:.1f}Z"
    yield f'<path d="{arrowhead}" fill="currentColor" stroke="none"/>'


def fence(source: str, language: str, css_class: str, options: Any, md: Any, **_: Any) -> str:
    """The formatter of a fenced block, for pymdownx.superfences."""
    drawing = render(Flowchart.parse(source), "Flowchart: which component writes and reads which topic")
    return f'<div class="{escape(css_class)}" style="overflow-x: auto" tabindex="0">{drawing}</div>'
