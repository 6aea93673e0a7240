"""Ties a stack's lifetime to a `with` block, for benchmarks and tests: no process outlives the block."""

import contextlib
import os
import signal
from collections.abc import Iterator
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
def stop_on_exit(stack: Stoppable, *, repository: Path | None = None) -> Iterator[None]:
    """Stop the stack when the block ends: normally, by an exception, by Ctrl-C or by SIGTERM (which `timeout` sends).

    The block starts the stack, any number of times. `repository` overrides the model repository of the settings. Must
    be used in the main thread, where Python handles signals.
    """
    before = os.environ.get(_REPOSITORY)
    handler = signal.signal(signal.SIGTERM, _end)
    try:
        if repository is not None:
            os.environ[_REPOSITORY] = str(repository)
        yield
    finally:
        # `timeout` sends SIGTERM to the process and then to its group: the second must not interrupt the shutdown.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        try:
            stack.down()
        finally:
            if repository is not None:
                os.environ.pop(_REPOSITORY, None)
                if before is not None:
                    os.environ[_REPOSITORY] = before
            signal.signal(signal.SIGTERM, handler)


def _end(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated
