"""Withholds the spectrograms of windows that share audio with a window in which a voice was heard. Pure.

Windows overlap, and a voice that the model hears in one of two neighbours is audible in the other, too. Whether the
next window has a voice is known only when it is scored: each window is held until no later one can overlap it.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

from uncia.processors.listen.calls import HeardWindow

__all__ = ["ScoredWindow", "VoiceFilter"]


@dataclass(frozen=True)
class ScoredWindow:
    """One window of a recording with what was heard in it."""

    start_s: float
    end_s: float
    heard: Mapping[int, HeardWindow]
    """The heard classes."""
    voice: bool
    """Whether one of them is a person."""

    def without_pictures(self) -> "ScoredWindow":
        """The same, without spectrograms."""
        return replace(self, heard={index: replace(window, picture=None) for index, window in self.heard.items()})


class VoiceFilter:
    """The windows of one recording that a later window could overlap; receives and returns them in order."""

    def __init__(self) -> None:
        self._held: deque[ScoredWindow] = deque()
        self._voice_end_s = float("-inf")

    def add(self, window: ScoredWindow) -> list[ScoredWindow]:
        """Receive the next window; returns those that neither it nor a later one overlaps."""
        passed = []
        while self._held and self._held[0].end_s <= window.start_s:
            passed.append(self._held.popleft())
        if window.voice:
            self._held = deque(held.without_pictures() for held in self._held)
            self._voice_end_s = window.end_s
        if window.start_s < self._voice_end_s:
            window = window.without_pictures()
        self._held.append(window)
        return passed

    def finish(self) -> list[ScoredWindow]:
        """The windows that are held at the end of the recording."""
        passed = list(self._held)
        self._held.clear()
        return passed
