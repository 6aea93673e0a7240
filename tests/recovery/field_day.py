"""A day in the field in small: photographs of several cameras whose bursts are known beforehand.

The same seed gives the same bytes, so that rounds can be compared with each other; only the station's name is new.
"""

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np

from tests.recovery.photographs import Photograph, Trigger, cut_off, picture

PER_SERIES = 39
"""Photographs of one series, all cameras together."""

Noted = Callable[[int], Trigger | None]
"""From a frame's place in its burst to what the camera notes."""

_APART = timedelta(minutes=10)
_LONG_AGO = timedelta(days=180)
_WINDOW = 30
"""How far photographs overtake each other on their way to the store."""


def _of_five(event: int) -> Noted:
    return lambda number: Trigger(number, 5, event)


class FieldDay:
    """`series` visits of animals to every camera.

    - `sequence-a`, `sequence-b`: two triggers of five frames (n of 5), the second begins a second after the first ends;
    - `gap-a`, `gap-b`: four frames and no word from the camera: the gap decides;
    - `short`: three frames of five, the others never come;
    - `lapse`: three of three by motion, and a time-lapse frame amid them;
    - `broken`: a frame in the middle breaks off; and a text file with a photograph's name, alone.

    All were taken from `began` on, by default within the last hours, but for `gap-b`: half a year earlier.
    """

    def __init__(self, series: int, seed: int = 1, began: datetime | None = None) -> None:
        self.bursts: list[list[Photograph]] = []
        self._visits: dict[Photograph, int] = {}
        self._noise = np.random.default_rng(seed)
        began = began or datetime.now().replace(microsecond=0) - (series + 1) * _APART
        for number in range(series):
            self._visit(number, began + number * _APART)

    @cached_property
    def photographs(self) -> list[Photograph]:
        """All of them, in capture order."""
        every = [photograph for burst in self.bursts for photograph in burst]
        return sorted(every, key=lambda photograph: (photograph.taken, photograph.name))

    @cached_property
    def stragglers(self) -> list[Photograph]:
        """The last frame of every fifth burst that has several: uploaded when everything else has been settled."""
        return [burst[-1] for burst in self.bursts if len(burst) > 2][::5]

    @property
    def groups(self) -> set[frozenset[str]]:
        """The bursts, as sets of names; a file that is no photograph is in none."""
        frames = ([each.name for each in burst if each.rejection != "image-not-jpeg"] for burst in self.bursts)
        return {frozenset(names) for names in frames if names}

    @property
    def groups_before_stragglers(self) -> set[frozenset[str]]:
        """The bursts, as far as they can be known before the stragglers come."""
        late = {photograph.name for photograph in self.stragglers}
        return {group - late for group in self.groups}

    def arrivals(self, order: random.Random) -> Iterator[tuple[Photograph, str]]:
        """What is uploaded and with which addition to its name: out of order, some again, some again as a copy."""
        late = set(self.stragglers)
        places = {
            photograph: place + order.uniform(0, _WINDOW)
            for place, photograph in enumerate(each for each in self._as_they_come() if each not in late)
        }
        for photograph in sorted(places, key=lambda each: places[each]):
            yield photograph, ""
            chance = order.random()
            if chance < 0.04:
                yield photograph, ""
            elif chance < 0.06 and photograph.rejection is None:
                yield photograph, "copy-"

    def _as_they_come(self) -> list[Photograph]:
        """By visit, and within one in capture order: an old card is read while others send live."""
        return sorted(self.photographs, key=lambda each: (self._visits[each], each.taken, each.name))

    def _visit(self, number: int, at: datetime) -> None:
        for camera in ("sequence-a", "sequence-b"):
            for half, begin in enumerate((0, 6)):
                event = 1 + 2 * number + half
                self._burst(camera, at, [begin + n for n in range(5)], _of_five(event))
        self._burst("gap-a", at, [0, 3, 6, 9])
        self._burst("gap-b", at - _LONG_AGO, [0, 3, 6, 9])
        self._burst("short", at, [0, 2, 4], lambda n: Trigger(n, 5, 1 + number))
        self._burst("lapse", at, [0, 2, 4], lambda n: Trigger(n, 3, 1 + 2 * number))
        self._burst("lapse", at, [3], lambda n: Trigger(n, 1, 2 + 2 * number, b"T"))
        self._burst("broken", at, [0, 3, 6])
        whole = self.bursts[-1][1]
        self.bursts[-1][1] = Photograph(whole.camera, whole.taken, cut_off(whole.data), "image-truncated")
        text = f"no photograph, number {number}\n".encode() * 40
        self.bursts.append([Photograph("broken", at + timedelta(minutes=3), text, "image-not-jpeg")])
        for photograph in (each for burst in self.bursts for each in burst):
            self._visits.setdefault(photograph, number)

    def _burst(self, camera: str, at: datetime, seconds: list[int], trigger: Noted = lambda _: None) -> None:
        self.bursts.append(
            [
                Photograph(camera, taken, picture(taken, self._noise, trigger(place)))
                for place, taken in enumerate((at + timedelta(seconds=second) for second in seconds), 1)
            ]
        )
