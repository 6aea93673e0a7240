"""Tables as spreadsheets, R and Python write them: encoding, separators, empty cells, decimal commas."""

import codecs
import re
from dataclasses import dataclass

from uncia.errors import UnciaError

_MISSING_CELLS = frozenset({"", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "-", "--", "–", "—"})
"""Cells that are treated as empty: missing values of R (`NA`), pandas, databases and people. A station or a class with
the name `NA` needs another name, because tables do not distinguish the two."""

_SEPARATORS = ",;\t"
_SEPARATOR_LINE = re.compile(r"sep=(.)", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True)
class TableFormat:
    """The dialect of a table: its separator and the lines before its heading."""

    separator: str
    skipped_lines: int
    """Lines before the heading: Excel's `sep=;`."""

    @property
    def decimal_comma(self) -> bool:
        """Where commas do not divide the columns they may divide the decimals, as in most of Europe."""
        return self.separator != ","


def clean_cell(text: str | None) -> str:
    """Return a cell's text, stripped; empty for a missing value (`_MISSING_CELLS`)."""
    stripped = (text or "").strip()
    return "" if stripped in _MISSING_CELLS else stripped


def detect_encoding(head: bytes) -> str:
    """The encoding by a table's first bytes: UTF-8, or UTF-16 as Excel writes it as "Unicode text".

    Raises `UnciaError` for UTF-16 without a byte order mark and for files that are not text.
    """
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in head:
        raise UnciaError("it has zero bytes in it, as no table in UTF-8 has: save it as CSV in UTF-8")
    return "utf-8-sig"


def encoding_problem(line: int) -> str:
    """The message for a table that is not UTF-8 in this line. Older encodings are ambiguous: none is guessed."""
    return (
        f"line {line} is not UTF-8: it may be the Windows-1252 or Mac encoding of Excel's plain CSV, in which accents "
        "are ambiguous; save the table as CSV in UTF-8"
    )


def detect_format(first: str, second: str = "") -> TableFormat:
    """The dialect, from the first two lines of a table."""
    if found := _SEPARATOR_LINE.fullmatch(first.strip('\r\n\ufeff "')):
        return TableFormat(found[1], 1)
    return (
        TableFormat(max(_SEPARATORS, key=first.count), 0)
        if first.strip()
        else TableFormat(max(_SEPARATORS, key=second.count), 0)
    )


def parse_number(text: str, *, decimal_comma: bool) -> float:
    """A number with a decimal point, or with a comma where the table may have them. Raises `ValueError`."""
    if decimal_comma and _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    if "_" in text:
        raise ValueError(f"{text!r} is no number")
    return float(text)
