"""SimOTA and the losses of YOLOX, on toy boxes."""

import torch

from uncia.training.detectors.assignment import Assignment, assign, make_cells, pairwise_iou
from uncia.training.detectors.losses import Target, detection_loss, overlap_loss

CELLS = make_cells([(8, 8), (4, 4), (2, 2)], (8, 16, 32))
BOX = torch.tensor([[16.0, 16.0, 16.0, 16.0]])


def predictions(box: torch.Tensor, score: float = 0.1) -> tuple[torch.Tensor, torch.Tensor]:
    """Every cell predicts this box."""
    return box.expand(len(CELLS.strides), 4).clone(), torch.full((len(CELLS.strides), 1), score)


def assigned(true: torch.Tensor, boxes: torch.Tensor, scores: torch.Tensor) -> Assignment:
    return assign(CELLS, boxes, scores, true, torch.zeros(len(true), dtype=torch.int64))


def test_cells_lie_on_the_grids_of_the_three_strides() -> None:
    assert CELLS.centres.shape == (64 + 16 + 4, 2)
    assert CELLS.centres[0].tolist() == [4.0, 4.0]
    assert CELLS.centres[64].tolist() == [8.0, 8.0]
    assert sorted(set(CELLS.strides.tolist())) == [8.0, 16.0, 32.0]


def test_a_box_takes_cells_in_it_and_as_many_as_their_overlaps_sum_up_to() -> None:
    found = assigned(BOX, *predictions(BOX))
    assert len(found.cells) == 10
    assert (found.overlaps > 0.999).all()
    centres = CELLS.centres[found.cells]
    # Cells in the box and near to its centre are cheaper than those that are one of both.
    inside = ((centres > 16) & (centres < 32)).all(dim=1)
    assert inside.sum() == 5


def test_a_box_that_nothing_overlaps_still_gets_one_cell() -> None:
    found = assigned(BOX, *predictions(torch.tensor([[50.0, 50.0, 4.0, 4.0]])))
    assert len(found.cells) == 1


def test_a_small_box_without_a_cell_in_it_is_predicted_by_a_near_one() -> None:
    small = torch.tensor([[9.0, 9.0, 2.0, 2.0]])
    found = assigned(small, *predictions(small))
    assert len(found.cells) >= 1


def test_the_better_score_wins_among_equal_boxes() -> None:
    boxes, scores = predictions(torch.tensor([[50.0, 50.0, 4.0, 4.0]]))
    preferred = 2 * 8 + 3
    scores[preferred] = 0.9
    assert assigned(BOX, boxes, scores).cells.tolist() == [preferred]


def test_a_cell_serves_one_box() -> None:
    two = torch.cat([BOX, BOX + torch.tensor([[2.0, 0.0, 0.0, 0.0]])])
    found = assigned(two, *predictions(BOX))
    assert len(set(found.cells.tolist())) == len(found.cells)
    assert set(found.boxes.tolist()) <= {0, 1}


def test_a_blank_frame_has_no_assignment() -> None:
    found = assigned(torch.zeros(0, 4), *predictions(BOX))
    assert not len(found.cells) and not len(found.boxes)


def test_overlap_of_equal_half_and_distant_boxes() -> None:
    others = torch.tensor([[16.0, 16.0, 16.0, 16.0], [24.0, 16.0, 16.0, 16.0], [100.0, 0.0, 1.0, 1.0]])
    expected = [1.0, 1 / 3, 0.0]
    assert torch.allclose(pairwise_iou(BOX, others)[0], torch.tensor(expected), atol=1e-6)
    wanted = torch.tensor([1 - overlap**2 for overlap in expected])
    assert torch.allclose(overlap_loss(BOX.expand(3, 4), others), wanted, atol=1e-6)


def maps(objects: float) -> list[torch.Tensor]:
    return [
        torch.cat(
            [torch.zeros(1, 4, side, side), torch.full((1, 1, side, side), objects), torch.zeros(1, 1, side, side)], 1
        )
        for side in (8, 4, 2)
    ]


BLANK = Target(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))


def test_a_blank_frame_costs_less_the_less_is_seen_in_it() -> None:
    assert detection_loss(maps(-6.0), [BLANK]) < detection_loss(maps(-1.0), [BLANK])


def test_a_blank_with_weight_two_costs_twice() -> None:
    heavy = Target(BLANK.boxes, BLANK.classes, 2.0)
    assert torch.isclose(detection_loss(maps(0.0), [heavy]), 2 * detection_loss(maps(0.0), [BLANK]))


def test_steps_along_the_gradient_lower_the_loss_of_a_box() -> None:
    levels = [level.requires_grad_() for level in maps(-2.0)]
    target = Target(BOX, torch.zeros(1, dtype=torch.int64))
    optimizer = torch.optim.Adam(levels, lr=0.05)
    losses = []
    for _ in range(30):
        loss = detection_loss(levels, [target])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
