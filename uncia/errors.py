"""The few errors that Uncia raises itself. A message says what happened and what to do next."""


class UnciaError(Exception):
    """Base of all. The command line prints its text without a traceback and exits with `exit_code`."""

    exit_code = 1


class SettingsError(UnciaError):
    """A setting is missing or wrong; nothing was started."""

    exit_code = 2


class PermanentError(UnciaError):
    """This input can never be processed: it goes to the dead letters, and the stream goes on.

    `reason` is a short stable code for machines (`object-missing`, `schema-invalid`, ...).
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class RejectedImage(PermanentError):
    """A photograph was read and cannot be classified: the prediction event carries this rejection."""


class DependencyDown(UnciaError):
    """Kafka, the object store or Triton does not answer: the caller retries with backoff. Never a dead letter."""


class ScoresNotFinite(DependencyDown):
    """A model returned NaN or infinite values: it must be reloaded, and its output is not used."""


class LogTruncated(DependencyDown):
    """A partition ends before a message that was read from it: its broker lost its newest messages."""


class StackError(UnciaError):
    """The embedded stack could not be installed, started or stopped."""


def how_to_install(extra: str) -> str:
    """The command that installs an extra. Uncia is on no package index: it is installed from a clone."""
    return f"pip install '.[{extra}]' in the clone of Uncia"
