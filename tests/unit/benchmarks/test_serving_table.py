"""The figures of the predict service as a page shows them."""

from pathlib import Path

import pytest

from benchmarks.serving_table import BEGIN, END, tables, write_table

KEYS = (
    *(f"{each}_{way}_{share}_ms" for each in ("no_op_small", "no_op_frame", "real") for way in ("http", "grpc")
      for share in ("p50", "p99")),
    *(f"import_{each}_ms" for each in ("graph", "graph_prepared", "wrapped", "served")),
    *("install_s", "promote_s", "roll_back_s", "switch_by_second", "quiet_p99_ms", "switch_p99_ms", "switch_worst_ms"),
)  # fmt: skip
RESULTS = {
    **{f"serving_{key}": 1.5 for key in KEYS},
    "serving_switch_failed": 0,
    "serving_switch_requests": 501,
}
MACHINE = {"commit": "abc", "machine_cpu": "CPU", "machine_cores": 2, "load": 0.25}


def test_failed_requests_stand_beside_how_many_there_were() -> None:
    assert "501 requests" in tables(RESULTS)
    assert "**0 failed**" in tables(RESULTS)


def test_only_what_stands_between_the_markers_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_table(page, RESULTS, MACHINE, "--docs")

    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n")
    assert "old" not in text and "2 cores; load average 0.2" in text


def test_a_page_without_markers_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("nothing")
    with pytest.raises(ValueError, match="lost its markers"):
        write_table(tmp_path / "page.md", RESULTS, MACHINE, "")
