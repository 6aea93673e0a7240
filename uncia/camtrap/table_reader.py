"""Read a table row by row: encoding, separator and heading are detected, and a row never loses a cell unnoticed.

`open_table` streams a file, so that a table of a million observations is never in memory as a whole; `table_of` reads
bytes that were sent. Both raise `UnciaError` without the file's name: the caller knows whether there is one.
"""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from uncia.camtrap import table_format
from uncia.errors import UnciaError

__all__ = ["Row", "TableReader", "open_table", "table_of"]

_LONGEST_LINE = 1 << 20
"""Characters read while the separator is detected: a file without line breaks must not be read as a whole for that."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table."""

    line: int
    """Line of the file in which the row begins; the heading is usually line 1."""
    cells: dict[str, str]
    """Text by column, as it is written; every column of the heading is present."""
    surplus: int
    """Number of cells beyond the heading. Cells of such a row may stand under the wrong heading."""

    def text(self, column: str) -> str:
        """The cell without surrounding blanks; empty where the column is absent or the cell means nothing (`NA`)."""
        return table_format.clean_cell(self.cells.get(column))


class TableReader:
    """The heading and the rows of one table; iterate over it once. Rows of empty cells are skipped."""

    def __init__(self, stream: TextIO, *, strict: bool) -> None:
        """Read the heading. `strict` refuses quotes that a CSV writer would never write."""
        self.form = table_format.detect_format(stream.readline(_LONGEST_LINE), stream.readline(_LONGEST_LINE))
        stream.seek(0)
        for _ in range(self.form.skipped_lines):
            stream.readline()
        self._reader = csv.reader(stream, delimiter=self.form.separator, strict=strict)
        self.header = [name.strip() for name in self._next() or []]

    def __iter__(self) -> Iterator[Row]:
        """Raises `UnciaError` for a heading with the same column twice, and for a row that is not CSV."""
        twice = {name for name in self.header if name and self.header.count(name) > 1}
        if twice:
            raise UnciaError(f"the table has the column {', '.join(sorted(twice))} more than once")
        columns = len(self.header)
        while True:
            line = self._line + 1
            cells = self._next()
            if cells is None:
                return
            if not any(cell and not cell.isspace() for cell in cells):
                continue
            named = dict(zip(self.header, cells + [""] * (columns - len(cells)), strict=False))
            named.pop("", None)
            yield Row(line, named, max(0, len(cells) - columns))

    @property
    def _line(self) -> int:
        return self._reader.line_num + self.form.skipped_lines

    def _next(self) -> list[str] | None:
        try:
            return next(self._reader, None)
        except csv.Error as error:
            raise UnciaError(f"line {self._line} is not CSV: {error}") from error


@contextmanager
def open_table(path: Path, *, strict: bool = False) -> Iterator[TableReader]:
    """Stream a table from a file. Raises `UnciaError` where it cannot be read, or is not text in UTF-8 or UTF-16."""
    try:
        with path.open("rb") as file:
            encoding = table_format.detect_encoding(file.read(4096))
        with path.open(encoding=encoding, newline="") as text:
            yield TableReader(text, strict=strict)
    except OSError as error:
        raise UnciaError(f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UnciaError(table_format.encoding_problem(_first_line_not_utf_8(path))) from error


def table_of(raw: bytes, *, strict: bool = False) -> TableReader:
    """Read a table from bytes. Raises `UnciaError` where they are not text in UTF-8 or UTF-16."""
    try:
        text = raw.decode(table_format.detect_encoding(raw))
    except UnicodeDecodeError as error:
        raise UnciaError(table_format.encoding_problem(raw[: error.start].count(b"\n") + 1)) from error
    return TableReader(io.StringIO(text, newline=""), strict=strict)


def _first_line_not_utf_8(path: Path) -> int:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 1
