"""Work that goes on in threads beside what is measured."""

import threading
from collections.abc import Callable
from typing import Self

_PATIENCE_S = 30


class Beside:
    """Threads for as long as the context lasts. Each piece of work is given the event that tells it to end."""

    def __init__(self, *work: Callable[[threading.Event], object]) -> None:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=each, args=(self._stop,), daemon=True) for each in work]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(_PATIENCE_S)
