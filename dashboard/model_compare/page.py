"""A comparison as one page: no script, no outside address, pictures inside."""

from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from uncia.dashboard.contact_sheet.thumbnails import LoadPicture
from uncia.dashboard.model_compare.comparing import Comparison

PICTURES_SHOWN = 120
ROWS_SHOWN = 60


def render(comparison: Comparison, load: LoadPicture) -> str:
    """The page as HTML; at most `PICTURES_SHOWN` photographs, those first where a focus taxon is at stake."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    different, rows = comparison.different(), comparison.table()
    return environment.get_template("page.html.j2").render(
        first=comparison.first,
        second=comparison.second,
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        counts={
            "by both": len(comparison.pairs),
            "the same": len(comparison.pairs) - len(different),
            "different": len(different),
            f"only {comparison.first}": comparison.only_first,
            f"only {comparison.second}": comparison.only_second,
        },
        rows=rows[:ROWS_SHOWN],
        rows_left_out=max(0, len(rows) - ROWS_SHOWN),
        pairs=[(pair, load(pair.content)) for pair in different[:PICTURES_SHOWN]],
        pairs_left_out=max(0, len(different) - PICTURES_SHOWN),
    )
