"""Renders the outcomes of recovery rounds as lines and as the table of `docs/recovery.md`.

Pure, except for writing the file.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.markdown_section import replace_section
from benchmarks.markdown_section import table as markdown_table
from tests.recovery.rounds import Outcome

BEGIN, END = "<!-- results: written by `make soak ARGS=--docs` -->", "<!-- end of results -->"

_HEADER = (
    "fault",
    "PUTs",
    "predicted",
    "bursts",
    "announced by reconcile",
    "recovers after",
    "round takes",
    "same as without a fault",
)


def line(outcome: Outcome) -> str:
    """One round, for the terminal."""
    verdict = "; ".join(outcome.problems) or "same as without a fault"
    return (
        f"{outcome.fault:36} {outcome.uploads} PUTs, {outcome.answered} predicted, {outcome.bursts} bursts, "
        f"{outcome.by_reconcile} announced by reconcile, recovers after {_recovery_time(outcome)}, "
        f"{outcome.seconds:.0f} s: {verdict}"
    )


def table(outcomes: Sequence[Outcome]) -> str:
    """All rounds, as a Markdown table."""
    return markdown_table(_HEADER, [_row(outcome) for outcome in outcomes])


def write_table(path: Path, outcomes: Sequence[Outcome], results: Mapping[str, Any]) -> None:
    """Replace the section between the markers. Raises `ValueError` when the markers are missing."""
    intro = (
        f"{len(outcomes) - 1} rounds of {results['photographs_per_round']} photographs at "
        f"{results['photographs_per_s']:g} per second, started {results['begun_at']} by `{results['command']}`."
    )
    path.write_text(replace_section(path, BEGIN, END, f"{intro}\n\n{table(outcomes)}"), encoding="utf-8")


def _recovery_time(outcome: Outcome) -> str:
    if outcome.silence_s is not None:
        return f"{outcome.silence_s:.1f} s"
    if outcome.after_heal_s is not None:
        return f"{outcome.after_heal_s:.1f} s after the fault's end"
    return "-"


def _row(outcome: Outcome) -> list[str]:
    return [
        outcome.fault,
        str(outcome.uploads),
        str(outcome.answered),
        str(outcome.bursts),
        str(outcome.by_reconcile),
        _recovery_time(outcome),
        f"{outcome.seconds:.0f} s",
        "; ".join(outcome.problems) or "yes",
    ]
