"""Windows in which a class was heard become calls, by the grouping of the sessioniser for photographs. Pure.

For each class, windows in the order of their starts are what a camera's frames are to a burst: neighbours belong
together unless the gap between them is too long, and a call of `max_windows` is cut there
(`uncia.processors.bursts.grouping`). The calls are a function of the windows alone.

`CallGrouper` receives the windows of a recording in order and holds the open call of each class, so that its memory
does not grow with the recording. Calls of one class never overlap: a cut call ends where the next one begins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from uncia.processors.bursts.grouping import split_into_bursts

__all__ = ["Call", "CallGrouper", "HeardWindow", "heard_classes"]

MAX_CLASSES = 10
"""Classes of one window that can be heard, the best ones: a broken model must not open thousands of calls."""

_START = datetime(2000, 1, 1)
"""The start of any recording, as a time: gaps alone matter."""


@dataclass(frozen=True)
class HeardWindow:
    """One window in which a class was heard. Satisfies `grouping.Groupable`, as a frame without numbers."""

    start_s: float
    end_s: float
    score: float
    picture: NDArray[np.uint8] | None = None
    """Its spectrogram (`spectrogram_levels`); None where it is withheld."""

    event_number: int | None = None
    sequence: int | None = None
    sequence_length: int | None = None
    numbered: bool = False

    @property
    def effective_time(self) -> datetime:
        """Its start."""
        return _START + timedelta(seconds=self.start_s)

    def max_gap(self, gap: timedelta) -> timedelta:
        """The usual gap."""
        return gap


@dataclass(frozen=True)
class Call:
    """One call of one class."""

    class_index: int
    start_s: float
    end_s: float
    windows: int
    best: HeardWindow
    """The window with the highest score, the first of them."""


class CallGrouper:
    """The open calls of one recording.

    Two windows of a class belong together when at most `gap_s` seconds lie between the end of the earlier and the start
    of the later one; `window_s` is the length of a window.
    """

    def __init__(self, window_s: float, gap_s: float, max_windows: int) -> None:
        # Times in seconds from binary fractions: a millisecond more, so that equal gaps are equal.
        self._gap = timedelta(seconds=window_s + gap_s + 0.001)
        self._max_windows = max_windows
        self._open: dict[int, list[HeardWindow]] = {}

    @property
    def open_windows(self) -> int:
        """Windows that are held."""
        return sum(map(len, self._open.values()))

    def add(self, start_s: float, heard: Mapping[int, HeardWindow]) -> list[Call]:
        """Receive the next window, which starts at `start_s`, with its heard classes; returns the calls that ended."""
        now = _START + timedelta(seconds=start_s)
        ended = []
        for index, windows in list(self._open.items()):
            if index not in heard and now - windows[-1].effective_time > self._gap:
                ended.append(_call(index, self._open.pop(index)))
        for index, window in heard.items():
            groups = split_into_bursts([*self._open.get(index, ()), window], self._gap, self._max_windows)
            ended += [_call(index, group, window.start_s) for group in groups[:-1]]
            self._open[index] = groups[-1]
        return sorted(ended, key=lambda call: (call.start_s, call.class_index))

    def finish(self) -> list[Call]:
        """The calls that are open at the end of the recording."""
        ended = [_call(index, windows) for index, windows in self._open.items()]
        self._open.clear()
        return sorted(ended, key=lambda call: (call.start_s, call.class_index))


def heard_classes(scores: NDArray[np.float32], thresholds: NDArray[np.float32]) -> list[int]:
    """Indices of the classes whose score reaches its threshold, the highest score first; `MAX_CLASSES` at most.

    Both (classes,); a threshold above 1 is never reached.
    """
    found = np.flatnonzero(scores >= thresholds)
    return [int(index) for index in found[np.argsort(-scores[found], kind="stable")][:MAX_CLASSES]]


def _call(class_index: int, windows: Sequence[HeardWindow], before_s: float = float("inf")) -> Call:
    """The call of these windows, which ends before `before_s`."""
    best = max(windows, key=lambda window: window.score)
    return Call(class_index, windows[0].start_s, min(windows[-1].end_s, before_s), len(windows), best)
