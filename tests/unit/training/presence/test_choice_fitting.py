"""Fitting the box of choice: on synthetic bursts whose animals move and whose stones do not."""

from dataclasses import replace

import numpy as np

from tests.unit.training.presence.test_fitting import THRESHOLD, bursts
from uncia.camtrap.box_choice import CHOICE_FEATURES
from uncia.camtrap.movement import intersection_over_union
from uncia.camtrap.presence import load_presence_model
from uncia.training.presence.choice_fitting import LEAST_FRAMES, fit_choice
from uncia.training.presence.labelled_bursts import PreparedBurst, prepare_bursts
from uncia.training.presence.recipe import train_presence


def without_animal_boxes(own: PreparedBurst) -> PreparedBurst:
    """The burst as a detector sees it that is blind to its animal."""
    frames = [
        replace(frame, evidence=replace(frame.evidence, boxes=frame.evidence.boxes[:1],
                scores=frame.evidence.scores[:1], categories=("animal",)))
        for frame in own.burst.frames
    ]  # fmt: skip
    return prepare_bursts([replace(own.burst, frames=tuple(frames))], THRESHOLD)[0]


def right(own: PreparedBurst, choice: object) -> list[bool]:
    assert own.moving is not None
    chosen = load_presence_model().model_copy(update={"choice": choice}).choose_boxes(own.moving)
    return [
        box is not None and bool(intersection_over_union(np.array([box.box]), frame.true_boxes).max() >= 0.5)
        for box, frame in zip(chosen, own.burst.frames, strict=True)
        if frame.true_boxes is not None
    ]


def test_the_fitted_choice_finds_animals_that_the_detector_does_not() -> None:
    seen = prepare_bursts(bursts(30), THRESHOLD)
    blind = [without_animal_boxes(own) for own in seen]
    choice = fit_choice([*seen, *blind], "synthetic")
    assert choice is not None
    assert (set(choice.features), choice.learnt_on) == (set(CHOICE_FEATURES), "synthetic")
    others = prepare_bursts(bursts(10, first=100), THRESHOLD)
    hits = [hit for own in others for hit in (*right(own, choice), *right(without_animal_boxes(own), choice))]
    before = [hit for own in others for hit in (*right(own, None), *right(without_animal_boxes(own), None))]
    assert np.mean(hits) > 0.9 > 0.6 > np.mean(before)
    assert fit_choice([*seen, *blind], "synthetic") == choice


def test_too_few_true_boxes_leave_the_choice_to_the_default_weights() -> None:
    few = bursts(LEAST_FRAMES // 3 - 1)
    assert fit_choice(prepare_bursts(few[:10], THRESHOLD)) is None
    assert train_presence(few[:10], "few", resamples=5).model.choice == load_presence_model().choice
