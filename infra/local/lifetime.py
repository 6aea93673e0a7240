"""Ties a stack's lifetime to a `with` block, for benchmarks and tests: no process outlives the block."""

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

_REPOSITORY = "UNCIA_MODEL_REPOSITORY"


class Terminated(KeyboardInterrupt):
    """Raised on SIGTERM. A `KeyboardInterrupt`, so that test runners and command lines treat it like Ctrl-C."""


class Stoppable(Protocol):
    """A stack, embedded or in containers."""

    def down(self) -> None:
        """Stop all processes; do nothing when the stack was never started."""


@contextlib.contextmanager
def changed_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set these variables of this process until the block ends, and then what they were before."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextlib.contextmanager
def stop_on_exit(stack: Stoppable, *, repository: Path | None = None) -> Iterator[None]:
    """Stop the stack when the block ends: normally, by an exception, by Ctrl-C or by SIGTERM (which `timeout` sends).

    The block starts the stack, any number of times. `repository` overrides the model repository of the settings. Must
    be used in the main thread, where Python handles signals.
    """
    handler = signal.signal(signal.SIGTERM, _end)
    try:
        with changed_environment({} if repository is None else {_REPOSITORY: str(repository)}):
            try:
                yield
            finally:
                # `timeout` sends SIGTERM to the process and then to its group: the second must not interrupt the
                # shutdown.
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                stack.down()
    finally:
        signal.signal(signal.SIGTERM, handler)


def _end(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated
