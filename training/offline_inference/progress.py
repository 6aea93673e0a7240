"""A bar for jobs over many photographs: on standard error, as standard output is the result's; a line each in a log."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

from uncia.terminal import description_column, plain_console
from uncia.training.offline_inference.inference import Progress as Counted


@contextmanager
def counted(what: str, *, shown: bool = True) -> Iterator[Counted]:
    """Gives what is called with how many of how many are done."""
    console = plain_console(stderr=True, quiet=not shown, highlight=False)
    if not console.is_terminal:
        console.print(what)
        yield lambda done, total: None
        return
    columns = (description_column(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
