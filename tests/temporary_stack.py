"""A stack with settings of its own, of which nothing remains."""

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from uncia.infra.local.lifetime import changed_environment, stop_on_exit
from uncia.infra.local.stack import Stack


@contextlib.contextmanager
def temporary_stack(folder: Path, variables: Mapping[str, str], *, repository: Path | None = None) -> Iterator[Stack]:
    """A stack below `folder`, which the block starts, with these variables in the environment.

    At the end it is stopped, and `folder` removed with all that is in it. `repository` as in `stop_on_exit`.
    """
    stack = Stack(folder / "stack")
    try:
        with changed_environment(variables), stop_on_exit(stack, repository=repository):
            yield stack
    finally:
        shutil.rmtree(folder, ignore_errors=True)
