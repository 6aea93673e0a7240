"""Photographs of several cameras with known bursts, uploaded in realistic disorder.

The same seed gives the same bytes, so that rounds can be compared; only the station's name is new in every round.
"""

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np

from tests.recovery.photographs import Photograph, Subject, Trigger, camera_jpeg, cut_off

PER_SERIES = 39
"""Photographs per series, over all cameras."""

TriggerOf = Callable[[int], Trigger | None]
"""From a frame's number in its burst to the camera's maker note."""

SubjectOf = Callable[[int], Subject | None]
"""From a frame's number in its burst to what it shows."""

_APART = timedelta(minutes=10)
_LONG_AGO = timedelta(days=180)
_WINDOW = 30
"""Largest number of photographs by which an upload may be out of order."""


def _of_five(event: int) -> TriggerOf:
    return lambda number: Trigger(number, 5, event)


def _nothing(_: int) -> None:
    return None


def _animal(_: int) -> Subject:
    return Subject.ANIMAL


def _person_first(number: int) -> Subject:
    return Subject.PERSON if number == 1 else Subject.ANIMAL


class Scenario:
    """`series` visits of animals to every camera.

    - `sequence-a`, `sequence-b`: two triggers of five frames (n of 5), the second begins a second after the first ends;
    - `gap-a`, `gap-b`: four frames without a maker note: the gap ends the burst;
    - `short`: three frames of five; the others never arrive;
    - `lapse`: three of three by motion, and a time-lapse frame between them;
    - `broken`: a truncated frame in the middle; and a separate text file with a photograph's name.

    An animal is in the frames of `sequence-a`, `gap-a`, `gap-b` and `lapse`. The first frame of `short` shows a person,
    the others an animal. The frames of `sequence-b` and `broken` are noise.

    All were captured from `began` on, by default within the last hours; those of `gap-b` half a year earlier.
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
        """All photographs in capture order."""
        every = [photograph for burst in self.bursts for photograph in burst]
        return sorted(every, key=lambda photograph: (photograph.taken, photograph.name))

    @cached_property
    def late_frames(self) -> list[Photograph]:
        """The last frame of every fifth burst with several frames: uploaded when everything else is settled."""
        return [burst[-1] for burst in self.bursts if len(burst) > 2][::5]

    @property
    def groups(self) -> set[frozenset[str]]:
        """The expected bursts as sets of names; files that are no photographs are in none."""
        frames = ([photo.name for photo in burst if photo.rejection != "image-not-jpeg"] for burst in self.bursts)
        return {frozenset(names) for names in frames if names}

    @property
    def groups_before_late_frames(self) -> set[frozenset[str]]:
        """The bursts, as far as they can be known before the late frames are uploaded."""
        late = {photograph.name for photograph in self.late_frames}
        return {group - late for group in self.groups}

    def arrivals(self, order: random.Random) -> Iterator[tuple[Photograph, str]]:
        """The uploads as (photograph, prefix of its name): out of order, some repeated, some again as a copy."""
        late = set(self.late_frames)
        order_keys = {
            photograph: position + order.uniform(0, _WINDOW)
            for position, photograph in enumerate(photo for photo in self._upload_order() if photo not in late)
        }
        for photograph in sorted(order_keys, key=lambda photo: order_keys[photo]):
            yield photograph, ""
            chance = order.random()
            if chance < 0.04:
                yield photograph, ""
            elif chance < 0.06 and photograph.rejection is None:
                yield photograph, "copy-"

    def _upload_order(self) -> list[Photograph]:
        """By visit, and within a visit in capture order: an old card is read while other cameras upload live."""
        return sorted(self.photographs, key=lambda photo: (self._visits[photo], photo.taken, photo.name))

    def _visit(self, number: int, start: datetime) -> None:
        for camera in ("sequence-a", "sequence-b"):
            for half, offset_s in enumerate((0, 6)):
                event = 1 + 2 * number + half
                shows = _animal if camera == "sequence-a" else _nothing
                self._burst(camera, start, [offset_s + n for n in range(5)], _of_five(event), shows)
        self._burst("gap-a", start, [0, 3, 6, 9], shows=_animal)
        self._burst("gap-b", start - _LONG_AGO, [0, 3, 6, 9], shows=_animal)
        self._burst("short", start, [0, 2, 4], lambda n: Trigger(n, 5, 1 + number), _person_first)
        self._burst("lapse", start, [0, 2, 4], lambda n: Trigger(n, 3, 1 + 2 * number), _animal)
        self._burst("lapse", start, [3], lambda n: Trigger(n, 1, 2 + 2 * number, b"T"))
        self._burst("broken", start, [0, 3, 6])
        complete = self.bursts[-1][1]
        self.bursts[-1][1] = Photograph(complete.camera, complete.taken, cut_off(complete.data), "image-truncated")
        text = f"no photograph, number {number}\n".encode() * 40
        self.bursts.append([Photograph("broken", start + timedelta(minutes=3), text, "image-not-jpeg")])
        for photograph in (photo for burst in self.bursts for photo in burst):
            self._visits.setdefault(photograph, number)

    def _burst(
        self,
        camera: str,
        start: datetime,
        seconds: list[int],
        trigger: TriggerOf = lambda _: None,
        shows: SubjectOf = _nothing,
    ) -> None:
        self.bursts.append(
            [
                Photograph(camera, taken, camera_jpeg(taken, self._noise, trigger(number), shows(number)))
                for number, taken in enumerate((start + timedelta(seconds=second) for second in seconds), 1)
            ]
        )
