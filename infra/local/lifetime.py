"""A stack that is gone when the block ends that it was started in, whatever ends it: for benchmarks and tests."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

_REPOSITORY = "UNCIA_MODEL_REPOSITORY"


class Ended(KeyboardInterrupt):
    """SIGTERM came: everybody treats it as Ctrl-C, test runners and command lines too."""


class Stoppable(Protocol):
    """A stack, embedded or of containers."""

    def down(self) -> None:
        """Stop everything; one that was never started is no error."""


@contextlib.contextmanager
def stopped_at_the_end(stack: Stoppable, *, repository: Path | None = None) -> Iterator[None]:
    """Stop the stack when the block ends: by itself, by an error, by Ctrl-C or by SIGTERM, which `timeout` sends.

    It is started in the block, as often as one likes. `repository` is served instead of the one that the settings
    name. Only in the main thread, where Python handles signals.
    """
    before = os.environ.get(_REPOSITORY)
    handler = signal.signal(signal.SIGTERM, _end)
    try:
        if repository is not None:
            os.environ[_REPOSITORY] = str(repository)
        yield
    finally:
        # `timeout` sends it to the process and then to its group: the second must not cut this short.
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
    raise Ended
