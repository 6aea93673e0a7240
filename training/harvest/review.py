"""The decisions of a person on doubtful pictures: a table to fill in, next to a page with the pictures."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from uncia.camtrap.csv_cells import escape_formula
from uncia.storage.durable import write_durably
from uncia.training.datasets.readers.table import read_rows
from uncia.training.harvest import HarvestError
from uncia.training.harvest.store import StoredPicture

__all__ = ["DROP", "KEEP", "REVIEW_FILE", "read_decisions", "write_review"]

REVIEW_FILE = "review.csv"
KEEP, DROP = "keep", "drop"
_COLUMNS = ("id", "decision", "label", "doubt", "weight", "file", "page")


@dataclass(frozen=True)
class _Row:
    picture: StoredPicture
    decision: str


def read_decisions(folder: Path, labels: Collection[str]) -> dict[int, str]:
    """The decision on each picture: `keep`, `drop` or another label. Raises `HarvestError` with the line."""
    path = folder / REVIEW_FILE
    if not path.exists():
        return {}
    decisions = {}
    for line, row in read_rows(path):
        decision = row.get("decision", "").strip()
        if not decision:
            continue
        if not row.get("id", "").isdigit():
            raise HarvestError(f"{path}, line {line}: {row.get('id', '')!r} is not the id of a picture")
        if decision not in (KEEP, DROP, *labels):
            choices = ", ".join(sorted(labels))
            raise HarvestError(
                f"{path}, line {line}: {decision!r} is no decision: write keep, drop or one of {choices}"
            )
        decisions[int(row["id"])] = decision
    return decisions


def write_review(folder: Path, pictures: Sequence[StoredPicture], decisions: Mapping[int, str]) -> int:
    """Write the table of the doubtful pictures, the most doubtful first, with the decisions so far.

    Returns how many have no decision yet.
    """
    rows = [
        _Row(picture, decisions.get(picture.id, ""))
        for picture in sorted(pictures, key=lambda one: (one.weight, one.id))
        if picture.doubt or picture.id in decisions
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        one = row.picture
        cells = (
            one.id,
            row.decision,
            one.label,
            one.doubt,
            f"{one.weight:g}",
            one.file.as_posix(),
            one.record.page_url,
        )
        writer.writerow([escape_formula(cell) for cell in cells])
    write_durably(folder / REVIEW_FILE, text.getvalue())
    return sum(not row.decision for row in rows)
