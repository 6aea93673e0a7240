"""The command line of Uncia. Commands are entry points of the group `uncia.commands`."""

import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from importlib.metadata import EntryPoint, entry_points, requires
from typing import Any, NoReturn

import structlog
import typer
from rich.markup import escape
from rich.text import Text

from uncia import __version__
from uncia.errors import UnciaError, how_to_install
from uncia.garbage_collection import suspended_for_imports
from uncia.terminal import echo, plain_console, print_traceback, printable

GROUP = "uncia.commands"

_SMALLEST_FIRST = ("processors", "dashboard", "local", "mailroom", "models", "dev")


def build(arguments: list[str]) -> typer.Typer:
    """The command tree. Only the named command is loaded, which keeps the start fast; all of them without a name."""
    app = typer.Typer(
        help="Uncia: camera traps as a live, replayable stream.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback(invoke_without_command=True)(_root)
    if arguments[:1] == ["--version"]:
        return app
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    named = [point for point in points if arguments[:1] == [point.name]]
    for point in named or points:
        _add(app, point)
    return app


def _root(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
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
            # Not escaped, `[local]` would be a style of rich's, and the help would say to install the base again.
            help=escape(sentence),
            context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
        )(_refusal(f"`uncia {point.name}` {sentence}"))
        return
    if isinstance(target, typer.Typer):
        app.add_typer(target, name=point.name)
    else:
        app.command(point.name)(target)


def _needs(point: EntryPoint, error: ImportError) -> str:
    extra = _extra(point)
    return f"needs the extra `{extra}` ({error.name} is missing): {how_to_install(extra)}"


def _extra(point: EntryPoint) -> str:
    """The extra that a command needs, as its entry point names it in brackets."""
    return next(iter(point.extras), "local")


def _refusal(sentence: str) -> Callable[[], None]:
    def refuse() -> None:
        raise UnciaError(sentence)

    return refuse


def _log_to_stderr() -> None:
    """Warnings of a command are lines on standard error: standard output is for results.

    Workers configure their own logging.
    """

    def line(_logger: Any, level: str, event: MutableMapping[str, Any]) -> str:
        words = [f"{level}: {event.pop('event', '')}", *(f"{name}={value}" for name, value in event.items())]
        return printable(" ".join(words))

    structlog.configure(
        processors=[line],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def main() -> None:
    """Run a command. An `UnciaError` becomes one line and its exit status, not a traceback."""
    sys.excepthook = print_traceback
    _log_to_stderr()
    try:
        with suspended_for_imports():
            command = typer.main.get_command(build(sys.argv[1:]))
        _join_lines(command)
        command()
    except ModuleNotFoundError as error:
        # Some commands of the base import packages of an extra only when they need them.
        if (sentence := _missing_extra(error)) is None:
            raise
        _end(sentence, 1)
    except UnciaError as error:
        _end(str(error), error.exit_code)


def _join_lines(command: Any) -> None:
    """Make each paragraph of every help text one line; typer does so with the first alone."""
    command.help = re.sub(r"(?<!\n)\n(?!\n)", " ", command.help or "") or None
    for below in getattr(command, "commands", {}).values():
        _join_lines(below)


def _end(sentence: str, status: int) -> NoReturn:
    text = Text(f"uncia: {printable(sentence, lines=True)}", style="red")
    plain_console(stderr=True, soft_wrap=True).print(text)
    sys.exit(status)


def _missing_extra(error: ModuleNotFoundError) -> str | None:
    """The message for a missing module that an extra installs; None for any other module."""
    module = (error.name or "").partition(".")[0]
    package = {"PIL": "pillow", "yaml": "pyyaml", "skimage": "scikit-image", "google": "protobuf"}.get(module, module)
    extras = set()
    for requirement in requires("uncia") or ():
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        extra = re.search(r"extra\s*==\s*['\"](\w+)['\"]", requirement)
        if name and extra and _normalized(name[0]) == _normalized(package):
            extras.add(extra[1])
    own = [_extra(point) for point in entry_points(group=GROUP) if sys.argv[1:2] == [point.name]]
    smallest = next((extra for extra in (*own, *_SMALLEST_FIRST) if extra in extras), None)
    return f"this needs the package {package}: {how_to_install(smallest)}" if smallest else None


def _normalized(name: str) -> str:
    """A distribution's normalized name."""
    return re.sub(r"[-_.]+", "-", name).lower()
