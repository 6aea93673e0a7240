"""Tables of any encoding and separator, from a file and from bytes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from uncia.camtrap.table_reader import Row, open_table, table_of
from uncia.errors import UnciaError

Read = Callable[[bytes], list[Row]]


@pytest.fixture(params=["file", "bytes"])
def read(request: pytest.FixtureRequest, tmp_path: Path) -> Read:
    def from_file(raw: bytes) -> list[Row]:
        path = tmp_path / "table.csv"
        path.write_bytes(raw)
        with open_table(path) as table:
            return list(table)

    def from_bytes(raw: bytes) -> list[Row]:
        return list(table_of(raw))

    return from_file if request.param == "file" else from_bytes


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_encoding_and_separator_are_detected(read: Read, encoding: str, separator: str) -> None:
    (row,) = read(f"a{separator} b \n1{separator}Löwe\n".encode(encoding))
    assert row == Row(2, {"a": "1", "b": "Löwe"}, 0)


def test_a_row_is_numbered_by_its_first_line(read: Read) -> None:
    rows = read(b'sep=,\na,b\n"1\n2",x\n\n , \n3,y\n')
    assert [(row.line, row.cells["b"]) for row in rows] == [(3, "x"), (7, "y")]


def test_a_short_row_has_empty_cells_and_a_long_row_a_surplus(read: Read) -> None:
    short, long = read(b"a,b\n1\n1,2,3,4\n")
    assert (short.cells, short.surplus) == ({"a": "1", "b": ""}, 0)
    assert (long.cells, long.surplus) == ({"a": "1", "b": "2"}, 2)


def test_text_of_a_cell_that_means_nothing_is_empty(read: Read) -> None:
    (row,) = read(b"a,b\nNA, x \n")
    assert [row.text(name) for name in ("a", "b", "c")] == ["", "x", ""]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"a,a\n1,2\n", "column a more than once"),
        (b"a,b\n1,L\xf6we\n", "line 2 is not UTF-8"),
        ("a,b\n".encode("utf-16-le"), "zero bytes"),
    ],
)
def test_an_ambiguous_table_is_refused(read: Read, raw: bytes, message: str) -> None:
    with pytest.raises(UnciaError, match=message):
        read(raw)


def test_strict_reading_refuses_stray_quotes() -> None:
    assert [row.cells["a"] for row in table_of(b'a\n"x"y\n')] == ["xy"]
    with pytest.raises(UnciaError, match="line 2 is not CSV"):
        list(table_of(b'a\n"x"y\n', strict=True))


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UnciaError, match="cannot be read"), open_table(tmp_path / "missing.csv"):
        pass
