"""The table of recovery times after kills."""

from pathlib import Path

import pytest

from benchmarks.kills import BEGIN, END, write_table

FOUND = {"bursts": [7.8, 5.1, 6.2], "model process": [5.0]}


def test_only_the_old_table_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "recovery.md"
    page.write_text(f"Before.\n\n{BEGIN}\nlast time\n{END}\n\nAfter.\n")
    write_table(page, FOUND, "Each part 3 times.")
    text = page.read_text()
    assert text.startswith("Before.\n") and text.endswith("After.\n")
    assert "last time" not in text
    assert "| bursts | 6.2 s | 5.1 to 7.8 s |" in text
    assert "| model process | 5.0 s | 5.0 to 5.0 s |" in text


def test_a_page_without_markers_is_not_changed(tmp_path: Path) -> None:
    page = tmp_path / "recovery.md"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="markers"):
        write_table(page, FOUND, "")
    assert page.read_text() == "nothing"
