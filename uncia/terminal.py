"""Prints all output of commands, so that text from outside cannot control the terminal.

Object keys, file names, EXIF fields, labels, error messages and log lines can contain escape sequences, text direction
overrides, line breaks and rich markup (`[/x]`). Control characters are printed as escapes, and strings are never
interpreted as markup; use `rich.text.Text` for styled text.
"""

import json
import sys
import traceback
import unicodedata
from functools import cache
from types import TracebackType
from typing import Any

import typer
from rich.console import Console
from rich.progress import ProgressColumn, Task
from rich.style import Style
from rich.text import Text

_JOINERS = "\u200c\u200d"
"""Invisible characters that Persian, Sinhala and emoji need."""


def _is_shown(character: str) -> bool:
    """Return whether a character is printable: no control, format, separator, surrogate or private-use character."""
    return character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs"


def printable(value: object, *, lines: bool = False) -> str:
    """Return the value as text without control sequences; with `lines`, line breaks are kept.

    Characters that the encoding of standard output lacks are also escaped.
    """
    text = value if isinstance(value, str) else str(value)
    # Most text: a page of the dashboard prints ten thousand values.
    if text.isascii() and text.isprintable():
        return text
    if lines:
        text = text.replace("\r\n", "\n").expandtabs()
        text = "\n".join(printable(line) for line in text.split("\n"))
    elif not text.isprintable():
        text = "".join(c if _is_shown(c) else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
    if not _is_unicode(encoding := getattr(sys.stdout, "encoding", None) or "utf-8"):
        text = text.encode(encoding, "backslashreplace").decode(encoding)
    return text


@cache
def _is_unicode(encoding: str) -> bool:
    return encoding.lower().replace("-", "") in ("utf8", "utf8sig")


def printable_json(text: str) -> str:
    """Return equivalent JSON in which control characters are escaped."""
    if text.isprintable():
        return text
    return "".join(c if c == "\n" or _is_shown(c) else json.dumps(c)[1:-1] for c in text)


def echo(text: object = "", *, err: bool = False, lines: bool = False) -> None:
    """Print one line or, with `lines`, several."""
    typer.echo(printable(text, lines=lines), err=err)


def echo_json(value: Any, *, indent: int | None = None) -> None:
    """Print a value as JSON."""
    plain = not _is_unicode(getattr(sys.stdout, "encoding", None) or "utf-8")
    typer.echo(printable_json(json.dumps(value, ensure_ascii=plain, indent=indent)))


def counted(number: int, noun: str) -> str:
    """A number of things with the noun in singular or plural: `1 recording`, `2,000 recordings`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def plain_console(**options: Any) -> Console:
    """Return a console that prints strings literally: no markup, no emoji codes, no control sequences."""
    return _PlainConsole(**{"highlight": False, **options})


def description_column() -> ProgressColumn:
    """The column with the description of a progress bar."""
    return _Description()


class _Description(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(printable(task.description))


class _PlainConsole(Console):
    """A console that renders every string (line, table cell, heading, title) as plain text."""

    def render_str(self, text: str, *, style: str | Style = "", **options: Any) -> Text:
        """The string as plain text."""
        return super().render_str(printable(text), style=style, **{**options, "markup": False, "emoji": False})


def printable_in_html(value: Any) -> Any:
    """Remove control characters; for Jinja's `finalize`. `autoescape` escapes HTML."""
    return printable(value, lines=True) if isinstance(value, str) and not hasattr(value, "__html__") else value


def print_traceback(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
    """Print a traceback without control characters, which messages from outside can contain; for `sys.excepthook`."""
    print(printable("".join(traceback.format_exception(kind, error, at)), lines=True), end="", file=sys.stderr)
