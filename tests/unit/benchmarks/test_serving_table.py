"""The tables of the predict service's benchmark."""

from pathlib import Path

import pytest

from benchmarks.serving_table import BEGIN, END, tables, write_table

KEYS = (
    *(f"{case}_{way}_{share}_ms" for case in ("no_op_small", "no_op_frame", "real") for way in ("http", "grpc")
      for share in ("p50", "p99")),
    *(f"import_{case}_ms" for case in ("graph", "graph_prepared", "wrapped", "served")),
    *("install_s", "promote_s", "roll_back_s", "switch_by_second", "quiet_p99_ms", "switch_p99_ms", "switch_worst_ms"),
)  # fmt: skip
RESULTS: dict[str, str | int | float] = {
    **{f"serving_{key}": 1.5 for key in KEYS},
    "serving_switch_failed": 0,
    "serving_switch_requests": 501,
}
MACHINE = {"commit": "abc", "machine_cpu": "CPU", "machine_cores": 2, "load": 0.25}


def test_failed_requests_are_shown_with_the_total() -> None:
    assert "501 requests" in tables(RESULTS)
    assert "**0 failed**" in tables(RESULTS)


def test_only_the_section_between_the_markers_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_table(page, RESULTS, MACHINE, "--docs")

    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n")
    assert "old" not in text and "2 cores; load average 0.2" in text


def test_a_page_without_markers_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("nothing")
    with pytest.raises(ValueError, match="lost its markers"):
        write_table(tmp_path / "page.md", RESULTS, MACHINE, "")
