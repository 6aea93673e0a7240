"""Client of a detector on Triton: frames in, boxes in the photograph out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncia.errors import DependencyDown, ScoresNotFinite
from uncia.events import Lane
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels
from uncia.serving.detector_card import DetectorCard
from uncia.serving.frame_requests import FrameClient
from uncia.settings import Settings

__all__ = ["Detector", "DetectorOutput", "boxes_in_photograph"]

_ROUNDING = 1e-3
"""A score may exceed 0 to 1 by this much and is then clipped; further away it is no score."""


@dataclass(frozen=True)
class DetectorOutput:
    """The output of one detector version for B frames, N boxes each, best first; unused places have score 0."""

    boxes: NDArray[np.float64]
    """(B, N, 4): x, y, width, height as shares of the stored photograph, clipped to it."""
    scores: NDArray[np.float32]
    """(B, N), in descending order. Not probabilities."""
    categories: NDArray[np.int32]
    """(B, N): indices into the card's `categories`."""
    version: str
    """The version that answered, as Triton reports it."""
    inference_ms: float
    """From request to response, queueing included."""


class Detector:
    """One long-lived client of one detector. Make it in the event loop that uses it; many calls may be in flight.

    It requests the version of the card. Every failure is `DependencyDown`: the frames are valid, so the caller retries
    with backoff.
    """

    def __init__(self, settings: Settings, card: DetectorCard) -> None:
        self._card = card
        self._client = FrameClient(settings)

    async def detect(self, pixels: Pixels, lane: Lane = Lane.LIVE, card: DetectorCard | None = None) -> DetectorOutput:
        """Detect in B frames: uint8 (B, height, width, 3), B at most `card.max_batch`. Live ones overtake backfill in
        the queue. `card` is of another version, or detector, than the one that this was made for.

        Raises `ScoresNotFinite` for NaN or infinite output, `DependencyDown` for every other failure, and `ValueError`
        for an array of another kind.
        """
        card = card or self._card
        response = await self._client.infer(card, pixels, lane)
        boxes, scores, categories = (response.tensors[output.name] for output in card.outputs)
        scores = _sound_scores(card, boxes, scores, categories)
        return DetectorOutput(
            boxes_in_photograph(np.where(scores[..., None] > 0, boxes, 0.0), card.frame),
            scores,
            categories,
            response.version,
            response.inference_ms,
        )

    async def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        await self._client.close()


def boxes_in_photograph(boxes: NDArray[np.floating], spec: FrameSpec) -> NDArray[np.float64]:
    """Boxes (..., 4) as shares of the frame, as shares of the photograph: the cropped strips are added back.

    Clipped to what the frame shows; a box outside it has width or height 0.
    """
    corners = np.concatenate([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], axis=-1, dtype=np.float64).clip(0, 1)
    kept = 1 - spec.crop_top - spec.crop_bottom
    corners[..., 1::2] = spec.crop_top + kept * corners[..., 1::2]
    corners[..., 2:] = np.maximum(corners[..., 2:] - corners[..., :2], 0)
    return corners


def _sound_scores(
    card: DetectorCard,
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    categories: NDArray[np.int32],
) -> NDArray[np.float32]:
    """The scores, clipped to 0 to 1. Raises `ScoresNotFinite` or `DependencyDown` for unusable output."""
    shown = scores > 0
    if not (np.isfinite(scores).all() and np.isfinite(boxes[shown]).all()):
        raise ScoresNotFinite(
            f"{card.model} returned NaN or infinite scores or boxes: reload it with `uncia models check --reload`"
        )
    sound = scores.min() >= -_ROUNDING and scores.max() <= 1 + _ROUNDING
    if not (sound and categories.min() >= 0 and categories.max() < len(card.categories)):
        raise DependencyDown(
            f"{card.model} returned scores outside 0 to 1 or categories that its card does not list: "
            "`uncia models build`, then `uncia models check --reload`"
        )
    return scores.clip(0, 1)
