"""Renders the Mermaid flowcharts of the documentation as SVG when the site is built.

The site loads nothing from other hosts, and Mermaid's own renderer is a script of three megabytes. This module knows
only what `uncia topology docs` writes, from left to right: `id[label]`, `id([label])`, `id[/label/]`, `a --> b`,
`a -.-> b`.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from html import escape
from typing import Any

_NODE = re.compile(r"^(\w+)(\(\[|\[/|\[)(.+?)(\]\)|/\]|\])$")
_EDGE = re.compile(r"^(\w+) (-->|-\.->) (\w+)$")
_CHARACTER, _LINE, _GAP_X, _GAP_Y = 7, 30, 70, 14
_ROUNDING = {"([": 15, "[/": 0, "[": 5}


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

    def columns(self) -> list[list[str]]:
        """Node ids by column: behind the last column that leads to them. Edges that close a cycle do not count."""
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

        for node in self.nodes:
            if not any(end == node and begin != node for begin, end, _ in self.edges):
                place(node, 0)
        columns: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
        for node in self.nodes:
            columns[depth[node]].append(node)
        return columns


def render(chart: Flowchart) -> str:
    """The chart as an SVG element that takes its colour from the page."""
    columns = chart.columns()
    height = max(len(column) for column in columns) * (_LINE + _GAP_Y) + _GAP_Y
    boxes: dict[str, tuple[float, float, float]] = {}
    x = float(_GAP_Y)
    for column in columns:
        widest = max(len(chart.nodes[node][0]) for node in column) * _CHARACTER + 20
        y = (height - len(column) * (_LINE + _GAP_Y)) / 2
        for node in column:
            boxes[node] = (x, y, widest)
            y += _LINE + _GAP_Y
        x += widest + _GAP_X
    parts = [_edge(boxes[begin], boxes[end], solid) for begin, end, solid in chart.edges]
    parts += [_box(*boxes[node], *chart.nodes[node]) for node in chart.nodes]
    width = x - _GAP_X + _GAP_Y
    return (
        f'<svg role="img" xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" fill="none" '
        f'stroke="currentColor" font-family="sans-serif" font-size="12">{"".join(parts)}</svg>'
    )


def _box(x: float, y: float, width: float, label: str, shape: str) -> str:
    text = f'<text x="{x + width / 2:g}" y="{y + 19:g}" text-anchor="middle" stroke="none" fill="currentColor">'
    dashes = ' stroke-dasharray="2 2"' if shape == "[/" else ""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{_LINE}" rx="{_ROUNDING[shape]}"{dashes}/>'
        f"{text}{escape(label)}</text>"
    )


def _edge(begin: tuple[float, float, float], end: tuple[float, float, float], solid: bool) -> str:
    """A curve from the right side of a box to the left side of another, with a dot at its end."""
    x1, y1, x2, y2 = begin[0] + begin[2], begin[1] + _LINE / 2, end[0], end[1] + _LINE / 2
    bend = _GAP_X if x2 < x1 else (x2 - x1) / 2
    style = "" if solid else ' stroke-dasharray="5 4"'
    return (
        f'<path opacity="0.5" d="M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"{style}/>'
        f'<circle cx="{x2:g}" cy="{y2:g}" r="2.5" fill="currentColor"/>'
    )


def fence(source: str, language: str, css_class: str, options: Any, md: Any, **_: Any) -> str:
    """The formatter of a fenced block, for pymdownx.superfences."""
    return f'<div class="{escape(css_class)}" style="overflow-x: auto">{render(Flowchart.parse(source))}</div>'
