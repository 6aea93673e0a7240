"""Renders a comparison of two versions as a page."""

from pathlib import Path

from uncia.dashboard.model_compare.comparison import VersionComparison
from uncia.dashboard.page_parts.rendering import render_page
from uncia.dashboard.page_parts.thumbnails import LoadThumbnail

_PICTURES_SHOWN = 120
ROWS_SHOWN = 60


def render(comparison: VersionComparison, load: LoadThumbnail) -> str:
    """The page as HTML, with at most `_PICTURES_SHOWN` photographs: those with different focus taxa come first."""
    different, rows = comparison.different(), comparison.table()
    return render_page(
        Path(__file__).parent,
        title=f"{comparison.first} and {comparison.second}",
        first=comparison.first,
        second=comparison.second,
        counts={
            "by both": len(comparison.pairs),
            "the same": len(comparison.pairs) - len(different),
            "different": len(different),
            f"only {comparison.first}": comparison.only_first,
            f"only {comparison.second}": comparison.only_second,
        },
        rows=rows[:ROWS_SHOWN],
        rows_left_out=max(0, len(rows) - ROWS_SHOWN),
        pairs=[(pair, load(pair.content)) for pair in different[:_PICTURES_SHOWN]],
        pairs_left_out=max(0, len(different) - _PICTURES_SHOWN),
    )
