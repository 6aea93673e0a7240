"""Every `uncia …` that a page, a docstring or a message names is a command that exists, with options that it has."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.text import Text

from tests.paths import ROOT, sources
from uncia.commands import main as cli

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SOURCES = [*sources(), *sorted((ROOT / "benchmarks").rglob("*.py"))]

_INLINE = re.compile(r"`uncia\s+([^`]+)`")
_LINE = re.compile(r"^\s*(?:ExecStart=)?(?:/\S*/)?uncia\s+(.+?)\s*$", re.MULTILINE)
_BLOCK = re.compile(r"^```[^\n]*\n(.*?)^```|((?:^    .*\n)+)", re.MULTILINE | re.DOTALL)
_END_OF_COMMAND = {"|", ">", ">>", "&&", ";", "#", "<"}


@cache
def tree() -> Any:
    """Every command of the command line. Typer may bring a click of its own, so types are not checked."""
    return typer.main.get_command(cli.build([]))


def is_group(command: Any) -> bool:
    return hasattr(command, "commands")


def commands_of(group: Any, path: str = "uncia") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        yield f"{path} {name}", command
        if is_group(command):
            yield from commands_of(command, f"{path} {name}")


def named_in_page(text: str) -> list[str]:
    found = _INLINE.findall(text)
    for block in _BLOCK.findall(text):
        found += _LINE.findall("".join(block).replace("\\\n", " "))
    return [" ".join(entry.split()) for entry in found]


def wrong_with(words: str) -> str | None:
    """Why this is no command line of ours; None for one that is. What stands for a value may be anything."""
    lexer = shlex.shlex(words, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    command = tree()
    arguments = 0
    tokens = list(lexer)
    while tokens:
        token = tokens.pop(0).strip("[]")
        if token in _END_OF_COMMAND:
            break
        if token.startswith("-") and token != "-":
            if token == "--help":
                continue
            name, _, value = token.partition("=")
            option = next((entry for entry in command.params if name in (*entry.opts, *entry.secondary_opts)), None)
            if option is None or option.param_type_name != "option":
                return f"{command.name} has no option {name}"
            if not option.is_flag and not value and tokens:
                tokens.pop(0)
        elif is_group(command):
            if token in ("…", "<command>", "<name>", "X"):
                return None
            if token not in command.commands:
                return f"{command.name or 'uncia'} has no command {token}"
            command = command.commands[token]
        else:
            arguments += 1
    taken = [entry for entry in command.params if entry.param_type_name == "argument"]
    if not is_group(command) and all(entry.nargs == 1 for entry in taken) and arguments > len(taken):
        return f"{command.name} takes {len(taken)} arguments, not {arguments}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_command_on_a_page_exists(page: Path) -> None:
    named = named_in_page(page.read_text(encoding="utf-8"))
    assert {entry: why for entry in named if (why := wrong_with(entry))} == {}


def test_the_pages_name_commands_at_all() -> None:
    assert sum(len(named_in_page(page.read_text(encoding="utf-8"))) for page in PAGES) > 100


def test_every_command_that_a_message_or_docstring_names_exists() -> None:
    wrong: dict[str, str] = {}
    for path in SOURCES:
        # Strings that go on in the next line, and values that are put in.
        text = re.sub(r'"\s*\n\s*f?"', "", path.read_text(encoding="utf-8"))
        text = re.sub(r"\{[^{}`]*\}", "X", text)
        for entry in _INLINE.findall(text):
            why = wrong_with(" ".join(entry.split()))
            if why:
                wrong[f"{path.relative_to(ROOT)}: {entry}"] = why
    assert wrong == {}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("replay begin", "replay has no command begin"),
        ("replay start --modell m@1", "start has no option --modell"),
        ("watch bst-1", "watch takes 0 arguments, not 1"),
    ],
)
def test_a_command_that_does_not_exist_is_found(words: str, why: str) -> None:
    assert wrong_with(words) == why


def test_no_help_loses_what_stands_in_brackets() -> None:
    # Help is rendered with rich's markup, in which `[local]` is a style, and shown as nothing.
    helps = {"uncia": tree().help or ""}
    for path, command in commands_of(tree()):
        helps[path] = f"{command.help or ''} {command.short_help or ''} {command.epilog or ''}"
        for entry in command.params:
            helps[f"{path} {entry.name}"] = str(getattr(entry, "help", "") or "")
    assert {path: text for path, text in helps.items() if Text.from_markup(text).plain != text} == {}


def test_no_option_is_cut_off_at_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    cut = {}
    for path, command in commands_of(tree()):
        if is_group(command):
            continue
        tree()(args=[*path.split()[1:], "--help"], standalone_mode=False)
        shown = capsys.readouterr().out
        listed = [entry for entry in command.params if not getattr(entry, "hidden", False)]
        gone = [name for entry in listed for name in entry.opts if name.startswith("--") and name not in shown]
        if gone:
            cut[path] = gone
    assert cut == {}
