"""A comparison of two versions as JSON and as a table on the terminal; pure."""

from typing import Any

from rich.console import Console
from rich.table import Table

from uncia.dashboard.model_compare.comparison import PredictionPair, VersionComparison, VersionVerdict

ROWS_SHOWN = 25


def to_json_object(comparison: VersionComparison) -> dict[str, Any]:
    """What `uncia models compare --json` prints: counts, the table, and each photograph that differs."""
    return {
        "first": comparison.first,
        "second": comparison.second,
        "both": len(comparison.pairs),
        "only_first": comparison.only_first,
        "only_second": comparison.only_second,
        "differ": len(comparison.different()),
        "table": [{"first": one, "second": two, "photographs": n} for one, two, n in comparison.table()],
        "different": [_pair_to_json_object(pair) for pair in comparison.different()],
    }


def show(comparison: VersionComparison, console: Console) -> None:
    """Print the counts and the first rows of the table."""
    both, different = len(comparison.pairs), comparison.different()
    console.print(
        f"{both} photographs with predictions of both; {len(different)} of them differ ({len(different) / both:.0%})."
    )
    console.print(
        f"Only by {comparison.first}: {comparison.only_first}; only by {comparison.second}: {comparison.only_second}.",
        markup=False,
    )
    table = Table(comparison.first, comparison.second, "photographs")
    rows = comparison.table()
    for one, two, count in rows[:ROWS_SHOWN]:
        table.add_row(one, two, str(count), style="dim" if one == two else "")
    if len(rows) > ROWS_SHOWN:
        table.add_row("…", f"{len(rows) - ROWS_SHOWN} more", "")
    console.print(table)


def _pair_to_json_object(pair: PredictionPair) -> dict[str, Any]:
    return {
        "upload_id": pair.upload_id,
        "camera": pair.camera,
        "key": pair.content.key,
        "taken": pair.captured_at.isoformat(),
        "first": _verdict_to_json_object(pair.first),
        "second": _verdict_to_json_object(pair.second),
    }


def _verdict_to_json_object(verdict: VersionVerdict) -> dict[str, Any]:
    return {"said": verdict.compared, "label": verdict.label, "score": verdict.score}
