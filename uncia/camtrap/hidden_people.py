"""Which photographs show a person, and where in them: what is hidden from those who may not see people. Pure.

A burst shows a person if anything says so: its verdict (provisional ones too) or its review, a frame, or a box of a
person at or above `UNCIA_PERSON_THRESHOLD` in the prediction of any of its photographs. A person in one frame hides
something of all frames of the burst, since a detector that finds a person in one frame may miss them in the next.

A review adds to this and takes nothing away: an error leaves an animal blurred, and shows no person.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from uncia.events.bursts import BurstCategory, BurstFrame, BurstResolved
from uncia.events.detections import DetectionCategory
from uncia.events.values import Box

__all__ = [
    "PERSON_GENUS",
    "PERSON_TAXA",
    "STORED_BOXES",
    "BurstEvidence",
    "HiddenPeople",
    "PersonBox",
    "evidence_of",
    "hidden_people",
    "keep_persons_first",
]

PERSON_GENUS = "Homo"
PERSON_TAXA = ("Homo sapiens", PERSON_GENUS)
"""What classifiers and reviewers call a person, where they give a taxon."""

LOWEST_SCORE = 0.1
"""Boxes of persons with a lower score are not blurred. Where a person is in the burst, weak boxes are the rest of them:
far away, cut off by the edge, behind a bush."""


@dataclass(frozen=True)
class PersonBox:
    """A box around a person in one photograph."""

    image_id: str
    box: Box
    score: float = 1.0
    """The detector's; 1 for a box that a reviewer drew."""
    static: bool = False
    """It counts as background: it hides something of a burst with a person, and makes no burst one."""


@dataclass(frozen=True)
class BurstEvidence:
    """What is known of persons in one burst, or in one photograph that is in no burst yet."""

    says_person: bool = False
    """A verdict, a review or a frame says that there is a person."""
    boxes: tuple[PersonBox, ...] = field(default=())

    def shows_person(self, threshold: float) -> bool:
        """Whether a person is in the burst; `threshold` is the detector's score from which a box counts."""
        return self.says_person or any(found.score >= threshold and not found.static for found in self.boxes)


class _HasCategory(Protocol):
    @property
    def category(self) -> DetectionCategory: ...


Categorised = TypeVar("Categorised", bound=_HasCategory)
"""A detection, as an event or a state has it."""

STORED_BOXES = 10
"""Boxes of a photograph that events and states keep, those of persons before others."""


def keep_persons_first(found: Sequence[Categorised]) -> list[Categorised]:
    """At most `STORED_BOXES` of some detections, in their order: those of persons, then the first of the others.

    A person among many animals must not be left out: the box hides the person from those who need not see people.
    """
    numbers = sorted(range(len(found)), key=lambda number: found[number].category is not DetectionCategory.PERSON)
    return [found[number] for number in sorted(numbers[:STORED_BOXES])]


@dataclass(frozen=True)
class HiddenPeople:
    """What of one photograph is hidden."""

    boxes: tuple[Box, ...]
    """Blurred, with a margin. Empty: it is not known where the person is, and all of the photograph is withheld."""

    @property
    def withheld(self) -> bool:
        """Whether there is no copy to show."""
        return not self.boxes


def hidden_people(image_id: str, bursts: Iterable[BurstEvidence], threshold: float) -> HiddenPeople | None:
    """What of a photograph is hidden, by all bursts that contain it; None: no person is known in any of them."""
    found = [burst for burst in bursts if burst.shows_person(threshold)]
    if not found:
        return None
    least = min(threshold, LOWEST_SCORE)
    own = [one for burst in found for one in burst.boxes if one.image_id == image_id and one.score >= least]
    boxes = {one.box for one in own}
    # A weak box, or one of the background, does not say where the person is; of a crowd, not all boxes are stored.
    is_located = any(one.score >= threshold and not one.static for one in own)
    if not is_located or len(boxes) >= STORED_BOXES:
        return HiddenPeople(())
    return HiddenPeople(tuple(sorted(boxes)))


def evidence_of(burst: BurstResolved) -> BurstEvidence:
    """What the event of a burst says of persons in it."""
    categories = {burst.category, *(frame.category for frame in burst.frames)}
    named = {taxon.taxon for taxon in (burst.verdict, *burst.taxa) if taxon is not None and taxon.certain}
    if burst.review is not None:
        further = burst.review.further or ()
        categories |= {burst.review.category, *(one.category for one in further)}
        named |= {burst.review.taxon or "", *(one.taxon or "" for one in further)}
    return BurstEvidence(
        BurstCategory.PERSON in categories or not named.isdisjoint(PERSON_TAXA),
        tuple(box for frame in burst.frames for box in _boxes(frame)),
    )


def _boxes(frame: BurstFrame) -> Iterable[PersonBox]:
    for found in frame.boxes or ():
        if found.category is DetectionCategory.PERSON:
            yield PersonBox(frame.image_id, found.box, found.score, bool(found.static))
