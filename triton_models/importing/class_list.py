"""A user's labels, in whatever of three forms they come, as a label set.

- `.txt`: one label a line, in the order of the outputs. A line of seven parts divided by `;` is SpeciesNet's: id,
  class, order, family, genus, species, common name; the taxon is then the narrowest that is told.
- `.csv`: a table with the column `label`, and `taxon`, `group`, `threshold` where they are known.
- `.json`: a `labels.json` of ours.

Where nobody says the group, names do: `blank`, `empty` and the like are nothing, `human` and the like a person,
`vehicle` and the like a vehicle; everything else is an animal.
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
from uncia.triton_models.packages.validation import Refused

_PARTS = 7
_MOST_BYTES = 16 * 2**20


def read_labels(path: Path, name: str, source: str) -> LabelSet:
    """The label set. Raises `Refused` with the line that is wrong."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise Refused(f"the labels {path} are too large: {path.stat().st_size:,} bytes")
        if path.suffix.lower() == ".json":
            return load_label_set(path)
        raw = path.read_bytes()
        text = raw.decode(table_format.detect_encoding(raw[:4096]))
    except OSError as error:
        raise Refused(f"the labels {path} cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise Refused(f"the labels {path} are no text in UTF-8 ({error.reason}): save them as such") from error
    except SettingsError as error:
        raise Refused(str(error)) from error
    except Refused:
        raise
    except UnciaError as error:
        raise Refused(f"the labels {path}: {error}") from error
    try:
        rows = _table(text, path) if path.suffix.lower() == ".csv" else _lines(text, path)
    except csv.Error as error:
        raise Refused(f"the labels {path} are no table: {error}") from error
    if not rows:
        raise Refused(f"the labels {path} name no class")
    classes = [{"index": index, **row} for index, row in enumerate(rows)]
    try:
        return LabelSet.model_validate({"name": name.replace("_", "-"), "source": source, "classes": classes})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise Refused(f"the labels {path}: {where}: {problem['msg']}") from error


def _lines(text: str, path: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        if not words:
            raise Refused(f"the labels {path}: line {number} is empty; each line is one output, in order")
        parts = [part.strip() for part in words.split(";")]
        rows.append(_speciesnet(parts, number) if len(parts) == _PARTS else _named(words, "", ""))
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
        raise Refused(f"the labels {path} have no column `label`; they have {', '.join(reader.fieldnames or ())}")
    rows = []
    for row in reader:
        # A class that is called NA is one nobody named.
        made = _named(*(table_format.clean_cell(row.get(name)) for name in ("label", "taxon", "group")))
        if threshold := table_format.clean_cell(row.get("threshold")):
            made["threshold"] = threshold
        rows.append(made)
    return rows


def _category(name: str) -> Group | None:
    """As the vocabulary has it; a class that says "no CV result" is nothing that a model could find."""
    return "nothing" if normalized_label(name) == NO_CV_RESULT else category_of(name)


def _named(label: str, taxon: str, group: str) -> dict[str, Any]:
    found = group or _category(label) or _category(taxon) or "animal"
    # What is no living thing has no taxon.
    return {"label": label, "taxon": taxon if found in ("animal", "person") else "", "group": found}
