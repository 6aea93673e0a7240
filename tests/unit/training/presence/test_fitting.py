"""Fitting presence: on synthetic bursts whose animals move and whose stones do not."""

from dataclasses import replace

import numpy as np
import pytest

from uncia.camtrap.presence import FrameEvidence
from uncia.training import TrainingError
from uncia.training.evaluation.metrics import area_under_curve
from uncia.training.presence.evaluation import (
    PresencePredictions,
    detector_alone,
    figures_of,
    predict_presence,
)
from uncia.training.presence.fitting import fit_presence
from uncia.training.presence.labelled_bursts import LabelledBurst, LabelledFrame, blank_parts, prepare_bursts
from uncia.training.presence.recipe import choose_threshold, train_presence


def burst(number: int, animal: bool, dataset: str = "one") -> LabelledBurst:
    """Four frames with a stone of a random score; in some frames of an animal's burst, an animal walks."""
    random = np.random.default_rng(number + 1000 * animal)
    scene = random.integers(60, 180, (24, 32)).astype(np.float64)
    stone = (0.05, 0.5, 0.2, 0.2)
    frames = []
    for step in range(4):
        shown = animal and step < 3
        cells, boxes, scores = scene + random.normal(0, 3, scene.shape), [stone], [random.uniform(0.1, 0.6)]
        if shown:
            column = 10 + 6 * step
            cells[10:16, column : column + 4] = 250
            boxes.append((column / 32, 0.04 + 0.89 * 10 / 24, 4 / 32, 0.89 * 6 / 24))
            scores.append(random.uniform(0.1, 0.6))
        evidence = FrameEvidence(
            np.array(boxes), np.array(scores), ("animal",) * len(boxes), cells.clip(0, 255).astype(np.uint8)
        )
        frames.append(LabelledFrame(evidence, shown, np.array(boxes[1:]).reshape(-1, 4) if shown else None))
    return LabelledBurst(f"{dataset}/{animal}/{number}", dataset, "", tuple(frames), animal)


def bursts(count: int, dataset: str = "one", first: int = 0) -> list[LabelledBurst]:
    return [burst(first + number, animal, dataset) for number in range(count) for animal in (True, False)]


THRESHOLD = 0.35


def test_movement_lifts_what_the_detector_alone_cannot_tell() -> None:
    model = fit_presence(prepare_bursts(bursts(15), THRESHOLD), "fitted")
    others = prepare_bursts(bursts(15, first=100), THRESHOLD)
    fused = figures_of(predict_presence(model, others), resamples=50)
    alone = figures_of(predict_presence(detector_alone(), others), resamples=50)
    assert fused.burst_auc is not None and alone.burst_auc is not None and fused.right_boxes is not None
    assert fused.burst_auc.value > 0.95 > alone.burst_auc.value
    assert fused.right_boxes.value > 0.9


def test_the_order_of_the_bursts_changes_nothing() -> None:
    prepared = prepare_bursts(bursts(6), THRESHOLD)
    again = prepare_bursts(list(reversed(bursts(6))), THRESHOLD)
    assert fit_presence(prepared, "fitted").id == fit_presence(again, "fitted").id


def test_weights_of_evidence_are_never_negative() -> None:
    model = fit_presence(prepare_bursts(bursts(6), THRESHOLD), "fitted")
    for weights in (model.single, model.still, model.moving):
        assert weights.features["score"] >= 0 and weights.features.get("moved", 0) >= 0
        assert min(weights.context.values()) >= 0 and min(weights.burst.values()) >= 0


def test_only_animals_teach_nothing() -> None:
    with pytest.raises(TrainingError, match="blank"):
        fit_presence(prepare_bursts([burst(1, True)], THRESHOLD).copy()[:0], "fitted")


def test_the_figures_come_from_data_sets_that_were_left_out() -> None:
    trained = train_presence([*bursts(5, "one"), *bursts(5, "two", 50)], "fitted", resamples=20)
    assert trained.left_out == "dataset" and trained.model.split_by_camera
    assert set(trained.by_dataset) == {"one", "two"}


def test_a_single_camera_is_warned_of() -> None:
    trained = train_presence(bursts(5), "fitted", resamples=20)
    assert trained.left_out is None and not trained.model.split_by_camera
    assert any("not split by camera" in warning for warning in trained.warnings)


def test_blank_frames_of_an_animals_burst_become_a_blank_burst() -> None:
    (own,) = [burst(1, True)]
    assert blank_parts([own]) == []  # one blank frame only
    more = LabelledBurst(own.name, own.dataset, "", (*own.frames, own.frames[-1]), True)
    (part,) = blank_parts([more])
    assert not part.animal and len(part.frames) == 2


@pytest.mark.parametrize(("scores", "expected"), [([0.1, 0.9], 1.0), ([0.9, 0.1], 0.0), ([0.5, 0.5], 0.5)])
def test_the_area_under_the_curve_counts_pairs(scores: list[float], expected: float) -> None:
    assert area_under_curve(np.column_stack([[0, 1], scores])) == expected


def predictions(blanks: list[float], animals: list[float]) -> PresencePredictions:
    truth = np.array([False] * len(blanks) + [True] * len(animals))
    scores = np.array([*blanks, *animals])
    names = np.array([str(number) for number in range(len(truth))])
    none = np.zeros(0, dtype=bool)
    return PresencePredictions(truth, scores, names, truth, scores, names, none, none.astype(np.str_))


def test_the_threshold_is_the_lowest_that_calls_few_blanks_animals() -> None:
    blanks = [number / 100 for number in range(40)]
    assert choose_threshold([predictions(blanks[:20], [0.9]), predictions(blanks[20:], [])], 0.05) == 0.38
    assert choose_threshold([predictions(blanks, [])], 0.0) == 0.4
    assert choose_threshold([predictions([1.0] * 40, [])]) == 0.99


def test_no_threshold_is_chosen_on_few_blanks() -> None:
    assert choose_threshold([predictions([0.1] * 19, [0.9] * 100)]) is None


def test_bursts_without_labels_of_their_frames_are_learnt_from_as_a_whole() -> None:
    def whole(one: LabelledBurst) -> LabelledBurst:
        return replace(one, frames=tuple(replace(frame, animal=None, true_boxes=None) for frame in one.frames))

    model = fit_presence(prepare_bursts(map(whole, bursts(15)), THRESHOLD), "fitted")
    others = prepare_bursts(bursts(15, first=100), THRESHOLD)
    figures = figures_of(predict_presence(model, others), resamples=50)
    assert figures.burst_auc is not None and figures.burst_auc.value > 0.95
