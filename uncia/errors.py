"""The base errors of Uncia. A message describes what happened and what to do next."""

import json
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from urllib.parse import unquote, urlsplit


class UnciaError(Exception):
    """Base class of all errors. The command line prints the message without a traceback and exits with `exit_code`."""

    exit_code = 1


class SettingsError(UnciaError):
    """A setting is missing or invalid; nothing was started."""

    exit_code = 2


class PermanentError(UnciaError):
    """This message can never be processed: it becomes a dead letter, and the worker continues with the next one.

    `reason` is a short stable code for machines (`object-missing`, `schema-invalid`, ...).
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class RejectedImage(PermanentError):
    """A photograph was read and cannot be classified: the prediction event carries this rejection."""


class DependencyDown(UnciaError):
    """Kafka, the object store or Triton is unavailable: the caller retries with backoff. Never causes a dead letter."""


class ScoresNotFinite(DependencyDown):
    """A model returned NaN or infinite values: it must be reloaded, and its output is not used."""


class LogTruncated(DependencyDown):
    """A partition ends before a message that was read from it: the broker lost its newest messages."""


class StackError(UnciaError):
    """The embedded stack could not be installed, started or stopped."""


def how_to_install(extra: str) -> str:
    """Return the command that installs an extra, from what Uncia was installed from: it is on no package index.

    A wheel or archive is named without its folder, so that the command fits into the columns of the help.
    """
    if archive := _installed_archive():
        return f"pip install '{archive}[{extra}]' in the folder of that file"
    return f"pip install '.[{extra}]' in the clone of Uncia"


@cache
def _installed_archive() -> str | None:
    """The file name of the wheel or archive that Uncia was installed from (PEP 610); None for a clone, or unknown."""
    try:
        source = json.loads(distribution("uncia").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return None
    if "archive_info" not in source:
        return None
    return unquote(urlsplit(source.get("url", "")).path).rpartition("/")[2] or None
