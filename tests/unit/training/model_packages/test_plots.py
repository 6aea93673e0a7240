"""Plots for model cards: valid, self-contained, reproducible SVG."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from uncia.training.evaluation.bootstrap import Interval
from uncia.training.evaluation.reliability import reliability_bins
from uncia.training.model_packages.plots import interval_plot, line_plot, reliability_plot

HOSTILE = "<b>fox & $lynx_1$ \x1b[0m"
BINS = reliability_bins(np.array([0.2, 0.25, 0.9]), np.array([False, True, True]), 10)
PLOTS = [
    line_plot("Loss", "epoch", {"training": [(0, 1.0), (1, 0.5)], HOSTILE: [(0, 1.2), (1, float("nan"))]}, low=0),
    reliability_plot(f"Reliability {HOSTILE}", BINS),
    interval_plot("Top-1", HOSTILE, [(HOSTILE, Interval(0.1, 0.2, 0.3)), ("all", Interval(0.2, 0.2, 0.2))]),
]


@pytest.mark.parametrize("svg", PLOTS)
def test_a_plot_is_one_small_svg_element_that_loads_nothing(svg: str) -> None:
    assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert svg.startswith('<svg role="img" aria-label="')
    assert not re.search(r'(href|src)="(?!#)|url\((?!#)|<script', svg)
    assert len(svg) < 30_000


def test_equal_data_give_equal_bytes_without_a_date() -> None:
    again = reliability_plot(f"Reliability {HOSTILE}", BINS)
    assert again == PLOTS[1]
    assert not re.search(r"20\d\d-\d\d-\d\d", again)


def test_labels_are_escaped_and_are_no_formulas() -> None:
    for svg in PLOTS:
        texts = "".join(ElementTree.fromstring(svg).itertext())
        assert "<b>fox & $lynx_1$" in texts
        assert "\x1b" not in svg


def test_there_is_no_plot_without_a_finite_point() -> None:
    assert line_plot("Loss", "epoch", {"training": [(0, float("nan"))], "held-out": []}) == ""


def test_one_point_and_equal_intervals_are_plotted() -> None:
    assert "<svg" in line_plot("Loss", "epoch", {"training": [(0, 1.0)]})
    assert "<svg" in interval_plot("Top-1", "top-1", [("one", Interval(0.5, 0.5, 0.5))])
