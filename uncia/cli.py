"""The front door: `uncia <command>`. Commands are entry points of the group `uncia.commands`."""

import logging
import sys
from collections.abc import Callable, MutableMapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import structlog
import typer
from rich.text import Text

from uncia import __version__
from uncia.errors import UnciaError
from uncia.terminal import echo, plain_console, print_traceback, printable

GROUP = "uncia.commands"

_EXTRAS = {"producers": "local", "processors": "processors", "triton_models": "models", "infra": "local"}


def build(arguments: list[str]) -> typer.Typer:
    """The command tree, with only the asked-for command loaded where one is named: the door opens fast."""
    app = typer.Typer(
        help="Uncia: camera traps as a live, replayable stream.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback(invoke_without_command=True)(_front)
    if arguments[:1] == ["--version"]:
        return app
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    asked = [point for point in points if arguments[:1] == [point.name]]
    for point in asked or points:
        _add(app, point)
    return app


def _front(version: bool = typer.Option(False, "--version", help="Print the version and end.")) -> None:
    if version:
        echo(__version__)
        raise typer.Exit


def _add(app: typer.Typer, point: EntryPoint) -> None:
    try:
        target = point.load()
    except ImportError as error:
        sentence = _needs(point, error)
        app.command(
            point.name,
            help=sentence,
            context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
        )(_refusal(f"`uncia {point.name}` {sentence}"))
        return
    if isinstance(target, typer.Typer):
        app.add_typer(target, name=point.name)
    else:
        app.command(point.name)(target)


def _needs(point: EntryPoint, error: ImportError) -> str:
    wing = point.value.split(".")[0]
    extra = _EXTRAS.get(wing, wing)
    return f"needs the extra `{extra}` ({error.name} is missing): pip install 'uncia[{extra}]'"


def _refusal(sentence: str) -> Callable[[], None]:
    def refuse() -> None:
        raise UnciaError(sentence)

    return refuse


def _log_to_stderr() -> None:
    """Warnings of a command are lines on standard error: standard output is the result's. Workers log in their way."""

    def line(_logger: Any, level: str, event: MutableMapping[str, Any]) -> str:
        words = [f"{level}: {event.pop('event', '')}", *(f"{name}={value}" for name, value in event.items())]
        return printable(" ".join(words))

    structlog.configure(
        processors=[line],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def main() -> None:
    """Run a command; our own errors become one line and an exit status, not a traceback."""
    sys.excepthook = print_traceback
    _log_to_stderr()
    try:
        build(sys.argv[1:])()
    except UnciaError as error:
        text = Text(f"uncia: {printable(error, lines=True)}", style="red")
        plain_console(stderr=True, soft_wrap=True).print(text)
        sys.exit(error.exit_code)
