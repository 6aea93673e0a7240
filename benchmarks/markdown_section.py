"""Replaces the generated section of a page in `docs/`, between two markers; the rest of the page is hand-written."""

from collections.abc import Sequence
from pathlib import Path


def replace_section(page: Path, begin: str, end: str, results: str) -> str:
    """The page's text with `results` between its markers. Raises `ValueError` when the markers are missing."""
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise ValueError(f"{page} has lost its markers `{begin}` and `{end}`")
    return f"{before}{begin}\n\n{results.rstrip()}\n\n{end}{after}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is left-aligned, all others are right-aligned."""
    alignment = ["---" if column == 0 else "---:" for column in range(len(header))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, alignment, *rows])
