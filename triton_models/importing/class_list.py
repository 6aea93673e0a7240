"""Read a user's labels, in one of three formats, as a label set.

- `.txt`: one label per line, in the order of the outputs. A line of seven parts separated by `;` has SpeciesNet's
  format: id, class, order, family, genus, species, common name; the taxon is then the narrowest given rank.
- `.csv`: a table with the column `label`, and optionally `taxon`, `group` and `threshold`.
- `.json`: the `labels.json` of a package.

Without a group, the name decides: `blank`, `empty` and similar names are nothing, `human` and similar names a person,
`vehicle` and similar names a vehicle; everything else is an animal.
"""

import csv
import io
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from uncia.camtrap import table_format
from uncia.camtrap.vocabulary import NO_CV_RESULT, category_of, normalized_label
from uncia.errors import SettingsError, UnciaError
from uncia.serving.labels import Group, LabelSet, load_label_set
from uncia.triton_models.packages.validation import ModelRefused

_PARTS = 7
_MOST_BYTES = 16 * 2**20


def read_labels(path: Path, name: str, source: str) -> LabelSet:
    """The label set. Raises `ModelRefused` with the faulty line."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ModelRefused(f"the labels {path} are too large: {path.stat().st_size:,} bytes")
        if path.suffix.lower() == ".json":
            return load_label_set(path)
        raw = path.read_bytes()
        text = raw.decode(table_format.detect_encoding(raw[:4096]))
    except OSError as error:
        raise ModelRefused(f"the labels {path} cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise ModelRefused(f"the labels {path} are not UTF-8 text ({error.reason}): save them in UTF-8") from error
    except SettingsError as error:
        raise ModelRefused(str(error)) from error
    except ModelRefused:
        raise
    except UnciaError as error:
        raise ModelRefused(f"the labels {path}: {error}") from error
    try:
        rows = _table(text, path) if path.suffix.lower() == ".csv" else _lines(text, path)
    except csv.Error as error:
        raise ModelRefused(f"the labels {path} are not a table: {error}") from error
    if not rows:
        raise ModelRefused(f"the labels {path} contain no class")
    classes = [{"index": index, **row} for index, row in enumerate(rows)]
    try:
        return LabelSet.model_validate({"name": name.replace("_", "-"), "source": source, "classes": classes})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise ModelRefused(f"the labels {path}: {where}: {problem['msg']}") from error


def _lines(text: str, path: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        text_line = line.strip()
        if not text_line:
            raise ModelRefused(
                f"the labels {path}: line {number} is empty; each line must be the label of one output, in order"
            )
        parts = [part.strip() for part in text_line.split(";")]
        rows.append(_speciesnet(parts, number) if len(parts) == _PARTS else _named(text_line, "", ""))
    return rows


def _speciesnet(parts: list[str], number: int) -> dict[str, Any]:
    *_, family, genus, species, common = parts
    ranks = [part for part in parts[1:5] if part]
    taxon = f"{genus} {species}".strip().capitalize() if genus else (ranks[-1].capitalize() if ranks else "")
    return _named(common or taxon or family or f"class {number - 1}", taxon, "")


def _table(text: str, path: Path) -> list[dict[str, Any]]:
    first, _, rest = text.partition("\n")
    form = table_format.detect_format(first)
    reader = csv.DictReader(io.StringIO(rest if form.skipped_lines else text, newline=""), delimiter=form.separator)
    if "label" not in (reader.fieldnames or ()):
        raise ModelRefused(f"the labels {path} have no column `label`; they have {', '.join(reader.fieldnames or ())}")
    rows = []
    for row in reader:
        # A class with the name NA is unnamed.
        entry = _named(*(table_format.clean_cell(row.get(name)) for name in ("label", "taxon", "group")))
        if threshold := table_format.clean_cell(row.get("threshold")):
            entry["threshold"] = threshold
        rows.append(entry)
    return rows


def _category(name: str) -> Group | None:
    """As the vocabulary has it; a class that says "no CV result" is nothing that a model could find."""
    return "nothing" if normalized_label(name) == NO_CV_RESULT else category_of(name)


def _named(label: str, taxon: str, group: str) -> dict[str, Any]:
    resolved = group or _category(label) or _category(taxon) or "animal"
    # Only animals and persons have a taxon.
    return {"label": label, "taxon": taxon if resolved in ("animal", "person") else "", "group": resolved}
