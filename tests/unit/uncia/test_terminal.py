"""Nothing that comes from outside commands a terminal: not in lines, tables, bars, JSON, logs, pages or tracebacks."""

import ast
import io
import json
import logging
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from tests.paths import ROOT, sources
from uncia import telemetry
from uncia.settings import Settings
from uncia.terminal import echo, echo_json, plain_console, print_traceback, printable, printable_in_html, printable_json

HOSTILE = [
    "[/x]/a.jpg",
    "[bold red]a[/]",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b2J",
    "a\u202egpj.b",
    "a\r\nzero=0",
    "a\u2028b",
    ":cat:",
]


def obeyed(text: str) -> set[str]:
    """Characters that a terminal obeys, line breaks aside."""
    return {
        c
        for c in text
        if c != "\n" and (unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in "\u202a\u202e\u2066\u200f")
    }


@given(st.text())
def test_no_text_holds_anything_that_a_terminal_obeys(text: str) -> None:
    assert not obeyed(printable(text))
    assert "\n" not in printable(text)
    assert not obeyed(printable(text, lines=True))


@pytest.mark.parametrize("text", ["ridge/cam 1/IMG 0019.JPG", "фото-豹-é.jpg", "می‌خواهم", "🐆", "a\u00a0b"])
def test_names_of_all_languages_stay_as_they_are(text: str) -> None:
    assert printable(text) == text


@given(st.recursive(st.text(), lambda inner: st.dictionaries(st.text(), inner, max_size=3)))
def test_json_keeps_its_value(value: object) -> None:
    text = printable_json(json.dumps(value, ensure_ascii=False, indent=1))
    assert json.loads(text) == value
    assert not obeyed(text)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_line_and_a_json_line_show_any_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    echo(f"missed: {name}")
    echo_json({"key": name})
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"missed: {printable(name)}"
    assert json.loads(second) == {"key": name}


@pytest.mark.parametrize("name", HOSTILE)
def test_lines_and_tables_of_a_console_show_any_name(name: str) -> None:
    console = plain_console(file=io.StringIO(), force_terminal=True, width=200, color_system=None)
    table = Table(name, title=name, caption=name)
    table.add_row(name)
    console.print(name, style="red")
    console.print(table)
    console.print(Text("yes", style="green"))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert shown.count(printable(name)) == 5
    assert not obeyed(shown)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_log_shows_any_name(name: str, log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers, root.level
    try:
        log = telemetry.configure_logging(Settings(_env_file=None, log_format=log_format), "predict")
        log.warning("rejected", key=name)
        logging.getLogger("other").warning("no such thing: %s", name)
    finally:
        root.handlers, root.level = before, level
    written = capsys.readouterr().err
    coloured = written.replace("\x1b[", "") if log_format == "console" else written
    assert not obeyed(coloured)
    assert len(written.splitlines()) == 2


def test_a_traceback_shows_any_name(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("no such key: \x1b[2J\u202e")
    except ValueError as error:
        print_traceback(type(error), error, error.__traceback__)
    written = capsys.readouterr().err
    assert "\\x1b[2J\\u202e" in written
    assert not obeyed(written)


def test_a_terminal_without_unicode_gets_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert printable("é\udcff") == "\\xe9\\udcff"
    echo_json({"key": "é"})


def test_a_page_shows_any_name() -> None:
    assert printable_in_html("a\u202eb\x1b") == "a\\u202eb\\x1b"
    assert printable_in_html(7) == 7


ALLOWED = {
    # Raw bytes on request, HTTP for Triton, and installers that run before the packages are installed.
    "commands/dead_letters.py": {"typer.echo"},
    "commands/watch.py": {"typer.echo"},
    "commands/models_frame.py": {"sys.stdout.write"},
    "infra/local/install.py": {"print"},
    "infra/local/install_tools.py": {"print"},
    "infra/local/install_stamps.py": {"print"},
    "infra/local/pins.py": {"print"},
    # It runs on another machine, on the standard library alone.
    "training/remote/agent.py": {"sys.stdout.write"},
}
PRINTING = {"print", "typer.echo", "typer.secho", "click.echo", "click.secho", "Console", "rich.print"}
PRINTING |= {"Text.from_markup", "sys.stdout.write", "sys.stderr.write"}
SOURCES = [path.relative_to(ROOT) for path in sources()]


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_everything_is_printed_by_one_module(path: Path) -> None:
    name = str(path)
    if name == "uncia/terminal.py":
        return
    calls = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    }
    assert calls & PRINTING <= ALLOWED.get(name, set()), "print with uncia.terminal: echo, echo_json or plain_console"
