"""Background threads for the time of a `with` block."""

import threading
from collections.abc import Callable
from typing import Self

_JOIN_TIMEOUT_S = 30


class BackgroundThreads:
    """Runs each task in its own thread while the context is entered. A task must return soon after its event is set."""

    def __init__(self, *tasks: Callable[[threading.Event], object]) -> None:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=task, args=(self._stop,), daemon=True) for task in tasks]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(_JOIN_TIMEOUT_S)
