"""Which boxes of a burst get a crop. Pure."""

from dataclasses import dataclass

from uncia import ids
from uncia.camtrap.hidden_people import evidence_of
from uncia.events import BoxSource, BurstCategory, BurstFrame, BurstResolved, BurstStatus, DetectionCategory
from uncia.events.values import Box

MIN_SCORE = 0.2
"""A box with a lower score gets a crop only where the burst's event names it as its best: of genuine frames with an
animal three quarters have a box of this score, of blanks about a seventh."""

PERSON_IN_BURST = "person-in-burst"
BURST_SUPERSEDED = "burst-superseded"
NOT_SELECTED = "not-selected"


@dataclass(frozen=True)
class WantedCrop:
    """One box that gets a crop."""

    frame: BurstFrame
    box: Box
    score: float
    source: BoxSource | None = None
    """What the box was made of where no detector found it."""

    @property
    def crop_id(self) -> str:
        """The id of the crop: of the photograph and the box."""
        return ids.crop_id(self.frame.image_id, self.box)


@dataclass(frozen=True)
class Selection:
    """The crops of one revision of a burst."""

    wanted: tuple[WantedCrop, ...] = ()
    """Best first."""
    withdrawal: str = NOT_SELECTED
    """Why every other crop of the burst is deleted."""


def select_crops(burst: BurstResolved, *, most: int, withheld_by_person: bool) -> Selection:
    """The best animal box of each frame, at most `most`; the event's best crop comes first, boxes that were made
    without the detector last.

    None of a superseded burst, of a burst without an animal, and, with `withheld_by_person`, of a burst in which there
    is a person. Boxes that are known to be static are left out.
    """
    if burst.status is BurstStatus.SUPERSEDED:
        return Selection(withdrawal=BURST_SUPERSEDED)
    if withheld_by_person and may_show_person(burst):
        return Selection(withdrawal=PERSON_IN_BURST)
    if burst.category not in (BurstCategory.ANIMAL, None):
        return Selection()
    found = [best for frame in burst.frames if (best := _best_of(burst, frame)) is not None]
    named = burst.best_crop.image_id if burst.best_crop else None
    found.sort(key=lambda crop: (crop.frame.image_id != named, -crop.score, crop.frame.captured_at, crop.crop_id))
    return Selection(tuple(found[:most]))


def may_show_person(burst: BurstResolved) -> bool:
    """Whether a person is, or may be, anywhere in the burst: as its event, its review or any frame of it says.

    An event that says nothing about it is read with suspicion: every box of a person counts.
    """
    if burst.crops_withheld or evidence_of(burst).says_person:
        return True
    return burst.crops_withheld is None and any(
        box.category is DetectionCategory.PERSON and box.score >= MIN_SCORE
        for frame in burst.frames
        for box in frame.boxes or ()
    )


def _best_of(burst: BurstResolved, frame: BurstFrame) -> WantedCrop | None:
    named = burst.best_crop
    if named is not None and named.image_id == frame.image_id and named.category is DetectionCategory.ANIMAL:
        return WantedCrop(frame, named.box, named.score, named.source)
    if frame.category not in (BurstCategory.ANIMAL, None):
        return None
    boxes = [
        box
        for box in frame.boxes or ()
        if box.category is DetectionCategory.ANIMAL
        and not box.static
        and (box.score >= MIN_SCORE or (box.best and box.source is not None))
    ]
    best = max(boxes, key=lambda box: (box.best is True, box.score), default=None)
    return WantedCrop(frame, best.box, best.score, best.source) if best else None
