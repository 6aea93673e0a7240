"""Where the animal of a frame is: the box of choice among those of the detector and those made of movement.

A detector boxes stones with a higher score than a heron that stands still, and half of the scene around a leopard. In
a still scene what moved has the shape of the animal. So each frame has as candidates the detector's animal boxes and up
to four **boxes made of movement**: around its most changed place, around the second one, and those of the frames next
to it, where an animal that keeps still in this frame may stand. A weighted sum of `CHOICE_FEATURES` decides;
`uncia train presence` fits its weights.

This says where the animal is, not whether one is there: presence does not depend on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from uncia.camtrap.movement import cell_shares, intersection_over_union, moved_regions, region_box, still_change
from uncia.events.values import Box

__all__ = ["CHOICE_FEATURES", "BoxCandidates", "CandidateFrame", "ChoiceWeights", "ChosenBox", "box_candidates"]

Floats = NDArray[np.float64]

CHOICE_FEATURES = ("score", "detected", "inside", "peak_inside", "still", "area", "outside")
"""Features of a candidate:

- `score`: log-odds of the detector's score; a box made of movement has that of the least score
- `detected`: 1 for a box of the detector
- `inside`: share of the frame's movement that is inside the box, 0 to 1
- `peak_inside`: the same, times the logarithm of how much more the most changed cell changed than the still scene
- `still`: share of the other frames that have a box at its place, as far as it did not move; 0 for a box made of
  movement
- `area`: share of the photograph, 0 to 1
- `outside`: of the movement in the box and its surroundings, the share that is outside of the box, 0 to 1
"""

_TIGHT = (2.5, 0.15)
_LOOSE = (2.0, 0.07)
"""`over_still` and `peak_share` of `moved_regions`: what surely moved, and what may have."""
_KEEPS_STILL_IOU = 0.4
"""Overlap with the most changed place of the frame before or after from which the animal keeps still: then it moved
against its own picture, in parts, and what may have moved counts as well."""
_LOOSE_AREA = 3.0
"""A box of what may have moved that is larger than so many times that of what surely moved is not of one thing."""
_MOVING = 2.0
"""Change counts as movement from this many times that of the still scene."""
_SURROUNDINGS = 0.3
"""Width of a box's surroundings on each side, as a share of the box."""
_NOISE = 0.01
_STATIC_ODDS = 2.0
"""What a box on a known static object that did not move loses; set by hand, as in presence."""
_DOUBTFUL_ODDS = -1.4
_BLIND_ODDS = 2.0
"""What a box whose score is lower than `_DOUBTFUL_ODDS` (0.2) loses where the dense pass found a focus taxon: it is
there to find what detectors are blind to. Set by hand."""


class ChoiceWeights(BaseModel):
    """Weights of `CHOICE_FEATURES`; one without weight does not count."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    features: dict[str, float]
    learnt_on: str = ""

    def vector(self) -> Floats:
        """The weights in the order of `CHOICE_FEATURES`."""
        return np.array([self.features.get(name, 0.0) for name in CHOICE_FEATURES], dtype=np.float64)


@dataclass(frozen=True)
class ChosenBox:
    """The box of choice of a frame."""

    box: Box
    index: int | None
    """The index in `FrameEvidence.boxes`; None for a box made of movement."""


@dataclass(frozen=True, eq=False)
class CandidateFrame:
    """What the candidates of a frame are made of."""

    boxes: Floats
    """(n, 4): the detector's animal boxes, within the photograph."""
    rows: Floats
    """(n, 4): log-odds of their score, how much of them moved, recurrence, and whether they are static."""
    least: float
    """Log-odds of the least score."""
    change: Floats | None
    """(rows, columns); None where it is unknown."""
    shown: Box
    """What the cells of `change` cover."""
    focus: bool = False
    """Whether the dense pass found a focus taxon in it."""


@dataclass(frozen=True, eq=False)
class BoxCandidates:
    """The candidates of a frame: first the n boxes of the detector, then those made of movement."""

    boxes: Floats
    """(m, 4)"""
    features: Floats
    """(m, len(CHOICE_FEATURES))"""
    penalty: Floats
    """(m,): what static and doubtful boxes lose."""

    def best(self, weights: Floats) -> int:
        """The index of the candidate with most evidence; there is at least one."""
        return int(np.argmax(self.features @ weights - self.penalty))


def box_candidates(frames: Sequence[CandidateFrame]) -> list[BoxCandidates | None]:
    """The candidates of each frame of a burst, in capture order; None where movement is unknown or there is none."""
    known = [number for number, frame in enumerate(frames) if frame.change is not None]
    if not known:
        return [None] * len(frames)
    changes = np.stack([change for frame in frames if (change := frame.change) is not None])
    stills = still_change(changes)
    still = dict(zip(known, stills.tolist(), strict=True))
    moved = _movement_boxes(frames, known, changes, stills)
    found: list[BoxCandidates | None] = []
    for number, frame in enumerate(frames):
        if frame.change is None:
            found.append(None)
            continue
        beside = [moved[other][0] for other in (number - 1, number + 1) if 0 <= other < len(frames) and moved[other]]
        made = np.array([*moved[number], *beside], dtype=np.float64).reshape(-1, 4)
        boxes = np.concatenate([frame.boxes, made])
        found.append(_candidates(frame, boxes, frame.change, still[number]) if len(boxes) else None)
    return found


def _movement_boxes(
    frames: Sequence[CandidateFrame], known: Sequence[int], changes: Floats, still: Floats
) -> list[list[Box]]:
    """Of each frame the boxes made of its own movement, the most changed place first.

    `changes` (N, rows, columns) and `still` (N,) are those of the frames with the numbers `known`.
    """
    boxes: list[list[Box]] = [[] for _ in frames]
    first, has_first = moved_regions(changes, still, *_TIGHT)
    second, has_second = moved_regions(changes, still, *_TIGHT, without=first)
    loose, _ = moved_regions(changes, still, *_LOOSE)
    tight = {
        number: region_box(first[place], frames[number].shown) for place, number in enumerate(known) if has_first[place]
    }
    for place, number in enumerate(known):
        if (own := tight.get(number)) is None:
            continue
        beside = (tight[other] for other in (number - 1, number + 1) if other in tight)
        if any(_overlap(own, other) >= _KEEPS_STILL_IOU for other in beside):
            larger = region_box(loose[place], frames[number].shown)
            own = larger if larger[2] * larger[3] <= _LOOSE_AREA * own[2] * own[3] else own
        boxes[number].append(own)
        if has_second[place]:
            boxes[number].append(region_box(second[place], frames[number].shown))
    return boxes


def _overlap(one: Box, other: Box) -> float:
    return float(intersection_over_union(np.array([one]), np.array([other]))[0, 0])


def _candidates(frame: CandidateFrame, boxes: Floats, change: Floats, still: float) -> BoxCandidates:
    count = len(frame.boxes)
    moving = (change - _MOVING * still).clip(0)
    inside, around = (_within(moving, table, frame.shown) for table in (boxes, _with_surroundings(boxes)))
    share = inside / (moving.sum() + 1e-6)
    features = np.zeros((len(boxes), len(CHOICE_FEATURES)))
    features[:, 0] = frame.least
    features[:count, 0] = frame.rows[:, 0]
    features[:count, 1] = 1.0
    features[:, 2] = share
    features[:, 3] = share * np.log((change.max() + _NOISE) / (still + _NOISE))
    features[:count, 4] = frame.rows[:, 2] * (1 - frame.rows[:, 1])
    features[:, 5] = boxes[:, 2] * boxes[:, 3]
    features[:, 6] = ((around - inside) / np.maximum(around, 1e-6)).clip(0, 1)
    penalty = np.zeros(len(boxes))
    penalty[:count] = _STATIC_ODDS * frame.rows[:, 3]
    if frame.focus:
        penalty[:count] += _BLIND_ODDS * (frame.rows[:, 0] < _DOUBTFUL_ODDS)
    return BoxCandidates(boxes, features, penalty)


def _within(cells: Floats, boxes: Floats, shown: Box) -> Floats:
    """The sum of `cells` (rows, columns) in each of m boxes (m, 4): (m,)."""
    row_shares, column_shares = cell_shares(boxes.T, shown, cells.shape)
    total: Floats = ((row_shares @ cells) * column_shares).sum(axis=1)
    return total


def _with_surroundings(boxes: Floats) -> Floats:
    margin = boxes[:, 2:] * _SURROUNDINGS
    return np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + 2 * margin], axis=1)
