"""The self-test of a model: the frame that it receives, and how far its output is from the one on its card. Pure."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels, self_test_pattern
from uncia.serving.cards import Card
from uncia.serving.detector_card import DetectorCard
from uncia.serving.embedder_card import EmbedderCard
from uncia.serving.model_card import ModelCard

__all__ = ["detector_test_frame", "self_test_difference", "self_test_frame"]

_WRONG = 1.0
"""The difference of an output that does not correspond to the expected one at all."""


def detector_test_frame(spec: FrameSpec) -> Pixels:
    """The self-test's input of detectors: the classifiers' pattern, mirrored, inverted, red and blue swapped.

    The default detector finds boxes with scores up to 0.5 there, and next to nothing in the pattern itself.
    """
    frame: Pixels = np.ascontiguousarray(255 - self_test_pattern(spec)[:, ::-1, ::-1])
    return frame


def self_test_frame(card: Card) -> Pixels:
    """The self-test's input: uint8 (height, width, 3)."""
    return detector_test_frame(card.frame) if isinstance(card, DetectorCard) else self_test_pattern(card.frame)


def self_test_difference(card: Card, outputs: Mapping[str, NDArray[Any]]) -> float:
    """The largest difference from the output on the card; NaN where the output holds NaN.

    `outputs` are the tensors of a response to the self-test's frame, by name; only the first frame counts.
    """
    if isinstance(card, DetectorCard):
        return _detector_difference(card, outputs)
    if isinstance(card, EmbedderCard):
        return _embedder_difference(card, outputs)
    return _classifier_difference(card, outputs)


def _classifier_difference(card: ModelCard, outputs: Mapping[str, NDArray[Any]]) -> float:
    expected = card.self_test
    stored = np.stack([expected.whole.unpack(), expected.windows.unpack()])
    # Over all at once: numpy's maximum keeps a NaN, which no comparison lets pass; Python's would lose it.
    return float(np.abs(np.stack([outputs[card.whole][0], outputs[card.windows][0]]) - stored).max())


def _detector_difference(card: DetectorCard, outputs: Mapping[str, NDArray[Any]]) -> float:
    """Scores are compared in order, and each box of the card with the most similar box of its category.

    Not box by box: two of nearly equal scores may change places between processors.
    """
    boxes, scores, categories = (outputs[output.name][0] for output in card.outputs)
    expected = card.self_test
    stored = np.zeros(card.max_boxes)
    stored[: len(expected.scores)] = expected.scores
    # Unordered scores are a broken graph, whatever they are.
    differences = [np.abs(scores - stored).max(), np.maximum(np.diff(scores), 0).max(initial=0)]
    for box, score, category in zip(expected.boxes, expected.scores, expected.categories, strict=True):
        if score >= max(card.threshold, 2 * expected.tolerance):
            same = (categories == category) & (scores > 0)
            distances = np.abs(boxes[same] - np.array(box)).max(axis=1)
            differences.append(distances.min(initial=_WRONG))
    return float(np.max(differences))


def _embedder_difference(card: EmbedderCard, outputs: Mapping[str, NDArray[Any]]) -> float:
    """The distance between both vectors of unit length; a vector of zeros has none, and is as far as can be."""
    vector = np.asarray(outputs[card.embedding][0], dtype=np.float64)
    length = float(np.linalg.norm(vector))
    if length == 0:
        return _WRONG
    return float(np.linalg.norm(vector / length - np.array(card.self_test.vector)))
