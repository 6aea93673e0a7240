"""What a burst with detections shows: animal, person, vehicle or blank; where, and how many. Pure.

1. **Person, vehicle**: a box that reaches the category's threshold in any frame, static boxes left out. An animal box
   that covers the same place as such a box is the same thing seen by a detector of one class, and is no evidence for
   an animal.
2. **Animal**: the calibrated probability that the presence model gives the burst, and each frame, from detector,
   movement and dense pass; or a focus taxon that reaches its own threshold.
3. **Category of the burst**, of several the first: a person (its pictures are withheld whatever else is there), an
   animal that is a focus taxon, a vehicle, an animal, a blank. Verdicts list the others as well. The category of a
   frame follows the same order from that frame alone.
   Where a detector knows no persons, it may take one for an animal: the crops of such a burst are withheld too.
4. **Count**: the most boxes of the category in one frame, at least 1. Overlapping boxes, boxes within larger ones, and
   a small box at a large one (a head at its body) are one individual; static boxes are none, and an animal box below
   `COUNT_SCORE` counts only where it is the best.

Frames that no detector has seen (from before there was one) are left out of all this.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log

import numpy as np
from numpy.typing import NDArray

from uncia.camtrap.presence import FrameEvidence, PresenceModel
from uncia.events import BurstCategory, CropReference, DetectionCategory, FocusScore, FrameBox
from uncia.events.values import Box
from uncia.processors.bursts.config import CategoryConfig
from uncia.processors.bursts.frame_record import FrameRecord
from uncia.processors.bursts.static_objects import SAME_OBJECT_IOU, intersection_over_union

SAME_INDIVIDUAL_IOU = 0.5
"""Overlap from which two boxes of a frame are one individual."""

WITHIN = 0.8
"""A box of which so much lies within another is part of that individual: detectors box heads and halves."""

PART_AREA = 0.3
"""An animal box of at most this share of the area of a box that it overlaps is a part of that individual: detectors box
the head of an animal that faces the camera, and the body without it. The price: a young one that touches its
mother is not counted."""

COUNT_SCORE = 0.5
"""Detector score from which a further animal box counts as an individual. Chosen with `PART_AREA` on 65 sequences of
Missouri Camera Traps, of which 8 show several animals: 58 counted right, 1 too high and 6 too low; with a score of 0.4
and without `PART_AREA`, 55, 4 and 6. No other data with counts were at hand to confirm it."""


@dataclass(frozen=True)
class FrameCategory:
    """What one frame shows by itself."""

    category: BurstCategory
    found: frozenset[BurstCategory]
    """All categories in it, of animal, person and vehicle."""
    animal_probability: float
    boxes: tuple[FrameBox, ...]
    best: int | None
    """The index in `boxes` of the animal box with most evidence, static and explained ones left out."""

    @property
    def is_animal(self) -> bool:
        """Whether an animal is in it, whatever else is."""
        return BurstCategory.ANIMAL in self.found


@dataclass(frozen=True)
class CategoryEvaluation:
    """What the frames of a burst show. The dict is by image id, and has the frames with detections."""

    category: BurstCategory
    animal_probability: float
    frames: dict[str, FrameCategory]
    found: frozenset[BurstCategory] = frozenset()
    """All categories that are in the burst, of animal, person and vehicle."""
    count: int | None = None
    best_crop: CropReference | None = None
    crops_withheld: bool = False
    scores: dict[BurstCategory, float] = field(default_factory=dict)
    """The best detector score of person and vehicle."""


def evaluate_categories(
    frames: Sequence[FrameRecord],
    animal_scores: Sequence[float],
    model: PresenceModel,
    config: CategoryConfig,
    static: Sequence[Box] = (),
    focus: frozenset[str] = frozenset(),
) -> CategoryEvaluation:
    """Evaluate the frames of a burst that have detections, in capture order; there is at least one.

    `animal_scores`: the best animal class of the dense pass in each frame. `static`: the static objects of the camera.
    `focus`: species whose focus scores count.
    """
    flags = [_static_flags(frame, static) for frame in frames]
    explained = [_explained(frame, own, config) for frame, own in zip(frames, flags, strict=True)]
    evidence = [
        _frame_evidence(frame, used, score, focus)
        for frame, used, score in zip(frames, explained, animal_scores, strict=True)
    ]
    threshold = model.threshold if config.animal_threshold is None else config.animal_threshold
    presence = model.assess(evidence, static)
    burst_probability = round(presence.burst_probability, 6)
    evaluated = {
        frame.image_id: _frame_category(
            frame,
            own,
            used,
            best,
            round(float(probability), 6),
            probability >= threshold,
            config,
            _has_focus(frame, focus),
        )
        for frame, own, used, best, probability in zip(
            frames, flags, explained, presence.best_boxes, presence.frame_probabilities, strict=True
        )
    }
    shown = {frame.image_id: _shown(frame, own, config) for frame, own in zip(frames, flags, strict=True)}
    found = frozenset().union(*shown.values())
    present = any(_has_focus(frame, focus) for frame in frames)
    if present or burst_probability >= threshold:
        found |= {BurstCategory.ANIMAL}
    category = _first(found, focus=present)
    count, best_crop = _individuals(frames, evaluated, category, config)
    # A detector that cannot tell persons from animals may have boxed a person.
    blind = any(frame.blind_to_persons for frame in frames)
    withheld = config.withhold_crops and (blind or BurstCategory.PERSON in found)
    return CategoryEvaluation(
        category=category,
        animal_probability=burst_probability,
        frames=evaluated,
        found=found,
        count=count,
        best_crop=None if withheld else best_crop,
        crops_withheld=withheld,
        scores=_best_scores(frames, flags),
    )


def individuals(boxes: Sequence[Box], part_area: float = 0.0) -> list[int]:
    """Indices of the boxes that are individuals of their own, of boxes of one frame, best first.

    `part_area`: share of the area of an overlapping box up to which a box is a part of the same individual.
    """
    kept: list[int] = []
    for place, box in enumerate(boxes):
        if not any(_same_individual(box, boxes[other], part_area) for other in kept):
            kept.append(place)
    return kept


def _same_individual(one: Box, other: Box, part_area: float) -> bool:
    if intersection_over_union(one, other) >= SAME_INDIVIDUAL_IOU:
        return True
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return False
    smaller, larger = sorted((one[2] * one[3], other[2] * other[3]))
    return smaller <= part_area * larger or width * height >= WITHIN * smaller


def _static_flags(frame: FrameRecord, static: Sequence[Box]) -> tuple[bool, ...]:
    return tuple(
        any(intersection_over_union(stored.box, place) >= SAME_OBJECT_IOU for place in static) for stored in frame.boxes
    )


def _threshold(category: DetectionCategory, config: CategoryConfig) -> float:
    return config.person_threshold if category is DetectionCategory.PERSON else config.vehicle_threshold


def _shown(frame: FrameRecord, static: Sequence[bool], config: CategoryConfig) -> set[BurstCategory]:
    """Persons and vehicles of one frame."""
    return {
        BurstCategory(stored.category)
        for stored, is_static in zip(frame.boxes, static, strict=True)
        if stored.category is not DetectionCategory.ANIMAL
        and not is_static
        and stored.score >= _threshold(stored.category, config)
    }


def _explained(frame: FrameRecord, static: Sequence[bool], config: CategoryConfig) -> NDArray[np.intp]:
    """Indices of the boxes that are evidence: all but animal boxes at the place of a person or vehicle."""
    others = [
        stored.box
        for stored in frame.boxes
        if stored.category is not DetectionCategory.ANIMAL and stored.score >= _threshold(stored.category, config)
    ]
    used = [
        place
        for place, stored in enumerate(frame.boxes)
        if stored.category is not DetectionCategory.ANIMAL
        or not any(intersection_over_union(stored.box, other) >= SAME_INDIVIDUAL_IOU for other in others)
    ]
    return np.array(used, dtype=np.intp)


def _has_focus(frame: FrameRecord, focus: frozenset[str]) -> bool:
    return any(score.present and score.taxon in focus for score in frame.focus)


def _frame_evidence(
    frame: FrameRecord, used: NDArray[np.intp], animal_score: float, focus: frozenset[str]
) -> FrameEvidence:
    return FrameEvidence(
        boxes=frame.box_array[used],
        scores=np.array([frame.boxes[place].score for place in used.tolist()], dtype=np.float64),
        categories=tuple(frame.boxes[place].category.value for place in used.tolist()),
        luminance=frame.luminance_grid,
        animal_score=animal_score,
        focus_margin=max((_margin(score) for score in frame.focus if score.taxon in focus), default=0.0),
    )


def _margin(score: FocusScore) -> float:
    """By how much a score exceeds its threshold, in log-odds."""
    return _log_odds(score.score) - _log_odds(score.threshold)


def _log_odds(score: float) -> float:
    held = min(max(score, 1e-6), 1 - 1e-6)
    return log(held / (1 - held))


def _frame_category(
    frame: FrameRecord,
    static: Sequence[bool],
    used: NDArray[np.intp],
    chosen: int | None,
    probability: float,
    is_animal: bool,
    config: CategoryConfig,
    focus: bool,
) -> FrameCategory:
    shown = _shown(frame, static, config)
    if focus or is_animal:
        shown.add(BurstCategory.ANIMAL)
    return FrameCategory(
        category=_first(shown, focus=focus),
        found=frozenset(shown),
        animal_probability=probability,
        boxes=tuple(
            FrameBox(
                category=stored.category,
                score=stored.score,
                box=stored.box,
                static=True if is_static else None,
                second_look=True if place in frame.second_look_boxes else None,
            )
            for place, (stored, is_static) in enumerate(zip(frame.boxes, static, strict=True))
        ),
        best=_best_box(frame, static, used, chosen),
    )


def _best_box(frame: FrameRecord, static: Sequence[bool], used: NDArray[np.intp], chosen: int | None) -> int | None:
    """The chosen animal box, or where that is a static object the best of the others."""
    if chosen is None or not static[used[chosen]]:
        return None if chosen is None else int(used[chosen])
    others = (
        place
        for place in used.tolist()
        if not static[place] and frame.boxes[place].category is DetectionCategory.ANIMAL
    )
    return next(others, None)


def _first(found: frozenset[BurstCategory] | set[BurstCategory], *, focus: bool) -> BurstCategory:
    order = [BurstCategory.PERSON, BurstCategory.VEHICLE, BurstCategory.ANIMAL]
    if focus:
        order.insert(1, BurstCategory.ANIMAL)
    return next((category for category in order if category in found), BurstCategory.BLANK)


def _individuals(
    frames: Sequence[FrameRecord],
    evaluated: dict[str, FrameCategory],
    category: BurstCategory,
    config: CategoryConfig,
) -> tuple[int | None, CropReference | None]:
    """How many individuals of the category are in the frame that has most, and its best crop."""
    if category is BurstCategory.BLANK:
        return None, None
    wanted = DetectionCategory(category.value)
    animal = category is BurstCategory.ANIMAL
    least = COUNT_SCORE if animal else _threshold(wanted, config)
    # A person far away may well overlap one close by.
    part_area = PART_AREA if animal else 0.0
    count, best, order = 1, None, (-1.0, -1.0)
    for frame in frames:
        found = evaluated[frame.image_id]
        if animal and not found.is_animal:
            continue
        places = [
            place
            for place, box in enumerate(found.boxes)
            if box.category is wanted and not box.static and box.score >= least
        ]
        count = max(count, len(individuals([found.boxes[place].box for place in places], part_area)))
        if animal:
            place, certainty = found.best, found.animal_probability
        else:
            place, certainty = next(iter(places), None), 1.0
        if place is not None and (certainty, found.boxes[place].score) > order:
            order = (certainty, found.boxes[place].score)
            best = (frame.image_id, found.boxes[place])
    crop = (
        None if best is None else CropReference(image_id=best[0], box=best[1].box, category=wanted, score=best[1].score)
    )
    return count, crop


def _best_scores(frames: Sequence[FrameRecord], flags: Sequence[Sequence[bool]]) -> dict[BurstCategory, float]:
    scores: dict[BurstCategory, float] = {}
    for frame, static in zip(frames, flags, strict=True):
        for stored, is_static in zip(frame.boxes, static, strict=True):
            if not is_static:
                category = BurstCategory(stored.category.value)
                scores[category] = max(scores.get(category, 0.0), stored.score)
    return scores
