"""Write the harvest as a dataset: the table that training reads, the credits, and the page of doubtful pictures."""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from uncia.camtrap.csv_cells import escape_formula
from uncia.storage.durable import write_durably
from uncia.terminal import printable, printable_in_html
from uncia.training.dataset_check.html_report import thumbnail
from uncia.training.datasets.reading import TABLE_NAME
from uncia.training.harvest.duplicates import capture_time
from uncia.training.harvest.query import QueryKind
from uncia.training.harvest.review import DROP, KEEP
from uncia.training.harvest.store import StoredPicture

__all__ = ["COLUMNS", "CREDITS_FILE", "DOUBTFUL_FILE", "decided", "write_dataset"]

CREDITS_FILE = "credits.html"
DOUBTFUL_FILE = "doubtful.html"
REPORT_FILE = "report.json"
_MOST_SHOWN = 200

COLUMNS = (
    *("path", "label", "taxon", "group", "burst", "camera", "taken", "x", "y", "width", "height", "sample weight"),
    *("source", "source id", "author", "licence", "licence url", "page", "address", "retrieved", "sha256", "purpose"),
)
"""Columns of the table. Those up to `sample weight` are read by training; the others are the provenance."""


@dataclass(frozen=True)
class _Credit:
    title: str
    author: str
    page: str
    """Empty where it is no URL of http or https."""
    source: str
    taken: str
    file: str


@dataclass(frozen=True)
class _Doubtful:
    picture: str
    id: int
    label: str
    doubt: str
    weight: str
    file: str


def decided(pictures: Sequence[StoredPicture], decisions: Mapping[int, str]) -> list[tuple[StoredPicture, str, float]]:
    """The pictures of the dataset with label and weight, as a person decided where one did."""
    found = []
    for picture in pictures:
        decision = decisions.get(picture.id, "")
        if decision == DROP:
            continue
        label = picture.label if decision in ("", KEEP) else decision
        found.append((picture, label, 1.0 if decision else picture.weight))
    return found


def write_dataset(
    folder: Path,
    pictures: Sequence[StoredPicture],
    decisions: Mapping[int, str],
    negative_label: str,
    taxa: Mapping[str, str],
    report: Mapping[str, Any],
) -> int:
    """Write `pictures.csv`, `credits.html`, `doubtful.html` and `report.json`; returns the number of pictures.

    `taxa`: the scientific name by label. Each file is replaced as a whole. Raises `OSError`.
    """
    rows = decided(pictures, decisions)
    write_durably(folder / TABLE_NAME, _table(rows, negative_label, taxa))
    write_durably(folder / CREDITS_FILE, _render("credits.html.j2", licences=_credits(rows), count=len(rows)))
    doubtful = sorted((one for one in pictures if one.doubt), key=lambda one: (one.weight, one.id))
    undecided = [one for one in doubtful if one.id not in decisions]
    shown = [_doubtful(one, folder) for one in undecided[:_MOST_SHOWN]]
    write_durably(folder / DOUBTFUL_FILE, _render("doubtful.html.j2", pictures=shown, count=len(doubtful)))
    write_durably(folder / REPORT_FILE, json.dumps(report, indent=2) + "\n")
    return len(rows)


def _table(rows: Sequence[tuple[StoredPicture, str, float]], negative_label: str, taxa: Mapping[str, str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for picture, label, weight in rows:
        record = picture.record
        taken = capture_time(record.taken)
        licence = record.licence
        cells = (
            picture.file.as_posix(),
            label,
            "" if label == negative_label else taxa.get(label, ""),
            "nothing" if label == negative_label else "animal",
            record.burst or f"{record.source}-{record.source_id}",
            record.camera,
            taken.isoformat(sep=" ", timespec="seconds") if taken else "",
            *(record.box or ("", "", "", "")),
            f"{weight:g}",
            record.source,
            record.source_id,
            record.author,
            licence.name if licence else "",
            licence.url if licence else "",
            record.page_url,
            record.url,
            picture.retrieved,
            picture.sha256,
            picture.kind.value,
        )
        writer.writerow([escape_formula(_one_line(cell)) for cell in cells])
    return text.getvalue()


def _one_line(cell: object) -> object:
    return printable(cell) if isinstance(cell, str) else cell


def _credits(rows: Sequence[tuple[StoredPicture, str, float]]) -> list[tuple[str, str, list[_Credit]]]:
    """Name and URL of each licence with its pictures."""
    by_licence: dict[tuple[str, str], list[_Credit]] = defaultdict(list)
    for picture, label, _ in rows:
        record = picture.record
        licence = (record.licence.name, record.licence.url) if record.licence else ("", "")
        by_licence[licence].append(
            _Credit(
                record.title or record.taxon or label,
                record.author,
                _web_address(record.page_url) or _web_address(record.url),
                record.source,
                record.taken,
                picture.file.as_posix(),
            )
        )
    return [(name, url, by_licence[name, url]) for name, url in sorted(by_licence)]


def _web_address(url: str) -> str:
    """The URL where it is one of http or https: a record may hold `javascript:`."""
    try:
        return url if urlsplit(url).scheme in ("http", "https") else ""
    except ValueError:
        return ""


def _doubtful(picture: StoredPicture, folder: Path) -> _Doubtful:
    return _Doubtful(
        thumbnail(folder / picture.file),
        picture.id,
        picture.label,
        picture.doubt,
        f"{picture.weight:g}",
        picture.file.as_posix(),
    )


def _render(template: str, **values: Any) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=printable_in_html,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template(template).render(**values)


def purpose_counts(pictures: Sequence[StoredPicture]) -> dict[str, int]:
    """Number of pictures by purpose."""
    return {kind.value: sum(picture.kind is kind for picture in pictures) for kind in QueryKind}
