"""Static objects: boxes that come back at the same place over many bursts of one camera. Pure.

A stump that a detector takes for an animal is boxed in burst after burst, at the same place to a few pixels; an animal
is not. Each burst counts once for each place, when nothing can revise the burst any more (`lifecycle`): a repeated
frame, a revision or a regrouping counts nothing twice, and the arrival of frames within the allowed lateness cannot
change what is counted. From `static_hits` bursts on, boxes at that place are flagged and outvoted; none is deleted.

The mean box of a place follows the bursts. Places are compared by intersection over union, and the best match counts.
At most `MAX_PLACES` are stored of a camera: the one with the fewest bursts is dropped first, and of those the one not
seen for longest; a place is forgotten after `FORGOTTEN_AFTER` bursts without it (the camera was turned, the stump is
gone). All numbers are integers, so that a state that was stored and loaded is the same to the bit.
"""

import base64
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from uncia.events.values import Box

MAX_PLACES = 64
"""Places stored of a camera: 1.5 KB."""

MAX_BOXES_OF_A_BURST = 32
"""Places that one burst may count for, the best boxes first."""

FORGOTTEN_AFTER = 500
"""Bursts with detections."""

SAME_OBJECT_IOU = 0.75
"""Overlap of a box with a static object from which the box is flagged: single boxes scatter more than their mean. The
presence model uses the same value."""

_UNIT = 65_535
_MEAN_OF = 32
"""The mean box is that of about so many of the last bursts."""
_MAX_HITS = 65_535
_PLACE = struct.Struct("<4HHI")

IntegerBox = tuple[int, int, int, int]
"""A box in 1/65,535 of the photograph's width and height."""


@dataclass
class Place:
    """One place where boxes were found."""

    box: IntegerBox
    hits: int
    """Bursts in which it was boxed."""
    last: int
    """The number of the last of them, counted by `StaticObjects.bursts`."""

    @property
    def shares(self) -> Box:
        """The box as shares of the photograph."""
        x, y, width, height = (round(value / _UNIT, 5) for value in self.box)
        return x, y, width, height


@dataclass
class StaticObjects:
    """The places of one camera."""

    places: list[Place] = field(default_factory=list)
    bursts: int = 0
    """Bursts counted so far."""
    cleared_at: str = ""
    """Time of the last order to clear that was carried out, ISO 8601: a repetition is not carried out again."""

    def observe(self, boxes: Iterable[tuple[float, Box]], least_iou: float) -> None:
        """Count one burst. `boxes`: scores and boxes of all its frames; their order does not matter."""
        self.bursts += 1
        hit: list[int] = []
        fresh: list[IntegerBox] = []
        for _, found in sorted(boxes, key=lambda entry: (-entry[0], entry[1]))[: 10 * MAX_BOXES_OF_A_BURST]:
            if len(hit) + len(fresh) >= MAX_BOXES_OF_A_BURST:
                break
            box = _to_integers(found)
            overlaps = [intersection_over_union(box, place.box) for place in self.places]
            best = max(range(len(overlaps)), key=lambda at: (overlaps[at], -at), default=None)
            if best is not None and overlaps[best] >= least_iou:
                if best not in hit:
                    hit.append(best)
                    self._hit(self.places[best], box)
            elif all(intersection_over_union(box, other) < least_iou for other in fresh):
                fresh.append(box)
        self.places += [Place(box, 1, self.bursts) for box in fresh]
        self.places = [place for place in self.places if self.bursts - place.last < FORGOTTEN_AFTER]
        if len(self.places) > MAX_PLACES:
            # The order of the others stays: it decides between equal overlaps.
            ranked = sorted(self.places, key=lambda place: (-place.hits, -place.last, place.box))[:MAX_PLACES]
            kept = {id(place) for place in ranked}
            self.places = [place for place in self.places if id(place) in kept]

    def boxes(self, least_hits: int) -> tuple[Box, ...]:
        """The boxes of the static objects, those with most bursts first."""
        return tuple(place.shares for place in self.static(least_hits))

    def static(self, least_hits: int) -> list[Place]:
        """The places with at least so many bursts, most first."""
        static = [place for place in self.places if place.hits >= least_hits]
        return sorted(static, key=lambda place: (-place.hits, place.box))

    def clear(self, box: Box | None, at: str, least_iou: float) -> bool:
        """Forget the places at a box, or all of them; the time of the order identifies it. Returns whether it did."""
        if at <= self.cleared_at:
            return False
        self.cleared_at = at
        before = len(self.places)
        if box is None:
            self.places = []
        else:
            wanted = _to_integers(box)
            self.places = [
                place for place in self.places if intersection_over_union(wanted, place.box) < min(least_iou, 0.9)
            ]
        return len(self.places) < before

    def pack(self) -> str:
        """All of it as text; empty where nothing was counted."""
        if not (self.bursts or self.cleared_at):
            return ""
        packed = b"".join(_PLACE.pack(*place.box, place.hits, place.last) for place in self.places)
        return f"{self.bursts}|{self.cleared_at}|{base64.b64encode(packed).decode()}"

    @classmethod
    def unpack(cls, text: str) -> "StaticObjects":
        """The inverse of `pack`."""
        if not text:
            return cls()
        bursts, cleared_at, packed = text.split("|")
        places = [
            Place((x, y, width, height), hits, last)
            for x, y, width, height, hits, last in _PLACE.iter_unpack(base64.b64decode(packed))
        ]
        return cls(places, int(bursts), cleared_at)

    def _hit(self, place: Place, box: IntegerBox) -> None:
        place.hits = min(place.hits + 1, _MAX_HITS)
        place.last = self.bursts
        weight = min(place.hits, _MEAN_OF)
        x, y, width, height = (
            (mean * (weight - 1) + value + weight // 2) // weight for mean, value in zip(place.box, box, strict=True)
        )
        place.box = (x, y, width, height)


def intersection_over_union(one: Sequence[float], other: Sequence[float]) -> float:
    """Of two boxes (x, y, width, height); 0 where both have no area."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def _to_integers(box: Box) -> IntegerBox:
    x, y, width, height = (min(_UNIT, max(0, round(value * _UNIT))) for value in box)
    return x, y, width, height
