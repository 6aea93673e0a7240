"""Whether an animal is in the frames of a burst: the fusion of detector, movement and dense pass.

A detector alone takes stones and stumps for animals, in every frame of a burst; but those never move. So the evidence
of a box is the detector's score, the share of the box that moved against the other frames, and how often the box comes
back at the same place. Three logistic curves follow one another:

1. **Box**: evidence of a box in log-odds. The evidence of a frame is that of its best box, or of no box at all,
   plus what the frame as a whole tells (movement everywhere is wind or light; the dense pass).
2. **Frame**: the probability of a frame from its own evidence, that of its neighbours and the best of the burst:
   frames inform each other without being averaged.
3. **Burst**: the probability that any frame shows an animal, fitted on whole bursts. Frames are not independent, so
   their probabilities are never multiplied.

The weights are numbers in a file with a name and a digest; `uncia train presence` fits them. There are three sets of
weights: for a single frame, for several frames without luminance, and for frames whose movement is known.

Everything here is a pure function of the frames in capture order. No clock, no files but the model's, no network.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from uncia.errors import SettingsError
from uncia.events.values import Box

__all__ = [
    "BURST_FEATURES",
    "CONTEXT_FEATURES",
    "FEATURES",
    "BurstFeatures",
    "EvidenceKind",
    "EvidenceWeights",
    "FrameEvidence",
    "PresenceModel",
    "PresenceResult",
    "box_movement",
    "load_presence_model",
]

Floats = NDArray[np.float64]
EvidenceKind = Literal["single", "still", "moving"]

FEATURES = ("score", "moved", "recurrence", "size", "static", "scene_moved", "dense", "peak_moved")
"""Features of a box and of its frame:

- `score`: log-odds of the detector's score, from `MIN_SCORE`
- `moved`: share of the box that moved against the other frames of the burst, 0 to 1
- `recurrence`: share of the other frames that have a box at the same place, 0 to 1
- `size`: square root of the box's share of the photograph, 0 to 1
- `static`: 1 where the box covers a known static object and did not move
- `scene_moved`: share of the whole picture that moved, 0 to 1
- `dense`: log-odds of the dense pass's best animal class, 0 where it is unknown
- `peak_moved`: logarithm of how much more the most changed place of the picture changed than most of it, 0 where it is
  unknown: an animal that the detector does not see, in a scene that is still. The places of the
  burst's persons and vehicles do not count
"""

CONTEXT_FEATURES = ("own", "neighbours", "best")
"""Evidence in log-odds: of the frame itself, of the better frame next to it, and of the best frame of the burst."""

BURST_FEATURES = ("best", "mean")
"""Log-odds of the frames of a burst: the highest, and the mean."""

MIN_SCORE = 0.02
"""A box with a lower score is no evidence; a frame without boxes counts as one with this score."""
SAME_PLACE_IOU = 0.6
STATIC_IOU = 0.75
_MAX_BOXES = 64
"""Boxes of a frame that count, by score: a detector that finds thousands must not take minutes."""
_MAX_ODDS = 12.0
"""Bounds all log-odds, so that no sum overflows and no probability becomes 0 or 1."""
_MIN_CONTRAST = 4.0
"""Grey levels added to the contrast of a frame, so that the noise of a black or white one is not amplified."""
_PEAK_CELLS = 2
"""Side of the place in `peak_moved`, in cells."""
_PEAK_NOISE = 0.01
"""Change, as a share of the frame's contrast, that is noise."""
_OTHER_SCORE = 0.2
"""Score from which a person or vehicle explains the movement at its place."""
_LUMINANCE_BOX: Box = (0.0, 0.04, 1.0, 0.89)
"""What the luminance grid shows: the frame of the default `FrameSpec`, without the printed strips."""


@dataclass(frozen=True, eq=False)
class FrameEvidence:
    """What is known of one frame of a burst."""

    boxes: Floats
    """(n, 4): x, y, width, height as shares of the photograph."""
    scores: Floats
    """(n,), the detector's scores."""
    categories: tuple[str, ...]
    """Category of each box; only `animal` counts here."""
    luminance: NDArray[np.uint8] | None = None
    """(rows, columns); None where it is unknown."""
    animal_score: float = 0.0
    """Best window of any animal class in the dense pass; 0 where it is unknown."""
    focus_margin: float = 0.0
    """By how much, in log-odds, the best focus taxon exceeds its threshold in the dense pass; 0 or less: not at all."""
    luminance_box: Box = field(default=_LUMINANCE_BOX)
    """The part of the photograph that the luminance grid shows."""


@dataclass(frozen=True)
class BurstFeatures:
    """The features of N frames of a burst: what `PresenceModel` weighs, and what its weights are fitted on."""

    kind: EvidenceKind
    frames: tuple[Floats, ...]
    """Per frame (n + 1, len(FEATURES)): its n animal boxes, and last the absence of any box."""
    boxes: tuple[NDArray[np.intp], ...]
    """Per frame (n,): the index in `FrameEvidence.boxes` of each row but the last."""
    focus: Floats
    """(N,), the margin of a focus taxon in log-odds, at least 0."""


@dataclass(frozen=True)
class PresenceResult:
    """What a model says about a burst."""

    frame_probabilities: Floats
    """(N,)"""
    burst_probability: float
    best_boxes: tuple[int | None, ...]
    """Per frame, the index in `FrameEvidence.boxes`; None where it has no animal box."""


class EvidenceWeights(BaseModel):
    """Weights of the three logistic curves. Those of evidence for an animal are never negative, so that a higher score
    never lowers a probability."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    bias: float
    features: dict[str, float]
    """By name of `FEATURES`; a feature without weight does not count."""
    context_bias: float = 0.0
    context: dict[str, float] = Field(default_factory=lambda: {"own": 1.0})
    burst_bias: float = 0.0
    burst: dict[str, float] = Field(default_factory=lambda: {"best": 1.0})

    def vector(self) -> Floats:
        """The weights in the order of `FEATURES`."""
        return _vector(self.features, FEATURES)

    def context_vector(self) -> Floats:
        """The weights in the order of `CONTEXT_FEATURES`."""
        return _vector(self.context, CONTEXT_FEATURES)

    def burst_vector(self) -> Floats:
        """The weights in the order of `BURST_FEATURES`."""
        return _vector(self.burst, BURST_FEATURES)


class PresenceModel(BaseModel):
    """Weights of the fusion, and where they come from. Immutable and thread-safe."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    format: Literal["uncia-presence/1"] = "uncia-presence/1"
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    learnt_on: str = Field(default="", description="the data, in words")
    learnt_at: str = Field(default="", description="date")
    split_by_camera: bool = Field(default=False, description="whether the figures are of cameras not learnt from")
    figures: dict[str, dict[str, float]] = Field(default_factory=dict, description="on held-out data, by name")
    movement_threshold: float = Field(
        default=0.35,
        gt=0,
        description="a cell moved where it differs by this share of the frame's contrast, and "
        "not where it differs by half of it; in between, partly",
    )
    focus_weight: float = Field(default=1.0, ge=0, description="weight of a focus taxon's margin; set by hand")
    threshold: float = Field(default=0.5, gt=0, lt=1, description="a burst with this probability shows an animal")
    single: EvidenceWeights
    still: EvidenceWeights
    moving: EvidenceWeights

    @cached_property
    def id(self) -> str:
        """`<name>@<digest>`: changes with every number that shapes the result."""
        shaping = self.model_dump_json(include={"movement_threshold", "focus_weight", "single", "still", "moving"})
        return f"{self.name}@{hashlib.sha256(shaping.encode()).hexdigest()[:12]}"

    def assess(self, frames: Sequence[FrameEvidence], static: Sequence[Box] = ()) -> PresenceResult:
        """Everything about a burst at once: `frames` are in capture order, `static` the camera's static objects."""
        return self.assess_features(self.features(frames, static))

    def assess_features(self, features: BurstFeatures) -> PresenceResult:
        """As `assess`, from features that were computed before with this model's `movement_threshold`."""
        weights = self._weights(features.kind)
        vector = weights.vector()
        evidence = frame_evidence(features, weights.bias, vector) + self.focus_weight * features.focus
        odds = (weights.context_bias + context_features(evidence) @ weights.context_vector()).clip(
            -_MAX_ODDS, _MAX_ODDS
        )
        burst = weights.burst_bias + burst_features(odds) @ weights.burst_vector() if len(odds) else -np.inf
        boxes = [
            int(indices[np.argmax(rows[:-1] @ vector)]) if len(indices) else None
            for rows, indices in zip(features.frames, features.boxes, strict=True)
        ]
        probability = float(_expit(np.array(burst))) if len(odds) else 0.0
        return PresenceResult(_expit(odds), probability, tuple(boxes))

    def frame_probabilities(self, frames: Sequence[FrameEvidence], static: Sequence[Box] = ()) -> Floats:
        """Probability of each frame that it shows an animal, (N,)."""
        return self.assess(frames, static).frame_probabilities

    def burst_probability(self, frames: Sequence[FrameEvidence], static: Sequence[Box] = ()) -> float:
        """Probability that any frame shows an animal, calibrated on bursts; 0 for a burst without frames."""
        return self.assess(frames, static).burst_probability

    def best_boxes(self, frames: Sequence[FrameEvidence], static: Sequence[Box] = ()) -> list[int | None]:
        """Per frame the index in `boxes` of the animal box with most evidence; None where it has no animal box."""
        return list(self.assess(frames, static).best_boxes)

    def features(self, frames: Sequence[FrameEvidence], static: Sequence[Box] = ()) -> BurstFeatures:
        """The features of a burst's frames, in capture order."""
        return burst_evidence_features(frames, static, self.movement_threshold)

    def _weights(self, kind: EvidenceKind) -> EvidenceWeights:
        return {"single": self.single, "still": self.still, "moving": self.moving}[kind]


def burst_evidence_features(
    frames: Sequence[FrameEvidence], static: Sequence[Box], movement_threshold: float
) -> BurstFeatures:
    """The features of each box of each frame; `frames` in capture order."""
    animals = [_animal_boxes(frame) for frame in frames]
    changes = _changes(frames)
    moved = _moved_cells(changes, movement_threshold)
    explained = [box for frame in frames for box in _other_boxes(frame)]
    kind: EvidenceKind = "single" if len(frames) < 2 else "still" if moved is None else "moving"
    recurrence = _recurrence([boxes for _, boxes, _ in animals])
    places = np.asarray(static, dtype=np.float64).reshape(-1, 4)
    rows: list[Floats] = []
    for number, (frame, (_, boxes, scores)) in enumerate(zip(frames, animals, strict=True)):
        cells = None if moved is None else moved[number]
        table = np.zeros((len(boxes) + 1, len(FEATURES)))
        table[:-1, 0] = _logit(scores.clip(MIN_SCORE, 1))
        table[-1, 0] = _logit(np.array(MIN_SCORE))
        if cells is not None:
            table[:-1, 1] = [box_movement(cells, box, frame.luminance_box) for box in boxes]
            table[:, 5] = cells.mean()
        table[:-1, 2] = recurrence[number]
        table[:-1, 3] = np.sqrt((boxes[:, 2] * boxes[:, 3]).clip(0, 1))
        if len(places) and len(boxes):
            table[:-1, 4] = (intersection_over_union(boxes, places).max(axis=1) >= STATIC_IOU) * (1 - table[:-1, 1])
        table[:, 6] = _dense_evidence(frame.animal_score)
        change = None if changes is None else changes[number]
        table[:, 7] = 0.0 if change is None else _peak(change, explained, frame.luminance_box)
        rows.append(table)
    focus = np.array([_finite(frame.focus_margin) for frame in frames], dtype=np.float64).clip(0, _MAX_ODDS)
    return BurstFeatures(kind, tuple(rows), tuple(indices for indices, _, _ in animals), focus)


def frame_evidence(features: BurstFeatures, bias: float, weights: Floats) -> Floats:
    """Log-odds of each frame from its best box, or from none, (N,)."""
    best = [bias + (rows @ weights).max() for rows in features.frames]
    return np.array(best, dtype=np.float64).clip(-_MAX_ODDS, _MAX_ODDS)


def context_features(evidence: Floats) -> Floats:
    """`CONTEXT_FEATURES` of each frame, (N, 3), from the evidence (N,) of the frames in capture order."""
    if not len(evidence):
        return np.zeros((0, len(CONTEXT_FEATURES)))
    if len(evidence) == 1:
        return np.tile(evidence[:, None], (1, len(CONTEXT_FEATURES)))
    padded = np.concatenate([[-np.inf], evidence, [-np.inf]])
    neighbours = np.maximum(padded[:-2], padded[2:])
    return np.stack([evidence, neighbours, np.full(len(evidence), evidence.max())], axis=1)


def burst_features(odds: Floats) -> Floats:
    """`BURST_FEATURES` of a burst, (2,), from the log-odds (N,) of its frames."""
    return np.array([odds.max(), odds.mean()])


def moved_cells(frames: Sequence[FrameEvidence], threshold: float) -> list[Floats | None] | None:
    """How much each cell of each frame moved, 0 to 1, (rows, columns) per frame; None for frames without luminance.

    None altogether where fewer than two frames have a grid of one size.
    """
    return _moved_cells(_changes(frames), threshold)


def _moved_cells(changes: list[Floats | None] | None, threshold: float) -> list[Floats | None] | None:
    if changes is None:
        return None
    return [None if change is None else (2 * change / threshold - 1).clip(0, 1) for change in changes]


def _changes(frames: Sequence[FrameEvidence]) -> list[Floats | None] | None:
    """By how much each cell differs, as a share of the frame's contrast, (rows, columns) per frame; as `moved_cells`.

    Each frame is normalised to the same mean and contrast, which cancels exposure, and compared with the median of the
    *other* frames: with three frames already, an animal in one of them does not hide in its own background.
    """
    grids_of = {number: frame.luminance for number, frame in enumerate(frames) if frame.luminance is not None}
    shapes = Counter(grid.shape for grid in grids_of.values() if grid.size)
    if not shapes:
        return None
    shape = max(shapes, key=lambda one: (shapes[one], one))
    known = [number for number, grid in grids_of.items() if grid.shape == shape]
    if len(known) < 2:
        return None
    grids = np.stack([grids_of[number] for number in known]).astype(np.float32)
    contrast = grids.std(axis=(1, 2), keepdims=True) + _MIN_CONTRAST
    grids = (grids - grids.mean(axis=(1, 2), keepdims=True)) / contrast
    difference = np.abs(grids - _median_of_others(grids)).astype(np.float64)
    changes: list[Floats | None] = [None] * len(frames)
    for number, own in zip(known, difference, strict=True):
        changes[number] = own
    return changes


def _peak(change: Floats, explained: Sequence[Sequence[float]], shown: Box) -> float:
    """Logarithm of the mean change (rows, columns) of the most changed place, over the upper quartile of all cells.

    Cells of the boxes `explained` do not count.
    """
    free = np.ones(change.shape, dtype=bool)
    for box in explained:
        row_share, column_share = _cell_shares(box, shown, change.shape)
        free &= ~np.outer(row_share > 0, column_share > 0)
    if not free.any():
        return 0.0
    side = min(_PEAK_CELLS, *change.shape)
    places = np.lib.stride_tricks.sliding_window_view(np.where(free, change, 0.0), (side, side)).mean(axis=(2, 3))
    return float(np.log((places.max() + _PEAK_NOISE) / (np.quantile(change[free], 0.75) + _PEAK_NOISE)))


def _other_boxes(frame: FrameEvidence) -> list[list[float]]:
    """The boxes of persons and vehicles of a frame whose numbers are finite."""
    boxes = np.asarray(frame.boxes, dtype=np.float64).reshape(-1, 4)
    return [
        box
        for box, score, category in zip(boxes.tolist(), frame.scores.tolist(), frame.categories, strict=False)
        if category != "animal" and score >= _OTHER_SCORE and all(map(math.isfinite, box))
    ]


def box_movement(cells: Floats, box: Sequence[float] | Floats, shown: Box = _LUMINANCE_BOX) -> float:
    """Mean of `cells` (rows, columns) over a box, 0 to 1, each cell by the area that the box covers.

    `shown` is the part of the photograph that the cells cover.
    """
    row_share, column_share = _cell_shares(box, shown, cells.shape)
    area = row_share.sum() * column_share.sum()
    return float(np.clip(row_share @ cells @ column_share / area, 0, 1)) if area > 1e-9 else 0.0


def _cell_shares(box: Sequence[float] | Floats, shown: Box, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """How much of each row and of each column of a grid a box covers, (rows,) and (columns,)."""
    x, y, width, height = box
    return (
        _coverage((y - shown[1]) / shown[3], (y + height - shown[1]) / shown[3], shape[0]),
        _coverage((x - shown[0]) / shown[2], (x + width - shown[0]) / shown[2], shape[1]),
    )


def intersection_over_union(first: Floats, second: Floats) -> Floats:
    """Of every box of `first` (n, 4) with every box of `second` (m, 4): (n, m)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum((first[:, :2] + first[:, 2:])[:, None], (second[:, :2] + second[:, 2:])[None])
    overlap: Floats = (high - low).clip(0).prod(axis=2)
    union = first[:, 2:].prod(axis=1)[:, None] + second[:, 2:].prod(axis=1)[None] - overlap
    shares: Floats = overlap / np.maximum(union, 1e-12)
    return shares


def load_presence_model(path: Path | None = None) -> PresenceModel:
    """The model of a file, or the default one. Raises `SettingsError` with what to do."""
    if path is None:
        return _default_model()
    try:
        return PresenceModel.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"no presence model at {path}: `uncia train presence` makes one") from error
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise SettingsError(f"{path} is not a presence model ({where}: {problem['msg']})") from error


@lru_cache(maxsize=1)
def _default_model() -> PresenceModel:
    return load_presence_model(Path(__file__).with_name("presence_default.json"))


def _animal_boxes(frame: FrameEvidence) -> tuple[NDArray[np.intp], Floats, Floats]:
    """Indices, boxes (n, 4) and scores (n,) of the best animal boxes whose numbers are finite."""
    boxes = np.asarray(frame.boxes, dtype=np.float64).reshape(-1, 4)
    scores = np.asarray(frame.scores, dtype=np.float64).reshape(-1)
    animal = np.array([category == "animal" for category in frame.categories], dtype=bool)
    if not len(boxes) == len(scores) == len(animal):
        raise ValueError(f"{len(boxes)} boxes, {len(scores)} scores and {len(animal)} categories")
    usable = animal & np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    usable_indices = np.flatnonzero(usable)
    best = np.argsort(-scores[usable_indices], kind="stable")[:_MAX_BOXES]
    indices = np.sort(usable_indices[best])
    corners = np.concatenate([boxes[indices, :2], boxes[indices, :2] + boxes[indices, 2:]], axis=1).clip(0, 1)
    within = np.concatenate([corners[:, :2], (corners[:, 2:] - corners[:, :2]).clip(0)], axis=1)
    return indices, within, scores[indices].clip(0, 1)


def _recurrence(boxes: Sequence[Floats]) -> list[Floats]:
    """Per frame (n,): the share of the other frames that have a box at the place of each of its boxes."""
    others = len(boxes) - 1
    if others < 1:
        return [np.zeros(len(own)) for own in boxes]
    starts = np.cumsum([0, *(len(own) for own in boxes)])
    together = np.concatenate(boxes)
    same = intersection_over_union(together, together) > SAME_PLACE_IOU
    hits = np.zeros((len(together), len(boxes)), dtype=bool)
    for number in range(len(boxes)):
        hits[:, number] = same[:, starts[number] : starts[number + 1]].any(axis=1)
        hits[starts[number] : starts[number + 1], number] = False
    share: Floats = hits.sum(axis=1) / others
    return [share[starts[number] : starts[number + 1]] for number in range(len(boxes))]


def _median_of_others(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """For each of n >= 2 arrays the element-wise median of the n - 1 others; from one sort."""
    order = np.argsort(values, axis=0, kind="stable")
    ordered = np.take_along_axis(values, order, axis=0)
    rank = np.argsort(order, axis=0, kind="stable")
    count = len(values) - 1
    low, high = (
        np.take_along_axis(ordered, place + (place >= rank), axis=0) for place in ((count - 1) // 2, count // 2)
    )
    return np.asarray((low + high) / 2, dtype=np.float32)


def _coverage(begin: float, end: float, count: int) -> Floats:
    """How much of each of `count` cells of 0 to 1 the stretch from `begin` to `end` covers, in cells."""
    low = np.arange(count)
    covered: Floats = (np.minimum(end * count, low + 1) - np.maximum(begin * count, low)).clip(0)
    return covered


def _dense_evidence(score: float) -> float:
    score = _finite(score)
    return float(_logit(np.array(min(score, 1.0)))) if score > 0 else 0.0


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _logit(values: Floats) -> Floats:
    held = values.clip(1e-5, 1 - 1e-5)
    odds: Floats = np.log(held / (1 - held))
    return odds


def _expit(odds: Floats) -> Floats:
    probabilities: Floats = 1 / (1 + np.exp(-odds.clip(-_MAX_ODDS, _MAX_ODDS)))
    return probabilities


def _vector(weights: dict[str, float], names: Sequence[str]) -> Floats:
    return np.array([weights.get(name, 0.0) for name in names], dtype=np.float64)
