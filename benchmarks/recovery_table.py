"""What the recovery rounds showed, as lines and as the table in `docs/recovery.md`. Pure but for writing the file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.marked_page import with_results
from tests.recovery.rounds import Outcome

BEGIN, END = "<!-- results: written by `make soak ARGS=--docs` -->", "<!-- end of results -->"

_HEAD = (
    "| fault | PUTs | answered | bursts | announced by reconcile | goes on after | whole round | as on the quiet day |",
    "|---|---|---|---|---|---|---|---|",
)


def line(outcome: Outcome) -> str:
    """One round for the terminal."""
    verdict = "; ".join(outcome.problems) or "as on the quiet day"
    return (
        f"{outcome.fault:36} {outcome.uploads} PUTs, {outcome.answered} answered, {outcome.bursts} bursts, "
        f"{outcome.by_reconcile} announced by reconcile, goes on {_goes_on(outcome)}, "
        f"{outcome.seconds:.0f} s: {verdict}"
    )


def table(outcomes: Sequence[Outcome]) -> str:
    """All rounds, Markdown."""
    return "\n".join([*_HEAD, *map(_row, outcomes)])


def write_table(path: Path, outcomes: Sequence[Outcome], results: Mapping[str, Any]) -> None:
    """Replace what stands between the markers. Raises `ValueError` when they are not there."""
    said = (
        f"{len(outcomes) - 1} rounds of {results['photographs_per_round']} photographs at "
        f"{results['photographs_per_s']:g} a second, begun {results['begun_at']} by `{results['command']}`."
    )
    path.write_text(with_results(path, BEGIN, END, f"{said}\n\n{table(outcomes)}"), encoding="utf-8")


def _goes_on(outcome: Outcome) -> str:
    if outcome.silence_s is not None:
        return f"{outcome.silence_s:.1f} s"
    if outcome.after_heal_s is not None:
        return f"{outcome.after_heal_s:.1f} s after its end"
    return "-"


def _row(outcome: Outcome) -> str:
    cells = (
        outcome.fault,
        outcome.uploads,
        outcome.answered,
        outcome.bursts,
        outcome.by_reconcile,
        _goes_on(outcome),
        f"{outcome.seconds:.0f} s",
        "; ".join(outcome.problems) or "yes",
    )
    return f"| {' | '.join(map(str, cells))} |"
