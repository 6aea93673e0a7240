"""Persons and vehicles relabel the animal detector's boxes at the same place, and are added elsewhere."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from uncia.triton_models.detectors import BOXES_PER_FRAME
from uncia.triton_models.detectors.fusion import FusionRules, merge_detectors, opset_of
from uncia.triton_models.detectors.onnx_builder import UINT8, OnnxBuilder, checked_bytes, tensor
from uncia.triton_models.detectors.postprocessing import output_tensors

Row = tuple[int, float, tuple[float, float, float, float]]
"""Category, score and box."""

ANIMAL, PERSON, VEHICLE = range(3)
HERE, THERE = (0.1, 0.1, 0.4, 0.4), (0.6, 0.6, 0.3, 0.3)
RULES = FusionRules({"person": 0.6, "vehicle": 0.4})


def constant_detector(rows: list[Row], *, opset: int = 17, width: int = 8) -> bytes:
    """A graph that returns these rows for every frame."""
    boxes = np.zeros((1, BOXES_PER_FRAME, 4), np.float32)
    scores = np.zeros((1, BOXES_PER_FRAME), np.float32)
    categories = np.zeros((1, BOXES_PER_FRAME), np.int32)
    for index, (category, score, box) in enumerate(rows):
        boxes[0, index], scores[0, index], categories[0, index] = box, score, category
    builder = OnnxBuilder(opset)
    batch = builder.columns(builder.add("Shape", "FRAME"), 0, 1, 0)
    for name, values in (("BOXES", boxes), ("SCORES", scores), ("CATEGORIES", categories)):
        ones = builder.constant([1] * (values.ndim - 1), np.int64)
        repeats = builder.add("Concat", batch, ones, axis=0)
        builder.add("Tile", builder.constant(values, values.dtype), repeats, output=name)
    return checked_bytes(builder.model([tensor("FRAME", UINT8, ["batch", 6, width, 3])], output_tensors()))


def fused(animals: list[Row], others: list[Row], *, opset: int = 17) -> list[Row]:
    graph = merge_detectors(constant_detector(animals, opset=opset), constant_detector(others, opset=opset), RULES)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    assert [entry.name for entry in session.get_inputs()] == ["FRAME"]
    outputs: list[NDArray[Any]] = session.run(None, {"FRAME": np.zeros((2, 6, 8, 3), np.uint8)})
    boxes, scores, categories = (output[1] for output in outputs)
    assert (np.diff(scores) <= 0).all() or np.isnan(scores).all()
    return [
        (int(category), round(float(score), 5), tuple(round(float(side), 5) for side in box))  # type: ignore[misc]
        for category, score, box in zip(categories, scores, boxes, strict=True)
        if not score <= 0
    ]


@pytest.mark.parametrize("opset", [13, 17, 18])
def test_a_sure_person_relabels_the_box_at_the_same_place(opset: int) -> None:
    assert fused([(ANIMAL, 0.7, HERE)], [(PERSON, 0.8, (0.12, 0.1, 0.4, 0.4))], opset=opset) == [(PERSON, 0.8, HERE)]


def test_the_higher_score_remains() -> None:
    assert fused([(ANIMAL, 0.9, HERE)], [(VEHICLE, 0.5, HERE)]) == [(VEHICLE, 0.9, HERE)]


def test_an_unsure_person_changes_nothing() -> None:
    assert fused([(ANIMAL, 0.7, HERE)], [(PERSON, 0.59, HERE), (VEHICLE, 0.39, THERE)]) == [(ANIMAL, 0.7, HERE)]


def test_a_vehicle_elsewhere_is_added_and_the_animal_stays() -> None:
    assert fused([(ANIMAL, 0.7, HERE)], [(VEHICLE, 0.5, THERE)]) == [(ANIMAL, 0.7, HERE), (VEHICLE, 0.5, THERE)]


def test_animals_of_the_second_detector_are_left_out() -> None:
    assert fused([], [(ANIMAL, 0.9, HERE)]) == []


def test_the_best_of_several_matches_names_the_box() -> None:
    others = [(PERSON, 0.9, HERE), (VEHICLE, 0.8, HERE)]
    assert fused([(ANIMAL, 0.3, HERE)], others) == [(PERSON, 0.9, HERE)]


def test_several_boxes_of_one_vehicle_become_one() -> None:
    parts: list[Row] = [
        (ANIMAL, 0.3, (0.1, 0.1, 0.25, 0.4)),
        (ANIMAL, 0.5, (0.25, 0.1, 0.25, 0.4)),
        (ANIMAL, 0.2, THERE),
    ]
    assert fused(parts, [(VEHICLE, 0.6, HERE)]) == [(VEHICLE, 0.6, (0.25, 0.1, 0.25, 0.4)), (ANIMAL, 0.2, THERE)]


def test_the_number_of_boxes_stays_and_the_best_remain() -> None:
    animals = [(ANIMAL, 0.3 - index / 1000, (0.0, 0.0, 0.01, 0.01)) for index in range(BOXES_PER_FRAME)]
    rows = fused(animals, [(PERSON, 0.95, THERE)])
    assert len(rows) == BOXES_PER_FRAME
    assert rows[0] == (PERSON, 0.95, THERE)


@pytest.mark.parametrize("broken", [0, 1])
def test_nan_of_either_detector_reaches_the_client(broken: int) -> None:
    sources: list[list[Row]] = [[(ANIMAL, 0.7, HERE)], [(PERSON, 0.8, THERE)]]
    sources[broken] = [(PERSON, float("nan"), HERE)]
    assert all(np.isnan(score) for _, score, _ in fused(*sources))


def test_graphs_of_other_sizes_or_operator_sets_are_refused() -> None:
    graph = constant_detector([])
    assert opset_of(graph) == 17
    with pytest.raises(ValueError, match="different sizes"):
        merge_detectors(graph, constant_detector([], width=16))
    with pytest.raises(ValueError, match="operator sets, 17 and 18"):
        merge_detectors(graph, constant_detector([], opset=18))


@pytest.mark.parametrize(
    ("category", "score", "added"), [(PERSON, 0.79, False), (PERSON, 0.81, True), (VEHICLE, 0.49, False)]
)
def test_what_the_animal_detector_does_not_see_needs_a_higher_score(category: int, score: float, added: bool) -> None:
    assert fused([], [(category, score, THERE)]) == ([(category, score, THERE)] if added else [])
