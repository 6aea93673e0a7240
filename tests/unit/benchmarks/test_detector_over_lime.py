"""The ratio of a detector's cost to LIME's, and its table."""

import pytest

from benchmarks.detector_over_lime import BEGIN, DOCS, END, Costs, ratios, tables


def costs(decode: float, boxes: float) -> dict[str, float]:
    return {"decode_ms": decode, "boxes_ms": boxes, "mean_iou": 0.5, "best_box_right": 0.25}


def test_a_ratio_counts_decoding_on_both_sides_or_on_neither() -> None:
    alone, whole = ratios(costs(10, 20_000), costs(20, 40))
    assert alone == 500
    assert whole == pytest.approx(20_010 / 60)


def test_times_are_medians_and_a_box_is_right_from_half_an_overlap() -> None:
    found = Costs(decode=[0.001, 0.002, 0.9], boxes=[0.02, 0.03, 0.04], overlaps=[0.5, 0.4, 1.0, 0.1])
    assert found.figures() == {"decode_ms": 2.0, "boxes_ms": 30.0, "mean_iou": 0.5, "best_box_right": 0.5}


def test_the_table_has_a_row_for_each_way_and_the_page_has_its_place() -> None:
    figures = {
        "measured": "2026-01-01 at abc",
        "photographs": 2,
        "data": "composites",
        "machine": "CPU, 2 cores",
        "load_average": 0.5,
        "frames": {"lime": "448 x 320", "default": "640 x 480", "mine": "448 x 320"},
        "lime": {"900": costs(10, 27_000), "300": costs(10, 9_000)},
        "detectors": {"default": costs(10, 67), "mine": costs(10, 25)},
    }
    page = tables(figures)
    assert "| LIME, 900 samples | 448 x 320 | 10.0 ms | 27.0 s | 0.50 | 25% |" in page
    assert "| learnt, `mine` | 1,080 | 360 | 772 | 257 |" in page
    assert BEGIN in (text := DOCS.read_text(encoding="utf-8")) and END in text
