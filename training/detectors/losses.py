"""The losses of YOLOX: overlap of the boxes, "an object" in every cell, and the category where there is an object."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import Tensor

from uncia.training.detectors.assignment import Cells, assign, make_cells, pairwise_iou
from uncia.triton_models.recipes import yolox

_BOX_WEIGHT = 5.0
"""Of the overlap's loss, as published."""


@dataclass(frozen=True)
class Target:
    """The truth of one frame, and how much the frame counts."""

    boxes: Tensor
    """(G, 4): x, y, width, height in pixels of the frame."""
    classes: Tensor
    """int64 (G,)"""
    weight: float = 1.0


def detection_loss(maps: Sequence[Tensor], targets: Sequence[Target]) -> Tensor:
    """The loss of the maps of `YoloX` for a batch: a scalar. Divided by the cells that predict an object.

    A batch of blanks has no such cell; the divisor is at least the number of frames, so that a batch with few small
    animals is not many times as loud as another.
    """
    cells = make_cells([(level.shape[-2], level.shape[-1]) for level in maps], yolox.STRIDES)
    raw = torch.cat([level.flatten(2).permute(0, 2, 1) for level in maps], dim=1)
    boxes, scores = yolox.decode(maps)
    total, positives = raw.new_zeros(()), 0
    for number, target in enumerate(targets):
        loss, count = _frame_loss(cells, raw[number], boxes[number], scores[number], target)
        total = total + target.weight * loss
        positives += count
    return total / max(positives, len(targets))


def overlap_loss(predicted: Tensor, true: Tensor) -> Tensor:
    """1 - IoU² of pairs of boxes (P, 4), (P,): 0 where they are equal, 1 where they do not touch."""
    low = torch.maximum(predicted[:, :2], true[:, :2])
    high = torch.minimum(predicted[:, :2] + predicted[:, 2:], true[:, :2] + true[:, 2:])
    common = (high - low).clamp(min=0).prod(dim=1)
    union = predicted[:, 2:].prod(dim=1) + true[:, 2:].prod(dim=1) - common
    return 1 - (common / union.clamp(min=1e-9)) ** 2


def _frame_loss(cells: Cells, raw: Tensor, boxes: Tensor, scores: Tensor, target: Target) -> tuple[Tensor, int]:
    found = assign(cells, boxes, scores, target.boxes, target.classes)
    objects = torch.zeros_like(raw[:, 4])
    objects[found.cells] = 1.0
    loss = functional.binary_cross_entropy_with_logits(raw[:, 4], objects, reduction="sum")
    if len(found.cells):
        loss = loss + _BOX_WEIGHT * overlap_loss(boxes[found.cells], target.boxes[found.boxes]).sum()
        classes = functional.one_hot(target.classes[found.boxes], scores.shape[1]) * found.overlaps[:, None]
        loss = loss + functional.binary_cross_entropy_with_logits(raw[found.cells, 5:], classes, reduction="sum")
    return loss, len(found.cells)


__all__ = ["Target", "detection_loss", "overlap_loss", "pairwise_iou"]
