"""Logging (one line per event on standard error, with ids as fields) and the readiness file."""

import logging
import os
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, cast

import structlog

from uncia.settings import Settings
from uncia.terminal import printable, printable_json

Logger = structlog.stdlib.BoundLogger


def configure_logging(settings: Settings, worker: str) -> Logger:
    """Set up logging of this process, third-party libraries included, and return its logger."""
    console = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.log_level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    rendering: list[Any] = (
        [_printable_values, structlog.dev.ConsoleRenderer()]
        if console
        else [structlog.processors.JSONRenderer(ensure_ascii=False), _printable_line]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    for noisy in ("kafka", "aiokafka", "botocore", "boto3", "urllib3", "faust", "mode", "PIL", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return cast(Logger, structlog.get_logger("uncia").bind(worker=worker))


def _printable_values(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape control characters in keys and error messages from outside, which a terminal would interpret."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = printable(value, lines=name in ("exception", "stack"))
    return event


def _printable_line(_logger: Any, _name: str, line: str) -> str:
    return printable_json(line)


READY_FILE = "UNCIA_READY_FILE"
"""Environment variable: path of a file that exists while the process is ready."""


def ready_file() -> Path | None:
    """The file by which this process reports its readiness to a supervisor; None without `READY_FILE`."""
    name = os.environ.get(READY_FILE)
    return Path(name) if name else None


def mark_ready() -> None:
    """Report to the supervisor, if there is one, that this process is ready."""
    if (file := ready_file()) is not None:
        file.touch()
