"""What the gateway prints: JSON lines for scripts, sentences for people, a progress bar on a terminal."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TimeRemainingColumn

from uncia.terminal import description_column, echo, echo_json, plain_console

_UPDATE_INTERVAL_S = 0.3


class EventReporter:
    """Prints one line per event to standard output, and on a terminal a progress bar to standard error."""

    def __init__(self, *, as_json: bool = False) -> None:
        self._json = as_json
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._next_update = 0.0
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

    def emit(self, event: str, message: str, **fields: Any) -> None:
        """Print `message` for people, or `event` and `fields` as JSON for scripts. An empty message: scripts only."""
        if self._json:
            echo_json({"event": event, **fields})
        elif event == "uploaded" and self._bar:
            return  # the bar shows it
        elif message and self._bar and sys.stdout.isatty():
            self._bar.console.print(message, soft_wrap=True)
        elif message:
            echo(message)

    def progress(self, done: int, remaining: Callable[[], int]) -> None:
        """Update the bar: `done` files of this run are stored. `remaining` is called only when the bar is redrawn."""
        if self._bar is None or time.monotonic() < self._next_update:
            return
        self._next_update = time.monotonic() + _UPDATE_INTERVAL_S
        total = done + remaining()
        if self._task is None:
            self._task = self._bar.add_task("uploading", total=total)
        self._bar.update(self._task, completed=done, total=total)
