"""Which resolved bursts are worth an explanation, and of which frame and class. Pure: events and label sets in.

Requests are made here, downstream of the verdicts, and not by the bursts worker: its output stays a function of its
input alone, while this one depends on the rate that was left.
"""

import math
from dataclasses import dataclass
from datetime import datetime

from uncia import ids
from uncia.camtrap.frame_agreement import shown_categories
from uncia.events import (
    BurstCategory,
    BurstFrame,
    BurstResolved,
    BurstStatus,
    ExplanationMethod,
    ExplanationReason,
    ExplanationRequested,
)
from uncia.serving.model_card import ModelCard

NEAR_LOG_ODDS = 1.0
"""A score is near its threshold when their log-odds differ by less than this: from 0.008 to 0.053 for one of 0.02."""

_LEAST = 1e-6


@dataclass(frozen=True)
class Doubt:
    """A frame whose score should be explained, and why."""

    frame: BurstFrame
    reason: ExplanationReason


def may_show_person(burst: BurstResolved) -> bool:
    """Whether a person is in the burst by the verdict of the bursts worker, or may be since its detector knows none."""
    categories = {burst.category, *(frame.category for frame in burst.frames)}
    return bool(burst.crops_withheld) or BurstCategory.PERSON in categories


def find_doubt(burst: BurstResolved) -> Doubt | None:
    """The frame to explain in a burst that has just become final; None where nothing is doubtful.

    Near the threshold: the frame whose score of the verdict's class is nearest to its calibrated threshold. Otherwise,
    where frames disagree (some reach the threshold and others do not, or they show different categories): the frame
    with the highest score.
    """
    if burst.status is not BurstStatus.FINAL or burst.verdict is None:
        return None
    scored = [(frame.score, frame) for frame in burst.frames if frame.score is not None and frame.rejection is None]
    if not scored:
        return None
    threshold = burst.verdict.threshold
    if threshold is not None:
        distances = [(abs(_log_odds(score) - _log_odds(threshold)), frame.image_id, frame) for score, frame in scored]
        distance, _, nearest = min(distances, key=lambda found: found[:2])
        if distance < NEAR_LOG_ODDS:
            return Doubt(nearest, ExplanationReason.NEAR_THRESHOLD)
    scores = [score for score, _ in scored]
    crosses = threshold is not None and min(scores) < threshold <= max(scores)
    if crosses or len(shown_categories(frame for _, frame in scored)) > 1:
        _, best = max(scored, key=lambda found: (found[0], found[1].image_id))
        return Doubt(best, ExplanationReason.DISAGREEMENT)
    return None


def build_request(
    burst: BurstResolved,
    frame: BurstFrame,
    reason: ExplanationReason,
    card: ModelCard,
    requested_at: datetime,
    *,
    method: ExplanationMethod = ExplanationMethod.LIME,
    class_index: int | None = None,
) -> ExplanationRequested:
    """The request for one frame; without `class_index`, of the verdict's class where the model has it."""
    if class_index is None and burst.verdict is not None:
        named = (entry.index for entry in card.labels.classes if entry.label == burst.verdict.label)
        class_index = next(named, None)
    return ExplanationRequested(
        explanation_id=ids.explanation_id(frame.image_id, card.name, class_index, method.value),
        image_id=frame.image_id,
        upload_id=frame.upload_id,
        station=burst.station,
        camera=burst.camera,
        bucket=frame.bucket,
        key=frame.key,
        # A burst's event has no ETags; the content is compared with the image id.
        etag="",
        method=method,
        class_index=class_index,
        reason=reason,
        requested_at=requested_at,
        person_in_burst=may_show_person(burst),
    )


def _log_odds(score: float) -> float:
    held = min(max(score, _LEAST), 1 - _LEAST)
    return math.log(held / (1 - held))
