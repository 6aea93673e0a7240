"""All output goes through here, so that no name from outside controls the terminal.

Object keys, file names, EXIF fields, labels, error messages of stores and lines of logs may hold escape sequences,
text direction overrides, line breaks and rich's own markup (`[/x]`). None of them takes effect: control characters are
printed as escapes, and strings are never read as markup; what is meant to be styled is a `rich.text.Text`.
"""

import json
import sys
import traceback
import unicodedata
from types import TracebackType
from typing import Any

import typer
from rich.console import Console
from rich.progress import ProgressColumn, Task
from rich.style import Style
from rich.text import Text

_JOINERS = "\u200c\u200d"
"""Invisible, and part of how Persian, Sinhala and emoji are written."""


def _is_shown(character: str) -> bool:
    """It shows itself and nothing else: no control, format, separator, half of a pair or private character."""
    return character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs"


def printable(value: object, *, lines: bool = False) -> str:
    """The value as text without control sequences; with `lines`, line breaks stay.

    What the encoding of standard output lacks is written as an escape too.
    """
    text = value if isinstance(value, str) else str(value)
    if lines:
        text = text.replace("\r\n", "\n").expandtabs()
        text = "\n".join(printable(line) for line in text.split("\n"))
    elif not text.isprintable():
        text = "".join(c if _is_shown(c) else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
    if not _is_unicode(encoding := getattr(sys.stdout, "encoding", None) or "utf-8"):
        text = text.encode(encoding, "backslashreplace").decode(encoding)
    return text


def _is_unicode(encoding: str) -> bool:
    return encoding.lower().replace("-", "") in ("utf8", "utf8sig")


def printable_json(text: str) -> str:
    """JSON in which control characters are JSON escapes: the value stays the same."""
    if text.isprintable():
        return text
    return "".join(c if c == "\n" or _is_shown(c) else json.dumps(c)[1:-1] for c in text)


def echo(text: object = "", *, err: bool = False, lines: bool = False) -> None:
    """Print one line; with `lines`, a text of several."""
    typer.echo(printable(text, lines=lines), err=err)


def echo_json(value: Any, *, indent: int | None = None) -> None:
    """Print a value as JSON."""
    plain = not _is_unicode(getattr(sys.stdout, "encoding", None) or "utf-8")
    typer.echo(printable_json(json.dumps(value, ensure_ascii=plain, indent=indent)))


def plain_console(**options: Any) -> Console:
    """A console that prints every string literally: no markup, no emoji, no control sequences."""
    return _PlainConsole(**{"highlight": False, **options})


def description_column() -> ProgressColumn:
    """What a progress bar is about, in front of it."""
    return _Description()


class _Description(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(printable(task.description))


class _PlainConsole(Console):
    """Whatever rich renders from a string, in a line, a table's cell, heading or title, comes through here."""

    def render_str(self, text: str, *, style: str | Style = "", **options: Any) -> Text:
        """The string as plain text."""
        return super().render_str(printable(text), style=style, **{**options, "markup": False, "emoji": False})


def printable_in_html(value: Any) -> Any:
    """For Jinja's `finalize`: a string from outside without control characters. `autoescape` escapes the HTML."""
    return printable(value, lines=True) if isinstance(value, str) and not hasattr(value, "__html__") else value


def print_traceback(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
    """For `sys.excepthook`: print a traceback without control characters, since messages contain names from outside."""
    print(printable("".join(traceback.format_exception(kind, error, at)), lines=True), end="", file=sys.stderr)
