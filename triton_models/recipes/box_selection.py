"""The last part of a detector's graph: from boxes and scores of all cells to a fixed number of boxes per frame.

Needs the extra `models` (torch); no code that serves imports this module.
"""

from typing import Any

import torch
from torch import Tensor, nn

BOXES = 32
"""Boxes per frame; the rest is filled with score 0."""

_CANDIDATES = 256
_LEAST_SCORE = 0.001


class BoxSelection(nn.Module):
    """Non-maximum suppression, then the best `BOXES` boxes.

    In: boxes float32 (B, A, 4) in pixels of the frame (x, y, width, height), scores float32 (B, A, categories), any A.
    Out: BOXES float32 (B, 32, 4) as shares of the frame and clipped to it, SCORES float32 (B, 32) in descending order,
    CATEGORIES int32 (B, 32). Boxes of different categories suppress each other too: one animal is one box.

    A NaN or infinite score anywhere makes all scores of that frame NaN, so that it cannot be suppressed silently.
    """

    scale: Tensor

    def __init__(self, width: int, height: int, overlap: float = 0.5) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor([width, height, width, height], dtype=torch.float32))
        self.overlap = overlap

    def forward(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        best, category = scores.max(dim=2)
        # Times zero: 0, or NaN where any score is NaN or infinite.
        unsound = (best * 0).sum(dim=1, keepdim=True)
        best, places = best.topk(min(_CANDIDATES, best.shape[1]), dim=1)
        corners = torch.cat([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], dim=2) / self.scale
        corners = _pick(corners, places).clamp(0, 1)
        selected = _Suppression.apply(corners, best[:, None], BOXES, self.overlap, _LEAST_SCORE)
        kept = torch.zeros_like(best)
        kept[selected[:, 0], selected[:, 2]] = 1.0
        best, order = (best * kept).topk(min(BOXES, best.shape[1]), dim=1)
        shown = (best > 0).to(torch.float32)
        chosen = _pick(corners, order)
        chosen = torch.cat([chosen[..., :2], chosen[..., 2:] - chosen[..., :2]], dim=2) * shown[..., None]
        categories = category.gather(1, places).gather(1, order)
        return chosen, best + unsound, (categories * shown.to(torch.int64)).to(torch.int32)


def suppress(corners: Tensor, scores: Tensor, most: int, overlap: float) -> Tensor:
    """Non-maximum suppression of corners (B, K, 4) with scores (B, K), descending: 1 for those kept, else 0."""
    selected = _Suppression.apply(corners, scores[:, None], most, overlap, _LEAST_SCORE)
    kept = torch.zeros_like(scores)
    kept[selected[:, 0], selected[:, 2]] = 1.0
    return kept


def _pick(boxes: Tensor, places: Tensor) -> Tensor:
    """The boxes (B, K, 4) at places (B, K)."""
    return boxes.gather(1, places[..., None].expand(-1, -1, 4))


class _Suppression(torch.autograd.Function):
    """ONNX's `NonMaxSuppression`, and the same in torch."""

    @staticmethod
    def forward(ctx: Any, boxes: Tensor, scores: Tensor, most: int, overlap: float, least: float) -> Tensor:
        """Rows (frame, class, box) of the selected boxes: boxes (B, K, 4) as corners, scores (B, 1, K), descending."""
        rows = []
        for frame in range(len(boxes)):
            kept: list[int] = []
            for index in range(boxes.shape[1]):
                if len(kept) == most or not scores[frame, 0, index] > least:
                    break
                others = boxes[frame, kept]
                if not kept or not (_overlaps(boxes[frame, index], others) > overlap).any():
                    kept.append(index)
            rows += [(frame, 0, index) for index in kept]
        return torch.tensor(rows, dtype=torch.int64).reshape(-1, 3)

    @staticmethod
    def symbolic(g: Any, boxes: Any, scores: Any, most: int, overlap: float, least: float) -> Any:
        """The node of the graph."""
        limits = [g.op("Constant", value_t=torch.tensor(value)) for value in (most, float(overlap), float(least))]
        return g.op("NonMaxSuppression", boxes, scores, *limits)


def _overlaps(box: Tensor, others: Tensor) -> Tensor:
    """Intersection over union of one box with others, all as corners."""
    sides = (torch.minimum(box[2:], others[:, 2:]) - torch.maximum(box[:2], others[:, :2])).clamp(min=0)
    common = sides[:, 0] * sides[:, 1]
    areas = (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])
    return common / ((box[2] - box[0]) * (box[3] - box[1]) + areas - common).clamp(min=1e-12)
