"""Average precision, recall at false positives, overlaps."""

import numpy as np
import pytest

from uncia.training.evaluation.detection import (
    FrameDetections,
    average_precision,
    best_box_overlaps,
    blank_auc,
    iou_matrix,
    match_detections,
    recall_at_false_positives,
)

HERE, THERE, NOWHERE = (0.1, 0.1, 0.2, 0.2), (0.6, 0.6, 0.2, 0.2), (0.4, 0.0, 0.1, 0.1)
Box = tuple[float, float, float, float]


def frame(found: dict[Box, float], true: tuple[Box, ...] = ()) -> FrameDetections:
    return FrameDetections(
        np.array(list(found), np.float64).reshape(-1, 4),
        np.array(list(found.values()), np.float64),
        np.array(true, np.float64).reshape(-1, 4),
    )


def test_overlap_of_equal_boxes_is_one_and_of_distant_ones_zero() -> None:
    assert iou_matrix(np.array([HERE]), np.array([HERE, THERE])).tolist() == [[pytest.approx(1.0), 0.0]]


def test_all_found_without_false_positives_is_an_average_precision_of_one() -> None:
    matched = match_detections([frame({HERE: 0.9, THERE: 0.8}, (HERE, THERE))])
    assert average_precision(matched) == pytest.approx(1.0)


def test_a_second_box_on_the_same_animal_is_a_false_positive() -> None:
    near = (0.11, 0.1, 0.2, 0.2)
    matched = match_detections([frame({HERE: 0.9, near: 0.8}, (HERE,))])
    assert matched.hits.tolist() == [True, False]


def test_a_false_positive_above_the_animal_halves_the_precision() -> None:
    matched = match_detections([frame({HERE: 0.5}, (HERE,)), frame({NOWHERE: 0.9})])
    assert average_precision(matched) == pytest.approx(0.5)
    assert recall_at_false_positives(matched, 0.1) == 0.0
    assert recall_at_false_positives(matched, 0.5) == 1.0


def test_detections_of_one_score_pass_a_threshold_together() -> None:
    matched = match_detections([frame({HERE: 0.5, NOWHERE: 0.5}, (HERE,))])
    assert recall_at_false_positives(matched, 0.1) == 0.0


def test_frames_without_detections_count_as_missed() -> None:
    frames = [frame({}, (HERE,)), frame({HERE: 0.5}, (HERE,))]
    assert average_precision(match_detections(frames)) == pytest.approx(0.5)
    assert best_box_overlaps(frames).tolist() == [0.0, pytest.approx(1.0)]


def test_without_true_boxes_there_is_no_average_precision() -> None:
    assert np.isnan(average_precision(match_detections([frame({HERE: 0.5})])))
    assert np.isnan(blank_auc(np.array([0.5]), np.array([False])))
    assert blank_auc(np.array([0.9, 0.1]), np.array([True, False])) == 1.0
