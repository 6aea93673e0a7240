"""Which cells of the output maps must predict which true box: SimOTA.

Ge et al., "YOLOX: Exceeding YOLO Series in 2021" (arXiv:2107.08430), section 2.1: a cell near a box is a candidate; a
box takes as many candidates as its best ten overlap it in sum, those of the lowest cost; a cell serves one box.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import Tensor

_CENTRE_RADIUS = 2.5
"""In cells: a cell this near to a box's centre is a candidate, even outside of a small box."""
_IOU_WEIGHT = 3.0
_OUTSIDE_COST = 1e5
_OVERLAPS_SUMMED = 10


@dataclass(frozen=True)
class Cells:
    """The cells of all output maps, finest first."""

    centres: Tensor
    """(A, 2): x and y in pixels of the frame."""
    strides: Tensor
    """(A,): distance between neighbouring cells in pixels."""


@dataclass(frozen=True)
class Assignment:
    """The cells of one frame that predict a box."""

    cells: Tensor
    """int64 (P,): their numbers."""
    boxes: Tensor
    """int64 (P,): the number of the true box of each."""
    overlaps: Tensor
    """(P,): the overlap of the cell's prediction with it."""


def make_cells(sizes: list[tuple[int, int]], strides: tuple[int, ...]) -> Cells:
    """The cells of maps with these rows and columns."""
    centres, distances = [], []
    for (rows, columns), stride in zip(sizes, strides, strict=True):
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        centres.append((torch.stack([x, y], dim=2).reshape(-1, 2) + 0.5) * stride)
        distances.append(torch.full((rows * columns,), float(stride)))
    return Cells(torch.cat(centres), torch.cat(distances))


@torch.no_grad()
def assign(cells: Cells, boxes: Tensor, scores: Tensor, true_boxes: Tensor, true_classes: Tensor) -> Assignment:
    """Assign cells to the true boxes of one frame.

    `boxes` (A, 4) and `scores` (A, classes) are the predictions of the cells; `true_boxes` (G, 4) and `true_classes`
    (G,) the truth. Boxes are x, y, width, height in pixels. Without true boxes nothing is assigned.
    """
    inside, near = _candidates(cells, true_boxes)
    candidates = torch.nonzero((inside | near).any(dim=0)).flatten()
    if not len(true_boxes) or not len(candidates):
        empty = torch.zeros(0, dtype=torch.int64)
        return Assignment(empty, empty, torch.zeros(0))
    overlaps = pairwise_iou(true_boxes, boxes[candidates])
    wanted = functional.one_hot(true_classes, scores.shape[1]).to(scores.dtype)
    predicted = scores[candidates].clamp(0, 1).sqrt()
    class_cost = functional.binary_cross_entropy(
        predicted[None].expand(len(true_boxes), -1, -1),
        wanted[:, None].expand(-1, len(candidates), -1),
        reduction="none",
    ).sum(dim=2)
    outside = ~(inside & near)[:, candidates]
    cost = class_cost - _IOU_WEIGHT * (overlaps + 1e-8).log() + _OUTSIDE_COST * outside
    matched = torch.zeros_like(cost, dtype=torch.bool)
    best = overlaps.topk(min(_OVERLAPS_SUMMED, len(candidates)), dim=1).values
    counts = best.sum(dim=1).int().clamp(min=1)
    for number, count in enumerate(counts.tolist()):
        matched[number, cost[number].topk(count, largest=False).indices] = True
    # A cell that several boxes want serves the one of the lowest cost.
    shared = matched.sum(dim=0) > 1
    if shared.any():
        cheapest = cost[:, shared].argmin(dim=0)
        matched[:, shared] = False
        matched[cheapest, torch.nonzero(shared).flatten()] = True
    numbers = torch.nonzero(matched.any(dim=0)).flatten()
    owners = matched[:, numbers].int().argmax(dim=0)
    return Assignment(candidates[numbers], owners, overlaps[owners, numbers])


def pairwise_iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of each of (N, 4) with each of (M, 4): (N, M). Boxes are x, y, width, height."""
    low = torch.maximum(first[:, None, :2], second[None, :, :2])
    high = torch.minimum((first[:, :2] + first[:, 2:])[:, None], (second[:, :2] + second[:, 2:])[None])
    common = (high - low).clamp(min=0).prod(dim=2)
    areas = first[:, 2:].prod(dim=1)[:, None] + second[:, 2:].prod(dim=1)[None]
    return common / (areas - common).clamp(min=1e-9)


def _candidates(cells: Cells, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """(G, A): whether a cell's centre lies inside a box, and whether it is near to its centre."""
    x, y = cells.centres[:, 0], cells.centres[:, 1]
    left, top, width, height = (boxes[:, index, None] for index in range(4))
    inside = (x > left) & (x < left + width) & (y > top) & (y < top + height)
    reach = _CENTRE_RADIUS * cells.strides
    near = ((x - left - width / 2).abs() < reach) & ((y - top - height / 2).abs() < reach)
    return inside, near
