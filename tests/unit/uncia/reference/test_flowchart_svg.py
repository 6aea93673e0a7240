"""The topology's flowchart becomes an SVG of the site."""

import re
from itertools import combinations
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
    assert chart.layers() == {"store": 0, "topic": 1, "worker": 2}
    assert chart.edges[-1] == ("worker", "topic", False)


def test_labels_are_escaped() -> None:
    assert "&lt;b&gt;" in render(Flowchart.parse("flowchart LR\na[<b>]"))


def test_an_unknown_line_is_an_error() -> None:
    with pytest.raises(ValueError, match="subgraph"):
        Flowchart.parse("flowchart LR\nsubgraph x")


@pytest.fixture(scope="module")
def topology() -> Flowchart:
    page = (ROOT / "docs" / "topology.md").read_text(encoding="utf-8")
    diagram = re.search(r"```mermaid\n(.*?)```", page, re.DOTALL)
    assert diagram is not None
    return Flowchart.parse(diagram[1])


def elements(drawing: str, tag: str) -> list[ElementTree.Element]:
    return [element for element in ElementTree.fromstring(drawing).iter() if element.tag.endswith(tag)]


def test_the_topology_page_is_drawn_whole(topology: Flowchart) -> None:
    texts = {"".join(element.itertext()) for element in elements(render(topology), "text")}
    assert texts == {label for label, _ in topology.nodes.values()}


def test_the_topology_fits_the_column_of_a_page_and_its_view_box(topology: Flowchart) -> None:
    drawing = render(topology)
    _, _, width, height = map(float, ElementTree.fromstring(drawing).attrib["viewBox"].split())
    # The column is 690 pixels wide; a drawing that is wider is scaled, and its letters of 12 pixels must stay legible.
    assert 690 / width >= 0.85
    for box in elements(drawing, "rect"):
        left, top = float(box.attrib["x"]), float(box.attrib["y"])
        assert left >= 0 and left + float(box.attrib["width"]) <= width
        assert top >= 0 and top + float(box.attrib["height"]) <= height


def test_no_nodes_of_the_topology_overlap(topology: Flowchart) -> None:
    boxes = [
        (float(box.attrib["x"]), float(box.attrib["y"]), float(box.attrib["width"]))
        for box in elements(render(topology), "rect")
    ]
    for one, other in combinations(boxes, 2):
        assert one[1] != other[1] or one[0] + one[2] <= other[0] or other[0] + other[2] <= one[0]


def test_an_edge_over_several_layers_does_not_run_through_the_nodes_between() -> None:
    drawing = render(Flowchart.parse("flowchart LR\na[a]\nb[b]\nc[c]\na --> b\nb --> c\na --> c"))
    middle = elements(drawing, "rect")[1]
    left, width = float(middle.attrib["x"]), float(middle.attrib["width"])
    bends = [float(found[1]) for found in re.finditer(r"M([\d.]+) \d+V", drawing)]
    assert len(bends) == 1
    assert not left <= bends[0] <= left + width


def test_the_drawing_has_an_alternative_text() -> None:
    assert 'role="img" aria-label="Data &amp; flow"' in render(Flowchart.parse(SMALL), "Data & flow")
