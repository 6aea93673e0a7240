"""Progress of long jobs over images: a callback, and a bar on standard error that provides one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

from uncia.terminal import description_column, plain_console

ProgressCallback = Callable[[int, int], None]
"""Called with the number of items done and the total."""


def no_progress(done: int, total: int) -> None:
    """A `ProgressCallback` that reports nothing."""


@contextmanager
def progress_bar(description: str, *, shown: bool = True, log_description: bool = True) -> Iterator[ProgressCallback]:
    """Show a bar on standard error, since standard output carries the result; yields the callback that advances it.

    Where standard error is not a terminal, the description is printed once instead, so that a log shows what the job
    is doing; `log_description=False` leaves it out. `shown=False` prints nothing at all.
    """
    console = plain_console(stderr=True, quiet=not shown, highlight=False)
    if not shown or not console.is_terminal:
        if log_description:
            console.print(description)
        yield no_progress
        return
    columns = (description_column(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
