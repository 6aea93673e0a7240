"""Evaluate a detector on annotated frames: average precision, recall, overlap, and animal against blank."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels
from uncia.training.detectors.annotated_frames import AnnotatedFrame
from uncia.training.detectors.augmentation import to_photograph
from uncia.training.detectors.batches import load_batches
from uncia.training.evaluation import detection
from uncia.training.evaluation.bootstrap import Interval, bootstrap_interval
from uncia.training.evaluation.detection import FrameDetections

Outputs = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]
"""BOXES, SCORES and CATEGORIES, as an `animal_detector` returns them."""
RunDetector = Callable[[Pixels], Outputs]
"""Detects in frames uint8 (B, height, width, 3)."""

FALSE_POSITIVES_PER_FRAME = (0.1, 0.5)
_LEAST_SCORE = 0.005
"""Detections below it are not counted: they do not change a metric, and there are 32 in every frame."""


@dataclass(frozen=True)
class EvaluatedFrames:
    """The detections of the frames that could be read."""

    frames: tuple[AnnotatedFrame, ...]
    detections: tuple[FrameDetections, ...]

    @property
    def bursts(self) -> tuple[str, ...]:
        """The burst of each frame."""
        return tuple(frame.burst for frame in self.frames)


def detect_frames(
    frames: Sequence[AnnotatedFrame],
    run: RunDetector,
    spec: FrameSpec,
    unreadable: dict[Path, str],
    *,
    batch: int = 8,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> EvaluatedFrames:
    """Run a detector; boxes are then shares of the photograph. Categories are not compared: a box is a box."""
    found: list[tuple[AnnotatedFrame, FrameDetections]] = []
    for loaded in load_batches(frames, range(len(frames)), spec, batch, unreadable):
        boxes, scores, _ = run(np.stack([one.pixels for one in loaded]))
        for one, own_boxes, own_scores in zip(loaded, boxes, scores, strict=True):
            kept = own_scores >= _LEAST_SCORE
            frame = frames[one.index]
            true = np.array([true.box for true in frame.boxes], np.float64).reshape(-1, 4)
            photograph = to_photograph(own_boxes[kept].astype(np.float64), spec)
            found.append((frame, FrameDetections(photograph, own_scores[kept].astype(np.float64), true)))
        progress(len(found), len(frames))
    return EvaluatedFrames(tuple(frame for frame, _ in found), tuple(one for _, one in found))


def held_out_score(evaluated: EvaluatedFrames) -> float:
    """What the epoch is chosen by, 0 to 1: mean of average precision and, with blanks, animal against blank."""
    precision = detection.average_precision(detection.match_detections(evaluated.detections))
    auc = detection.blank_auc(*_blank_scores(evaluated.detections))
    parts = [part for part in (precision, auc) if not np.isnan(part)]
    return float(np.mean(parts)) if parts else 0.0


def evaluate(evaluated: EvaluatedFrames, *, seed: int, resamples: int = 300) -> dict[str, Interval]:
    """All metrics with intervals over bursts; those that the frames cannot show are left out."""
    figures: dict[str, Interval] = {}
    for name, statistic in _statistics().items():

        def over(rows: NDArray[np.float64], statistic: Callable[..., float] = statistic) -> float:
            return statistic([evaluated.detections[int(row)] for row in rows])

        if not evaluated.frames or np.isnan(over(np.arange(len(evaluated.frames), dtype=np.float64))):
            continue
        figures[name] = _interval(over, evaluated.bursts, seed, resamples)
    return figures


def _interval(
    statistic: Callable[[NDArray[np.float64]], float], bursts: Sequence[str], seed: int, resamples: int
) -> Interval:
    """As `bootstrap_interval`; resamples that lack blanks or animals do not count."""
    numbers = np.arange(len(bursts), dtype=np.float64)
    whole = statistic(numbers)

    def finite(rows: NDArray[np.float64]) -> float:
        value = statistic(rows)
        return whole if np.isnan(value) else value

    return bootstrap_interval(numbers, bursts, statistic=finite, seed=seed, resamples=resamples)


def _statistics() -> dict[str, Callable[[Sequence[FrameDetections]], float]]:
    statistics: dict[str, Callable[[Sequence[FrameDetections]], float]] = {
        "mAP@0.5": lambda frames: detection.average_precision(detection.match_detections(frames))
    }
    for rate in FALSE_POSITIVES_PER_FRAME:
        statistics[f"recall at {rate:g} false positives a frame"] = lambda frames, rate=rate: (  # type: ignore[misc]
            detection.recall_at_false_positives(detection.match_detections(frames), rate)
        )
    statistics["best box right"] = lambda frames: _mean(detection.best_box_overlaps(frames) >= 0.5)
    statistics["IoU of the best box"] = lambda frames: _mean(detection.best_box_overlaps(frames))
    statistics["animal against blank"] = lambda frames: detection.blank_auc(*_blank_scores(frames))
    return statistics


def _mean(values: NDArray[np.float64] | NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _blank_scores(frames: Sequence[FrameDetections]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    scores = np.array([frame.best_score for frame in frames])
    return scores, np.array([len(frame.true_boxes) > 0 for frame in frames], bool)
