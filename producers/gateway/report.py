"""What the gateway says: JSON lines for scripts, sentences for people, a progress bar on a terminal."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TimeRemainingColumn

from uncia.terminal import description_column, echo, echo_json, plain_console


class Report:
    """One line per event on standard output; the bar, on a terminal only, on standard error."""

    def __init__(self, *, as_json: bool = False) -> None:
        self._json = as_json
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._next_progress = 0.0
        if not as_json and sys.stderr.isatty():
            self._bar = Progress(
                description_column(),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=plain_console(stderr=True),
                transient=True,
            )

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()

    def tell(self, event: str, text: str, **fields: Any) -> None:
        """`text` for people; `event` and `fields` for scripts. Empty text: scripts only."""
        if self._json:
            echo_json({"event": event, **fields})
        elif event == "uploaded" and self._bar:
            return  # the bar shows it
        elif text and self._bar and sys.stdout.isatty():
            self._bar.console.print(text, soft_wrap=True)
        elif text:
            echo(text)

    def progress(self, done: int, remaining: Callable[[], int]) -> None:
        """So many files of this run are stored; how many remain is asked for only where it is shown."""
        if self._bar is None or time.monotonic() < self._next_progress:
            return
        self._next_progress = time.monotonic() + 0.3
        total = done + remaining()
        if self._task is None:
            self._task = self._bar.add_task("uploading", total=total)
        self._bar.update(self._task, completed=done, total=total)
