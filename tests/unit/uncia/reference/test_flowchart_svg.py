"""The topology's flowchart becomes an SVG of the site."""

import re
from xml.etree import ElementTree

import pytest

from tests.paths import ROOT
from uncia.reference.flowchart_svg import Flowchart, render

SMALL = """flowchart LR
    store([object store])
    topic[/a.b.v1/]
    worker[intake]
    store --> topic
    topic --> worker
    worker -.-> topic
"""


def test_nodes_follow_what_leads_to_them_and_cycles_end() -> None:
    chart = Flowchart.parse(SMALL)
    assert chart.columns() == [["store"], ["topic"], ["worker"]]
    assert chart.edges[-1] == ("worker", "topic", False)


def test_labels_are_escaped() -> None:
    assert "&lt;b&gt;" in render(Flowchart.parse("flowchart LR\na[<b>]"))


def test_an_unknown_line_is_an_error() -> None:
    with pytest.raises(ValueError, match="subgraph"):
        Flowchart.parse("flowchart LR\nsubgraph x")


def test_the_topology_page_is_drawn_whole() -> None:
    page = (ROOT / "docs" / "topology.md").read_text(encoding="utf-8")
    diagram = re.search(r"```mermaid\n(.*?)```", page, re.DOTALL)
    assert diagram is not None
    chart = Flowchart.parse(diagram[1])
    drawing = ElementTree.fromstring(render(chart))
    texts = {element.text for element in drawing.iter() if element.tag.endswith("text")}
    assert texts == {label for label, _ in chart.nodes.values()}
