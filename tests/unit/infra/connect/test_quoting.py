"""Values with quotes, blanks and other special characters survive each format, or are refused."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncia.errors import UnciaError
from uncia.infra.connect.quoting import (
    curl_value,
    jaas_value,
    javascript_value,
    plain_value,
    properties_value,
    rclone_value,
    s3cmd_value,
)

TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
PRINTABLE = TEXT.filter(str.isprintable)


def read_properties_value(text: str) -> str:
    """As `java.util.Properties` reads what follows the `=`."""
    text = text.lstrip(" \t\f")
    escapes = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
    found = re.sub(
        r"\\(u[0-9a-f]{4}|.)",
        lambda match: chr(int(match[1][1:], 16)) if len(match[1]) == 5 else escapes.get(match[1], match[1]),
        text,
        flags=re.DOTALL,
    )
    return found.encode("utf-16", "surrogatepass").decode("utf-16")


def read_quoted(text: str) -> str:
    """As curl and Java's StreamTokenizer read a text in double quotes."""
    assert text[0] == text[-1] == '"'
    escapes = {"t": "\t", "n": "\n", "r": "\r", "v": "\v"}
    return re.sub(r"\\(.)", lambda match: escapes.get(match[1], match[1]), text[1:-1], flags=re.DOTALL)


@given(TEXT)
def test_java_reads_the_same_value_from_a_properties_file(value: str) -> None:
    written = properties_value(value)
    assert written.isascii()
    assert written.splitlines() in ([], [written])
    assert read_properties_value(written) == value


@given(PRINTABLE)
def test_a_password_survives_both_its_quotes_in_jaas_and_the_properties_file(value: str) -> None:
    assert read_quoted(read_properties_value(properties_value(jaas_value(value)))) == value


@given(TEXT)
def test_curl_reads_the_same_value(value: str) -> None:
    written = curl_value(value)
    assert "\n" not in written
    assert not re.search(r'(?<!\\)(?:\\\\)*"', written[1:-1])
    assert read_quoted(written) == value


@given(TEXT)
def test_javascript_reads_the_same_value(value: str) -> None:
    assert javascript_value(value).isascii()
    assert json.loads(javascript_value(value)) == value


@given(PRINTABLE)
def test_s3cmd_removes_the_outermost_quotes_alone(value: str) -> None:
    if not value.startswith("$"):
        written = re.fullmatch(r'"(.*)"\s*', s3cmd_value(value))
        assert written is not None
        assert written[1] == value


@pytest.mark.parametrize("value", ["a\nb = c", "a\rb", "a\0b", " a", "a ", "\x1b[31m"])
def test_a_value_that_a_plain_file_would_change_is_refused(value: str) -> None:
    for quote in (lambda text: plain_value(text, "aws"), rclone_value):
        with pytest.raises(UnciaError, match="cannot hold"):
            quote(value)


@pytest.mark.parametrize("value", ['"secret"', "`secret`"])
def test_a_value_that_rclone_would_unquote_is_refused(value: str) -> None:
    with pytest.raises(UnciaError, match="rclone"):
        rclone_value(value)


@pytest.mark.parametrize("value", ["$HOME", "a\nb"])
def test_a_value_that_s3cmd_would_change_is_refused(value: str) -> None:
    with pytest.raises(UnciaError, match="s3cmd"):
        s3cmd_value(value)


def test_a_value_in_jaas_has_no_line_break() -> None:
    with pytest.raises(UnciaError, match="control character"):
        jaas_value("a\nb")
