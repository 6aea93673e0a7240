"""Second looks in a camera's state, and what they add to the boxes of a frame. Pure.

A second look is stored by the image that it is of, apart from the frame: it may come before its frame, and its frame
may move to another burst, be hidden and come back. It counts whenever an event about its frame is built, so that the
verdict is a function of frames and second looks, whatever their order.

**Evidence.** The presence model was calibrated on first looks. So a second look takes nothing away: a box of the first
look keeps its score. A box that only a tile shows is added, its score lowered by `DISCOUNT` in log-odds, and one that a
tile shows better is raised to that. The crop of a box is classified again from more pixels, and that vector counts.

Detections of another detector version than the frame's own do not count.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from math import exp, log
from typing import NamedTuple

from uncia.camtrap.hidden_people import keep_persons_first
from uncia.events import DetectionCategory, FrameSecondLook, SecondLookCompleted
from uncia.events.base import UtcTime, WireModel
from uncia.events.values import Box
from uncia.processors.bursts.frame_record import FrameRecord, StoredBox, stored_boxes
from uncia.processors.bursts.static_objects import intersection_over_union

DISCOUNT = 1.0
"""Log-odds by which the score of a box that only a tile shows is lowered."""

SAME_BOX_IOU = 0.5

MAX_WAITING = 1000
"""Second looks stored of a camera whose frames are in no burst: they came before their frames, as in a replay."""


class StoredSecondLook(WireModel):
    """A second look at one frame, as a camera's state stores it. Its field names are the stored format."""

    image_id: str
    second_look_id: str
    rule: str
    completed_at: UtcTime
    detector: str = ""
    """`model@version`; empty: the frame could not be looked at."""
    boxes: tuple[StoredBox, ...] = ()
    crop_label_set: str = ""

    @property
    def rank(self) -> tuple[datetime, str]:
        """Of two second looks at an image, the one with the greater rank counts."""
        return self.completed_at, self.second_look_id

    def replaces(self, other: "StoredSecondLook | None") -> bool:
        """Whether this one counts in place of another: it is newer, and says something else."""
        if other is None:
            return True
        same = self.model_copy(update={"completed_at": other.completed_at}) == other
        return not same and self.rank > other.rank


def stored_second_looks(event: SecondLookCompleted) -> Iterator[StoredSecondLook]:
    """What is stored of an event.

    Raises `PermanentError`, reason `schema-invalid`, for a class vector that holds no probabilities.
    """
    for frame in event.frames:
        yield StoredSecondLook(
            image_id=frame.image_id,
            second_look_id=event.second_look_id,
            rule=event.rule,
            completed_at=event.completed_at,
            **_detection_fields(event, frame),
        )


def with_second_look(frame: FrameRecord, look: StoredSecondLook) -> FrameRecord:
    """The frame with what its second look adds; a function of the frame and the second look."""
    if not frame.readable:
        return frame
    if not frame.has_detections or look.detector != frame.detector:
        return frame.with_changes(second_look=look.rule)
    label_set = look.crop_label_set or frame.crop_label_set
    keeps_vectors = frame.crop_label_set in ("", label_set)
    # Vectors of two label sets cannot be compared.
    first = [box if keeps_vectors else box._replace(evidence=None) for box in frame.boxes]
    kept = combine_boxes(first, look.boxes)
    return frame.with_changes(
        boxes=tuple(box for box, _ in kept),
        second_look=look.rule,
        second_look_boxes=tuple(place for place, (_, is_added) in enumerate(kept) if is_added),
        crop_label_set=label_set,
    )


def combine_boxes(first: Sequence[StoredBox], second: Iterable[StoredBox]) -> list[tuple[StoredBox, bool]]:
    """The boxes of a frame after its second look, best first, each with whether only the second look found it.

    Boxes of the second look are added up to `STORED_BOXES`. Where there is no room for a person that only they show,
    the last box of the first look that is no person's is left out; no other one is.
    """
    held, added = list(first), list[StoredBox]()
    for found in second:
        place = _place_of(found, held)
        if place is None:
            added.append(found._replace(score=_lowered(found.score)))
            continue
        known = held[place]
        evidence = found.evidence if found.evidence is not None else known.evidence
        held[place] = known._replace(score=max(known.score, _lowered(found.score)), evidence=evidence)
    entries = [_Entry(box, False) for box in held] + [_Entry(box, True) for box in sorted(added, key=_order)]
    kept = [(entry.box, entry.is_added) for entry in keep_persons_first(entries)]
    kept.sort(key=lambda entry: _order(entry[0]))
    return kept


class _Entry(NamedTuple):
    box: StoredBox
    is_added: bool

    @property
    def category(self) -> DetectionCategory:
        return self.box.category


def _place_of(found: StoredBox, boxes: Sequence[StoredBox]) -> int | None:
    """The box of the same category with most overlap, from `SAME_BOX_IOU` on."""
    overlaps = [
        (intersection_over_union(found.box, box.box), -place)
        for place, box in enumerate(boxes)
        if box.category is found.category
    ]
    overlap, place = max(overlaps, default=(0.0, 0))
    return -place if overlap >= SAME_BOX_IOU else None


def _order(box: StoredBox) -> tuple[float, str, Box]:
    return -box.score, box.category, box.box


def _lowered(score: float) -> float:
    held = min(max(score, 1e-6), 1 - 1e-6)
    return round(1 / (1 + exp(DISCOUNT - log(held / (1 - held)))), 6)


def _detection_fields(event: SecondLookCompleted, frame: FrameSecondLook) -> dict[str, object]:
    result = frame.detection
    if result is None:
        return {}
    return {
        "detector": f"{result.model}@{result.version}",
        "boxes": stored_boxes(event.topic, result),
        "crop_label_set": result.label_set or "",
    }
